"""The recurrence and its backward pass, against values by hand, central differences and what must hold by definition.

Every check is a function of the pair (forward, backward) under test, so that its twin can hand it a wrong pair.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from numpy_impl.rnn import rnn_backward, rnn_forward, rnn_forward_, weight_gradient

DTYPES = [np.float32, np.float64, np.longdouble]
ULPS = 256
"""Two correct orders of summation may differ by this many units in the last place of the largest entry."""
BY_HAND = 4 * np.finfo(np.float64).eps
"""A value computed on paper: a rounding or two of the logarithm, and one of the result."""

EXAMPLES = {"max_examples": 20}
seeds = st.integers(0, 2**32 - 1)
sizes = st.tuples(st.integers(1, 9), st.integers(1, 3), st.integers(1, 5))


class Problem(NamedTuple):
    xp: np.ndarray
    h0: np.ndarray
    W_hh: np.ndarray
    dh: np.ndarray

    @classmethod
    def draw(cls, seed: int, T: int = 7, B: int = 2, H: int = 3, dtype: type = np.float64) -> "Problem":
        rng = np.random.default_rng(seed)
        shapes = [(T, B, H), (B, H), (H, H), (T, B, H)]
        return cls(*(rng.standard_normal(s).astype(dtype) for s in shapes))


def assert_close(actual: np.ndarray, expected: np.ndarray, what: str = "") -> None:
    limit = ULPS * np.finfo(expected.dtype).eps * np.abs(expected).max()
    assert actual.dtype == expected.dtype, what
    assert np.abs(actual - expected).max() <= limit, what


def gradients(p: Problem, forward: Callable, backward: Callable, nonlinearity: str, **mode) -> dict[str, np.ndarray]:
    """Gradients of sum(dh h) with respect to everything that goes in."""
    states = forward(p.xp, p.h0, p.W_hh, nonlinearity)
    da, dh0 = backward(p.dh.copy(), states, p.W_hh, nonlinearity, **mode)
    return {"xp": da, "h0": dh0, "W_hh": weight_gradient(da, states[:-1])}


# --- by hand


def test_tanh_of_logarithms_by_hand():
    """tanh(ln 2) = 3/5 and tanh(ln 3) = 4/5, so a network of one unit can be done on paper."""
    xp = np.array([np.log(2), np.log(3) - 0.3]).reshape(2, 1, 1)
    W_hh = np.array([[0.5]])
    states = rnn_forward(xp, np.zeros((1, 1)), W_hh)
    np.testing.assert_allclose(states.ravel(), [0, 0.6, 0.8], rtol=BY_HAND)
    dh = np.ones((2, 1, 1))
    da, dh0 = rnn_backward(dh, states, W_hh)
    # dh_2 = 1, da_2 = 0.36, dh_1 = 1 + 0.5 * 0.36, da_1 = 1.18 * 0.64, dh_0 = 0.5 * 0.7552
    np.testing.assert_allclose(dh.ravel(), [1.18, 1], rtol=BY_HAND)
    np.testing.assert_allclose(da.ravel(), [0.7552, 0.36], rtol=BY_HAND)
    np.testing.assert_allclose(dh0, [[0.3776]], rtol=BY_HAND)


def relu_by_hand(forward: Callable, backward: Callable) -> None:
    """Small integers are exact: two units, W_hh not symmetric, the second unit cut off at the second step."""
    W_hh = np.array([[1.0, 2.0], [-3.0, 1.0]])
    xp = np.array([[[1.0, 2.0]], [[0.0, 0.0]]])
    h0 = np.array([[1.0, 1.0]])
    states = forward(xp, h0, W_hh, "relu")
    # a_1 = W h_0 + xp_1 = (3, -2) + (1, 2) = (4, 0); a_2 = W (4, 0) = (4, -12)
    assert states.tolist() == [[[1, 1]], [[4, 0]], [[4, 0]]]
    da, dh0 = backward(np.array([[[1.0, 10.0]], [[5.0, 7.0]]]), states, W_hh, "relu")
    # da_2 = (5, 0); dh_1 = (1, 10) + W^T (5, 0) = (6, 20), da_1 = (6, 0); dh_0 = W^T (6, 0) = (6, 12)
    assert da.tolist() == [[[6, 0]], [[5, 0]]]
    assert dh0.tolist() == [[6, 12]]


def test_relu_by_hand():
    relu_by_hand(rnn_forward, rnn_backward)


def test_windowed_by_hand():
    """W = 2, slope 1 everywhere, k = 1: every state gets its own 1 and 2 from the step after, never 4 from further."""
    states = np.ones((5, 1, 1))
    dh = np.ones((4, 1, 1))
    da, dh0 = rnn_backward(dh, states, np.array([[2.0]]), "relu", "windowed", 1)
    assert da.ravel().tolist() == [3, 3, 3, 1]
    assert dh0.tolist() == [[6]]


def test_chunked_by_hand():
    """The same in chunks of 2, 2 and 1: 1 + 2 at the start of each full chunk, 1 at its end."""
    da, dh0 = rnn_backward(np.ones((5, 1, 1)), np.ones((6, 1, 1)), np.array([[2.0]]), "relu", "chunked", 2)
    assert da.ravel().tolist() == [3, 1, 3, 1, 1]
    assert dh0.tolist() == [[6]]


# --- central differences


def central_differences(p: Problem, forward: Callable, backward: Callable, nonlinearity: str) -> None:
    found = gradients(p, forward, backward, nonlinearity)
    rng = np.random.default_rng(0)
    eps = np.finfo(p.xp.dtype).eps
    for name, gradient in found.items():
        along = rng.standard_normal(gradient.shape).astype(gradient.dtype)

        def value(step: float, name: str = name, along: np.ndarray = along) -> np.floating:
            moved = p._replace(**{name: getattr(p, name) + step * along})
            return (p.dh * forward(moved.xp, moved.h0, moved.W_hh, nonlinearity)[1:]).sum()

        step = eps ** p.xp.dtype.type(1 / 3)
        coarse, fine = ((value(s) - value(-s)) / (2 * s) for s in (step, step / 2))
        rounding = ULPS * eps * np.abs(p.dh).sum() / step
        assert abs((gradient * along).sum() - fine) <= 4 * abs(coarse - fine) + rounding, name


@pytest.mark.parametrize("dtype", [np.float64, np.longdouble])
@pytest.mark.parametrize("nonlinearity", ["tanh", "relu"])
@pytest.mark.parametrize("T", [1, 2, 7, 40])
def test_gradients_match_central_differences(T, nonlinearity, dtype):
    central_differences(Problem.draw(T, T=T, dtype=dtype), rnn_forward, rnn_backward, nonlinearity)


@given(seeds, sizes)
@settings(**EXAMPLES)
def test_gradients_match_central_differences_at_any_size(seed, TBH):
    central_differences(Problem.draw(seed, *TBH), rnn_forward, rnn_backward, "tanh")


# --- what must hold by definition


def causality(p: Problem, forward: Callable, backward: Callable) -> None:
    later = p.xp.copy()
    later[4:] += 1
    before, after = forward(p.xp, p.h0, p.W_hh), forward(later, p.h0, p.W_hh)
    np.testing.assert_array_equal(before[:5], after[:5])
    assert (before[5:] != after[5:]).any()
    upto = p.dh.copy()
    upto[4:] = 0  # no loss from step 4 on: no gradient reaches those steps
    da, _ = backward(upto, before, p.W_hh)
    assert not da[4:].any()


def composition(p: Problem, forward: Callable, backward: Callable) -> None:
    """One call over T steps is a call over the first 3 and one over the rest, forward and back."""
    whole = forward(p.xp, p.h0, p.W_hh)
    first = forward(p.xp[:3], p.h0, p.W_hh)
    second = forward(p.xp[3:], first[-1], p.W_hh)
    np.testing.assert_array_equal(whole, np.concatenate([first, second[1:]]))
    da, dh0 = backward(p.dh.copy(), whole, p.W_hh)
    da_second, carried = backward(p.dh[3:].copy(), second, p.W_hh)
    dh_first = p.dh[:3].copy()
    dh_first[-1] += carried
    da_first, dh0_first = backward(dh_first, first, p.W_hh)
    assert_close(np.concatenate([da_first, da_second]), da)
    assert_close(dh0_first, dh0)


def linearity(p: Problem, forward: Callable, backward: Callable) -> None:
    states = forward(p.xp, p.h0, p.W_hh)
    other = p.dh[::-1].copy()
    for mode in ({}, {"bptt": "windowed", "k": 2}, {"bptt": "chunked", "k": 3}):
        (da, dh0), (db, dg0) = (backward(g.copy(), states, p.W_hh, **mode) for g in (p.dh, other))
        both, both0 = backward(2 * p.dh - 3 * other, states, p.W_hh, **mode)
        assert_close(both, 2 * da - 3 * db, str(mode))
        assert_close(both0, 2 * dh0 - 3 * dg0, str(mode))


def long_window_is_full(p: Problem, forward: Callable, backward: Callable) -> None:
    states = forward(p.xp, p.h0, p.W_hh)
    full, full0 = backward(p.dh.copy(), states, p.W_hh)
    T = len(p.xp)
    for k in (T - 1, T, 10 * T):
        da, dh0 = backward(p.dh.copy(), states, p.W_hh, bptt="windowed", k=k)
        assert_close(da, full)
        assert_close(dh0, full0)
    da, dh0 = backward(p.dh.copy(), states, p.W_hh, bptt="chunked", k=T)
    np.testing.assert_array_equal(da, full)


def windows_one_by_one(p: Problem, forward: Callable, backward: Callable, k: int) -> None:
    # The definition: for each t, recompute max(0, t-k)..t from the state before, differentiate the loss of t alone.
    states = forward(p.xp, p.h0, p.W_hh)
    da, dh0, dh = np.zeros_like(p.dh), np.zeros_like(p.h0), np.zeros_like(p.dh)
    for t in range(len(p.xp)):
        first = max(0, t - k)
        window = rnn_forward(p.xp[first : t + 1], states[first], p.W_hh)
        alone = np.zeros_like(p.dh[first : t + 1])
        alone[-1] = p.dh[t]
        part, part0 = rnn_backward(alone, window, p.W_hh)
        da[first : t + 1] += part
        dh[first : t + 1] += alone  # rnn_backward has completed it
        dh0 += part0 if first == 0 else 0
    completed = p.dh.copy()
    found, found0 = backward(completed, states, p.W_hh, bptt="windowed", k=k)
    assert_close(found, da)
    assert_close(completed, dh)
    assert_close(found0, dh0)


def chunks_one_by_one(p: Problem, forward: Callable, backward: Callable, k: int) -> None:
    # The definition: a separate call for each chunk, from the state that the chunk before left.
    states = forward(p.xp, p.h0, p.W_hh)
    parts = []
    for first in range(0, len(p.xp), k):
        chunk = rnn_forward(p.xp[first : first + k], states[first], p.W_hh)
        parts.append(rnn_backward(p.dh[first : first + k].copy(), chunk, p.W_hh))
    found, found0 = backward(p.dh.copy(), states, p.W_hh, bptt="chunked", k=k)
    assert_close(found, np.concatenate([da for da, _ in parts]))
    assert_close(found0, parts[0][1])


def zero_state(p: Problem, forward: Callable, backward: Callable) -> None:
    np.testing.assert_array_equal(forward(p.xp, None, p.W_hh), forward(p.xp, np.zeros_like(p.h0), p.W_hh))


def inputs_left_alone(p: Problem, forward: Callable, backward: Callable) -> None:
    """All but `dh`, which rnn_backward completes in place and says so."""
    given = [a.copy() for a in p]
    states = forward(p.xp, p.h0, p.W_hh)
    kept = states.copy()
    backward(p.dh.copy(), states, p.W_hh)
    for before, after in zip([*given, kept], [*p, states], strict=True):
        np.testing.assert_array_equal(before, after)
    assert not any(np.shares_memory(states, a) for a in p)


RELATIONS = {r.__name__: r for r in (causality, composition, linearity, long_window_is_full, zero_state)}
RELATIONS["inputs_left_alone"] = inputs_left_alone


@pytest.mark.parametrize("relation", RELATIONS.values(), ids=RELATIONS.keys())
@pytest.mark.parametrize("dtype", DTYPES)
def test_relation_holds(relation, dtype):
    relation(Problem.draw(1, dtype=dtype), rnn_forward, rnn_backward)


@given(seeds, sizes, st.integers(0, 10))
@settings(**EXAMPLES)
def test_windowed_matches_its_definition(seed, TBH, k):
    windows_one_by_one(Problem.draw(seed, *TBH), rnn_forward, rnn_backward, k)


@given(seeds, sizes, st.integers(1, 10))
@settings(**EXAMPLES)
def test_chunked_matches_separate_calls(seed, TBH, k):
    chunks_one_by_one(Problem.draw(seed, *TBH), rnn_forward, rnn_backward, k)


def test_130_steps_are_26_calls_of_5():
    p = Problem.draw(3, T=130)
    h, parts = p.h0, []
    for first in range(0, 130, 5):
        parts.append(rnn_forward(p.xp[first : first + 5], h, p.W_hh)[1:])
        h = parts[-1][-1]
    np.testing.assert_array_equal(np.concatenate(parts), rnn_forward(p.xp, p.h0, p.W_hh)[1:])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("nonlinearity", ["tanh", "relu"])
@pytest.mark.parametrize(("bptt", "k"), [("full", None), ("windowed", 2), ("chunked", 3)])
def test_every_array_keeps_the_dtype(dtype, nonlinearity, bptt, k):
    p = Problem.draw(4, dtype=dtype)
    found = gradients(p, rnn_forward, rnn_backward, nonlinearity, bptt=bptt, k=k)
    found["states"] = rnn_forward(p.xp, None, p.W_hh, nonlinearity)
    assert {name: a.dtype for name, a in found.items()} == dict.fromkeys(found, np.dtype(dtype))


def test_longdouble_is_not_computed_in_float64():
    """A dtype label can be right over values that went through float64: the digits beyond it would be lost."""
    if np.finfo(np.longdouble).eps == np.finfo(np.float64).eps:
        pytest.skip("longdouble is no wider than float64 here")
    wide, narrow = Problem.draw(5, dtype=np.longdouble), Problem.draw(5)
    difference = np.abs(rnn_forward(*wide[:3]) - rnn_forward(*narrow[:3])).max()
    assert np.finfo(np.longdouble).eps < difference < ULPS * np.finfo(np.float64).eps


def test_layout_of_the_inputs_does_not_matter():
    p = Problem.draw(6)
    spread = Problem(*(np.asfortranarray(np.repeat(a, 2, axis=-1))[..., ::2] for a in p))
    assert not any(a.flags.c_contiguous for a in spread)
    for mode in ({}, {"bptt": "windowed", "k": 2}, {"bptt": "chunked", "k": 2}):
        expected, found = (gradients(q, rnn_forward, rnn_backward, "tanh", **mode) for q in (p, spread))
        for name in expected:
            assert_close(found[name], expected[name], name)


def test_tanh_is_meant_if_nothing_is_said():
    p = Problem.draw(7)
    states = rnn_forward(p.xp, p.h0, p.W_hh, "tanh")
    in_place = np.concatenate([p.h0[None], p.xp])
    np.testing.assert_array_equal(rnn_forward_(in_place, p.W_hh), states)
    assert rnn_forward_(in_place, p.W_hh) is in_place
    np.testing.assert_array_equal(
        rnn_backward(p.dh.copy(), states, p.W_hh)[0], rnn_backward(p.dh, states, p.W_hh, "tanh")[0]
    )


def test_unknown_words_are_refused():
    p = Problem.draw(7)
    with pytest.raises(ValueError, match="nonlinearity is 'sigmoid', expected one of tanh, relu"):
        rnn_forward(p.xp, p.h0, p.W_hh, "sigmoid")
    for wrong in ("sigmoid", "TANH"):
        with pytest.raises(ValueError, match=f"nonlinearity is '{wrong}', expected one of tanh, relu"):
            rnn_backward(np.zeros((1, 1, 1)), np.zeros((2, 1, 1)), np.ones((1, 1)), wrong)
    rnn_backward(np.zeros((1, 1, 1)), np.zeros((2, 1, 1)), np.ones((1, 1)))
    with pytest.raises(ValueError, match="bptt is 'truncated', expected one of full, windowed, chunked"):
        rnn_backward(p.dh, rnn_forward(*p[:3]), p.W_hh, bptt="truncated")


# --- the twins: a wrong pair must be caught


def without_carry(dh, states, W_hh, nonlinearity="tanh", bptt="full", k=None):
    return rnn_backward(dh, states, np.zeros_like(W_hh), nonlinearity, bptt, k)


def not_transposed(dh, states, W_hh, nonlinearity="tanh", bptt="full", k=None):
    return rnn_backward(dh, states, W_hh.T, nonlinearity, bptt, k)


def slope_of_the_state(dh, states, W_hh, nonlinearity="tanh", bptt="full", k=None):
    return rnn_backward(dh, np.tanh(states), W_hh, nonlinearity, bptt, k)


def one_step_more(dh, states, W_hh, nonlinearity="tanh", bptt="full", k=None):
    return rnn_backward(dh, states, W_hh, nonlinearity, bptt, k + 1 if k is not None else None)


def one_step_less(dh, states, W_hh, nonlinearity="tanh", bptt="full", k=None):
    return rnn_backward(dh, states, W_hh, nonlinearity, bptt, len(dh) - 2 if bptt == "windowed" else k)


def squared(dh, states, W_hh, nonlinearity="tanh", bptt="full", k=None):
    da, dh0 = rnn_backward(dh, states, W_hh, nonlinearity, bptt, k)
    return da * np.abs(da), dh0


def leaking_back(dh, states, W_hh, nonlinearity="tanh", bptt="full", k=None):
    da, dh0 = rnn_backward(dh, states, W_hh, nonlinearity, bptt, k)
    return da[::-1], dh0


def dh0_before_W_hh(dh, states, W_hh, nonlinearity="tanh", bptt="full", k=None):
    da, _ = rnn_backward(dh, states, W_hh, nonlinearity, bptt, k)
    return da, da[0].copy()


def seeing_the_future(xp, h0, W_hh, nonlinearity="tanh"):
    return rnn_forward(xp[::-1], h0, W_hh, nonlinearity)


def forgetting_h0(xp, h0, W_hh, nonlinearity="tanh"):
    return rnn_forward(xp, None, W_hh, nonlinearity)


def starting_at_one(xp, h0, W_hh, nonlinearity="tanh"):
    return rnn_forward(xp, np.ones_like(xp[0]) if h0 is None else h0, W_hh, nonlinearity)


def writing_into_xp(xp, h0, W_hh, nonlinearity="tanh"):
    xp[:] = rnn_forward(xp, h0, W_hh, nonlinearity)[1:]
    return np.concatenate([h0[None], xp])


@pytest.mark.parametrize("backward", [without_carry, not_transposed, slope_of_the_state, squared, leaking_back])
def test_central_differences_catch(backward):
    with pytest.raises(AssertionError):
        central_differences(Problem.draw(2), rnn_forward, backward, "tanh")


@pytest.mark.parametrize("backward", [without_carry, not_transposed])
def test_values_by_hand_catch(backward):
    with pytest.raises(AssertionError):
        relu_by_hand(rnn_forward, backward)


@pytest.mark.parametrize(
    ("relation", "forward", "backward"),
    [
        (causality, seeing_the_future, rnn_backward),
        (causality, rnn_forward, leaking_back),
        (composition, forgetting_h0, rnn_backward),
        (composition, rnn_forward, dh0_before_W_hh),
        (linearity, rnn_forward, squared),
        (long_window_is_full, rnn_forward, one_step_less),
        (zero_state, starting_at_one, rnn_backward),
        (inputs_left_alone, writing_into_xp, rnn_backward),
    ],
)
def test_relation_catches(relation, forward, backward):
    with pytest.raises(AssertionError):
        relation(Problem.draw(8), forward, backward)


@pytest.mark.parametrize("definition", [windows_one_by_one, chunks_one_by_one])
@pytest.mark.parametrize("backward", [one_step_more, without_carry, not_transposed])
def test_definition_catches(definition, backward):
    with pytest.raises(AssertionError):
        definition(Problem.draw(9), rnn_forward, backward, 2)
