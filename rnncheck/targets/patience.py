"""Calls of code that nobody knows may not come back.

What is counted is the time the processor works for it: on a busy machine a second on the clock may be a tenth of one,
and the same file must be read the same way there. A call that sleeps works for nothing, so the clock has a say as well.
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["at_most"]

SECONDS = 2.0
"""Of the processor's time."""

CLOCK = 20
"""So many times as long may it take by the clock."""


@contextmanager
def at_most(seconds: float = SECONDS) -> Iterator[None]:
    """Stop a call that takes longer, where the platform can."""
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "setitimer"):
        yield
        return

    def stop(*_: object) -> None:
        raise TimeoutError(f"did not come back within {seconds:g} s")

    limits = (
        (signal.SIGPROF, signal.ITIMER_PROF, seconds),
        (signal.SIGALRM, signal.ITIMER_REAL, CLOCK * seconds),
    )
    before = [signal.signal(number, stop) for number, _, _ in limits]
    for _, timer, limit in limits:
        signal.setitimer(timer, limit)
    try:
        yield
    finally:
        for (number, timer, _), handler in zip(limits, before, strict=True):
            signal.setitimer(timer, 0)
            signal.signal(number, handler)
