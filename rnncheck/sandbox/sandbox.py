"""A target that is asked many questions: started when first needed, again when it has fallen, and given up in the end.

A target that hangs or crashes costs the case at hand. So that a run never hangs, its time-outs and restarts are
counted: when they are used up, every further question fails at once.
"""

import json
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path

from rnncheck.sandbox.child import Child, TargetError, TimeOutError
from rnncheck.sandbox.launch import STAGED, why_no_namespaces
from rnncheck.sandbox.limits import Limits
from rnncheck.sandbox.protections import close_to_others, sentences

__all__ = ["Sandbox"]


class Sandbox:
    """Runs `command` in `cwd` and asks it line by line.

    `greet` reads what a fresh target says first, if anything; `hint` is what to look at when it keeps silent.
    """

    def __init__(
        self,
        command: Sequence[str],
        limits: Limits,
        *,
        cwd: Path,
        needs: Sequence[Path] = (),
        hint: str = "",
        greet: Callable[[Callable[[float], bytes]], None] = lambda read: None,
        namespaces: bool = True,
    ):
        self.limits = limits
        self.protections: tuple[str, ...] = ()
        self.log = ""
        self._hint = hint
        self._command, self._cwd, self._needs, self._greet = command, cwd, needs, greet
        self._namespaces = namespaces
        self._child: Child | None = None
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
        except TimeOutError:
            self._timeouts += 1
            self.stop()
            raise TimeOutError(f"no answer within {self.limits.answer_s:g} s{self._hint}{self._said()}") from None
        except TargetError as error:
            self.stop()
            raise TargetError(f"no answer: {error}{self._said()}") from None

    def start(self) -> None:
        """Start the target now, to learn whether it starts and what protects us from it."""
        self._running()

    def stop(self) -> None:
        """End the target; the next question starts it again."""
        if self._child is not None:
            self._child.close()
            self.log = self._child.log
        self._child = None

    def _running(self) -> Child:
        if self._child is None:
            if self._starts > self.limits.restarts:
                raise TargetError(f"not asked: it has been started {self._starts} times and ended each time")
            self._starts += 1
            self._child, self.protections = self._launch()
            weakref.finalize(self, self._child.close)  # whoever forgets to stop leaves nothing running
            self._greet(self._child.read)
        return self._child

    def _launch(self) -> tuple[Child, tuple[str, ...]]:
        """Start a child, with namespaces if the machine allows them; the stage says first how far it came."""
        close_to_others()
        refused = why_no_namespaces() if self._namespaces else "switched off"
        child = Child(self._command, self.limits, cwd=self._cwd, needs=self._needs, namespaces=not refused)
        taken = json.loads(child.read(self.limits.start_s))["protections"] if STAGED else []
        return child, sentences(taken, self.limits, refused)

    def _said(self) -> str:
        return f"; standard error ends with: {self.log[-500:]}" if self.log else ""
