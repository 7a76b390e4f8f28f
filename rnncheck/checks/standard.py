"""What is asked of every standard case: its arrays against the oracle's, and some questions about state."""

from collections import Counter
from collections.abc import Iterator, Sequence

from rnncheck.case import Case, RNNCase
from rnncheck.checks.check import Check, Source
from rnncheck.checks.passes import pass_checks
from rnncheck.checks.state import state_checks
from rnncheck.checks.steps import step_checks
from rnncheck.vectors import Vector

__all__ = ["cover", "standard_checks"]

STATEFUL = 7
"""Cases of this T are asked about state: they have every form of call (no h0, ignored targets, chunks, ...)."""


def standard_checks(cases: Sequence[Case]) -> Iterator[Check]:
    """Plan the comparisons with the oracle, then what calls leave behind."""
    yield from pass_checks(Source.of(c) for c in cases if isinstance(c, RNNCase))
    yield from step_checks([c for c in cases if not isinstance(c, RNNCase)])
    yield from state_checks([c for c in cases if not isinstance(c, RNNCase) or len(c.x) == STATEFUL], exact=True)


def cover(vectors: Sequence[Vector], times: int = 2) -> list[Vector]:
    """Choose few vectors that expose, in each dtype, every fault `times` over if so many of all vectors do.

    Greedily: the one that exposes most, then whichever exposes most of what is left.
    """
    shown = {v.case.name: _exposed_in_dtype(v) for v in vectors}
    count = Counter(pair for pairs in shown.values() for pair in pairs)
    left = Counter({pair: min(times, n) for pair, n in count.items()})
    chosen: set[str] = set()
    while left:
        best = max((name for name in shown if name not in chosen), key=lambda name: len(shown[name] & left.keys()))
        chosen.add(best)
        left -= Counter(shown[best])  # keeps what is still wanted: counts above zero
    return [v for v in vectors if v.case.name in chosen]


def _exposed_in_dtype(vector: Vector) -> set[tuple[str, str]]:
    dtype = str(vector.case.dtype)
    return {(fault, dtype) for fault in vector.exposes}
