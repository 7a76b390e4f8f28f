"""A relation says what a Trace must be, given other Traces of the same implementation. It needs no oracle.

Nobody knows the answer, but everybody knows how two answers hang together: a batch in another order is the same batch
(T. Chen, S. Cheung and S. Yiu, "Metamorphic testing", 1998). The *prediction* made from the other calls stands where
an oracle's Trace stands, and is compared at the tolerance of the case itself. Never bit for bit, even where nothing
but unrelated inputs has changed: a correct program may group equal tokens, and so sum in another order.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from rnncheck.case import Case, RNNCase
from rnncheck.checks.check import Bench, Check
from rnncheck.errors import NotShownError
from rnncheck.implementation import Implementation
from rnncheck.judging.compare import Answer
from rnncheck.judging.judge import judge
from rnncheck.judging.tolerance import fallback
from rnncheck.result import Comparison
from rnncheck.trace import TIMED, Trace

__all__ = ["OwnScales", "Relation", "Run", "Shown", "compare_predicted"]

Run = Callable[[RNNCase], "Shown"]


class Shown(dict[str, np.ndarray]):
    """A Trace. What it lacks is not shown, and a relation that is built on it cannot be asked."""

    def __missing__(self, name: str) -> np.ndarray:
        raise NotShownError(f"{name} is not shown by this implementation, and the relation is built on it")


@dataclass(frozen=True)
class Relation:
    """`predict(run, case, trace)` runs other cases and returns those arrays of `trace` that follow from them."""

    name: str
    holds_for: Callable[[RNNCase], bool]
    predict: Callable[[Run, RNNCase, Shown], Trace]

    def check(self, case: RNNCase) -> Check:
        """Plan the relation for one case."""

        def ask(bench: Bench) -> list[Comparison]:
            def run(other: Case) -> Shown:
                return Shown(bench.run(other))

            trace = run(case)
            return compare_predicted(case, trace, self.predict(run, case, trace), bench.ask_oracle(case))

        return Check(f"metamorphic-{self.name}[{case.name}]", "metamorphic", ask)


def compare_predicted(case: RNNCase, trace: Trace, predicted: Trace, answer: Answer) -> list[Comparison]:
    """Compare with what was predicted. Of `answer` only the tolerance counts, and for which steps it is known."""
    expected = {n: np.asarray(a, np.float64) for n, a in predicted.items() if n in answer.trace}
    if answer.steps is not None:
        expected = {n: a[list(answer.steps)] if n in TIMED else a for n, a in expected.items()}
    found = judge(case, trace, answer._replace(trace=expected))
    return [comparison for comparison in found if comparison.array in predicted]


class OwnScales:
    """The oracle for where there is none: an implementation's own Trace, with the fallback tolerance.

    How much a case amplifies a rounding error is read off the implementation itself, in float64, by nudging all that
    goes in. Against the implementation this oracle proves nothing; relations take no more than the tolerance from it.
    """

    name = "no oracle"

    def __init__(self, implementation: Implementation):
        self.implementation = implementation
        self._latest: tuple[Case, Answer] | None = None  # all relations of one case follow each other

    def answer(self, case: Case) -> Answer:
        """Run the case, wide, and four times nudged."""
        if self._latest is None or self._latest[0] is not case:
            self._latest = case, self._measure(case)
        return self._latest[1]

    def _measure(self, case: Case) -> Answer:
        if not isinstance(case, RNNCase):
            raise NotShownError(f"case {case.name} is a {case.kind} case: only forward and backward passes have scales")
        arrays = {n: a.astype(np.float64) if a.dtype.kind == "f" else a for n, a in case.arrays().items()}
        trace = self.implementation.run(RNNCase.from_parts(arrays, case.settings()))
        return Answer(trace, fallback(case, trace, lambda nudged: self.implementation.run(nudged.copy())))
