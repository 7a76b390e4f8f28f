"""Two right programs drift apart as one unit in the last place does; a wrong one leaves at once."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from numpy_impl.datasets import load_dataset
from numpy_impl.recipes import RECIPES
from numpy_impl.run import start
from numpy_impl.train import numpy_step
from rnncheck.checks.check import Bench, run_check
from rnncheck.faults import get
from rnncheck.implementation import NumpyImpl
from rnncheck.result import Verdict
from rnncheck.shipped import shipped_text
from rnncheck.textbook import Textbook
from rnncheck.trajectory import EXAMPLES, compare_drift, follow, gradient_step, nudged, rms, trajectory_check

MARKS = (1, 2, 5)
LOADERS = {name: partial(load_dataset, path=str(shipped_text(name))) for name in RECIPES}


def drift(name, implementation, seed=1, marks=MARKS, other_step=numpy_step):
    """Judge a run of `implementation` against `other_step`: our own step, so that no torch is needed."""
    check = trajectory_check(RECIPES[name], LOADERS[name], seed, marks, other_step)
    return run_check(check, Bench(implementation, oracle=None))


@pytest.mark.parametrize("name", RECIPES)
def test_torch_drifts_no_faster_than_rounding(name):
    pytest.importorskip("torch")
    outcome = drift(name, NumpyImpl(), other_step=None)
    assert outcome.verdict is Verdict.PASSED, outcome.message or outcome.earliest
    assert outcome.worst.error < 16, "the ratio of a right program is near one"


@pytest.mark.parametrize("name", RECIPES)
def test_another_order_of_summation_drifts_no_faster_than_rounding(name):
    outcome = drift(name, Textbook())
    assert outcome.verdict is Verdict.PASSED, outcome.message or outcome.earliest
    assert 0 < outcome.worst.error < 16


@pytest.mark.parametrize(
    "fault", ["carry-damped", "first-step-skipped", "carry-not-transposed", "states-in-single-precision"]
)
@pytest.mark.parametrize("name", ["names", "sentences"])
def test_a_wrong_gradient_leaves_the_trajectory(name, fault):
    outcome = drift(name, get(fault).build(), marks=(1, 5))
    assert outcome.verdict is Verdict.FAILED
    assert outcome.worst.margin > 1000


@pytest.mark.parametrize("name", RECIPES)
def test_a_gradient_wrong_by_a_billionth_leaves_the_trajectory(name, planted):
    def spoil(case, trace):
        trace["dW_hh"] = trace["dW_hh"] * (1 + 1e-9)

    assert drift(name, planted(spoil)).verdict is Verdict.FAILED


def test_a_wrong_update_leaves_the_trajectory():
    """The gradients are right, but the momentum is lost between two steps: from the second step on it shows."""

    def forgetful(recipe, params, opt_state, lr, batch, h0):
        return numpy_step(recipe, params, opt_state | {"v": np.zeros_like(opt_state["v"])}, lr, batch, h0)

    outcome = drift("names", NumpyImpl(), marks=(1, 2), other_step=forgetful)
    assert {c.step for c in outcome.comparisons if c.verdict is Verdict.FAILED} == {1}


def test_a_state_that_is_not_carried_leaves_the_trajectory():
    def without_state(recipe, params, opt_state, lr, batch, h0):
        return numpy_step(recipe, params, opt_state, lr, batch, None)

    assert drift("chars", NumpyImpl(), marks=(1, 2), other_step=without_state).verdict is Verdict.FAILED


def test_a_loss_that_is_not_a_number_fails_with_words(planted):
    def spoil(case, trace):
        trace["loss"] = np.full_like(trace["loss"], np.nan)

    outcome = drift("names", planted(spoil))
    assert outcome.verdict is Verdict.FAILED
    assert "loss is nan" in outcome.message


def test_chaos_has_no_verdict():
    """Adagrad blows one unit in the last place up to 1e-5 and more within tens of steps."""
    outcome = drift("chars", NumpyImpl(), marks=(1, 50))
    late = [c for c in outcome.comparisons if c.step == 49]
    assert {c.verdict for c in late} == {Verdict.NOT_COMPARABLE}
    assert "too chaotic to tell a bug from rounding" in late[0].reason
    assert outcome.verdict is Verdict.PASSED  # its first step was judged


def test_nudging_moves_every_weight_by_one_unit_in_the_last_place():
    data = LOADERS["names"](RECIPES["names"])
    before, after = start(RECIPES["names"], data, 3), nudged(start(RECIPES["names"], data, 3), draw=0)
    moved = np.abs(after.params.flat - before.params.flat)
    assert (moved > 0).all()
    assert (moved <= np.spacing(np.abs(before.params.flat))).all()
    other = nudged(start(RECIPES["names"], data, 3), draw=1)
    assert (after.params.flat != other.params.flat).any()


@pytest.mark.parametrize("name", RECIPES)
def test_the_step_from_gradients_is_the_step_of_training(name):
    recipe = replace(RECIPES[name], examples=EXAMPLES)
    data = LOADERS[name](recipe)
    ours = follow(start(recipe, data, 2), data, (1, 8))
    asked = follow(start(recipe, data, 2), data, (1, 8), gradient_step(NumpyImpl()))
    for step, weights in ours.items():
        for array, w in weights.items():
            np.testing.assert_array_equal(asked[step][array], w, err_msg=f"{array} after step {step}")


def test_clipping_by_norm_reaches_the_step_from_gradients():
    recipe = replace(RECIPES["names"], examples=EXAMPLES, clip_method="norm", clip_bound=0.1)
    data = LOADERS["names"](recipe)
    ours = follow(start(recipe, data, 2), data, (3,))
    asked = follow(start(recipe, data, 2), data, (3,), gradient_step(NumpyImpl()))
    np.testing.assert_array_equal(asked[3]["W_hh"], ours[3]["W_hh"])


def test_drift_by_hand():
    """Two programs 6e-9 apart, nearby runs 1e-9 and 3e-9: 6 / sqrt((1 + 9) / 2); after four steps 32 are allowed."""
    plain = {4: {"w": np.ones(3)}}
    near = [{4: {"w": np.ones(3) + 1e-9}}, {4: {"w": np.ones(3) - 3e-9}}]
    (found,) = compare_drift({4: {"w": np.ones(3) + 6e-9}}, plain, plain, near)
    np.testing.assert_allclose(found.error, 6 / np.sqrt(5), rtol=1e-6)  # 1 + 1e-9 rounds
    assert (found.limit, found.step, found.verdict) == (32.0, 3, Verdict.PASSED)


def test_weights_that_never_move_are_held_to_their_last_place():
    """A bias whose first update is lr times a sign is the same in every run nearby: their drift is 0."""
    plain = {1: {"b": np.full(4, 0.1)}}
    one_ulp = {1: {"b": np.nextafter(plain[1]["b"], 1)}}
    (near,) = compare_drift(one_ulp, plain, plain, [plain, plain])
    (far,) = compare_drift({1: {"b": plain[1]["b"] + 1e-12}}, plain, plain, [plain, plain])
    assert (near.verdict, far.verdict) == (Verdict.PASSED, Verdict.FAILED)


def test_rms_is_the_root_mean_square():
    assert rms(np.array([3.0, 4.0, 0.0, 0.0])) == 2.5
