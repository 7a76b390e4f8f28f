"""All that is seen of an implementation: its Trace of every probe, once and again, beside the right one.

Faults are told apart by formulas, not by the last digits, so `agree` is generous: 2^16 units of rounding are 7e-12 in
float64. What correct code may differ by is decided by the judge, before anybody asks for a diagnosis.
"""

import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property

import numpy as np

from rnncheck.diagnosis.manner import Manner, manners
from rnncheck.diagnosis.probes import PLAIN, Probe, plain_case, probes, readable
from rnncheck.errors import NotShownError, raised
from rnncheck.faults.probes import observe
from rnncheck.implementation import Implementation
from rnncheck.judging.tolerance import underflow, unit_roundoff
from rnncheck.textbook import Textbook
from rnncheck.trace import ORDER

__all__ = [
    "Observation",
    "Seen",
    "agree",
    "differ",
    "look",
    "observation",
    "of_first_call",
    "rank",
    "right",
    "wrong_arrays",
]

Arrays = Mapping[str, np.ndarray]
UNITS = {8: 2.0**16, 4: 2.0**9}
"""Units of rounding by which two programs of the same formula may differ, by the size of the dtype."""


@dataclass(frozen=True)
class Seen:
    """One probe: the arrays that were shown (the second call's as `second.h`, ...), or how the call ended."""

    probe: Probe
    arrays: Arrays
    raised: str = ""

    @cached_property
    def wrong(self) -> list[str]:
        """The arrays that differ from the right ones, in dataflow order."""
        return wrong_arrays(self.arrays, right(self.probe))

    @cached_property
    def numbers(self) -> Arrays:
        """The arrays that can be calculated with: of the right shape, floating, finite."""
        expected = right(self.probe)
        formed = {n: a for n, a in self.arrays.items() if n in expected and a.shape == expected[n].shape}
        return {n: a for n, a in formed.items() if a.dtype.kind == "f" and np.isfinite(a).all()}


@dataclass(frozen=True)
class Observation:
    """What was seen of one implementation, probe by probe, in the order of the calls."""

    seen: tuple[Seen, ...]
    manner: Manner

    def of_kind(self, kind: str) -> list[Seen]:
        """Return what was seen of the cases of a kind."""
        return [s for s in self.seen if s.probe.case.kind == kind]

    @property
    def plain(self) -> list[Seen]:
        """What was seen of the plain cases."""
        return [s for s in self.seen if s.probe.feature == PLAIN and not s.raised]

    @property
    def wrong(self) -> list[Seen]:
        """The probes of which something is wrong."""
        return [s for s in self.seen if s.wrong or s.raised]


def observation(implementation: Implementation, leave_out: Collection[str] = ()) -> Observation:
    """Run every probe but those of some features, in the first manner in which the plain case can be asked."""
    manner = _manner(implementation)
    if manner is None:
        return Observation((), Manner())
    asked = [p for p in probes(manner) if p.feature not in leave_out]
    return Observation(tuple(_seen(implementation, asked)), manner)


def _manner(implementation: Implementation) -> Manner | None:
    """Return a manner that is understood, and in which the implementation does not crash if there is such a one.

    There is none for code of fixed sizes that are too few, or differ where the probes have I = V.
    """
    fixed = getattr(getattr(implementation, "adapter", None), "fixed", {})
    if fixed.get("I") != fixed.get("V"):
        return None
    crashing = None
    possible = [m for m in manners(fixed.get("H", 0), fixed.get("V", 0)) if readable(m)]
    for manner in possible:
        if crashing is not None and replace(crashing, B=manner.B) != manner:
            continue
        try:
            look(implementation, Probe(plain_case(manner)))
        except NotShownError:
            continue
        except Exception:
            crashing = crashing or manner
            continue
        return manner
    return crashing or (possible[0] if possible else None)


def _seen(implementation: Implementation, asked: Sequence[Probe]) -> Iterator[Seen]:
    for probe in asked:
        try:
            yield Seen(probe, look(implementation, probe))
        except NotShownError:
            continue
        except Exception as error:  # a program that crashes is to be diagnosed, not to crash the diagnosis
            yield Seen(probe, {}, raised(error).removeprefix("raised "))


def look(implementation: Implementation, probe: Probe) -> Arrays:
    """Return all that can be seen of one probe."""
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if probe.twice:
            return observe(implementation, probe.case)
        return {name: np.array(array) for name, array in implementation.run(probe.case.copy()).items()}


@cache
def right(probe: Probe) -> Arrays:
    """Return what is right."""
    return look(Textbook(), probe)


def of_first_call(name: str) -> bool:
    """Tell whether an array is one that a call returns, and not what is seen afterwards."""
    return not name.startswith(("second.", "inputs.", "shared."))


def wrong_arrays(arrays: Arrays, expected: Arrays) -> list[str]:
    """Name the arrays that do not agree, in dataflow order; what is not expected at all is passed over."""
    return sorted((n for n, a in arrays.items() if n in expected and not agree(a, expected[n])), key=rank)


def differ(arrays: Arrays, expected: Arrays) -> bool:
    """Tell whether any array does not agree."""
    return any(n in expected and not agree(a, expected[n]) for n, a in arrays.items())


def rank(name: str) -> tuple[int, int, str]:
    """Order names by the flow of data: the first call, then what it left behind, then the second call."""
    call, _, array = name.rpartition(".")
    calls = {"": 0, "inputs": 100, "second": 101, "shared": 102}
    place = -1 if array == "total_norm" else ORDER.index(array) if array in ORDER else 50
    steps = int(call[4:]) if call.startswith("step") else 0
    return calls.get(call.partition(".")[0], steps), place, name


def agree(one: np.ndarray, two: np.ndarray) -> bool:
    """Tell whether two arrays are the same but for rounding: shape and dtype, what is not finite, and the rest."""
    if one.shape != two.shape or one.dtype != two.dtype:
        return False
    if one.dtype.kind != "f":
        return bool(np.array_equal(one, two))
    with np.errstate(all="ignore"):
        allowed = UNITS[one.dtype.itemsize] * unit_roundoff(one.dtype) * np.abs(two).max(initial=0.0)
        if np.abs(one - two).max(initial=0.0) <= allowed + underflow(one.dtype) < np.inf:
            return True
        finite = np.isfinite(one)
        if finite.all() or not np.array_equal(one[~finite], two[~finite], equal_nan=True):
            return False
    return agree(one[finite], two[finite])
