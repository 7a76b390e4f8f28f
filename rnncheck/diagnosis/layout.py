"""Recognise other layouts by their shapes: transposed matrices, batch-first axes; and look at the same in ours."""

from dataclasses import replace

import numpy as np

from rnncheck.diagnosis.finding import Cause
from rnncheck.diagnosis.observation import Observation, right
from rnncheck.trace import TIMED

__all__ = ["undo_layout"]


def undo_layout(observed: Observation) -> tuple[list[Cause], Observation]:
    """Recognise other layouts by their shapes; return them, and what was seen with the axes in our order."""
    causes = []
    plain = observed.plain[:1]
    swapped = [
        n for s in plain for n in ("h", "logits", "dlogits", "dh", "da") if _is(s.arrays.get(n), right(s.probe)[n], 0)
    ]
    turned = [n for s in plain for n in ("dW_xh", "dW_hy") if _is(s.arrays.get(n), right(s.probe)[n], None)]
    if turned:
        causes.append(
            Cause(
                "weights and their gradients are in the transposed layout", "dW_hy",
                "transpose when exchanging weights: torch has the output axis first",
                f"{', '.join(turned)} have their axes swapped", "transposed-layout", convention=True,
            )
        )  # fmt: skip
    if swapped:
        causes.append(
            Cause(
                "arrays over time have the batch first", swapped[0], "swapaxes(0, 1): time comes first here",
                f"{', '.join(swapped)} have the axes of time and batch swapped", "batch-first", convention=True,
            )
        )  # fmt: skip
    if not causes:
        return causes, observed

    def undone(name: str, array: np.ndarray) -> np.ndarray:
        base = name.removeprefix("second.")
        if base.startswith("dW_") and turned and array.ndim == 2:
            return array.T
        return array.swapaxes(0, 1) if base in TIMED and swapped and array.ndim > 2 else array

    seen = tuple(
        replace(s, arrays={n: undone(n, a) for n, a in s.arrays.items()}) if s.probe.case.kind == "rnn" else s
        for s in observed.seen
    )
    return causes, replace(observed, seen=seen)


def _is(array: np.ndarray | None, expected: np.ndarray, axis: int | None) -> bool:
    """Tell whether an array has the expected shape with its axes (the first two, or both) swapped."""
    if array is None or array.ndim != expected.ndim or array.shape == expected.shape:
        return False
    return array.shape == (expected.T if axis is None else expected.swapaxes(0, 1)).shape
