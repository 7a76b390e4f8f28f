"""A reading: what the results themselves say about one array. And the relation it is read from.

A relation holds an observed array against the formula it should follow, computed from the candidate's *own* earlier
values: what was wrong before is no excuse and no accusation here. A first axis counts the plain cases, a second the
time steps where there are any.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from rnncheck.diagnosis.formula import HALF_SINGLE, SINGLE, distance, fit, nearly, say

__all__ = ["Reading", "Relation", "read"]

CLOSE = 1e-10


@dataclass(frozen=True)
class Reading:
    """What an array was found to be; `explained` if that is a formula and not only "wrong"."""

    array: str
    what: str
    change: str
    steps: tuple[int, ...] = ()
    explained: bool = True
    evidence: str = "read off the results"


@dataclass(frozen=True)
class Relation:
    """`array`, written `left`, as observed; the factors by term it should have; and the terms it may have instead."""

    array: str
    left: str
    observed: np.ndarray
    right: Mapping[str, float]
    terms: Mapping[str, np.ndarray]
    sizes: Mapping[str, int]
    timed: bool = True
    most: int = 3

    def expected(self) -> np.ndarray:
        """Compute the right formula."""
        return np.sum([factor * self.terms[name] for name, factor in self.right.items()], axis=0)

    def at(self, steps: list[int]) -> "Relation":
        """Keep some time steps only."""
        terms = {name: term[:, steps] for name, term in self.terms.items()}
        return Relation(self.array, self.left, self.observed[:, steps], self.right, terms, self.sizes, True, self.most)


def read(relation: Relation) -> Reading | None:
    """Say what an array is in place of what it should be; None if it is right."""
    r, expected = relation, relation.expected()
    off = distance(r.observed, expected)
    if off <= CLOSE:
        return None
    change = f"{r.left} = {say(dict(r.right), r.sizes)}"
    if off <= SINGLE:
        what = f"{r.left} follows its formula {nearly(off, 'something before it')}"
        cure = "keep the dtype of the parameters; no astype, no float32 buffer"
        return Reading(r.array, what, change if off < HALF_SINGLE else cure)
    steps = _wrong_steps(r, expected) if r.timed else []
    found = fit(r.observed, r.terms, r.most)
    if found:
        return Reading(r.array, _either(r, found), change, tuple(t + 1 for t in steps))
    if r.timed:
        return _read_steps(r, steps, change)
    return Reading(r.array, f"{r.left} follows no formula known here", change, explained=False)


def _wrong_steps(r: Relation, expected: np.ndarray) -> list[int]:
    size = np.abs(expected).max(initial=0.0) or 1.0
    return [t for t in range(r.observed.shape[1]) if np.abs(r.observed[:, t] - expected[:, t]).max() > CLOSE * size]


def _read_steps(r: Relation, steps: list[int], change: str) -> Reading:
    """Read the wrong steps alone: all of them together if one formula fits, else each for itself."""
    places = tuple(t + 1 for t in steps)
    together = fit(r.at(steps).observed, r.at(steps).terms, r.most)
    if together:
        return Reading(r.array, f"{_either(r, together)} {_at(steps)}", change, places)
    each = {t: fit(r.at([t]).observed, r.at([t]).terms, r.most) for t in steps}
    if all(each.values()):
        words = "; ".join(f"{_either(r, found)} {_at([t])}" for t, found in each.items())
        return Reading(r.array, words, change, places)
    return Reading(r.array, f"{r.left} follows no formula known here {_at(steps)}", change, places, explained=False)


def _either(r: Relation, found: list[dict[str, float]]) -> str:
    return f"{r.left} = " + ", or = ".join(say(formula, r.sizes) for formula in found[:3])


def _at(steps: list[int]) -> str:
    return f"at step{'s' if len(steps) > 1 else ''} {', '.join(str(t + 1) for t in steps)}"
