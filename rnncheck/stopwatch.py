"""Where the time of a command goes: every moment is charged to the innermost phase that is open."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["Stopwatch", "lap", "phase", "words"]

OTHER = "the rest"


class Stopwatch:
    """Seconds by phase, in the order in which phases first began. What lies in no phase is "the rest"."""

    def __init__(self, start: float):
        self._seconds: dict[str, float] = {}
        self._open: list[str] = []
        self._since = start

    def lap(self, name: str) -> None:
        """Charge the time since the latest phase, or since the start, to `name`."""
        self._open.append(name)
        self._charge()
        self._open.pop()

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Charge what happens inside to `name`, except what lies in a phase further in."""
        self._charge()
        self._open.append(name)
        try:
            yield
        finally:
            self._charge()
            self._open.pop()

    def seconds(self) -> dict[str, float]:
        """Return the seconds of every phase until now; they add up to all the time since the start."""
        self._charge()
        rest = self._seconds.get(OTHER, 0.0)
        return {n: s for n, s in self._seconds.items() if n != OTHER} | {OTHER: rest}

    def _charge(self) -> None:
        now = time.perf_counter()
        name = self._open[-1] if self._open else OTHER
        self._seconds[name] = self._seconds.get(name, 0.0) + now - self._since
        self._since = now


watch = Stopwatch(time.perf_counter() - time.process_time())
"""That of this process, started when it began to work. One thread opens phases."""
phase, lap = watch.phase, watch.lap


def words() -> str:
    """Say where the time of this process went."""
    seconds = watch.seconds()
    parts = ", ".join(f"{name} {s:.2f} s" for name, s in seconds.items())
    return f"time: {parts}; in all {sum(seconds.values()):.2f} s"
