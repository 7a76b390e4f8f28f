"""Calls of code that nobody knows may not come back."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["at_most"]

SECONDS = 2.0


@contextmanager
def at_most(seconds: float = SECONDS) -> Iterator[None]:
    """Stop a call that takes longer, where the platform can."""
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "setitimer"):
        yield
        return

    def stop(*_: object) -> None:
        raise TimeoutError(f"did not come back within {seconds:g} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
