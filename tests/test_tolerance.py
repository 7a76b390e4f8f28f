"""The rules: what they let pass, what they catch, and where they refuse to judge."""

from dataclasses import replace

import numpy as np
import pytest

from rnncheck.implementation import NumpyImpl
from rnncheck.make_case import Design, make_rnn_case
from rnncheck.tolerance import (
    GATE,
    LIMIT,
    NotComparable,
    PathRule,
    PeakRule,
    fallback,
    underflow,
    unit_roundoff,
    worst_element,
)

U = unit_roundoff(np.dtype(np.float64))


def test_unit_roundoff_is_half_an_epsilon():
    assert unit_roundoff(np.dtype(np.float64)) == 2.0**-53
    assert unit_roundoff(np.dtype(np.float32)) == 2.0**-24


def test_worst_element_counts_zero_over_zero_as_nothing_and_anything_over_zero_as_infinite():
    assert worst_element(np.array([0.0, 2.0]), np.array([0.0, 1.0])) == (2.0, (1,))
    assert worst_element(np.array([[0.0], [1e-300]]), np.array([[1.0], [0.0]])) == (np.inf, (1, 0))


@pytest.mark.parametrize(("units", "passes"), [(LIMIT - 1, True), (LIMIT + 1, False)])
def test_peak_rule_draws_the_line_at_its_limit(units, passes):
    reference = np.array([0.25, 4.0])
    candidate = reference + np.array([units * U * 4.0, 0.0])
    finding = PeakRule(U).judge(candidate, reference)
    assert (finding.error <= finding.limit) is passes
    assert finding.index == (0,)


def test_peak_rule_wants_exact_zeros_where_the_reference_is_zero_throughout():
    assert PeakRule(U, eta=1.0).judge(np.array([0.0, 0.0]), np.zeros(2)).error == 0
    assert PeakRule(U, eta=1.0).judge(np.array([0.0, 1e-200]), np.zeros(2)).error == np.inf


def test_peak_rule_forgives_gradual_underflow_only():
    tiny = underflow(np.dtype(np.float32))
    reference = np.array([1e-42])
    assert PeakRule(2.0**-24, tiny).judge(np.float32([0.0]), reference).error == 0
    assert PeakRule(2.0**-24, tiny).judge(np.float32([1e-30]), reference).error > LIMIT


def test_path_rule_sees_a_small_wrong_element_beside_large_ones():
    reference = np.array([1e6, 1e-6])
    wrong = np.array([1e6, 1.001e-6])
    assert PeakRule(U).judge(wrong, reference).error <= LIMIT, "the peak rule is blind to it"
    assert PathRule(U, np.abs(reference)).judge(wrong, reference).error > LIMIT


def test_fallback_has_power_over_an_ordinary_case():
    case = make_rnn_case(Design(7, 3), seed=3)
    tolerance = fallback(case, NumpyImpl().run(case), NumpyImpl().run)
    assert isinstance(tolerance.rule("da", 0), PeakRule)
    assert isinstance(tolerance.rule("loss", None), PeakRule)


def test_fallback_refuses_to_judge_chaos():
    case = make_rnn_case(Design(200, 2, gain=6.0), seed=3)
    tolerance = fallback(case, NumpyImpl().run(case), NumpyImpl().run)
    verdict = tolerance.rule("dW_hh", None)
    assert isinstance(verdict, NotComparable)
    assert f"the gate is {GATE:g}" in verdict.reason
    assert isinstance(tolerance.rule("h", 0), PeakRule), "the first step amplifies nothing yet"


def test_fallback_measures_the_same_amplification_in_float32():
    """The gate asks how the problem is conditioned: that is no property of the dtype."""
    wide = make_rnn_case(Design(7, 3), seed=3)
    narrow = make_rnn_case(Design(7, 3, dtype="float32"), seed=3)
    rounded = replace(wide, **{f: getattr(narrow, f) for f in ("params", "h0")})
    rules = [fallback(c, NumpyImpl().run(rounded), NumpyImpl().run) for c in (rounded, rounded)]
    assert rules[0].amplification["da"] == pytest.approx(rules[1].amplification["da"], rel=0)
