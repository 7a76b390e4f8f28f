"""Each array of a Trace computed once more from the ones before it, in a wider dtype, with the sizes of its terms."""

from typing import NamedTuple

import numpy as np

from rnncheck.case import RNNCase
from rnncheck.errors import NotShownError
from rnncheck.judging.montecarlo import POWER, summed_terms
from rnncheck.judging.tolerance import unit_roundoff
from rnncheck.trace import Trace

__all__ = ["LIMIT", "Expected", "Steps"]

LIMIT = 32.0
"""Units of u sum|terms| that the trace residual allows, besides half a unit for each term summed over time."""


class Expected(NamedTuple):
    """What an array should be, the sum of the magnitudes of its terms, and N."""

    value: np.ndarray
    terms: np.ndarray
    N: int = 0


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
        return Expected(h, ((1 - h * h) * a.terms + np.abs(h)).astype(np.float64))

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
        if self.windowed:
            return self._windows()[0]
        from_output = _product(self.own("dlogits"), self.params["W_hy"])
        carry = _product(self.own("da")[1:], self.params["W_hh"])
        if self.case.bptt == "chunked":  # no gradient leaves a chunk
            assert self.case.k is not None
            first_of_chunk = np.arange(1, len(carry.value) + 1) % self.case.k == 0
            carry.value[first_of_chunk] = carry.terms[first_of_chunk] = 0
        from_output.value[:-1] += carry.value
        from_output.terms[:-1] += carry.terms
        return from_output

    def da(self) -> Expected:
        dh = self.own("dh")
        slope, slope_terms = self._slope()
        size = self._windows()[1] if self.windowed else np.abs(dh)
        return Expected(dh * slope, (size * slope_terms).astype(np.float64), self.rounds)

    def dW_hh(self) -> Expected:
        return self._over_time(self.own("da"), self.states_before(), self._size_of_da())

    def dW_xh(self) -> Expected:
        da, size, x = self.own("da"), self._size_of_da(), self.case.x
        if x.ndim == 3:
            return self._over_time(da, x.astype(self.wide), size)
        by_token = np.zeros_like(self.params["W_xh"].T), np.zeros(self.params["W_xh"].T.shape)
        for total, added in zip(by_token, (da, size), strict=True):
            np.add.at(total, x[x >= 0], added[x >= 0])
        return Expected(by_token[0].T, by_token[1].T, summed_terms(self.case, "dW_xh") * max(1, self.rounds))

    def db_h(self) -> Expected:
        return self._over_time(self.own("da"), size=self._size_of_da())

    def dx(self) -> Expected:
        return _product(self.own("da"), self.params["W_xh"], self._size_of_da())._replace(N=self.rounds)

    def dh0(self) -> Expected:
        return _product(self.own("da")[0], self.params["W_hh"], self._size_of_da()[0])._replace(N=self.rounds)

    @property
    def windowed(self) -> bool:
        return self.case.bptt == "windowed"

    @property
    def rounds(self) -> int:
        """The number of windows that a state lies in, at most; 0 if there are none."""
        return 1 + (self.case.k or 0) if self.windowed else 0

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

    def _slope(self) -> tuple[np.ndarray, np.ndarray]:
        """Differentiate the nonlinearity where it is h; return its terms as well."""
        h = self.own("h")
        return (h > 0, h > 0) if self.case.nonlinearity == "relu" else (1 - h * h, 1 + h * h)

    def _size_of_da(self) -> np.ndarray:
        """Return |da|, or under windowed BPTT the sum of |da| over the windows, which may cancel in da."""
        return self._windows()[1] * np.abs(self._slope()[0]) if self.windowed else np.abs(self.own("da"))

    def _over_time(self, da: np.ndarray, source: np.ndarray | None = None, size: np.ndarray | None = None) -> Expected:
        """Sum da_t source_t^T, or da_t, over time and batch; `size` is |da| unless given."""
        rows, sizes = (a.reshape(-1, a.shape[-1]) for a in (da, np.abs(da) if size is None else size))
        N = len(rows) if size is None else len(rows) * max(1, self.rounds)
        if source is None:
            return Expected(rows.sum(0), sizes.sum(0).astype(np.float64), N)
        return Expected(*_product(rows.T, source.reshape(len(rows), -1), sizes.T)[:2], N)

    def _windows(self) -> tuple[Expected, np.ndarray]:
        """Windowed BPTT: what reaches each state, k states back from every loss; and the sum of its magnitudes.

        Errors travel the same way as what they belong to.
        """
        assert self.case.k is not None
        slope, slope_terms = self._slope()
        W_hh, W_hh_size = self.params["W_hh"], np.abs(self.case.params["W_hh"]).astype(np.float64)
        far, far_terms, _ = _product(self.own("dlogits"), self.params["W_hy"])
        value, terms, size = far.copy(), far_terms.copy(), np.abs(far)
        for _ in range(min(self.case.k, len(far) - 1)):
            n = len(far)
            terms_of_da = far_terms[1:] * np.abs(slope[1:n]) + np.abs(far[1:]) * slope_terms[1:n]
            far = (far[1:] * slope[1:n]) @ W_hh
            far_terms = terms_of_da.astype(np.float64) @ W_hh_size
            value[: len(far)] += far
            terms[: len(far)] += far_terms
            size[: len(far)] += np.abs(far)
        allowed = (LIMIT + self.rounds / 2) * unit_roundoff(self.case.dtype) * terms.max()
        if allowed > POWER * np.abs(value).max():
            raise NotShownError(f"over {self.case.k} steps back the tolerance has no power")
        return Expected(value, terms, self.rounds), size


def _product(a: np.ndarray, b: np.ndarray, size: np.ndarray | None = None) -> Expected:
    """Multiply along the last axis of `a`, and the magnitudes as well: `size` is |a| unless given."""
    size = np.abs(a) if size is None else size
    return Expected(a @ b, size.astype(np.float64) @ np.abs(b).astype(np.float64))


def _add(*parts: Expected) -> Expected:
    value, terms = parts[0].value, parts[0].terms
    for part in parts[1:]:
        value, terms = value + part.value, terms + part.terms
    return Expected(value, terms)
