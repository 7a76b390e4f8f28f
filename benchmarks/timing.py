"""Time several calls beside each other: blocks of at least 1.5 ms of CPU time, taking turns.

One call after the other would time each on cold caches, one after the other for minutes would time the machine's mood.
CPU time, because other programs run too. `timeit` runs the blocks, `statistics` says what is in the middle.
"""

import time
from collections.abc import Callable, Mapping
from statistics import median, quantiles
from timeit import Timer
from typing import NamedTuple, TypeVar

__all__ = ["BLOCK", "Spread", "interleave"]

BLOCK = 1.5e-3
"""Seconds that a block of equal calls takes at least: the first of them find the caches cold, the others do not."""
ROUNDS = 5
"""Fewer turns than this have no middle worth the name."""

Name = TypeVar("Name")


class Spread(NamedTuple):
    """Seconds of CPU time per call: the median over the rounds, and the quartiles."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, seconds: list[float]) -> "Spread":
        """Summarise what the blocks took per call."""
        low, _, high = quantiles(seconds, n=4)
        return cls(median(seconds), low, high)


def interleave(calls: Mapping[Name, Callable[[], object]], seconds: float, rounds: int = ROUNDS) -> dict[Name, Spread]:
    """Let the calls take turns for about `seconds` of CPU time in all, and for so many rounds at least."""
    timers = {name: Timer(call, timer=time.process_time) for name, call in calls.items()}
    numbers = {name: _calls_per_block(timer) for name, timer in timers.items()}
    taken: dict[Name, list[float]] = {name: [] for name in calls}
    start = time.process_time()
    while time.process_time() - start < seconds or len(next(iter(taken.values()))) < rounds:
        for name, timer in timers.items():
            taken[name].append(timer.timeit(numbers[name]) / numbers[name])
    return {name: Spread.of(times) for name, times in taken.items()}


def _calls_per_block(timer: Timer) -> int:
    """Double the number of calls until they fill a block; the calls before have warmed up what can be warmed up."""
    number = 1
    while timer.timeit(number) < BLOCK:
        number *= 2
    return number
