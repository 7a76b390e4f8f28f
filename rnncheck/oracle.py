"""Whoever knows the right answer to a case: PyTorch, here and now, or the vectors it has left behind.

An oracle gives an Answer: a Trace and the tolerance it is to be compared with.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from rnncheck.case import Case, ClipCase, OptimCase, RNNCase, SampleCase
from rnncheck.compare import Answer
from rnncheck.implementation import Implementation, TorchLoop
from rnncheck.tolerance import PathRule, PeakRule, Rule, fallback
from rnncheck.trace import TIMED, Trace

__all__ = ["Arithmetic", "LiveOracle", "Oracle", "update_paths"]


class Oracle(Protocol):
    """Answers cases."""

    name: str

    def answer(self, case: Case) -> Answer:
        """Return the right Trace and how far rounding may lead away from it."""
        ...


@dataclass(frozen=True)
class Arithmetic:
    """Rules for cases without a recurrence: nothing amplifies there, so no gate is needed.

    Where a path is known (how much was added up in every element), each element is judged on its own.
    """

    case: Case
    paths: Trace

    def rule(self, array: str) -> Rule:
        """Return the path rule where the path is known, else the peak rule."""
        if array in self.paths:
            return PathRule(self.case.dtype, self.paths[array])
        return PeakRule(self.case.dtype, array in TIMED)


class LiveOracle:
    """PyTorch's autograd, in float64, asked for every case anew.

    The tolerance of an RNN case is the fallback rule, which costs four more runs, and noise runs confirm what fails
    by it; with `precise` the noise is run for every case.
    """

    name = "torch"

    def __init__(self, precise: bool = False):
        self.precise = precise
        self.torch: Implementation = TorchLoop()

    def answer(self, case: Case) -> Answer:
        """Run the case under autograd."""
        from rnncheck.scales import noisy_tolerance

        trace = self.torch.run(case)
        if not isinstance(case, RNNCase):
            return Answer(trace, Arithmetic(case, update_paths(case, trace)))
        if self.precise:
            return Answer(trace, noisy_tolerance(case, trace))
        return Answer(trace, fallback(case, trace, self.torch.run), confirm=lambda: noisy_tolerance(case, trace))


def update_paths(case: Case, trace: Trace) -> dict[str, np.ndarray]:
    """Return what was added up in every element: for clipping the element itself, for an optimiser all its steps."""
    if isinstance(case, ClipCase):
        return {name: np.abs(array) for name, array in trace.items() if name != "total_norm"}
    if isinstance(case, SampleCase):
        return {}
    assert isinstance(case, OptimCase)
    paths = {}
    for name, start in case.params.items():
        path, before = np.abs(start.astype(np.float64)), start.astype(np.float64)
        for s in range(1, len(case.grads["d" + name]) + 1):
            after = trace[f"step{s}.{name}"]
            path = path + np.abs(after - before)
            paths[f"step{s}.{name}"], before = path, after
    return paths
