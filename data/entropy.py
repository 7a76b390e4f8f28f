"""The exact entropy of an unambiguous probabilistic grammar, and the lowest loss that it leaves to a language model.

A text has one derivation, so the entropy of the text is that of the choices, and the chain rule makes it a linear
system: H(A) = sum_r p_r (-log p_r + sum of H over the symbols of r). Expected lengths solve the same system (Soule,
"Entropies of probabilistic grammars", Information and Control 25, 1974). Everything here is in nats.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from grammar import Alternative, Grammar

# Probability left beyond the longest length that the series of `by_length` counts; far below the printed figures.
TAIL = 1e-13


def expected_sum(grammar: Grammar, value: Callable[[Alternative], float]) -> dict[str, float]:
    """Return, for each rule, the expectation of `value` summed over all alternatives taken below it.

    Solves x = r + M x, where M[A, B] is the expected number of B in one expansion of A.

    Raises
    ------
    ValueError
        If texts grow without end in expectation (spectral radius of M not below 1).
    """
    row = {name: i for i, name in enumerate(grammar.rules)}
    M = np.zeros((len(row), len(row)))
    r = np.zeros(len(row))
    for name, alternatives in grammar.rules.items():
        for a in alternatives:
            r[row[name]] += a.p * value(a)
            for symbol in a.symbols:
                if symbol in row:
                    M[row[name], row[symbol]] += a.p
    radius = max(abs(np.linalg.eigvals(M)))
    if radius >= 1:
        raise ValueError(
            f"the grammar recurs too often: its spectral radius is {radius:.4f}, it must be below 1 for texts of "
            "finite expected length; lower the weight of a recursive alternative"
        )
    x = np.linalg.solve(np.eye(len(row)) - M, r)
    return {name: float(x[i]) for name, i in row.items()}


def entropy(grammar: Grammar) -> dict[str, float]:
    """Return the entropy of the texts of each rule (nats)."""
    return expected_sum(grammar, lambda a: -math.log(a.p))


def expected_length(grammar: Grammar, width: Callable[[str], int]) -> dict[str, float]:
    """Return the expected length of the texts of each rule, where a word counts `width(word)`."""
    return expected_sum(grammar, lambda a: sum(width(s) for s in a.symbols if s not in grammar.rules))


def by_length(grammar: Grammar, symbol: str) -> tuple[np.ndarray, np.ndarray]:
    """Return `p[n]`, the probability of n words, and `h[n]`, the sum of -p log p over the texts of n words.

    The series of a rule is the weighted sum of its alternatives, the series of an alternative the product (convolution)
    of its symbols; sweeps over all rules repeat until nothing changes, and the length doubles until p sums to 1.
    """
    size = 16
    while True:
        size *= 2
        series = {name: np.zeros((2, size)) for name in grammar.rules}
        changed = True
        while changed:
            new = {
                name: np.sum([_alternative(a, series, size) for a in alternatives], axis=0)
                for name, alternatives in grammar.rules.items()
            }
            changed = any(not np.array_equal(new[name], series[name]) for name in series)
            series.update(new)
        p, h = series[symbol]
        if 1 - p.sum() < TAIL:
            return p, h


def _alternative(a: Alternative, series: dict[str, np.ndarray], size: int) -> np.ndarray:
    p, h = np.zeros((2, size))
    p[0] = 1.0
    for symbol in a.symbols:
        if symbol in series:
            q, g = series[symbol]
            p, h = np.convolve(p, q)[:size], (np.convolve(p, g) + np.convolve(h, q))[:size]
        else:
            p, h = np.roll(p, 1), np.roll(h, 1)
            p[0] = h[0] = 0.0
    return a.p * np.stack([p, h - math.log(a.p) * p])


def floor_mean_of_means(p: np.ndarray, h: np.ndarray, extra: int) -> float:
    """Return the least expected loss when each text counts by its mean over n + `extra` predictions (nats).

    Dividing by the length weighs short texts more: with w(s) = p(s) / n(s) and Z = sum w, the best model is w / Z,
    not p, and its loss is -sum w log(w / Z) (Gibbs' inequality).
    """
    n = np.arange(p.size) + extra
    p, h, n = p[n > 0], h[n > 0], n[n > 0]
    Z = (p / n).sum()
    return float((h / n).sum() + (p * np.log(n) / n).sum() + Z * math.log(Z))
