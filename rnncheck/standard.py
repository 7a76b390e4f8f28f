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
    yield from state_checks([c for c in cases if not isinstance(c, RNNCase) or len(c.x) == STATEFUL])


def cover(vectors: Sequence[Vector], times: int = 2) -> list[Vector]:
    """Choose few vectors that expose, in each dtype, every fault `times` over if so many of all vectors do.

    Greedily: the one that exposes most, then whichever exposes most of what is left.
    """
    wanted = Counter(shown for v in vectors for shown in _shown(v))
    left = Counter({shown: min(times, count) for shown, count in wanted.items()})
    chosen: set[str] = set()
    while left:
        best = max((v for v in vectors if v.case.name not in chosen), key=lambda v: len(_shown(v) & left.keys()))
        chosen.add(best.case.name)
        left -= Counter(_shown(best))
    return [v for v in vectors if v.case.name in chosen]


def _shown(vector: Vector) -> set[tuple[str, str]]:
    return {(fault, str(vector.case.dtype)) for fault in vector.exposes}
