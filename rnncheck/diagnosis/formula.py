"""Find the formula that an array follows: the fewest of the given terms whose combination equals it exactly.

An array that is wrong is seldom arbitrary. It follows another formula, of terms that stand in every derivation of
backpropagation, with other factors; and an equality in hundreds of numbers to nine digits is no coincidence.
"""

from collections.abc import Iterator, Mapping
from itertools import combinations

import numpy as np

__all__ = ["HALF_SINGLE", "SINGLE", "distance", "fit", "nearly", "number", "say"]

EXACT = 1e-9
"""Relative error up to which a formula in float64 is the one that was computed."""
SINGLE = 2e-6
"""The same where something was rounded to float32 on the way."""
HALF_SINGLE = 1e-8
"""Below this, a difference is too small for a rounding to float32: the largest of many numbers is off by 3e-8 or so."""

Terms = Mapping[str, np.ndarray]
Formula = dict[str, float]


def nearly(off: float, what: str) -> str:
    """Say to how many digits something is right, and whether they are as few as in float32."""
    if off < HALF_SINGLE:
        return f"to {int(-np.log10(off))} digits only"
    return f"to seven digits only, as if {what} were rounded to float32"


def fit(observed: np.ndarray, terms: Terms, most: int = 3, error: float = EXACT) -> list[Formula]:
    """Return every smallest combination of at most `most` terms that equals `observed`, as factors by term.

    The zero array is the empty combination. Terms that vanish, or equal an earlier one, are passed over.
    """
    target = observed.ravel()
    size = float(np.abs(target).max(initial=0.0))
    if size == 0.0:
        return [{}]
    if not np.isfinite(size):
        return []
    kept = _independent(terms)
    A = np.array([term.ravel() for term in kept.values()]).reshape(len(kept), target.size)
    G, g, names = A @ A.T, A @ target, list(kept)
    for count in range(1, most + 1):
        found = []
        for chosen in combinations(range(len(names)), count):
            if 2 * count > target.size:
                continue
            pick = list(chosen)
            factors = _solve(G[np.ix_(pick, pick)], g[pick])
            if (
                factors is None
                or target @ target - factors @ g[pick] > 1e-4 * error * (target @ target) + 1e-13 * size**2
            ):
                continue
            factors, *_ = np.linalg.lstsq(A[pick].T, target, rcond=None)
            if np.abs(factors @ A[pick] - target).max() <= error * size and np.abs(factors).min() > 1e-6:
                found.append({names[i]: float(f) for i, f in zip(pick, factors, strict=True)})
        if found:
            return found
    return []


def _independent(terms: Terms) -> dict[str, np.ndarray]:
    kept: dict[str, np.ndarray] = {}
    for name, term in terms.items():
        new = all(distance(term, other) > EXACT for other in kept.values())
        if np.isfinite(term).all() and term.any() and new:
            kept[name] = term
    return kept


def _solve(G: np.ndarray, g: np.ndarray) -> np.ndarray | None:
    try:
        return np.linalg.solve(G, g)
    except np.linalg.LinAlgError:
        return None


def distance(observed: np.ndarray, expected: np.ndarray) -> float:
    """Return the largest difference, relative to the largest expected value."""
    size = float(np.abs(expected).max(initial=0.0))
    with np.errstate(all="ignore"):
        d = float(np.abs(observed - expected).max(initial=0.0))
    return d / size if size else float(d > 0)


def say(formula: Formula, sizes: Mapping[str, int]) -> str:
    """Write a formula as in a book: `2 W_hy^T dlogits_t + W_hh^T da_{t+1}`."""
    text = "".join(_signed(number(factor, sizes), term) for term, factor in formula.items())
    return (
        text.removeprefix(" + ").replace(" - ", "-", 1) if text.startswith(" - ") else text.removeprefix(" + ") or "0"
    )


def _signed(factor: str, term: str) -> str:
    sign, factor = (" - ", factor[1:]) if factor.startswith("-") else (" + ", factor)
    return sign + (term if factor == "1" else f"{factor} {term}")


def number(factor: float, sizes: Mapping[str, int]) -> str:
    """Write a factor by what it comes from: `1/(T B)`, `V`, `2`, `0.9`."""
    for name, value in _known(sizes):
        for sign, text in ((1, name), (-1, f"-{name}")):
            if abs(factor - sign * value) <= 1e-7 * value:
                return text
    return f"{factor:.4g}"


def _known(sizes: Mapping[str, int]) -> Iterator[tuple[str, float]]:
    yield from (("1", 1.0), ("2", 2.0), ("1/2", 0.5), ("1/log(2)", 1 / np.log(2)), ("log(2)", np.log(2)))
    T, B = sizes.get("T", 1), sizes.get("B", 1)
    products = {**sizes, "(T B)": T * B, "(T - 1)": T - 1, "(T + 1)": T + 1} if T > 1 else sizes
    for name, value in products.items():
        yield f"1/{name}", 1 / value
        yield name, float(value)
