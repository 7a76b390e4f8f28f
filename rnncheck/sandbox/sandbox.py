"""A target that is asked many questions: started when first needed, again when it has fallen, and given up in the end.

A target that hangs or crashes costs the case at hand. So that a run never hangs, its time-outs and restarts are
counted: when they are used up, every further question fails at once.
"""

import json
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path

from rnncheck.errors import TargetError
from rnncheck.sandbox.child import Child, TimeOutError
from rnncheck.sandbox.launch import STAGED, hidden_paths, why_no_namespaces
from rnncheck.sandbox.limits import Limits
from rnncheck.sandbox.protections import close_to_others, sentences
from rnncheck.stopwatch import phase

__all__ = ["Sandbox"]


class Sandbox:
    """Runs `command` in `cwd` and asks it line by line.

    `greet` is what to do with a fresh one before its first question; `hint` what to look at when it keeps silent.
    """

    def __init__(
        self,
        command: Sequence[str],
        limits: Limits,
        *,
        cwd: Path,
        needs: Sequence[Path] = (),
        hint: str = "",
        greet: Callable[[Child], None] = lambda child: None,
        hidden: Sequence[Path] | None = None,
        namespaces: bool = True,
    ):
        self.limits = limits
        self.protections: tuple[str, ...] = ()
        self.log = ""
        self._hint = hint
        self._command, self._cwd, self._needs, self._greet = command, cwd, needs, greet
        self._hidden = hidden_paths() if hidden is None else hidden
        self._namespaces = namespaces
        self._child: Child | None = None
        self._waiting: Child | None = None
        self._timeouts = self._starts = 0

    def ask(self, line: str, most: int) -> bytes:
        """Send one line, return the answer of at most `most` bytes.

        Raises
        ------
        TargetError
            If the target gave none, within its time and its other limits.
        """
        if self._timeouts >= self.limits.timeouts:
            raise TargetError(f"not asked: it has used up its {self._timeouts} time-outs")
        try:
            return self._running().ask(line, self.limits.answer_s, most)
        except TimeOutError as error:
            self._timeouts += 1
            self.stop()
            raise TimeOutError(f"{error}{self._hint}{self._said()}") from None
        except TargetError as error:
            self.stop()
            raise TargetError(f"no answer: {error}{self._said()}") from None

    def warm_up(self) -> None:
        """Let the target's interpreter load in the background; what is asked first then waits less."""
        if self._child is None and self._waiting is None:
            self._waiting = self._spawn()

    def start(self) -> None:
        """Start the target now, to learn whether it starts and what protects us from it. Errors as in `ask`."""
        try:
            self._running()
        except TargetError as error:
            self.stop()
            raise TargetError(f"it did not start: {error}{self._said()}") from None

    def stop(self) -> None:
        """End the target; the next question starts it again."""
        for child in filter(None, (self._child, self._waiting)):
            child.close()
            self.log = child.log
        self._child = self._waiting = None

    def _running(self) -> Child:
        if self._child is None:
            if self._starts > self.limits.restarts:
                raise TargetError(f"it has been started {self._starts} times, and is started no more")
            self._starts += 1
            with phase("starting children"):
                self._child, self.protections = self._launch()
            try:
                self._greet(self._child)
            except BaseException:
                self.stop()
                raise
        return self._child

    def _launch(self) -> tuple[Child, tuple[str, ...]]:
        """Take the child that is warm, or start one; the stage says first how far it came."""
        child, self._waiting = self._waiting or self._spawn(), None
        try:
            taken = json.loads(child.read(self.limits.start_s))["protections"] if STAGED else []
        except TargetError:
            self.log = child.log
            raise
        return child, sentences(taken, self.limits, self._refused())

    def _spawn(self) -> Child:
        """Start a child, with namespaces if the machine allows them, and do not wait for it."""
        close_to_others()
        child = Child(
            self._command,
            self.limits,
            cwd=self._cwd,
            needs=self._needs,
            hidden=self._hidden,
            namespaces=not self._refused(),
        )
        weakref.finalize(self, child.close)  # whoever forgets to stop leaves nothing running
        return child

    def _refused(self) -> str:
        return why_no_namespaces() if self._namespaces else "switched off"

    def _said(self) -> str:
        return f"; standard error ends with: {self.log[-500:]}" if self.log else ""
