"""The tolerance of cases without a recurrence: clipping, optimiser steps, sampling. Nothing amplifies there."""

from dataclasses import dataclass

import numpy as np

from rnncheck.case import Case, ClipCase, OptimCase, SampleCase
from rnncheck.judging.tolerance import PathRule, PeakRule, Rule
from rnncheck.trace import TIMED, Trace

__all__ = ["Arithmetic", "update_paths"]


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
