"""The wish to stop, by Ctrl-C, SIGTERM or a terminal that is closed, kept until the step under way is done."""

import signal
from types import FrameType, TracebackType
from typing import Any

__all__ = ["Stop"]

SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


class Stop:
    """While it is open, the first signal to stop is noted in `signal`; the second ends the program at once.

    A signal that was ignored before stays so: `nohup` asks for that, and a shell for what runs in the background.
    """

    def __init__(self) -> None:
        self.signal: int | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "Stop":
        """Begin to listen."""
        heeded = [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
        self._before = {number: signal.signal(number, self._note) for number in heeded}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave everything as it was."""
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.signal = number
        for known, handler in self._before.items():
            signal.signal(known, handler)
