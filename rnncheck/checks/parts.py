"""Take a case apart, over time or over the batch, and put the Traces of the parts together again."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from rnncheck.case import RNNCase
from rnncheck.checks.relation import Run, Shown
from rnncheck.trace import TIMED, Trace

__all__ = ["PARAMETERS", "cut", "divided", "each_stream", "join", "streams", "under_sum"]

PARAMETERS = ("dW_hy", "db_y", "dW_hh", "dW_xh", "db_h")
FORWARD = ("h", "logits")


def cut(case: RNNCase, first: int, last: int, h0: np.ndarray | None) -> RNNCase:
    """Take the steps `first` to `last` - 1, from the state `h0` on, with the whole of BPTT."""
    dloss = case.dloss if case.dloss is None or case.dloss.ndim == 0 else case.dloss[first:last]
    return replace(case, x=case.x[first:last], y=case.y[first:last], h0=h0, dloss=dloss, bptt="full", k=None)


def streams(case: RNNCase, which: Sequence[int] | np.ndarray) -> RNNCase:
    """Take some sequences of the batch, in any order."""
    b = np.asarray(which)
    return replace(
        case,
        x=case.x[:, b],
        y=case.y[:, b],
        h0=None if case.h0 is None else case.h0[b],
        dloss=case.dloss if case.dloss is None or case.dloss.ndim == 0 else case.dloss[:, b],
    )


def each_stream(run: Run, case: RNNCase) -> list[Shown]:
    """Run every sequence of the batch alone."""
    return [run(streams(case, [b])) for b in range(case.x.shape[1])]


def under_sum(case: RNNCase) -> RNNCase:
    """Write the mean as a sum, which parts add up to; `divided` makes it a mean again."""
    return replace(case, reduction="sum") if case.reduction == "mean" else case


def divided(case: RNNCase, trace: Trace) -> Trace:
    """Divide loss and gradients by the number of targets, if the loss of `case` is a mean."""
    if case.reduction != "mean":
        return trace
    count = np.count_nonzero(case.y != case.ignore_index)
    return {n: a if n in FORWARD else a / count for n, a in trace.items()}


def join(case: RNNCase, parts: Sequence[Shown], axis: int) -> Trace:
    """Put the parts of `case` together: axis 0 for time, 1 for the batch. Gradients of parameters, and a loss, add up.

    The parts of a time axis begin with h0 only once: `dh0` is that of the first.
    """
    whole: dict[str, np.ndarray] = {}
    for name in parts[0]:
        arrays = [part[name] for part in parts]
        if name in PARAMETERS or (name == "loss" and case.reduction != "none"):
            whole[name] = np.asarray(np.sum(arrays, axis=0, dtype=np.float64))
        elif name in TIMED or name == "loss":
            whole[name] = np.concatenate(arrays, axis)
        elif name == "dh0":
            whole[name] = arrays[0] if axis == 0 else np.concatenate(arrays)
    return whole
