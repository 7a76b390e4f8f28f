"""Optimisers by hand-computed steps and by closed forms."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from numpy_impl.optim import SGD, Adagrad, halve_lr_on_rise

A_FEW_ROUNDINGS = 8 * float(np.finfo(float).eps)  # of one step
PROPERTY = settings(max_examples=50)


def run(optimiser, gradients, lr, w=0.0):
    """Return the parameters after each step, one element long."""
    w, steps = np.array([w]), []
    state = optimiser.init(w)
    for g in gradients:
        w, state = optimiser.step(w, np.array([g]), state, lr)
        steps.append(float(w[0]))
    return steps


# The steps below are exact in binary, so no tolerance stands between them and the rule.
BY_HAND = {
    "plain: w - lr g": (SGD(), [2.0, -4.0], 0.5, [-1.0, 1.0]),
    "momentum: v = 1, 1.5, 1.75": (SGD(momentum=0.5), [1.0, 1.0, 1.0], 1.0, [-1.0, -2.5, -4.25]),
    "dampening acts from the second step: v = 1, 1.25, 1.375": (
        SGD(momentum=0.5, dampening=0.25),
        [1.0, 1.0, 1.0],
        1.0,
        [-1.0, -2.25, -3.625],
    ),
    "average from zero: v = 0.5, 0.75, 0.875": (
        SGD(momentum=0.5, dampening=0.5, zero_start=True),
        [1.0, 1.0, 1.0],
        1.0,
        [-0.5, -1.25, -2.125],
    ),
    "momentum alone starts alike from zero": (
        SGD(momentum=0.5, zero_start=True),
        [1.0, 1.0, 1.0],
        1.0,
        [-1.0, -2.5, -4.25],
    ),
    "adagrad, epsilon outside: 3/(3+1), then nothing": (Adagrad(eps=1.0), [3.0, 0.0], 1.0, [-0.75, -0.75]),
    "adagrad, epsilon inside: 3/sqrt(9+7), 3/sqrt(18+7)": (
        Adagrad(eps=7.0, eps_inside=True),
        [3.0, 3.0],
        5.0,
        [-3.75, -6.75],
    ),
    "adagrad, initial accumulator: 3/(sqrt(16+9)+1)": (
        Adagrad(eps=1.0, initial_accumulator=16.0),
        [3.0],
        1.0,
        [-0.5],
    ),
}


def assert_steps(optimiser, gradients, lr, expected):
    assert run(optimiser, gradients, lr) == expected


@pytest.mark.parametrize("name", BY_HAND)
def test_steps_match_hand_computed_values(name):
    assert_steps(*BY_HAND[name])


FAULTS = {
    "dampening in the first step too": ("dampening acts", SGD(momentum=0.5, dampening=0.25, zero_start=True)),
    "dampening ignored": ("dampening acts", SGD(momentum=0.5)),
    "average started at the first gradient": ("average from", SGD(momentum=0.5, dampening=0.5)),
    "dampening 0.5 read as momentum 0.5": ("momentum: v", SGD(momentum=0.5, dampening=0.5)),
    "momentum ignored": ("momentum: v", SGD()),
    "epsilon outside for inside": ("adagrad, epsilon inside", Adagrad(eps=7.0)),
    "epsilon inside for outside": ("adagrad, epsilon outside", Adagrad(eps=1.0, eps_inside=True)),
    "initial accumulator ignored": ("adagrad, initial", Adagrad(eps=1.0)),
    "ascent": ("plain", type("Ascent", (SGD,), {"step": lambda s, w, g, state, lr: SGD.step(s, w, -g, state, lr)})()),
    "lr squared": ("plain", type("Squared", (SGD,), {"step": lambda s, w, g, st, lr: SGD.step(s, w, g, st, lr**2)})()),
    "memory reset each step": (
        "adagrad, epsilon inside",
        type("Reset", (Adagrad,), {"step": lambda s, w, g, state, lr: Adagrad.step(s, w, g, s.init(w), lr)})(
            eps=7.0, eps_inside=True
        ),
    ),
    "parameters never change": ("plain", type("Lost", (SGD,), {"step": lambda s, w, g, state, lr: (w, state)})()),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_hand_computed_steps_catch_a_faulty_optimiser(fault):
    start, faulty = FAULTS[fault]
    (case,) = [case for name, case in BY_HAND.items() if name.startswith(start)]
    with pytest.raises(AssertionError):
        assert_steps(faulty, *case[1:])


@PROPERTY
@given(st.lists(st.floats(-10, 10), min_size=1, max_size=12), st.floats(0.1, 0.95))
def test_the_average_from_zero_is_the_weighted_sum_of_all_gradients(gradients, m):
    """v_S = (1 - m) sum_i m^(S-i) g_i: the exponential average, nothing of which is left of an earlier state."""
    optimiser = SGD(momentum=m, dampening=m, zero_start=True)
    w = np.zeros(1)
    state = optimiser.init(w)
    for g in gradients:
        w, state = optimiser.step(w, np.array([g]), state, 1.0)
    exact = math.fsum((1 - m) * m ** (len(gradients) - 1 - i) * g for i, g in enumerate(gradients))
    assert abs(state["v"][0] - exact) <= A_FEW_ROUNDINGS * len(gradients) * 10


def test_epsilon_inside_makes_the_first_step_of_a_small_gradient_100_times_smaller():
    """At g = 1e-6: 1e-6 / (1e-6 + 1e-10) outside, with torch's default; 1e-6 / sqrt(1e-12 + 1e-8) inside."""
    (outside,), (inside,) = run(Adagrad(), [1e-6], 1.0), run(Adagrad(eps=1e-8, eps_inside=True), [1e-6], 1.0)
    assert outside == pytest.approx(-1e-6 / (1e-6 + 1e-10), rel=A_FEW_ROUNDINGS, abs=0)
    assert inside == pytest.approx(-1e-6 / math.sqrt(1e-12 + 1e-8), rel=A_FEW_ROUNDINGS, abs=0)
    assert round(outside / inside) == 100


def test_adagrad_divides_by_the_root_of_all_squares_and_leaves_alone_what_has_no_gradient():
    gradients = np.array([[1e-9, 0.0, 100.0], [1e2, 0.0, -1e-3], [3.0, 0.0, 2.0]])
    optimiser, w = Adagrad(), np.ones(3)
    state, expected = optimiser.init(w), np.ones(3)
    for s, g in enumerate(gradients):
        w, state = optimiser.step(w, g, state, 0.1)
        root = np.array([math.sqrt(math.fsum(x * x for x in gradients[: s + 1, j])) for j in range(3)])
        expected = expected - 0.1 * g / (root + 1e-10)
    np.testing.assert_allclose(w, expected, rtol=3 * A_FEW_ROUNDINGS)
    assert w[1] == 1


def test_the_learning_rate_is_halved_only_when_the_loss_rises():
    assert halve_lr_on_rise(0.8, None, 5.0) == 0.8
    assert halve_lr_on_rise(0.8, 5.0, 4.0) == 0.8
    assert halve_lr_on_rise(0.8, 5.0, 5.0) == 0.8
    assert halve_lr_on_rise(0.8, 5.0, 5.0 + 1e-12) == 0.4


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_is_not_a_rise(loss):
    with pytest.raises(ValueError, match=rf"^loss is {loss}: training has diverged; go back to a checkpoint"):
        halve_lr_on_rise(0.1, 1.0, loss)
