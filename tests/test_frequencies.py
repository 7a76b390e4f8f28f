"""The frequencies of a right sampler pass, those of every wrong one fail; the arithmetic is held against tables."""

import math
from collections import Counter

import numpy as np
import pytest

from rnncheck.cases.make import NO_TOKEN
from rnncheck.cases.standard import SEED
from rnncheck.checks.check import Bench, run_check
from rnncheck.checks.frequencies import (
    FEWEST,
    chi_square_tail,
    frequency_cases,
    frequency_checks,
    g_test,
    sequence_probabilities,
)
from rnncheck.faults import get
from rnncheck.implementation import NumpyImpl
from rnncheck.result import Verdict

CASES = frequency_cases(SEED)


def verdicts(implementation):
    checks = frequency_checks(CASES)
    return {c.name: run_check(c, Bench(implementation, oracle=None)) for c in checks}


def test_the_right_sampler_passes_with_every_method():
    found = verdicts(NumpyImpl())
    assert len(found) == 7
    assert {name: str(o.comparisons) for name, o in found.items() if o.verdict is not Verdict.PASSED} == {}


@pytest.mark.parametrize(
    "fault",
    [
        "state-not-fed-back",
        "token-not-fed-back",
        "temperature-ignored",
        "temperature-multiplied",
        "seed-inside-the-loop",
        "one-random-number-for-all-streams",
        "greedy-instead-of-drawing",
        "stop-ignored",
        "stop-ends-all-streams",
        "stop-token-swallowed",
        "top-k-ignored",
        "top-k-one-too-many",
        "top-p-ignored",
        "top-p-without-the-last-token",
        "no-token-is-all-ones",
        "missing-first-state-is-ones",
        "hidden-bias-unused",
        "output-bias-unused",
    ],
)
def test_the_frequencies_of_a_wrong_sampler_fail(fault):
    assert Verdict.FAILED in {o.verdict for o in verdicts(get(fault).build()).values()}


def test_each_method_catches_two_tokens_that_change_places(planted):
    def spoil(case, trace):
        swapped = {0: 4, 4: 0}
        trace["tokens"] = np.vectorize(lambda token: swapped.get(token, token))(trace["tokens"])

    assert {o.verdict for o in verdicts(planted(spoil)).values()} == {Verdict.FAILED}


def test_a_sequence_that_cannot_be_drawn_is_named(planted):
    def spoil(case, trace):
        trace["tokens"][:, :3] = NO_TOKEN

    outcome = verdicts(planted(spoil))["frequencies[draw-float64]"]
    assert "[-1, -1] was drawn by 3 of 4096 streams, and its probability is 0" in outcome.comparisons[0].reason


def test_tokens_of_another_shape_are_refused(planted):
    def spoil(case, trace):
        trace["tokens"] = trace["tokens"].T

    outcome = verdicts(planted(spoil))["frequencies[draw-float64]"]
    assert outcome.comparisons[0].reason == "has shape (4096, 2), expected (2, 4096)"


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_probabilities_sum_to_one_over_the_sequences_that_can_be_drawn(case):
    p = sequence_probabilities(case)
    assert math.isclose(math.fsum(p.values()), 1, rel_tol=1e-14)
    if case.top_k is not None:
        assert len({first for first, _ in p}) <= case.top_k
    if case.stop is not None:
        assert (case.stop, NO_TOKEN) in p
        assert not [s for s in p if s[0] == case.stop and s[1] != NO_TOKEN]


# Critical values of chi-square as printed in tables: freedom, value, probability of more.
TABLE = [(1, 3.841459, 0.05), (1, 10.827566, 0.001), (2, 9.210340, 0.01), (7, 14.067140, 0.05), (10, 29.588298, 0.001)]
TABLE_DIGITS = 1e-6


@pytest.mark.parametrize(("freedom", "value", "expected"), TABLE)
def test_tail_of_chi_square_matches_the_tables(freedom, value, expected):
    assert math.isclose(chi_square_tail(value, freedom), expected, rel_tol=TABLE_DIGITS)


@pytest.mark.parametrize("x", [1.0, 41.446531673892822, 300.0])
def test_tail_of_chi_square_with_two_degrees_is_an_exponential(x):
    assert math.isclose(chi_square_tail(x, 2), math.exp(-x / 2), rel_tol=1e-13)


def test_nothing_is_as_likely_as_no_difference():
    assert chi_square_tail(0.0, 5) == 1.0
    G, freedom = g_test(Counter({(0,): 50, (1,): 50}), {(0,): 0.5, (1,): 0.5})
    assert (G, freedom) == (0.0, 1)


def test_g_by_hand():
    """2 (60 log(60/50) + 40 log(40/50)) = 4.02710..."""
    G, freedom = g_test(Counter({(0,): 60, (1,): 40}), {(0,): 0.5, (1,): 0.5})
    assert freedom == 1
    assert math.isclose(G, 2 * (60 * math.log(1.2) + 40 * math.log(0.8)))


def test_rare_sequences_are_counted_together():
    rare = {(i,): 0.01 for i in range(20)}
    drawn = Counter({(0,): 20, (99,): 80})
    _, freedom = g_test(drawn, rare | {(99,): 0.8})
    assert freedom == 20 * 0.01 * 100 / FEWEST  # two cells of ten rare ones, one of the frequent, less one
