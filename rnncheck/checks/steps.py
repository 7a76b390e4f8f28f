"""Clipping, optimiser steps and sampled tokens against the oracle: one check per case."""

from collections.abc import Iterator, Sequence

from rnncheck.case import Case, ClipCase, OptimCase, SampleCase
from rnncheck.checks.check import Bench, Check
from rnncheck.result import Comparison

__all__ = ["FAMILY_OF", "step_checks"]

FAMILY_OF: dict[type[Case], str] = {ClipCase: "clipping", OptimCase: "optimizer", SampleCase: "sampling"}


def step_checks(cases: Sequence[Case], reproduce: str) -> Iterator[Check]:
    """Plan one check per case that is not a forward and backward pass."""
    for case in cases:
        family = FAMILY_OF[type(case)]
        yield Check(f"{family}[{case.name}]", family, _ask(case), reproduce)


def _ask(case: Case):  # type: ignore[no-untyped-def]
    def ask(bench: Bench) -> list[Comparison]:
        return bench.compare(case)

    return ask
