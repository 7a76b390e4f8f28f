"""What is asked of every standard case: its arrays against the oracle's, and some questions about state."""

from collections.abc import Iterator, Sequence

import numpy as np

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


def cover(vectors: Sequence[Vector]) -> list[Vector]:
    """Choose few vectors that expose, together and in each dtype, every fault that all of them expose.

    Greedily: the one that exposes most, then whichever exposes most of what is left.
    """
    hidden = {(fault, v.case.dtype) for v in vectors for fault in v.exposes}
    chosen: list[Vector] = []
    while hidden:
        chosen.append(max(vectors, key=lambda v: len(hidden.intersection(_shown(v)))))
        hidden -= _shown(chosen[-1])
    return [v for v in vectors if v in chosen]


def _shown(vector: Vector) -> set[tuple[str, np.dtype]]:
    return {(fault, vector.case.dtype) for fault in vector.exposes}
