"""The wish to stop, by Ctrl-C or SIGTERM, kept until the step under way is done."""

import signal
from types import FrameType, TracebackType
from typing import Any

__all__ = ["Stop"]


class Stop:
    """While it is open, the first SIGINT or SIGTERM is noted in `signal`; the second ends the program at once."""

    def __init__(self) -> None:
        self.signal: int | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "Stop":
        """Begin to listen."""
        self._before = {number: signal.signal(number, self._note) for number in (signal.SIGINT, signal.SIGTERM)}
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
