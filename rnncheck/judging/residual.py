"""The trace residual: each array must follow from the candidate's own previous values.

Where chaos or lost digits leave nothing to compare (`montecarlo.gate`), each array is computed once more from what
the candidate itself shows before it, in a wider dtype: float64 for a float32 candidate, longdouble for float64 where
the machine has one. No error travels from step to step, so any T and any weights can be judged:

    |candidate - recomputed|  <=  (32 + N/2) u sum|terms|

with N the number of terms summed over time, batch or windows (0 where nothing is), and as terms all that is added up
on the way. 1 and h^2 are terms of their own in 1 - h^2; an error of a logit moves p by p |y - m|, m the maximum, hence
p (1 + |y - m|) + onehot in dlogits. Underflow is forgiven as in `montecarlo`, but where all terms are zero the
candidate must be zero.
"""

import numpy as np

from rnncheck.case import RNNCase
from rnncheck.errors import NotShownError
from rnncheck.judging.recompute import LIMIT, Expected, Steps
from rnncheck.judging.tolerance import Finding, ratio, underflow, unit_roundoff, worst_place
from rnncheck.trace import ORDER, Trace

__all__ = ["residual", "wider"]


def wider(dtype: np.dtype) -> np.dtype | None:
    """Return the dtype to recompute `dtype` in, or None if this machine has none."""
    wide = np.dtype(np.float64 if dtype == np.float32 else np.longdouble)
    return wide if unit_roundoff(wide) < unit_roundoff(dtype) else None


def residual(case: RNNCase, trace: Trace) -> dict[str, Finding | str]:
    """Judge each array of `trace` by the ones before it; where that cannot be done, say in a sentence why not."""
    wide = wider(case.dtype)
    if wide is None:
        return dict.fromkeys(trace, f"trace residual not available: this machine has no dtype wider than {case.dtype}")
    steps = Steps(case, trace, wide)
    found: dict[str, Finding | str] = {}
    for name in (name for name in ORDER if name in trace):
        try:
            found[name] = _judge(trace[name], getattr(steps, name)(), case.dtype)
        except NotShownError as missing:
            found[name] = f"trace residual not available: {missing}"
    return found


def _judge(candidate: np.ndarray, expected: Expected, dtype: np.dtype) -> Finding:
    d = np.abs(candidate.astype(expected.value.dtype) - expected.value).astype(np.float64)
    error = np.where(expected.terms == 0, d, np.maximum(d - underflow(dtype), 0))
    units = ratio(error, expected.terms * unit_roundoff(dtype))
    return Finding(float(units.max()), LIMIT + expected.N / 2, "trace residual", worst_place(units))
