"""The Monte Carlo rule: how far an array may lie from the reference, in units of the scale that `noise` measured.

With u the unit roundoff of the candidate's dtype, sigma_ij the measured scale times u, r its root mean square, N the
number of terms summed over time and batch, f_ij = (2 + N/32) u |ref_ij| for roundings that repeat (a constant token
rounds every step alike) and eta for underflow:

    the whole array     max(0, max|d| - eta)  <= 16 max(max sigma, max f),      d = candidate - reference
    each element        |d_ij| - eta          <= 64 sqrt(sigma_ij^2 + f_ij^2 + (0.1 r)^2)
    nothing to round    candidate_ij = 0 exactly where sigma_ij = 0 and ref_ij = 0

The second layer sees one wrong small entry beside large ones. Arrays with a time axis are judged one step at a time:
over all steps a wrong last step would drown. This module is arithmetic on stored numbers and needs no torch.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from rnncheck.case import RNNCase
from rnncheck.trace import TIMED

__all__ = ["ELEMENT_LIMIT", "WHOLE_LIMIT", "Finding", "MonteCarlo", "gate", "summed_terms"]

WHOLE_LIMIT = 16.0
ELEMENT_LIMIT = 64.0
POWER = 2.0**-10
LINEAR = (0.5, 2.0)
SUMMED = ("loss", "dW_hy", "db_y", "dW_hh", "dW_xh", "db_h")


class Finding(NamedTuple):
    """The worst place of an array: its error in units of the scale, of `limit` allowed."""

    error: float
    limit: float
    rule: str
    index: tuple[int, ...]

    @property
    def margin(self) -> float:
        """Error over allowance: above 1 is wrong."""
        return self.error / self.limit


@dataclass(frozen=True, eq=False)
class MonteCarlo:
    """The rule for one array: `sigma` per unit of u, the candidate's dtype, `terms` summed over time and batch.

    If `timed`, the first axis is time, and every step is judged for itself.
    """

    sigma: np.ndarray
    dtype: np.dtype
    terms: int = 0
    timed: bool = False

    @classmethod
    def of(cls, case: RNNCase, array: str, sigma: np.ndarray) -> "MonteCarlo":
        """Make the rule for an array of `case`."""
        return cls(sigma, case.dtype, summed_terms(case, array), array in TIMED)

    def judge(self, candidate: np.ndarray, reference: np.ndarray) -> Finding:
        """Find the place with the largest margin. Shapes, dtype and finiteness have been judged before."""
        whole, element = self.errors(candidate, reference)
        layers = ((whole, WHOLE_LIMIT, "whole array"), (element, ELEMENT_LIMIT, "each element"))
        found = (Finding(float(e.max()), limit, rule, worst_place(e)) for e, limit, rule in layers)
        return max(found, key=lambda finding: finding.margin)

    def errors(self, candidate: np.ndarray, reference: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the error of every element in units of the two layers, limits 16 and 64; inf where it must be 0."""
        info = np.finfo(self.dtype)
        u, eta = float(info.eps) / 2, 64 * float(info.tiny)
        reference = np.asarray(reference, np.float64)
        sigma = self.sigma.astype(np.float64) * u
        f = (2 + self.terms / 32) * u * np.abs(reference)
        axes = tuple(range(1 if self.timed else 0, reference.ndim))
        scale = np.maximum(sigma, f).max(axes, keepdims=True)
        r = np.sqrt((sigma**2).mean(axes, keepdims=True))
        d = np.abs(np.asarray(candidate, np.float64) - reference)
        above = np.maximum(d - eta, 0)
        must_be_zero = (self.sigma == 0) & (reference == 0) & (d > 0)
        layers = (scale, np.sqrt(sigma**2 + f**2 + (0.1 * r) ** 2))
        whole, element = (np.where(must_be_zero, math.inf, ratio(above, allowed)) for allowed in layers)
        return whole, element


def summed_terms(case: RNNCase, array: str) -> int:
    """Return N, the number of terms that `array` sums over time and batch: T B for loss and parameter gradients."""
    sizes = case.sizes
    each_step = array == "loss" and case.reduction == "none"
    return sizes["T"] * sizes["B"] if array in SUMMED and not each_step else 0


def gate(sigma: np.ndarray, coarse: np.ndarray, reference: np.ndarray, dtype: np.dtype) -> str:
    """Say whether the rule can judge an array: "ok", "no power" (it allows too much) or "nonlinear".

    `coarse` is the scale measured with noise 16 times as large. Where the two differ by more than a factor 2 the
    result is no longer linear in the roundings, and no scale describes it.
    """
    u = float(np.finfo(dtype).eps) / 2
    largest = float(sigma.max())
    if largest == 0:
        return "ok"
    if not WHOLE_LIMIT * largest * u <= POWER * float(np.abs(reference).max()):
        return "no power"
    ratio = math.sqrt(float((coarse**2).mean()) / float((sigma**2).mean()))
    return "ok" if LINEAR[0] <= ratio <= LINEAR[1] else "nonlinear"


def ratio(error: np.ndarray, allowed: np.ndarray) -> np.ndarray:
    """Divide; 0/0 is 0, x/0 and anything that is not a number is infinite."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = error / allowed
    return np.where(error == 0, 0.0, np.where(np.isnan(ratio), math.inf, ratio))


def worst_place(errors: np.ndarray) -> tuple[int, ...]:
    return tuple(int(i) for i in np.unravel_index(int(errors.argmax()), errors.shape))
