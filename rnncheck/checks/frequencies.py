"""Sampled tokens against the distribution they should come from, over many streams. No oracle is asked.

The probability of every sequence of tokens is worked out by hand, from the formulas: state, softmax at a temperature,
the k likeliest, the smallest set with mass p. How often each was drawn is judged by a G-test,

    G = 2 sum O log(O / E),    distributed as chi-square (S. Wilks, 1938),

at a probability of 1e-9: a right sampler fails one time in a billion, and since the seeds are fixed, never. Sequences
and not single tokens, because a state that is not fed back and a random number used twice show only between tokens.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from rnncheck.case import SampleCase
from rnncheck.cases.make import NO_TOKEN, Design, random_params
from rnncheck.checks.check import Bench, Check, failed
from rnncheck.checks.relation import Shown
from rnncheck.result import Comparison, Verdict

__all__ = ["chi_square_tail", "frequency_cases", "frequency_checks", "g_test", "sequence_probabilities"]

DECADES = 9.0
"""A probability of 1e-9 or less is a failure."""

FEWEST = 10.0
"""Sequences expected less often than this are counted as one: for rare ones G is not distributed as chi-square."""

METHODS: dict[str, dict[str, Any]] = {
    "draw": {},
    "cold": {"temperature": 0.5},
    "hot": {"temperature": 2.0},
    "top-k": {"top_k": 3},
    "top-p": {"top_p": 0.7},
    "all": {"temperature": 1.5, "top_k": 4, "top_p": 0.8},
    "stop": {"stop": 1},
}

Sequences = dict[tuple[int, ...], float]


def frequency_cases(seed: int, T: int = 2, B: int = 4096) -> list[SampleCase]:
    """Make one case per method: all streams begin alike, so that one distribution holds for all of them.

    Some begin with no token, some without h0; both dtypes take turns.
    """
    cases = []
    for number, (name, options) in enumerate(METHODS.items()):
        dtype = ("float64", "float32")[number % 2]
        rng = np.random.default_rng([seed, number])
        design = Design(T, H=5, V=6)
        params = {n: a.astype(dtype) for n, a in random_params(design, design.V, rng).items()}
        first = np.full(B, NO_TOKEN if number % 3 == 1 else rng.integers(design.V))
        h0 = None if number % 3 == 2 else np.tile(0.5 * rng.normal(size=design.H), (B, 1)).astype(dtype)
        uniforms = rng.random((T, B), dtype=dtype)  # type: ignore[call-overload] # rounded from float64 it could be 1
        cases.append(SampleCase(f"{name}-{dtype}", seed, params, first, uniforms, h0, **options))
    return cases


def frequency_checks(cases: Sequence[SampleCase]) -> Iterator[Check]:
    """Plan one check per case."""
    for case in cases:
        yield Check(f"frequencies[{case.name}]", "frequencies", _ask(case))


def _ask(case: SampleCase) -> Callable[[Bench], list[Comparison]]:
    return lambda bench: [_judge(case, Shown(bench.run(case))["tokens"])]


def _judge(case: SampleCase, tokens: np.ndarray) -> Comparison:
    if tokens.shape != case.uniforms.shape:
        return failed("tokens", "G-test", f"has shape {tokens.shape}, expected {case.uniforms.shape}")
    drawn = Counter(tuple(sequence) for sequence in tokens.T.tolist())
    p = sequence_probabilities(case)
    for sequence, count in drawn.items():
        if p.get(sequence, 0.0) == 0:
            reason = f"{list(sequence)} was drawn by {count} of {tokens.shape[1]} streams, and its probability is 0"
            return failed("tokens", "G-test", reason)
    G, freedom = g_test(drawn, p)
    tail = chi_square_tail(G, freedom)
    decades = -math.log10(tail) if tail else math.inf
    verdict = Verdict.PASSED if decades < DECADES else Verdict.FAILED
    return Comparison("tokens", verdict, decades, DECADES, f"-log10 of the probability of G = {G:.4g}")


def sequence_probabilities(case: SampleCase) -> Sequences:
    """Work out the probability of every sequence that the first stream can draw, in float64."""
    h0 = np.zeros(len(case.params["W_hh"])) if case.h0 is None else case.h0[0].astype(np.float64)
    return dict(_continuations(case, h0, int(case.first[0]), len(case.uniforms)))


def _continuations(case: SampleCase, h: np.ndarray, token: int, left: int) -> Iterator[tuple[tuple[int, ...], float]]:
    if left == 0:
        yield (), 1.0
        return
    h, p = _next(case, h, token)
    for drawn in np.flatnonzero(p).tolist():
        if drawn == case.stop:
            yield (drawn, *[NO_TOKEN] * (left - 1)), p[drawn]
            continue
        for rest, rest_p in _continuations(case, h, drawn, left - 1):
            yield (drawn, *rest), p[drawn] * rest_p


def _next(case: SampleCase, h: np.ndarray, token: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the state after `token` and the distribution of what follows it."""
    w = {name: array.astype(np.float64) for name, array in case.params.items()}
    a = w["W_hh"] @ h + w.get("b_h", 0) + (0 if token == NO_TOKEN else w["W_xh"][:, token])
    h = np.tanh(a) if case.nonlinearity == "tanh" else np.maximum(a, 0)
    z = (w["W_hy"] @ h + w.get("b_y", 0)) / case.temperature
    p = np.exp(z - z.max())
    likeliest = np.argsort(-p)[: case.top_k]
    if case.top_p is not None:
        mass = np.cumsum(p[likeliest]) / p[likeliest].sum()
        likeliest = likeliest[: int(np.argmax(mass >= case.top_p)) + 1]
    kept = np.zeros_like(p)
    kept[likeliest] = p[likeliest]
    return h, kept / kept.sum()


def g_test(drawn: Counter[tuple[int, ...]], p: Sequences) -> tuple[float, int]:
    """Return G and its degrees of freedom; the rarest sequences are counted together."""
    total = sum(drawn.values())
    cells: list[tuple[int, float]] = []
    observed, expected = 0, 0.0
    for sequence in sorted(p, key=lambda s: p[s]):
        observed, expected = observed + drawn[sequence], expected + total * p[sequence]
        if expected >= FEWEST:
            cells.append((observed, expected))
            observed, expected = 0, 0.0
    G = 2 * sum(o * math.log(o / e) for o, e in cells if o)
    return max(G, 0.0), len(cells) - 1


def chi_square_tail(x: float, freedom: int) -> float:
    """Return the probability that chi-square exceeds x (M. Abramowitz and I. Stegun, 1964, 26.4.4 and 26.4.5)."""
    half, odd = x / 2, freedom % 2
    if half == 0:
        return 1.0
    powers = (i + odd / 2 for i in range(freedom // 2))
    tail = sum(math.exp(power * math.log(half) - half - math.lgamma(power + 1)) for power in powers)
    return min(1.0, tail + (math.erfc(math.sqrt(half)) if odd else 0.0))
