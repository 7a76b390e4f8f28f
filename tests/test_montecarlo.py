"""The Monte Carlo rule on stored numbers: where it draws the line, and the gate before it. No torch."""

import math

import numpy as np
import pytest

from rnncheck.cases.make import Design, make_rnn_case
from rnncheck.judging.montecarlo import ELEMENT_LIMIT, WHOLE_LIMIT, MonteCarlo, MonteCarloRule, gate, summed_terms
from rnncheck.judging.tolerance import NotComparable, underflow, unit_roundoff

F64, F32 = np.dtype(np.float64), np.dtype(np.float32)
U = unit_roundoff(F64)
BEYOND = 1.01


def judge(candidate, reference, sigma, **options):
    return MonteCarloRule(np.asarray(sigma, float), F64, **options).judge(np.asarray(candidate), np.asarray(reference))


@pytest.mark.parametrize(("units", "right"), [(0, True), (WHOLE_LIMIT / BEYOND, True), (WHOLE_LIMIT * BEYOND, False)])
def test_whole_array_layer_allows_16_of_the_largest_sigma(units, right):
    reference, sigma = np.array([1.0, 0.0]), np.array([8.0, 4.0])
    found = judge(reference + np.array([0, units * 8 * U]), reference, sigma)
    assert (found.margin <= 1) is right
    assert found.error == pytest.approx(units)
    assert units == 0 or found.index == (1,)


@pytest.mark.parametrize(("units", "right"), [(ELEMENT_LIMIT / BEYOND, True), (ELEMENT_LIMIT * BEYOND, False)])
def test_element_layer_sees_a_small_wrong_entry_beside_large_ones(units, right):
    reference = np.full(1000, 1e-6)
    sigma = np.full(1000, 1e-3)
    reference[0], sigma[0] = 1.0, 10.0
    r = np.sqrt(np.mean(sigma**2))
    allowed = U * np.sqrt(1e-3**2 + (2 * 1e-6) ** 2 + (0.1 * r) ** 2)
    candidate = reference.copy()
    candidate[7] += units * allowed
    found = judge(candidate, reference, sigma)
    assert (found.margin <= 1) is right
    assert right or (found.index, found.limit) == ((7,), ELEMENT_LIMIT)


def test_exact_zeros_are_demanded_where_nothing_rounds():
    reference, sigma = np.array([0.0, 1.0]), np.array([0.0, 1.0])
    assert judge(reference, reference, sigma).margin == 0
    smallest = np.nextafter(0.0, 1.0)
    assert judge([smallest, 1.0], reference, sigma).margin == math.inf, "even one that underflow would forgive"
    assert judge([smallest, 1.0], reference, [1e-30, 1.0]).margin == 0


def test_zero_over_zero_is_no_error():
    assert judge([0.0, 0.0], [0.0, 0.0], [0.0, 0.0]).margin == 0


def test_underflow_is_forgiven_and_nothing_above_it():
    eta = underflow(F32)
    reference = np.array([2.0**-140])
    rule = MonteCarloRule(np.array([2.0**-140]), F32)
    assert rule.judge(np.float32([0.0]), reference).margin == 0
    assert rule.judge(np.float32([BEYOND * eta]), reference).margin > 1


def test_repeated_roundings_of_long_sums_are_allowed_for_but_only_there():
    N = 3000
    reference, sigma = np.array([1.0]), np.array([0.1])
    drift = reference + (WHOLE_LIMIT / BEYOND) * (2 + N / 32) * U
    assert judge(drift, reference, sigma, terms=N).margin <= 1
    assert judge(drift, reference, sigma).margin > 1


def test_a_wrong_last_step_does_not_drown_in_the_others():
    dh = np.random.default_rng(0).normal(size=(50, 2, 8)) * 2.0 ** np.arange(50, 0, -1)[:, None, None]
    sigma = 3 * np.abs(dh)
    wrong = dh.copy()
    wrong[-1] *= 1.01
    found = judge(wrong, dh, sigma, timed=True)
    assert found.margin > 1e6
    assert found.index[0] == 49
    assert judge(wrong, dh, sigma).margin < found.margin / 1e3, "taken whole it nearly drowns"
    assert judge(dh * (1 + U), dh, sigma, timed=True).margin < 1


def test_a_scalar_is_an_array_like_any_other():
    found = judge(np.array(1.0 + 64 * U), np.array(1.0), np.array(1.0))
    assert (found.error, found.limit, found.index) == (32.0, WHOLE_LIMIT, ()), "2 u |ref| is the larger scale"


def test_not_a_number_is_infinitely_wrong():
    assert judge([np.nan], [1.0], [1.0]).margin == math.inf


@pytest.mark.parametrize("dtype", [F32, F64])
def test_gate_says_no_power_where_the_allowance_reaches_a_thousandth(dtype):
    line = 2.0**-10 / WHOLE_LIMIT / unit_roundoff(dtype)
    for factor, verdict in ((1 / BEYOND, "ok"), (BEYOND, "no power")):
        sigma = np.array([0.1, factor * line])
        assert gate(sigma, sigma, np.array([-1.0, 0.5]), dtype).startswith(verdict)
    assert gate(np.zeros(2), np.zeros(2), np.zeros(2), dtype) == "ok", "exact zeros can be judged"
    assert gate(np.array([np.inf]), np.ones(1), np.ones(1), dtype).startswith("no power")


@pytest.mark.parametrize(("growth", "verdict"), [(1.0, "ok"), (1.9, "ok"), (2.1, "nonlinear"), (0.4, "nonlinear")])
def test_gate_says_nonlinear_where_the_scale_depends_on_the_size_of_the_noise(growth, verdict):
    sigma = np.array([1.0, 2.0])
    assert gate(sigma, growth * sigma, np.ones(2), F64).startswith(verdict)


def test_only_sums_over_time_and_batch_have_terms():
    case = make_rnn_case(Design(7, 3), seed=0)
    assert {summed_terms(case, name) for name in ("loss", "dW_hy", "db_y", "dW_hh", "dW_xh", "db_h")} == {21}
    assert {summed_terms(case, name) for name in ("h", "logits", "dlogits", "dh", "da", "dx", "dh0")} == {0}
    assert summed_terms(make_rnn_case(Design(7, 3, reduction="none"), seed=0), "loss") == 0


def test_tolerance_hands_out_the_rule_or_the_reason():
    case = make_rnn_case(Design(7, 3, dtype="float32"), seed=0)
    tolerance = MonteCarlo(case, {"dh": np.ones((7, 3, 16)), "loss": np.ones(())}, {"dh": "ok", "loss": "no power: x"})
    rule = tolerance.rule("dh")
    assert isinstance(rule, MonteCarloRule)
    assert (rule.timed, rule.terms, rule.dtype) == (True, 0, F32)
    assert tolerance.rule("loss") == NotComparable("no power: x")
