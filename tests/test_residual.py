"""The trace residual: correct code passes at any length and in chaos; what does not follow from its own trace fails."""

import math

import numpy as np
import pytest

from rnncheck.cases.make import Design, make_rnn_case
from rnncheck.implementation import NumpyImpl
from rnncheck.judging.residual import residual, wider
from rnncheck.judging.tolerance import Finding
from rnncheck.textbook import Textbook
from rnncheck.trace import expected_arrays

available = pytest.mark.skipif(wider(np.dtype(np.float64)) is None, reason="longdouble is not wider here")
DTYPES = ["float32", pytest.param("float64", marks=available)]

DESIGNS = {
    "full": Design(12, 3),
    "windowed": Design(12, 3, bptt="windowed", k=4),
    "windowed, k = 0": Design(12, 3, bptt="windowed", k=0),
    "chunked": Design(12, 3, bptt="chunked", k=5),
    "relu": Design(7, 3, nonlinearity="relu"),
    "relu, windowed": Design(7, 3, nonlinearity="relu", bptt="windowed", k=2),
    "mean": Design(12, 3, reduction="mean", ignored=0.4),
    "upstream gradient": Design(12, 3, reduction="none", ignored=0.4),
    "dense": Design(12, 3, inputs="dense"),
    "dense, windowed": Design(12, 3, inputs="dense", bptt="windowed", k=3),
    "no biases, no h0": Design(12, 3, biases=False, h0=False),
    "one step": Design(1, 1, h0=False),
    "logits 900": Design(7, 2, logit_scale=900.0),
    "chaos": Design(200, 2, gain=6.0),
    "vanishing": Design(60, 2, gain=0.02),
    "long, constant token": Design(300, 3, tokens="constant", gain=1.0, orthogonal=True),
}


def case_of(name, dtype="float32", seed=0):
    return make_rnn_case(Design(**{**vars(DESIGNS[name]), "dtype": dtype}), seed)


def margins(case, trace):
    found = residual(case, trace)
    assert all(isinstance(f, Finding) for f in found.values()), found
    return {name: f.margin for name, f in found.items()}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", DESIGNS)
@pytest.mark.parametrize("implementation", [NumpyImpl(), Textbook()], ids=lambda i: i.name)
def test_correct_code_follows_from_its_own_trace(implementation, name, dtype):
    case = case_of(name, dtype)
    found = margins(case, implementation.run(case))
    assert set(found) == set(expected_arrays(case))
    assert max(found.values()) <= 1, found


def spoiled(case, array, change):
    trace = {name: np.array(a) for name, a in NumpyImpl().run(case).items()}
    change(trace[array])
    return margins(case, trace)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["full", "chunked", "windowed", "chaos", "vanishing"])
def test_one_percent_in_the_last_dh_is_seen(name, dtype):
    def change(dh):
        dh[-1] *= 1.01

    assert spoiled(case_of(name, dtype), "dh", change)["dh"] > 10


@pytest.mark.parametrize("array", expected_arrays(case_of("full")))
@pytest.mark.parametrize("name", ["full", "chunked", "windowed", "chaos"])
def test_one_wrong_entry_in_any_array_is_seen_there(name, array):
    def change(a):
        worst = np.unravel_index(np.abs(a).argmax(), a.shape)
        a[worst] *= np.float32(1.001)

    found = spoiled(case_of(name), array, change)
    assert found[array] > 1
    before = [earlier for earlier in list(found)[: list(found).index(array)] if (earlier, array) != ("dh", "da")]
    assert all(found[earlier] <= 1 for earlier in before), "judged by what comes before it, dh_t also by da_{t+1}"


@pytest.mark.parametrize("t", [0, 7, 10])
def test_a_carry_dropped_at_one_step_is_seen_at_that_step(t):
    case = case_of("chaos")
    trace = {name: np.array(a) for name, a in NumpyImpl().run(case).items()}
    trace["dh"][t] = trace["dlogits"][t] @ case.params["W_hy"]
    found = residual(case, trace)["dh"]
    assert isinstance(found, Finding)
    assert found.margin > 1
    assert found.index[0] == t


@available
def test_single_precision_inside_double_is_seen_in_every_array():
    single = NumpyImpl().run(case_of("full", "float32"))
    case = case_of("full", "float64")
    found = margins(case, {name: a.astype(np.float64) for name, a in single.items()})
    assert min(found.values()) > 100


def test_an_absent_token_has_a_gradient_of_exactly_zero():
    case = case_of("long, constant token")
    absent = (case.x[1, 0] + 1) % case.sizes["I"]

    def change(dW_xh):
        dW_xh[3, absent] = np.finfo(np.float32).smallest_subnormal

    assert spoiled(case, "dW_xh", change)["dW_xh"] == math.inf


def test_what_is_not_shown_is_said():
    case = case_of("full")
    trace = {name: a for name, a in NumpyImpl().run(case).items() if name != "da"}
    found = residual(case, trace)
    for name in ("dh", "dW_hh", "dW_xh", "db_h", "dh0"):
        assert found[name] == "trace residual not available: it needs da, which this implementation does not show"
    assert isinstance(found["dW_hy"], Finding)


def test_without_a_wider_dtype_nothing_is_judged(monkeypatch):
    case = case_of("full", "float64")
    monkeypatch.setattr("rnncheck.judging.residual.wider", lambda dtype: None)
    found = residual(case, NumpyImpl().run(case))
    assert set(found.values()) == {"trace residual not available: this machine has no dtype wider than float64"}


def test_windows_too_long_to_bound_are_said_to_be():
    case = make_rnn_case(Design(60, 2, H=24, dtype="float32", gain=1.5, bptt="windowed", k=50), seed=0)
    found = residual(case, NumpyImpl().run(case))["dh"]
    assert isinstance(found, str)
    assert "no power" in found
