"""The smallest case that still shows a failure: T, B, H and V are made smaller as long as the same array is wrong.

The case at hand is cut, not drawn anew, so that what it shows cannot get lost by chance. What is right is asked of
the textbook, our plain RNN: the failure itself was found by the oracle, here it is only followed.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from rnncheck.case import Case, RNNCase
from rnncheck.implementation import Implementation
from rnncheck.judging.compare import Answer, compare
from rnncheck.judging.tolerance import fallback
from rnncheck.result import Verdict
from rnncheck.targets.trial import Sigmoid
from rnncheck.textbook import Textbook
from rnncheck.trace import Trace

__all__ = ["cut", "reduce", "right_answer", "right_trace", "shrink"]

AXES = ("T", "B", "H", "V")
VISIBLE = 0.01
"""A relative error that a reader sees at once: a case that no longer shows it, if the first one did, is too small."""


MOST = 30
"""Runs of the target that shrinking may take: nearly every fault is at its smallest after a dozen."""


def shrink(implementation: Implementation, case: RNNCase, array: str, most: int = MOST) -> RNNCase:
    """Return the smallest cut of `case` in which `array` is the first wrong one; the case itself if none is."""
    enough = min(VISIBLE, _error(implementation, case, array) / 10)
    return reduce(case, lambda smaller: _error(implementation, smaller, array) > enough, most)


def reduce(case: RNNCase, shows: Callable[[RNNCase], bool], most: int = MOST) -> RNNCase:
    """Return the smallest cut of `case` that `shows` what is looked for, found within so many questions."""
    sizes = case.sizes
    while True:
        for smaller in _smaller(sizes):
            if most == 0:
                return cut(case, sizes)
            most -= 1
            if shows(cut(case, smaller)):
                sizes = smaller
                break
        else:
            return cut(case, sizes)


def cut(case: RNNCase, sizes: dict[str, int]) -> RNNCase:
    """Keep the first T steps, B sequences, H units and V classes (and ids); ids beyond them are folded back."""
    T, B, H, V = (sizes[axis] for axis in AXES)
    ids = case.x.ndim == 2
    ends = {"W_xh": (H, V if ids else None), "W_hh": (H, H), "b_h": (H,), "W_hy": (V, H), "b_y": (V,)}
    x, y = case.x[:T, :B], case.y[:T, :B]
    return replace(
        case,
        name="-".join(f"{axis}={sizes[axis]}" for axis in AXES),
        params={name: np.ascontiguousarray(a[tuple(map(slice, ends[name]))]) for name, a in case.params.items()},
        x=np.where(x < 0, x, x % V) if ids else x.copy(),
        y=np.where(y == case.ignore_index, y, y % V),
        h0=None if case.h0 is None else case.h0[:B, :H].copy(),
        dloss=case.dloss if case.dloss is None or case.dloss.ndim == 0 else case.dloss[:T, :B].copy(),
        k=None if case.k is None else min(case.k, T),
    )


def right_trace(case: Case) -> Trace:
    """Return what is right."""
    if isinstance(case, RNNCase) and case.nonlinearity == "sigmoid":
        return Sigmoid().run_rnn(case)
    return Textbook().run(case)


def right_answer(case: RNNCase) -> Answer:
    """Return what is right, and what rounding may change about it."""
    expected = right_trace(case)
    return Answer(expected, fallback(case, expected, right_trace))


def _smaller(sizes: dict[str, int]) -> Iterator[dict[str, int]]:
    """Yield smaller sizes, the largest steps first: 1, half, one less."""
    for axis in AXES:
        least, size = 2 if axis == "V" else 1, sizes[axis]  # with one class there is nothing to learn
        for smaller in dict.fromkeys((least, size // 2, size - 1)):
            if least <= smaller < size:
                yield sizes | {axis: smaller} | ({"I": smaller} if axis == "V" and sizes["I"] == size else {})


def _error(implementation: Implementation, case: RNNCase, array: str) -> float:
    """Return how wrong `array` is beside its largest value; 0 if it is not the first wrong one.

    A target that cannot run so small a case shows nothing.
    """
    try:
        trace = implementation.run(case.copy())
    except Exception:
        return 0.0
    answer = right_answer(case)
    first = next((c for c in compare(case, trace, answer) if c.verdict is Verdict.FAILED), None)
    if first is None or first.array != array:
        return 0.0
    if first.candidate is None or first.reference is None:
        return 1.0  # wrong in its form
    return abs(first.candidate - first.reference) / max(float(np.abs(answer.trace[array]).max()), 1e-300)
