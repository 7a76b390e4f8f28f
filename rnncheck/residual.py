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

from typing import NamedTuple

import numpy as np

from rnncheck.case import RNNCase
from rnncheck.errors import NotShownError
from rnncheck.montecarlo import POWER, summed_terms
from rnncheck.tolerance import Finding, ratio, underflow, unit_roundoff, worst_place
from rnncheck.trace import ORDER, Trace

__all__ = ["Expected", "Steps", "residual", "wider"]

LIMIT = 32.0


class Expected(NamedTuple):
    """What an array should be, the sum of the magnitudes of its terms, and N."""

    value: np.ndarray
    terms: np.ndarray
    N: int = 0


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


class Steps:
    """One method per array of the Trace: what it should be, given the candidate's arrays before it.

    Values are wide, terms float64. Time and batch stay in front: products with a matrix act on the last axis.
    """

    def __init__(self, case: RNNCase, trace: Trace, wide: np.dtype):
        self.case, self.trace, self.wide = case, trace, wide
        self.params = {name: a.astype(wide) for name, a in case.params.items()}
        self.kept = case.y != case.ignore_index

    def own(self, name: str) -> np.ndarray:
        """Return what the candidate shows under `name`."""
        if name not in self.trace:
            raise NotShownError(f"it needs {name}, which this implementation does not show")
        return self.trace[name].astype(self.wide)

    def states_before(self) -> np.ndarray:
        """Return h_0..h_{T-1}."""
        h = self.own("h")
        h0 = np.zeros_like(h[0]) if self.case.h0 is None else self.case.h0.astype(self.wide)
        return np.concatenate([h0[None], h[:-1]])

    def h(self) -> Expected:
        a = _add(self._input(), _product(self.states_before(), self.params["W_hh"].T), self._bias("b_h"))
        if self.case.nonlinearity == "relu":
            return Expected(np.maximum(a.value, 0), a.terms)
        h = np.tanh(a.value)
        return Expected(h, (_slope(h) * a.terms + np.abs(h)).astype(np.float64))

    def logits(self) -> Expected:
        return _add(_product(self.own("h"), self.params["W_hy"].T), self._bias("b_y"))

    def loss(self) -> Expected:
        z, m, p, log_sum = self._softmax()
        z_y = np.take_along_axis(z, np.where(self.kept, self.case.y, 0)[..., None], -1)[..., 0]
        terms = np.abs(log_sum) + np.abs(z_y) + (p * (1 + np.abs(z - m))).sum(-1)
        each = np.where(self.kept, log_sum - z_y, 0), np.where(self.kept, terms, 0).astype(np.float64)
        if self.case.reduction == "none":
            return Expected(*each)
        count = self.kept.sum() if self.case.reduction == "mean" else 1
        return Expected(each[0].sum() / count, each[1].sum() / count, summed_terms(self.case, "loss"))

    def dlogits(self) -> Expected:
        z, m, p, _ = self._softmax()
        onehot = self.case.y[..., None] == np.arange(z.shape[-1])
        upstream = np.ones((), self.wide) if self.case.dloss is None else self.case.dloss.astype(self.wide)
        scale = np.where(self.kept, upstream, 0)[..., None]
        if self.case.reduction == "mean":
            scale /= self.kept.sum()
        terms = np.abs(scale) * (p * (1 + np.abs(z - m)) + onehot)
        return Expected(scale * (p - onehot), terms.astype(np.float64))

    def dW_hy(self) -> Expected:
        return self._over_time(self.own("dlogits"), self.own("h"))

    def db_y(self) -> Expected:
        return self._over_time(self.own("dlogits"))

    def dh(self) -> Expected:
        from_output = _product(self.own("dlogits"), self.params["W_hy"])
        if self.case.bptt == "windowed":
            return self._windows(from_output)
        carry = _product(self.own("da")[1:], self.params["W_hh"])
        if self.case.bptt == "chunked":  # no gradient leaves a chunk
            assert self.case.k is not None
            first_of_chunk = np.arange(1, len(carry.value) + 1) % self.case.k == 0
            carry.value[first_of_chunk] = carry.terms[first_of_chunk] = 0
        from_output.value[:-1] += carry.value
        from_output.terms[:-1] += carry.terms
        return from_output

    def da(self) -> Expected:
        h, dh = self.own("h"), self.own("dh")
        if self.case.nonlinearity == "relu":
            return Expected(dh * (h > 0), np.abs(dh * (h > 0)).astype(np.float64))
        return Expected(dh * _slope(h), np.abs(dh * (1 + h * h)).astype(np.float64))

    def dW_hh(self) -> Expected:
        return self._over_time(self.own("da"), self.states_before())

    def dW_xh(self) -> Expected:
        da, x = self.own("da"), self.case.x
        if x.ndim == 3:
            return self._over_time(da, x.astype(self.wide))
        by_token = np.zeros_like(self.params["W_xh"].T), np.zeros(self.params["W_xh"].T.shape)
        for total, added in zip(by_token, (da, np.abs(da)), strict=True):
            np.add.at(total, x[x >= 0], added[x >= 0])
        return Expected(by_token[0].T, by_token[1].T, summed_terms(self.case, "dW_xh"))

    def db_h(self) -> Expected:
        return self._over_time(self.own("da"))

    def dx(self) -> Expected:
        return _product(self.own("da"), self.params["W_xh"])

    def dh0(self) -> Expected:
        return _product(self.own("da")[0], self.params["W_hh"])

    def _input(self) -> Expected:
        """W_xh x_t; *no token* is the zero vector."""
        x, W_T = self.case.x, self.params["W_xh"].T
        if x.ndim == 3:
            return _product(x.astype(self.wide), W_T)
        picked = np.where((x >= 0)[..., None], W_T[x], 0)
        return Expected(picked, np.abs(picked).astype(np.float64))

    def _bias(self, name: str) -> Expected:
        b = self.params.get(name, np.zeros((), self.wide))
        return Expected(b, np.abs(b).astype(np.float64))

    def _softmax(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        z = self.own("logits")
        m = z.max(-1, keepdims=True)
        e = np.exp(z - m)
        total = e.sum(-1, keepdims=True)
        return z, m, e / total, (m + np.log(total))[..., 0]

    def _over_time(self, da: np.ndarray, source: np.ndarray | None = None) -> Expected:
        """Sum da_t source_t^T, or da_t, over time and batch."""
        rows = da.reshape(-1, da.shape[-1])
        N = len(rows)
        if source is None:
            return Expected(rows.sum(0), np.abs(rows).sum(0).astype(np.float64), N)
        return Expected(*_product(rows.T, source.reshape(N, -1))[:2], N)

    def _windows(self, from_output: Expected) -> Expected:
        """Windowed BPTT: the loss of step t reaches k states back. Its rounding errors travel the same way."""
        assert self.case.k is not None
        h, W_hh = self.own("h"), self.params["W_hh"]
        relu = self.case.nonlinearity == "relu"
        slope, slope_terms = (h > 0, h > 0) if relu else (_slope(h), 1 + h * h)
        value, terms = from_output.value.copy(), from_output.terms.copy()
        far, far_terms = from_output.value, from_output.terms
        for _ in range(min(self.case.k, len(h) - 1)):
            n = len(far)
            error = far_terms[1:] * slope[1:n] + np.abs(far[1:]) * slope_terms[1:n]
            far = (far[1:] * slope[1:n]) @ W_hh
            far_terms = error.astype(np.float64) @ np.abs(W_hh).astype(np.float64)
            value[: len(far)] += far
            terms[: len(far)] += far_terms
        N = self.case.k + 1
        if (LIMIT + N / 2) * unit_roundoff(self.case.dtype) * terms.max() > POWER * np.abs(value).max():
            raise NotShownError(f"over {self.case.k} steps back its tolerance allows too much")
        return Expected(value, terms, N)


def _product(a: np.ndarray, b: np.ndarray) -> Expected:
    """Multiply along the last axis of `a`, and the magnitudes as well."""
    return Expected(a @ b, np.abs(a).astype(np.float64) @ np.abs(b).astype(np.float64))


def _add(*parts: Expected) -> Expected:
    value, terms = parts[0].value, parts[0].terms
    for part in parts[1:]:
        value, terms = value + part.value, terms + part.terms
    return Expected(value, terms)


def _slope(h: np.ndarray) -> np.ndarray:
    """Differentiate tanh where it is h."""
    return 1 - h * h
