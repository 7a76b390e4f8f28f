"""The Monte Carlo rule: how far an array may lie from the reference, in units of the scale that `noise` measured.

With u the unit roundoff of the candidate's dtype, sigma_ij the measured scale times u, r its root mean square, N the
number of terms summed over time and batch, f_ij = (2 + N/32) u |ref_ij| for roundings that repeat (a constant token
makes every step round alike) and eta for underflow:

    the whole array     max(0, max|d| - eta)  <= 16 max(max sigma, max f),      d = candidate - reference
    each element        |d_ij| - eta          <= 64 sqrt(sigma_ij^2 + f_ij^2 + (0.1 r)^2)
    nothing to round    candidate_ij = 0 exactly where sigma_ij = 0 and ref_ij = 0

A loss is a sum of log sum exp z - z_y, and small beside z_y where targets are confident: there its f is larger by a
quarter of u for each z_y that is added up, or for the 1 in log(1 + ...), since one rounding of them may repeat as well.

The second layer sees one wrong small entry beside large ones. An array with a time axis is judged one step at a time:
taken whole, a 1 % error in its last step would drown. All this is arithmetic on stored numbers and needs no torch.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from rnncheck.case import RNNCase
from rnncheck.judging.tolerance import Finding, NotComparable, peak, ratio, underflow, unit_roundoff, worst_place
from rnncheck.trace import TIMED

__all__ = ["ELEMENT_LIMIT", "WHOLE_LIMIT", "MonteCarlo", "MonteCarloRule", "gate", "summed_terms"]

WHOLE_LIMIT = 16.0
ELEMENT_LIMIT = 64.0

POWER = 2.0**-10
"""An allowance beyond this share of the largest value has no power."""

LINEAR = (0.5, 2.0)
SUMMED = ("loss", "dW_hy", "db_y", "dW_hh", "dW_xh", "db_h")


@dataclass(frozen=True, eq=False)
class MonteCarloRule:
    """The rule for one array: `sigma` per unit of u, `terms` summed over time and batch; `timed` judges each step.

    `lost` is added to f, per unit of u: what may repeat in every term and is larger than the terms. `source` is said
    with the rule, where sigma is not as precise as it is elsewhere.
    """

    sigma: np.ndarray
    dtype: np.dtype
    terms: int = 0
    timed: bool = False
    lost: float = 0.0
    source: str = ""

    def judge(self, candidate: np.ndarray, reference: np.ndarray) -> Finding:
        """Return the place with the largest margin, of both layers."""
        whole, element = self.errors(candidate, reference)
        layers = ((whole, WHOLE_LIMIT, "16 scales, whole array"), (element, ELEMENT_LIMIT, "64 scales, each element"))
        found = (Finding(float(e.max()), limit, rule + self.source, worst_place(e)) for e, limit, rule in layers)
        return max(found, key=lambda finding: finding.margin)

    def errors(self, candidate: np.ndarray, reference: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return every element's error in units of the two layers; infinite where it must be 0 and is not."""
        u = unit_roundoff(self.dtype)
        sigma = u * self.sigma.astype(np.float64)
        f = (2 + self.terms / 32) * u * np.abs(reference) + self.lost * u
        d = np.abs(np.asarray(candidate, np.float64) - reference)
        exact = (self.sigma == 0) & (reference == 0)
        error = np.where(exact, d, np.maximum(d - underflow(self.dtype), 0))
        r2 = np.mean(sigma**2, axis=tuple(range(int(self.timed), sigma.ndim)), keepdims=True)
        scales = (np.maximum(peak(sigma, self.timed), peak(f, self.timed)), np.sqrt(sigma**2 + f**2 + 0.01 * r2))
        whole, element = (ratio(error, np.where(exact, 0.0, scale)) for scale in scales)
        return whole, element


@dataclass(frozen=True, eq=False)
class MonteCarlo:
    """The tolerance of one case. `gates` says "ok" for an array that can be judged, and otherwise why it cannot be.

    `lost` (by the name of the array) and `source`: see `MonteCarloRule`.
    """

    case: RNNCase
    sigma: Mapping[str, np.ndarray]
    gates: Mapping[str, str]
    lost: Mapping[str, float] = field(default_factory=dict)
    source: str = ""

    def rule(self, array: str) -> MonteCarloRule | NotComparable:
        """Return the rule for `array`."""
        if self.gates[array] != "ok":
            return NotComparable(self.gates[array])
        terms, lost = summed_terms(self.case, array), self.lost.get(array, 0.0)
        return MonteCarloRule(self.sigma[array], self.case.dtype, terms, array in TIMED, lost, self.source)


def summed_terms(case: RNNCase, array: str) -> int:
    """Return N, the number of terms that `array` sums over time and batch: T B for the loss and for parameters."""
    sizes = case.sizes
    one_per_step = array == "loss" and case.reduction == "none"
    return sizes["T"] * sizes["B"] if array in SUMMED and not one_per_step else 0


def gate(sigma: np.ndarray, coarse: np.ndarray, reference: np.ndarray, dtype: np.dtype) -> str:
    """Say whether the rule can judge an array: "ok", "no power" or "nonlinear", the last two with their figures.

    `coarse` is the scale measured with noise 16 times as large. Where the two scales differ by more than a factor of
    two, the result is not linear in the roundings, and no scale describes it.
    """
    largest = float(sigma.max())
    if largest == 0:
        return "ok"
    allowed, highest = WHOLE_LIMIT * largest * unit_roundoff(dtype), float(np.abs(reference).max())
    if not allowed <= POWER * highest:
        return f"no power: rounding may move it by {allowed:.3g}, and its largest value is {highest:.3g}"
    growth = math.sqrt(float(np.mean(coarse**2)) / float(np.mean(sigma**2)))
    if not LINEAR[0] <= growth <= LINEAR[1]:
        return f"nonlinear: 16 times the noise moves it {16 * growth:.3g} times as far"
    return "ok"
