"""The rules: what they let pass, what they catch, and where they refuse to judge."""

from typing import Any

import numpy as np
import pytest

from rnncheck.case import RNNCase
from rnncheck.cases.make import Design, make_rnn_case
from rnncheck.implementation import NumpyImpl
from rnncheck.judging.tolerance import (
    GATE,
    LIMIT,
    NUDGE,
    Fallback,
    Finding,
    NotComparable,
    PathRule,
    PeakRule,
    Ungated,
    fallback,
    peak,
    ratio,
    underflow,
    unit_roundoff,
    worst_place,
)

F64, F32 = np.dtype(np.float64), np.dtype(np.float32)
U = unit_roundoff(F64)


def test_unit_roundoff_is_half_an_epsilon():
    assert unit_roundoff(F64) == 2.0**-53
    assert unit_roundoff(F32) == 2.0**-24


def test_ratio_counts_zero_over_zero_as_nothing_and_anything_over_zero_as_infinite():
    np.testing.assert_array_equal(ratio(np.array([0.0, 2.0, 3.0]), np.array([0.0, 0.0, 1.5])), [0.0, np.inf, 2.0])
    assert ratio(np.array([np.nan]), np.array([1.0])) == np.inf


def test_underflow_is_64_times_the_smallest_normal_number():
    assert underflow(F64) == 2.0**-1016
    assert underflow(F32) == 2.0**-120


def test_ratio_is_silent_about_every_division():
    with np.errstate(all="raise"):
        np.testing.assert_array_equal(
            ratio(np.array([0.0, 1.0, 1e300, np.nan]), np.array([0.0, 0.0, 1e-300, 0.0])), [0] + 3 * [np.inf]
        )


def test_the_margin_is_the_share_of_the_allowance():
    assert Finding(64.0, 256.0, "a rule", (0,)).margin == 0.25


def test_the_worst_place_is_an_index_of_plain_numbers():
    place = worst_place(np.array([[1.0, 2.0], [np.inf, 3.0]]))
    assert place == (1, 0)
    assert [type(i) for i in place] == [int, int]


def test_the_peak_is_one_number_or_one_for_each_step():
    array = np.array([[[1.0, -5.0], [2.0, 3.0]], [[0.0, 0.5], [-0.25, 0.0]]])
    np.testing.assert_array_equal(peak(array, False), [[[5.0]]])
    np.testing.assert_array_equal(peak(array, True), [[[5.0]], [[0.5]]])
    np.testing.assert_array_equal(peak(np.array(-2.0), False), 2.0)


def test_a_finding_holds_the_error_in_units_the_limit_the_rule_and_the_place():
    reference, few = np.array([[1.0, 2.0], [0.5, 0.0]]), U * np.array([[0.0, 8.0], [-8.0, 0.0]])
    by_peak, by_step = PeakRule(F64), PeakRule(F64, timed=True)
    by_path = PathRule(F64, np.array([[1.0, 16.0], [4.0, 1.0]]))
    assert by_peak.judge(reference + few, reference) == Finding(
        4.0, 256.0, "256 roundings of its largest value", (0, 1)
    )
    assert by_step.judge(reference + few, reference) == Finding(
        16.0, 256.0, "256 roundings of its largest value", (1, 0)
    )
    assert by_path.judge(reference + few, reference) == Finding(2.0, 256.0, "256 roundings of what is added up", (1, 0))


RULES = {"peak": PeakRule(F32), "path": PathRule(F32, np.ones(2))}


@pytest.mark.parametrize("rule", RULES)
def test_differences_are_taken_in_float64(rule):
    """In float32 this one would overflow."""
    found = RULES[rule].judge(np.float32([3e38, 1.0]), np.float32([-3e38, 1.0]))
    assert LIMIT < found.error < np.inf


@pytest.mark.parametrize("rule", RULES)
def test_errors_of_gradual_underflow_are_none_up_to_the_last_bit(rule):
    reference = np.array([0.0, 1.0])
    edge = underflow(F32)
    assert RULES[rule].judge(np.array([edge, 1.0]), reference).error == 0
    assert RULES[rule].judge(np.array([np.nextafter(edge, 1), 1.0]), reference).error > 0


@pytest.mark.parametrize(("units", "passes"), [(LIMIT - 1, True), (LIMIT + 1, False)])
def test_peak_rule_draws_the_line_at_its_limit(units, passes):
    reference = np.array([0.25, 4.0])
    candidate = reference + np.array([units * U * 4.0, 0.0])
    finding = PeakRule(F64).judge(candidate, reference)
    assert (finding.error <= finding.limit) is passes
    assert finding.index == (0,)


def test_peak_rule_wants_exact_zeros_where_the_reference_is_zero_throughout():
    assert PeakRule(F64).judge(np.array([0.0, 0.0]), np.zeros(2)).error == 0
    for wrong in (1e-200, 1e-310):  # even where only underflow could have made it
        assert PeakRule(F64).judge(np.array([0.0, wrong]), np.zeros(2)).error == np.inf


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


def test_the_mask_is_one_of_steps_whatever_the_shape_of_a_step():
    reference = np.ones((2, 3, 4))
    wrong = reference.copy()
    wrong[0] += 8 * U
    wrong[1, 2, 3] = 2.0
    found = PeakRule(F64, True, np.array([True, False])).judge(wrong, reference)
    assert (found.error, found.index) == (8.0, (0, 0, 0))


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


