"""How far rounding may carry a correct result from the reference: one interface, several rules.

A *rule* judges one array and says how large the error is in units of its own scale, and how many units are allowed.
An array with a time axis is judged step by step: a 1 % error in the last dh_t would hide behind the large values of
other steps if one scale served for all. A *tolerance* holds the rules of one case. The best rule is the Monte Carlo
rule (`rnncheck.judging.montecarlo`), whose scales come with a stored vector; those of this file need no noise runs:

- `PeakRule`, the fallback for fresh cases: 256 u max|reference|, under a gate that tells ill-conditioned arrays apart;
- `PathRule`, for arithmetic without sums (an optimiser step, clipping by value): every element on its own.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import NamedTuple, Protocol

import numpy as np

from rnncheck.case import Case, RNNCase
from rnncheck.judging.lost_digits import lost_digits
from rnncheck.trace import TIMED, Trace

__all__ = [
    "Finding",
    "NotComparable",
    "PathRule",
    "PeakRule",
    "Rule",
    "Tolerance",
    "Ungated",
    "fallback",
    "peak",
    "ratio",
    "underflow",
    "unit_roundoff",
    "worst_place",
]

LIMIT = 256.0
"""Units of u max|reference| that the fallback allows. The largest correct value seen before the project began: 70."""

GATE = 64.0
"""Largest amplification of a relative change of 2^-40 in parameters, inputs and h0 at which the fallback has power."""

NUDGE = 2.0**-40


@dataclass(frozen=True)
class Finding:
    """The worst place of an array: its error in units of the scale, of `limit` allowed."""

    error: float
    limit: float
    rule: str
    index: tuple[int, ...]

    @property
    def margin(self) -> float:
        """Error over allowance: above 1 is wrong."""
        return self.error / self.limit


class Rule(Protocol):
    """Judges one array."""

    def judge(self, candidate: np.ndarray, reference: np.ndarray) -> Finding:
        """Return the worst place. Shape, dtype and finiteness have been judged before."""
        ...


class NotComparable(NamedTuple):
    """Stands in place of a rule where no verdict is possible, and says why."""

    reason: str


class Tolerance(Protocol):
    """The rules of one case."""

    def rule(self, array: str) -> Rule | NotComparable:
        """Return the rule for `array`."""
        ...


@cache
def unit_roundoff(dtype: np.dtype) -> float:
    """Half the distance from 1 to the next larger number: the largest relative error of one rounding."""
    return float(np.finfo(dtype).eps) / 2


@cache
def underflow(dtype: np.dtype) -> float:
    """64 times the smallest normal number: errors below it are those of gradual underflow, not of the algorithm."""
    return 64 * float(np.finfo(dtype).smallest_normal)


def ratio(error: np.ndarray, allowed: np.ndarray) -> np.ndarray:
    """Divide; 0/0 is 0, x/0 and anything that is not a number is infinite."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        units = error / allowed
    return np.where(error == 0, 0.0, np.where(np.isnan(units), np.inf, units))


def worst_place(errors: np.ndarray) -> tuple[int, ...]:
    """Return the index of the largest error."""
    return tuple(int(i) for i in np.unravel_index(int(errors.argmax()), errors.shape))


def peak(array: np.ndarray, timed: bool) -> np.ndarray:
    """Return the largest absolute value, of each step if `timed`, in a shape that broadcasts against the array."""
    return np.abs(array).max(axis=tuple(range(int(timed), array.ndim)), keepdims=True)


