"""Clipping, optimiser steps and sampled tokens against the oracle: one check per case."""

from collections.abc import Iterator, Sequence

from rnncheck.case import Case, ClipCase, OptimCase, SampleCase
from rnncheck.checks.check import Check, Source

__all__ = ["FAMILY_OF", "compare_all", "step_checks"]

FAMILY_OF: dict[type[Case], str] = {ClipCase: "clipping", OptimCase: "optimizer", SampleCase: "sampling"}


def step_checks(cases: Sequence[Case]) -> Iterator[Check]:
    """Plan one check per case that is not a forward and backward pass."""
    for case in cases:
        family = FAMILY_OF[type(case)]
        yield compare_all(Source.of(case), family)


def compare_all(source: Source, family: str) -> Check:
    """Plan the comparison of all arrays of one case as one check."""
    return Check(f"{family}[{source.name}]", family, lambda bench: bench.compare(source))
