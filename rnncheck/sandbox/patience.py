"""Seconds in which a child could work: what a machine takes that stands still, or sleeps, is not counted."""

from collections.abc import Iterator

__all__ = ["waits"]

SHORT_S = 0.1


def waits(seconds: float) -> Iterator[float]:
    """Yield short waits that add up to `seconds`, at least one.

    Whoever waits so, once for each, charges a machine that stood still during one of them with that one alone; a
    single long wait would be over when the machine comes back, before the child could answer.
    """
    whole, rest = divmod(max(seconds, 0.0), SHORT_S)
    for _ in range(int(whole)):
        yield SHORT_S
    yield rest
