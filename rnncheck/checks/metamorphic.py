"""Checks that need no oracle: every relation for every case it holds for, and the slope of the loss itself.

The relations compare an implementation with itself, so a mistake that keeps all of them passes; what they add is
that nobody else is trusted. Central differences close the gap: they tie the gradient to the loss.
"""

from collections.abc import Callable, Iterator, Sequence

from rnncheck.case import RNNCase
from rnncheck.checks.check import Bench, Check
from rnncheck.checks.relation import Shown
from rnncheck.checks.second_opinion import differentiable, directional_derivative
from rnncheck.checks.sum_relations import SUM_RELATIONS
from rnncheck.checks.time_relations import TIME_RELATIONS
from rnncheck.result import Comparison

__all__ = ["RELATIONS", "metamorphic_checks"]

RELATIONS = (*TIME_RELATIONS, *SUM_RELATIONS)


def metamorphic_checks(cases: Sequence[RNNCase]) -> Iterator[Check]:
    """Plan the relations case by case."""
    for case in cases:
        for relation in RELATIONS:
            if relation.holds_for(case):
                yield relation.check(case)
        if differentiable(case):
            yield Check(f"metamorphic-differences[{case.name}]", "metamorphic", _ask_slope(case))


def _ask_slope(case: RNNCase) -> Callable[[Bench], list[Comparison]]:
    """Hold the implementation's gradient against differences of its own loss."""

    def ask(bench: Bench) -> list[Comparison]:
        def run(there: RNNCase) -> Shown:
            return Shown(bench.run(there))

        trace = run(case)
        return [directional_derivative(case, trace, seed, run) for seed in (1, 2)]

    return ask