def test_fallback_judges_what_passes_the_gate_and_says_by_how_much_the_rest_does_not():
    tolerance = Fallback(
        F32, {"h": np.array([GATE, 2 * GATE]), "dW_hh": np.array([GATE]), "dh0": np.array([1234.5, 9e9])}
    )
    timed = tolerance.rule("h")
    assert isinstance(timed, PeakRule)
    assert (timed.dtype, timed.timed, timed.judged.tolist()) == (F32, True, [True, False])
    whole = tolerance.rule("dW_hh")
    assert isinstance(whole, PeakRule)
    assert (whole.dtype, whole.timed, whole.judged) == (F32, False, None)
    assert tolerance.rule("dh0") == NotComparable("amplifies a change of its inputs 1.23e+03 times, the gate is 64")


def test_without_a_gate_the_peak_rule_judges_every_array_at_every_step():
    for name, timed in (("h", True), ("dW_hh", False)):
        rule = Ungated(F32).rule(name)
        assert isinstance(rule, PeakRule)
        assert (rule.dtype, rule.timed, rule.judged) == (F32, timed, None)


def recorded(case, changes):
    """Run fallback on a program whose answers change by so many nudges in turn; return also what it was given."""
    reference, seen = {"h": np.array([[2.0], [4.0]]), "loss": np.array(-1.0)}, []

    def run(nudged):
        seen.append(nudged)
        by = NUDGE * changes[len(seen) - 1]
        return {"h": reference["h"] + by * np.array([[2.0], [-1.0]]), "loss": reference["loss"] + by}

    return fallback(case, reference, run), seen


def test_fallback_keeps_the_largest_relative_change_of_every_step_among_four_runs():
    tolerance, seen = recorded(make_rnn_case(Design(7, 3, dtype="float32"), seed=3), [1.0, 8.0, 4.0, 2.0])
    assert len(seen) == 4
    assert tolerance.dtype == F32
    np.testing.assert_array_equal(tolerance.amplification["h"], [8.0, 2.0])
    np.testing.assert_array_equal(tolerance.amplification["loss"], [8.0])


@pytest.mark.parametrize("inputs", ["ids", "dense"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_fallback_nudges_all_that_goes_in_up_or_down_and_in_float64(dtype, inputs):
    case = make_rnn_case(Design(7, 3, dtype=dtype, inputs=inputs, reduction="none"), seed=3)
    _, seen = recorded(case, np.ones(4))
    before, ups = case.arrays(), set()
    for nudged in seen:
        after = nudged.arrays()
        assert after.keys() == before.keys()
        np.testing.assert_array_equal(after.pop("y"), case.y)
        dloss = after.pop("dloss")
        np.testing.assert_array_equal(dloss, case.dloss, "the upstream gradient is a weight of the loss, no input")
        assert dloss.dtype == F64
        if inputs == "ids":
            assert after.pop("x") is case.x
        for name, array in after.items():
            exact = before[name].astype(np.float64)
            assert ((array == exact * (1 + NUDGE)) | (array == exact * (1 - NUDGE))).all(), name
        up = np.abs(after["params.W_hh"]) > np.abs(case.params["W_hh"])
        assert up.any()
        assert not up.all()
        ups.add(up.tobytes())
    assert len(ups) == 4, "each run is nudged in its own way"


def test_fallback_nudges_differently_for_another_seed_and_alike_for_the_same():
    one, again, other = (
        recorded(make_rnn_case(Design(7, 3), seed=seed), np.ones(4))[1][0].params["W_hh"] for seed in (3, 3, 4)
    )
    np.testing.assert_array_equal(one, again)
    assert (np.sign(one) != np.sign(other)).any()


def test_fallback_leaves_out_a_state_that_is_not_there():
    bare = make_rnn_case(Design(7, 3, h0=False), seed=3)
    assert all(nudged.h0 is None and nudged.dloss is None for nudged in recorded(bare, np.ones(4))[1])


@pytest.mark.parametrize("design", [{"H": 1, "V": 2, "input_scale": 12.0}, {"B": 1, "V": 2, "logit_scale": 60.0}])
def test_what_saturation_costs_is_no_fault(design: dict[str, Any]) -> None:
    """No change of the inputs moves a state that has been rounded to 1 - 1e-11, and 1 - h^2 has five digits there."""
    made = Design(20, **({"B": 5, "gain": 0.25, "inputs": "dense", "tokens": "constant"} | design))
    case = make_rnn_case(made, 911492810)
    right = NumpyImpl().run(case.copy())
    tolerance = fallback(case, right, lambda nudged: NumpyImpl().run(nudged.copy()))
    closed = {
        n
        for n in right
        if isinstance(rule := tolerance.rule(n), PeakRule) and rule.judged is not None and not rule.judged.all()
    }
    assert closed & {"da", "dlogits"}
    assert isinstance(tolerance.rule("h"), PeakRule)


def test_lost_digits_count_in_units_of_rounding(monkeypatch: pytest.MonkeyPatch) -> None:
    case = make_rnn_case(Design(4, 2), seed=3)
    right = NumpyImpl().run(case)
    monkeypatch.setattr(
        "rnncheck.judging.tolerance.lost_digits", lambda *_: {"db_h": 3 * np.abs(right["db_h"]).max(keepdims=True)}
    )
    assert fallback(case, right, lambda nudged: right).amplification["db_h"] == 3