@dataclass(frozen=True, eq=False)
class PeakRule:
    """|candidate - reference| <= 256 u max|reference|, and exactly zero where the whole reference is zero.

    `judged` masks the time steps that can be judged, if not all can.
    """

    dtype: np.dtype
    timed: bool = False
    judged: np.ndarray | None = None

    def judge(self, candidate: np.ndarray, reference: np.ndarray) -> Finding:
        """Return the largest error in units of u max|reference|."""
        errors = np.abs(np.asarray(candidate, np.float64) - reference)
        scales, largest = peak(reference, self.timed).ravel(), peak(errors, self.timed).ravel()
        largest = np.where((largest <= underflow(self.dtype)) & (scales > 0), 0.0, largest)
        if self.judged is not None:
            largest = largest * self.judged
        units = ratio(largest, unit_roundoff(self.dtype) * scales)
        (step,) = worst_place(units)
        place = (step, *worst_place(errors[step])) if self.timed else worst_place(errors)
        return Finding(float(units[step]), LIMIT, "256 roundings of its largest value", place)


@dataclass(frozen=True, eq=False)
class PathRule:
    """|candidate - reference| <= 256 u path, element by element: `path` is the sum of all that was added up."""

    dtype: np.dtype
    path: np.ndarray

    def judge(self, candidate: np.ndarray, reference: np.ndarray) -> Finding:
        """Return the largest error in units of u path."""
        error = np.abs(np.asarray(candidate, np.float64) - reference)
        error = np.where(error <= underflow(self.dtype), 0.0, error)
        units = ratio(error, unit_roundoff(self.dtype) * self.path)
        return Finding(float(units.max()), LIMIT, "256 roundings of what is added up", worst_place(units))


@dataclass(frozen=True, eq=False)
class Fallback:
    """The peak rule for every array, or time step of it, whose amplification passes the gate."""

    dtype: np.dtype
    amplification: Mapping[str, np.ndarray]

    def rule(self, array: str) -> Rule | NotComparable:
        """Return the peak rule, or say by how much the case amplifies a rounding error."""
        amplification = self.amplification[array]
        judged = amplification <= GATE
        if not judged.any():
            least = float(amplification.min())
            return NotComparable(f"amplifies a change of its inputs {least:.3g} times, the gate is {GATE:g}")
        return PeakRule(self.dtype, array in TIMED, judged if array in TIMED else None)


@dataclass(frozen=True, eq=False)
class Ungated:
    """The peak rule for every array, without knowing whether it has power: what passes it agrees all the same."""

    dtype: np.dtype

    def rule(self, array: str) -> Rule:
        """Return the peak rule."""
        return PeakRule(self.dtype, array in TIMED)


def fallback(case: RNNCase, reference: Trace, run: Callable[[Case], Trace], draws: int = 4) -> Fallback:
    """Measure, in `draws` reference runs, how much each array amplifies a change of 2^-40 in all that goes in.

    What no such change shows, digits lost beside 1, is added: `rnncheck.judging.lost_digits`.
    """
    rng = np.random.default_rng([case.seed, 0xA3])
    amplification = {name: np.zeros(1) for name in reference}
    for _ in range(draws):
        nudged = run(_nudge(case, rng))
        changes = [(name, nudged[name] - array, NUDGE) for name, array in reference.items()]
        changes += [(name, error, 1.0) for name, error in lost_digits(case, reference, rng).items()]
        for name, change, unit in changes:
            moved, size = (peak(a, name in TIMED).ravel() for a in (change, reference[name]))
            amplification[name] = np.maximum(amplification[name], ratio(moved, unit * size))
    return Fallback(case.dtype, amplification)


def _nudge(case: RNNCase, rng: np.random.Generator) -> RNNCase:
    """Multiply parameters, dense inputs and h0 by 1 ± 2^-40, in float64 so that the nudge is not rounded away."""

    def shake(array: np.ndarray) -> np.ndarray:
        return array * rng.choice([1 - NUDGE, 1 + NUDGE], size=array.shape)

    return replace(
        case,
        params={name: shake(array) for name, array in case.params.items()},
        x=shake(case.x) if case.x.dtype.kind == "f" else case.x,
        h0=None if case.h0 is None else shake(case.h0),
        dloss=None if case.dloss is None else np.asarray(case.dloss, np.float64),
    )
