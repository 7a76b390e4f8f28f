"""The rules: what they let pass, what they catch, and where they refuse to judge."""

import numpy as np
import pytest

from rnncheck.case import RNNCase
from rnncheck.implementation import NumpyImpl
from rnncheck.make_case import Design, make_rnn_case
from rnncheck.tolerance import (
    GATE,
    LIMIT,
    NotComparable,
    PathRule,
    PeakRule,
    fallback,
    ratio,
    unit_roundoff,
)

F64, F32 = np.dtype(np.float64), np.dtype(np.float32)
U = unit_roundoff(F64)


def test_unit_roundoff_is_half_an_epsilon():
    assert unit_roundoff(F64) == 2.0**-53
    assert unit_roundoff(F32) == 2.0**-24


def test_ratio_counts_zero_over_zero_as_nothing_and_anything_over_zero_as_infinite():
    np.testing.assert_array_equal(ratio(np.array([0.0, 2.0, 3.0]), np.array([0.0, 0.0, 1.5])), [0.0, np.inf, 2.0])
    assert ratio(np.array([np.nan]), np.array([1.0])) == np.inf


@pytest.mark.parametrize(("units", "passes"), [(LIMIT - 1, True), (LIMIT + 1, False)])
def test_peak_rule_draws_the_line_at_its_limit(units, passes):
    reference = np.array([0.25, 4.0])
    candidate = reference + np.array([units * U * 4.0, 0.0])
    finding = PeakRule(F64).judge(candidate, reference)
    assert (finding.error <= finding.limit) is passes
    assert finding.index == (0,)


def test_peak_rule_wants_exact_zeros_where_the_reference_is_zero_throughout():
    assert PeakRule(F64).judge(np.array([0.0, 0.0]), np.zeros(2)).error == 0
    assert PeakRule(F64).judge(np.array([0.0, 1e-200]), np.zeros(2)).error == np.inf


def test_peak_rule_forgives_gradual_underflow_only():
    reference = np.array([1e-42])
    assert PeakRule(F32).judge(np.float32([0.0]), reference).error == 0
    assert PeakRule(F32).judge(np.float32([1e-30]), reference).error > LIMIT


def test_a_timed_rule_sees_a_wrong_last_step_that_one_scale_for_all_would_hide():
    reference = np.array([[1.0], [1e-14]])
    wrong = np.array([[1.0], [1.01e-14]])
    assert PeakRule(F64).judge(wrong, reference).error <= LIMIT
    found = PeakRule(F64, timed=True).judge(wrong, reference)
    assert found.error > LIMIT
    assert found.index == (1, 0)


def test_steps_that_are_masked_are_not_judged():
    reference, wrong = np.ones((2, 1)), np.array([[1.0], [2.0]])
    assert PeakRule(F64, True, np.array([True, False])).judge(wrong, reference).error == 0
    assert PeakRule(F64, True, np.array([True, True])).judge(wrong, reference).error > LIMIT


def test_path_rule_sees_a_small_wrong_element_beside_large_ones():
    reference = np.array([1e6, 1e-6])
    wrong = np.array([1e6, 1.001e-6])
    assert PeakRule(F64).judge(wrong, reference).error <= LIMIT, "the peak rule is blind to it"
    assert PathRule(F64, np.abs(reference)).judge(wrong, reference).error > LIMIT


def test_fallback_has_power_over_an_ordinary_case():
    case = make_rnn_case(Design(7, 3), seed=3)
    tolerance = fallback(case, NumpyImpl().run(case), NumpyImpl().run)
    assert isinstance(tolerance.rule("da"), PeakRule)
    assert isinstance(tolerance.rule("loss"), PeakRule)


def test_fallback_refuses_to_judge_chaos():
    case = make_rnn_case(Design(200, 2, gain=6.0), seed=3)
    tolerance = fallback(case, NumpyImpl().run(case), NumpyImpl().run)
    verdict = tolerance.rule("dW_hh")
    assert isinstance(verdict, NotComparable)
    assert f"the gate is {GATE:g}" in verdict.reason
    early = tolerance.rule("h")
    assert isinstance(early, PeakRule)
    assert early.judged[0], "the first step amplifies nothing yet"
    assert not early.judged[-1]


def test_fallback_asks_how_the_problem_is_conditioned_which_is_no_property_of_the_dtype():
    narrow = make_rnn_case(Design(7, 3, dtype="float32"), seed=3)
    wide = RNNCase.from_parts(
        {n: a.astype(np.float64) if a.dtype.kind == "f" else a for n, a in narrow.arrays().items()}, narrow.settings()
    )
    one, two = (fallback(c, NumpyImpl().run(wide), NumpyImpl().run).amplification for c in (narrow, wide))
    for name in one:
        np.testing.assert_array_equal(one[name], two[name])
