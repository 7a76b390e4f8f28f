"""Chunks beside each other give what one step after the other gives, or say that they do not."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from numpy_impl import chunks, rnn
from numpy_impl.chunks import CHUNK, carry_in_chunks, goes_in_chunks, windows_backwards
from numpy_impl.rnn import rnn_backward, rnn_forward

LEAST = 10 * CHUNK
"""Steps of the sequences here; whether to go in chunks pays is another question."""
DTYPES = [np.float32, np.float64, np.longdouble]
ULPS = 64
"""Two orders of summation along a gradient that lives for tens of steps; of the largest entry of the step."""


@pytest.fixture(autouse=True)
def _in_chunks(monkeypatch):
    """Go in chunks in every dtype, and with fewer steps than pay."""
    monkeypatch.setattr(rnn, "goes_in_chunks", lambda T, B, dtype: T >= LEAST)


def problem(T: int, B: int = 1, H: int = 8, gain: float = 0.8, dtype: type = np.float64, nonlinearity: str = "tanh"):
    rng = np.random.default_rng(T)
    W_hh = (gain * np.linalg.qr(rng.standard_normal((H, H)))[0]).astype(dtype)
    xp = rng.standard_normal((T, B, H)).astype(dtype)
    if nonlinearity == "relu":
        xp += 3  # most units on
    states = rnn_forward(xp, None, W_hh, nonlinearity)
    return rng.standard_normal((T, B, H)).astype(dtype), states, W_hh


def serial(monkeypatch, dh, states, W_hh, nonlinearity="tanh"):
    with monkeypatch.context() as patch:
        patch.setattr(rnn, "goes_in_chunks", lambda T, B, dtype: False)
        completed = dh.copy()
        da, dh0 = rnn_backward(completed, states, W_hh, nonlinearity)
    return completed, da, dh0


def assert_close_at_every_step(actual, expected):
    limit = ULPS * np.finfo(expected.dtype).eps * np.abs(expected).max(axis=(-1, -2))
    assert actual.dtype == expected.dtype
    assert (np.abs(actual - expected).max(axis=(-1, -2)) <= limit).all()


@pytest.mark.parametrize("inplace", [False, True])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("T", "B"), [(LEAST, 1), (LEAST + 37, 2), (25 * CHUNK, 4)])
def test_chunks_give_what_steps_give(monkeypatch, T, B, dtype, inplace):
    dh, states, W_hh = problem(T, B, dtype=dtype)
    expected_dh, expected_da, expected_dh0 = serial(monkeypatch, dh, states, W_hh)
    taken = []
    monkeypatch.setattr(rnn, "carry_in_chunks", lambda *a: taken.append(carry_in_chunks(*a)) or taken[-1])
    completed = dh.copy()
    da, dh0 = rnn_backward(completed, states, W_hh, inplace=inplace)
    assert taken == [True]
    assert_close_at_every_step(da, expected_da)
    assert_close_at_every_step(dh0[None], expected_dh0[None])
    if inplace:
        assert da is completed
    else:
        assert_close_at_every_step(completed, expected_dh)


def test_relu_goes_the_same_way(monkeypatch):
    dh, states, W_hh = problem(LEAST, gain=0.5, nonlinearity="relu")
    _, expected, _ = serial(monkeypatch, dh, states, W_hh, "relu")
    da, _ = rnn_backward(dh.copy(), states, W_hh, "relu")
    assert_close_at_every_step(da, expected)


def test_several_windows_hand_on_their_gradient(monkeypatch):
    monkeypatch.setattr(chunks, "WINDOW", 3 * CHUNK)
    taken = []
    monkeypatch.setattr(rnn, "carry_in_chunks", lambda *a: taken.append(carry_in_chunks(*a)) or taken[-1])
    dh, states, W_hh = problem(11 * CHUNK + 5)
    completed = dh.copy()
    expected_dh, expected_da, _ = serial(monkeypatch, dh, states, W_hh)
    da, _ = rnn_backward(completed, states, W_hh)
    assert taken == [True] * 4, "where one refuses, the steps behind it hide what it does"
    assert_close_at_every_step(da, expected_da)
    assert_close_at_every_step(completed, expected_dh)


def test_where_there_is_no_gradient_there_is_nothing_to_prove():
    dh, states, W_hh = problem(LEAST)
    dh[...] = 0
    da = np.full_like(dh, np.nan)
    assert carry_in_chunks(dh, states[1:], W_hh, "tanh", da, None)
    assert not dh.any()
    assert not da.any()


def lossless(T: int):
    """A network that forgets nothing: slope 1 everywhere and an orthogonal W."""
    dh, _, W_hh = problem(T, gain=1.0)
    return dh, np.ones((T + 1, *dh.shape[1:])), W_hh


def test_a_gradient_that_lives_long_goes_step_by_step(monkeypatch):
    dh, states, W_hh = lossless(LEAST)
    before, da = dh.copy(), np.empty_like(dh)
    assert not carry_in_chunks(dh, states[1:], W_hh, "relu", da, None)
    np.testing.assert_array_equal(dh, before)
    _, expected, _ = serial(monkeypatch, dh, states, W_hh, "relu")
    found, _ = rnn_backward(dh, states, W_hh, "relu")
    np.testing.assert_array_equal(found, expected)


def test_a_few_chunks_are_asked_before_all_are_worked_on(monkeypatch):
    monkeypatch.setattr(chunks, "_apart", None)
    dh, states, W_hh = lossless(LEAST)
    assert not carry_in_chunks(dh, states[1:], W_hh, "relu", np.empty_like(dh), None)
    dh, states, W_hh = problem(LEAST)
    with pytest.raises(TypeError):  # these forget, and all are worked on
        carry_in_chunks(dh, states[1:], W_hh, "tanh", np.empty_like(dh), None)


@pytest.mark.parametrize(("number", "asked"), [(40, 4), (10, 5), (2, 2)])
def test_those_that_are_asked_are_few_if_there_are_many(monkeypatch, number, asked):
    seen, times = set(), chunks._times
    monkeypatch.setattr(chunks, "_times", lambda a, W, out: seen.add(len(a)) or times(a, W, out))
    dh, states, W_hh = lossless(number * CHUNK)
    assert not carry_in_chunks(dh, states[1:], W_hh, "relu", np.empty_like(dh), None)
    assert seen == {asked}


def test_what_the_few_did_not_see_is_noticed_later(monkeypatch):
    monkeypatch.setattr(chunks, "_seems_to_forget", lambda *a: True)
    test_a_gradient_that_lives_long_goes_step_by_step(monkeypatch)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_goes_step_by_step(monkeypatch, value):
    dh, states, W_hh = problem(LEAST)
    dh[500] = value
    with np.errstate(invalid="ignore"):
        _, expected, _ = serial(monkeypatch, dh, states, W_hh)
        found, _ = rnn_backward(dh.copy(), states, W_hh)
    np.testing.assert_array_equal(found, expected)


@given(st.integers(1, 40_000))
@example(CHUNK)
def test_windows_cover_every_step_once(T):
    windows = list(windows_backwards(T))
    steps = [t for window, _ in reversed(windows) for t in range(T)[window]]
    assert steps == list(range(T))
    assert all(len(range(T)[w]) % CHUNK == 0 for w, in_chunks in windows if in_chunks)
    assert sum(len(range(T)[w]) for w, in_chunks in windows if not in_chunks) == T % CHUNK


def test_only_long_narrow_and_rough_sequences_go_in_chunks():
    single = np.dtype(np.float32)
    assert goes_in_chunks(chunks.LEAST, 1, single)
    assert not goes_in_chunks(chunks.LEAST - 1, 1, single)
    assert not goes_in_chunks(chunks.LEAST, 32, single)
    assert not goes_in_chunks(chunks.LEAST, 1, np.dtype(np.float64))


# --- the twins: what the proof is for


def nothing_over_the_cuts(*args) -> bool:
    return True


def a_little_over_the_cuts(h, W_hh, nonlinearity, guess, later) -> bool:
    done = OVER_THE_CUTS(h, W_hh, nonlinearity, guess, later)
    guess[3, 50] *= 1 + 1e-12
    return done


OVER_THE_CUTS = chunks._over_the_cuts


@pytest.mark.parametrize("wrong", [nothing_over_the_cuts, a_little_over_the_cuts])
def test_the_proof_refuses_a_wrong_guess(monkeypatch, wrong):
    dh, states, W_hh = problem(LEAST)
    _, expected, _ = serial(monkeypatch, dh, states, W_hh)
    monkeypatch.setattr(chunks, "_over_the_cuts", wrong)
    before, da = dh.copy(), np.empty_like(dh)
    assert not carry_in_chunks(dh, states[1:], W_hh, "tanh", da, None)
    np.testing.assert_array_equal(dh, before)
    found, _ = rnn_backward(dh, states, W_hh)
    np.testing.assert_array_equal(found, expected)


def test_without_the_proof_the_comparison_fails(monkeypatch):
    dh, states, W_hh = problem(LEAST)
    _, expected, _ = serial(monkeypatch, dh, states, W_hh)
    monkeypatch.setattr(chunks, "_over_the_cuts", nothing_over_the_cuts)
    monkeypatch.setattr(chunks, "ROUNDINGS", np.inf)
    found, _ = rnn_backward(dh, states, W_hh)
    with pytest.raises(AssertionError):
        assert_close_at_every_step(found, expected)


def test_it_is_time_batch_and_dtype_that_decide(monkeypatch):
    asked = []
    monkeypatch.setattr(rnn, "goes_in_chunks", lambda *sizes: bool(asked.append(sizes)))
    T, B, H = 7, 2, 3
    rnn_backward(np.ones((T, B, H)), np.zeros((T + 1, B, H)), np.eye(H))
    assert asked == [(T, B, np.dtype(np.float64))]
