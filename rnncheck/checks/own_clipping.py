"""A target's own clipping: switched off where gradients are judged, and judged here, switched on.

Clipping by value must be that of the finished gradients, element by element and alike on both sides of 0; clipping by
norm must shrink all of them by one factor. Clipping inside the loop over time is neither.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np

from rnncheck.case import Case, RNNCase
from rnncheck.checks.check import Check, Source, failed, passed
from rnncheck.errors import NotShownError
from rnncheck.result import Comparison
from rnncheck.targets.adapter import Adapter
from rnncheck.targets.received import scale_of
from rnncheck.trace import Trace

__all__ = ["clipping_checks"]

LOUDER = 30.0
"""What the readout is multiplied by, so that gradients exceed usual bounds."""
SHORTEST = 6
AGREE = 1e-9
"""Relative to the largest element: the clipped gradients come from the same sums as the unclipped ones."""


class Clipper(Protocol):
    """A target that can be run with its own clipping."""

    adapter: Adapter | None

    def run(self, case: Case, **options: bool) -> Trace:
        """Run a case, `clipping` on or off."""
        ...

    def clips(self, case: Case) -> tuple[bool, list[tuple[float, float]]]:
        """Tell whether it clips, and between which values."""
        ...


def clipping_checks(target: Clipper, cases: Sequence[RNNCase]) -> Iterator[Check]:
    """Plan one check if the target clips; whether it does is seen in a run of its code."""
    alone = [c for c in cases if len(c.x) >= SHORTEST and c.x.shape[1] == 1 and c.h0 is None and c.bptt == "full"]
    case = alone[0]
    loud = replace(case, params={**case.params, "W_hy": LOUDER * case.params["W_hy"]})
    try:
        used, bounds = target.clips(loud)
    except Exception:  # the gradients are judged all the same, and will say what it is
        return
    if used:
        yield _check(target, loud, bounds)


def _check(target: Clipper, case: RNNCase, bounds: list[tuple[float, float]]) -> Check:
    again = lambda smaller: _check(target, smaller, bounds)  # noqa: E731 - it is the same, for another case
    ask = lambda bench: _compare(target, case, bounds)  # noqa: E731
    return Check("clipping[own]", "clipping", ask, about=Source.of(case), again=again)


def _compare(target: Clipper, case: RNNCase, bounds: list[tuple[float, float]]) -> list[Comparison]:
    names = [f"d{name}" for name in case.params]
    free, clipped = target.run(case.copy()), target.run(case.copy(), clipping=True)
    shown = [n for n in names if n in free and n in clipped]
    if all(np.array_equal(free[n], clipped[n]) for n in shown):
        raise NotShownError("its clipping does not act, not even on large gradients")
    scale = scale_of(target.adapter.grad_scale, case.sizes) if target.adapter else 1
    if bounds:
        low, high = bounds[0]
        if low != -high:
            why = f"is clipped between {low:g} and {high:g}, and so points elsewhere: bound it by ± one number"
            return [failed(n, "own clipping", why) for n in shown]
        return [
            _alike(n, np.clip(free[n] / scale, low, high) * scale, clipped[n], f"between {low:g} and {high:g}")
            for n in shown
        ]
    factor = np.vdot(free[shown[0]], clipped[shown[0]]) / np.vdot(free[shown[0]], free[shown[0]])
    return [_alike(n, factor * free[n], clipped[n], "by one factor for all") for n in shown]


def _alike(name: str, expected: np.ndarray, clipped: np.ndarray, how: str) -> Comparison:
    if expected.shape == clipped.shape and np.abs(expected - clipped).max() <= AGREE * np.abs(expected).max():
        return passed(name, "own clipping")
    return failed(
        name, "own clipping", f"is not the finished gradient clipped {how}: clip once, after the loop over time"
    )
