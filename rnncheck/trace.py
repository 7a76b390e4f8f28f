"""A Trace: the named arrays an implementation computed, in the order in which they are computed.

The order matters: in a chain of computations the first wrong array is where the fault lies, and whatever depends on
it is a consequence. A partial Trace is legal; what is missing is reported as "not shown", never silently skipped.
"""

from collections.abc import Mapping

import numpy as np

from rnncheck.case import Case, ClipCase, OptimCase, RNNCase, SampleCase

__all__ = ["ORDER", "TIMED", "Trace", "expected_arrays"]

Trace = Mapping[str, np.ndarray]

ORDER = ("h", "logits", "loss", "dlogits", "dW_hy", "db_y", "dh", "da", "dW_hh", "dW_xh", "db_h", "dx", "dh0")
"""Dataflow order of an RNN's arrays."""

TIMED = ("h", "logits", "dlogits", "dh", "da", "dx", "tokens", "p")
"""Arrays whose first axis is time (steps of an optimiser are named one by one): they are judged step by step."""


def expected_arrays(case: Case) -> tuple[str, ...]:
    """Name the arrays that a complete Trace of `case` holds, in dataflow order."""
    if isinstance(case, RNNCase):
        absent = {"db_h": "b_h" not in case.params, "db_y": "b_y" not in case.params, "dx": case.x.ndim == 2}
        return tuple(name for name in ORDER if not absent.get(name, False))
    if isinstance(case, ClipCase):
        norm = ("total_norm",) if case.method == "norm" else ()
        return norm + tuple(case.grads)
    if isinstance(case, OptimCase):
        steps = len(next(iter(case.grads.values())))
        return tuple(f"step{s}.{name}" for s in range(1, steps + 1) for name in case.params)
    assert isinstance(case, SampleCase)
    return ("p", "tokens")
