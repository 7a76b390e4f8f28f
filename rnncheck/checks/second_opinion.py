"""Who checks the oracle? Other oracles.

The stored vectors, autograd step by step, `torch.nn.RNN`, arithmetic of extended precision and central differences
must all agree. Where one does not, the report says REFERENCE: no candidate is to blame.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from rnncheck.case import Case, RNNCase
from rnncheck.checks.check import Bench, Check
from rnncheck.errors import NotShownError
from rnncheck.implementation import Implementation, NumpyImpl
from rnncheck.judging.tolerance import unit_roundoff
from rnncheck.result import Comparison, Verdict
from rnncheck.trace import Trace

__all__ = ["ExtendedPrecision", "Rounded", "difference_checks", "differentiable", "directional_derivative"]

STEP = {"tanh": 2.0**-14, "relu": 2.0**-24}
"""How far to move. A ReLU has a corner at 0: cases stay 2^-16 away from it, and so must the moved ones."""


class Rounded:
    """An implementation that computes in a wider dtype, rounded to the dtype of the case at the end."""

    def __init__(self, implementation: Implementation):
        self.implementation = implementation
        self.name = implementation.name

    def run(self, case: Case) -> Trace:
        """Compute wide, round once."""
        trace = self.implementation.run(case)
        return {n: a.astype(case.dtype) if a.dtype.kind == "f" else a for n, a in trace.items()}


class ExtendedPrecision:
    """Our RNN in `np.longdouble`, rounded at the end: a third opinion where longdouble is wider than float64."""

    name = "numpy_impl in longdouble"

    def run(self, case: Case) -> Trace:
        """Compute the Trace in longdouble."""
        if np.finfo(np.longdouble).eps >= np.finfo(np.float64).eps:
            raise NotShownError("np.longdouble is no wider than float64 on this machine")
        if not isinstance(case, RNNCase):
            raise NotShownError("extended precision is asked for forward and backward passes only")
        wide = {n: a.astype(np.longdouble) if a.dtype.kind == "f" else a for n, a in case.arrays().items()}
        return NumpyImpl().run(RNNCase.from_parts(wide, case.settings()))


def difference_checks(cases: Sequence[RNNCase]) -> Iterator[Check]:
    """Plan central differences for the cases whose gradient is that of the loss: full BPTT, one number as loss."""
    for case in cases:
        if differentiable(case):
            yield Check(f"reference-differences[{case.name}]", "reference-differences", _ask(case))


def differentiable(case: RNNCase) -> bool:
    """Tell whether central differences can judge the gradient: it is that of one number, in float64."""
    return case.bptt == "full" and case.reduction != "none" and case.dtype == np.float64


def _ask(case: RNNCase) -> Callable[[Bench], list[Comparison]]:
    return lambda bench: [directional_derivative(case, bench.run(case), seed) for seed in (1, 2)]


def directional_derivative(
    case: RNNCase, trace: Trace, seed: int, run: Callable[[RNNCase], Trace] | None = None
) -> Comparison:
    """Compare the gradient along a random direction with (L(+h) - L(-h)) / 2h. `run` gives L; if not given, our RNN.

    D(h) - D(h/2) is three times the error that the third derivative of L makes in D(h/2); the other part of the
    allowance is the rounding of the losses.
    """
    rng = np.random.default_rng([case.seed, seed])
    moved = {n: a for n, a in case.arrays().items() if n.startswith("params.") or n in ("h0", "x")}
    moved = {n: a for n, a in moved.items() if a.dtype.kind == "f"}
    direction = {n: rng.normal(size=a.shape) for n, a in moved.items()}
    slope = sum(float(np.vdot(direction[n], trace["d" + n.removeprefix("params.")])) for n in moved)

    def loss(step: float) -> float:
        there = case.arrays() | {n: a + step * direction[n] for n, a in moved.items()}
        return float((run or NumpyImpl().run)(RNNCase.from_parts(there, case.settings()))["loss"])

    def difference(step: float) -> float:
        return (loss(step) - loss(-step)) / (2 * step)

    h = STEP[case.nonlinearity]
    coarse, fine = difference(h), difference(h / 2)
    allowance = abs(coarse - fine) + 64 * unit_roundoff(case.dtype) * abs(loss(0.0)) / h
    error = abs(fine - slope) / allowance
    verdict = Verdict.PASSED if error <= 1 else Verdict.FAILED
    return Comparison(
        "directional derivative", verdict, float(error), 1.0, "central differences", None, (), float(slope), fine
    )
