"""One child process: a line in, a line out, within its limits."""

import os
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from rnncheck.errors import TargetError
from rnncheck.protocol.lines import plain_text
from rnncheck.sandbox.launch import command_line, environment
from rnncheck.sandbox.limits import Limits
from rnncheck.sandbox.lines import Lines, Tail, send
from rnncheck.sandbox.patience import waits
from rnncheck.sandbox.watch import Watch, end_tree

__all__ = ["Child", "TimeOutError"]

GRACE_S = 2.0
"""How long a process that has said its last may take to end, and the kernel to end what was killed."""


class TimeOutError(TargetError):
    """A target kept silent for too long."""


class Child:
    """A running target. Its standard output carries the lines; the end of its standard error is kept for the report."""

    def __init__(
        self,
        command: Sequence[str],
        limits: Limits,
        *,
        cwd: Path,
        needs: Sequence[Path] = (),
        hidden: Sequence[Path] = (),
        namespaces: bool = True,
    ):
        self.limits = limits
        self.folder = Path(tempfile.mkdtemp(prefix="rnncheck-"))
        home = self.folder / "home"
        home.mkdir()
        try:
            self._process = subprocess.Popen(
                command_line(command, limits, cwd=cwd, home=home, needs=needs, hidden=hidden, namespaces=namespaces),
                cwd=self.folder,
                env=environment(home),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
                bufsize=0,
            )
        except OSError:
            _remove(self.folder)
            raise
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self._stdin = self._process.stdin
        self._sender: threading.Thread | None = None
        self._lines = Lines(self._process.stdout, limits.answer)
        self._log = Tail(self._process.stderr, limits.log)
        self._watch = Watch(self._process.pid, limits)

    @property
    def log(self) -> str:
        """The end of what the target wrote to standard error."""
        return plain_text(self._log.bytes.decode("utf-8", "backslashreplace").strip(), self.limits.log)

    def ask(self, line: str, seconds: float, most: int) -> bytes:
        """Send a line, return the next one, of at most so many bytes. Errors as in `read`."""
        self._lines.most = min(most, self.limits.answer)
        self._sender = send(self._stdin, line.encode() + b"\n")
        return self.read(seconds)

    def read(self, seconds: float) -> bytes:
        """Return the next line.

        Raises
        ------
        TargetError
            If there is none to come, or not in time. The child has been ended.
        """
        try:
            line = self._lines.get(seconds)
        except TimeoutError:
            self.close()
            if self._watch.reason:
                raise TargetError(f"it was ended: {self._watch.reason}") from None
            raise TimeOutError(f"no answer within {seconds:g} s") from None
        if line is None:
            why = self._end()
            self.close()
            raise TargetError(why)
        return line

    def close(self) -> None:
        """End the child and everything it has started, and remove its folder."""
        self._watch.stop()
        if self._process.poll() is None:
            end_tree(self._process.pid)
            self._exit_code()
        if self._sender is not None:
            self._sender.join(GRACE_S)
        if self._sender is None or not self._sender.is_alive():
            self._stdin.close()
        self._lines.close(GRACE_S)
        self._log.close(GRACE_S)
        _remove(self.folder)

    def _end(self) -> str:
        """Say why there is no line."""
        if self._lines.too_long:
            return f"it was ended: it wrote more than {self._lines.most} bytes in one line"
        code = self._exit_code()
        if code is None:
            return "it was ended: it closed its standard output"
        return f"it was ended: {self._watch.reason}" if self._watch.reason else f"it ended {_how(code)}"

    def _exit_code(self) -> int | None:
        """Wait for the end of the process; None if it goes on."""
        for wait in waits(GRACE_S):
            with suppress(subprocess.TimeoutExpired):
                return self._process.wait(wait)
        return None


def _how(code: int) -> str:
    """Read an exit status: the stage, like a shell, says 128 + n for signal n."""
    number = -code if code < 0 else code - 128
    with suppress(ValueError):
        return f"by signal {number} ({signal.Signals(number).name})"
    return f"with exit code {code}"


def _remove(folder: Path) -> None:
    """Remove the folder, including what a target has made unreadable."""

    def open_and_retry(remove: Callable[[str], Any], path: str, _error: Any) -> None:
        with suppress(OSError):
            os.chmod(os.path.dirname(path), 0o700)
            os.chmod(path, 0o700)
            remove(path)

    shutil.rmtree(folder, onerror=open_and_retry)
