"""How far rounding may carry a correct result from the reference: one interface, several rules.

A *rule* judges one array, or one time step of it, and says how large the error is in units of its own scale, and how
many units are allowed. A *tolerance* holds the rules of one case. Two kinds exist: the Monte Carlo scales that come
with a stored vector (`rnncheck.montecarlo`), and the rules of this file, which need no noise runs:

- `PeakRule`, the fallback for fresh cases: 256 u max|reference|, under a gate that tells ill-conditioned arrays apart;
- `PathRule`, for arithmetic without sums (an optimiser step, clipping by value): every element on its own.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol

import numpy as np

from rnncheck.case import Case, RNNCase
from rnncheck.trace import TIMED, Trace

__all__ = [
    "Finding",
    "NotComparable",
    "PathRule",
    "PeakRule",
    "Rule",
    "Tolerance",
    "fallback",
    "unit_roundoff",
    "worst_element",
]

LIMIT = 256.0
"""Units of u max|reference| that the fallback allows. The largest correct value seen before the project began: 70."""

GATE = 64.0
"""Largest amplification of a relative change of 2^-40 in parameters, inputs and h0 at which the fallback has power."""

NUDGE = 2.0**-40


class Finding(NamedTuple):
    """The worst place of one array: `error` of `limit` units, at `index`, by `rule`."""

    error: float
    limit: float
    index: tuple[int, ...]
    rule: str


class Rule(Protocol):
    """Judges one array or one step of it."""

    def judge(self, candidate: np.ndarray, reference: np.ndarray) -> Finding:
        """Return the worst place. Shape, dtype and finiteness have been judged before."""
        ...


class NotComparable(NamedTuple):
    """Stands in place of a rule where no verdict is possible, and says why."""

    reason: str


class Tolerance(Protocol):
    """The rules of one case."""

    def rule(self, array: str, step: int | None) -> Rule | NotComparable:
        """Return the rule for `array`, or for time step `step` of it."""
        ...


def unit_roundoff(dtype: np.dtype) -> float:
    """Half the distance from 1 to the next larger number: the largest relative error of one rounding."""
    return float(np.finfo(dtype).eps) / 2


def underflow(dtype: np.dtype) -> float:
    """64 times the smallest normal number: errors below it are those of gradual underflow, not of the algorithm."""
    return 64 * float(np.finfo(dtype).smallest_normal)


def worst_element(error: np.ndarray, scale: np.ndarray) -> tuple[float, tuple[int, ...]]:
    """Return the largest error in units of `scale` and its index; 0/0 counts 0, anything else over 0 is infinite."""
    units = np.where(error == 0, 0.0, np.inf)
    np.divide(error, scale, out=units, where=(scale > 0) & (error > 0))
    index = np.unravel_index(int(np.argmax(units)), units.shape)
    return float(units[index]), tuple(int(i) for i in index)


@dataclass(frozen=True)
class PeakRule:
    """|candidate - reference| <= 256 u max|reference|, and exactly zero where the whole reference is zero."""

    u: float
    eta: float = 0.0

    def judge(self, candidate: np.ndarray, reference: np.ndarray) -> Finding:
        """Return the largest error in units of u max|reference|."""
        peak = float(np.max(np.abs(reference), initial=0.0))
        error = np.abs(candidate.astype(np.float64) - reference)
        error = np.where(error <= self.eta, 0.0, error) if peak > 0 else error
        units, index = worst_element(error, np.full(error.shape, self.u * peak))
        return Finding(units, LIMIT, index, "256 u max|reference|")


@dataclass(frozen=True)
class PathRule:
    """|candidate - reference| <= 256 u path, element by element: `path` is the sum of all that was added up."""

    u: float
    path: np.ndarray
    eta: float = 0.0

    def judge(self, candidate: np.ndarray, reference: np.ndarray) -> Finding:
        """Return the largest error in units of u path."""
        error = np.maximum(np.abs(candidate.astype(np.float64) - reference) - self.eta, 0.0)
        units, index = worst_element(error, self.u * self.path)
        return Finding(units, LIMIT, index, "256 u path")


@dataclass(frozen=True)
class Fallback:
    """The peak rule for every array whose amplification passes the gate."""

    u: float
    eta: float
    amplification: Mapping[str, np.ndarray]

    def rule(self, array: str, step: int | None) -> Rule | NotComparable:
        """Return the peak rule, or say by how much the case amplifies a rounding error."""
        amplification = float(self.amplification[array][0 if step is None else step])
        if not amplification <= GATE:
            return NotComparable(f"amplifies a change of its inputs {amplification:.3g} times, the gate is {GATE:g}")
        return PeakRule(self.u, self.eta)


def fallback(case: RNNCase, reference: Trace, run: Callable[[Case], Trace], draws: int = 4) -> Fallback:
    """Measure, in `draws` reference runs, how much each array amplifies a change of 2^-40 in all that goes in."""
    rng = np.random.default_rng([case.seed, 0xA3])
    amplification = {name: np.zeros(_groups(name, array)) for name, array in reference.items()}
    for _ in range(draws):
        nudged = run(_nudge(case, rng))
        for name, array in reference.items():
            change = _peak(name, nudged[name] - array)
            peak = _peak(name, array)
            ratio = np.divide(change, NUDGE * peak, out=np.where(change > 0, np.inf, 0.0), where=peak > 0)
            amplification[name] = np.maximum(amplification[name], ratio)
    return Fallback(unit_roundoff(case.dtype), underflow(case.dtype), amplification)


def _nudge(case: RNNCase, rng: np.random.Generator) -> RNNCase:
    """Multiply parameters, dense inputs and h0 by 1 ± 2^-40, in float64 so that the nudge is not rounded away."""

    def shake(array: np.ndarray) -> np.ndarray:
        return array.astype(np.float64) * (1 + NUDGE * rng.choice([-1.0, 1.0], size=array.shape))

    return replace(
        case,
        params={name: shake(array) for name, array in case.params.items()},
        x=case.x if case.x.dtype.kind in "iu" else shake(case.x),
        h0=None if case.h0 is None else shake(case.h0),
        dloss=None if case.dloss is None else case.dloss.astype(np.float64),
    )


def _groups(name: str, array: np.ndarray) -> int:
    return len(array) if name in TIMED else 1


def _peak(name: str, array: np.ndarray) -> np.ndarray:
    """Return the largest absolute value of the array, or of each of its time steps."""
    return np.abs(array).reshape(_groups(name, array), -1).max(axis=1)
