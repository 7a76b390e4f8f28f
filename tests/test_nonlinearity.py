"""The nonlinearities and their slopes, against the definition and in blocks of any length."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from numpy_impl import nonlinearity
from numpy_impl.nonlinearity import activation, slope, slopes_backwards

DTYPES = [np.float32, np.float64, np.longdouble]
A = np.array([[[-2.0, -0.5]], [[0.0, 0.25]], [[1.0, 3.0]]])
STATES = {"tanh": np.tanh(A), "relu": np.array([[[0.0, 0.0]], [[0.0, 0.25]], [[1.0, 3.0]]])}
SLOPES = {"tanh": 1 - np.tanh(A) ** 2, "relu": np.array([[[0.0, 0.0]], [[0.0, 1.0]], [[1.0, 1.0]]])}
NAMES = list(STATES)


@pytest.mark.parametrize("name", NAMES)
def test_the_activation_is_written_where_it_is_told_to_be(name):
    a, out = A.copy(), np.full_like(A, np.nan)
    assert activation(name)(a, out) is out
    np.testing.assert_array_equal(out, STATES[name])
    np.testing.assert_array_equal(a, A)
    assert activation(name)(a, a) is a
    np.testing.assert_array_equal(a, STATES[name])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NAMES)
def test_the_slope_is_that_of_the_definition(name, dtype):
    h, out = STATES[name].astype(dtype), np.full(A.shape, np.nan, dtype)
    expected = SLOPES[name] if name == "relu" else 1 - h * h
    np.testing.assert_array_equal(slope(h, name), expected.astype(dtype), strict=True)
    assert slope(h, name, out) is out
    np.testing.assert_array_equal(out, expected)


def backwards(h: np.ndarray, name: str) -> np.ndarray:
    """Copy what is yielded at once: the next one may lie in the same memory."""
    return np.array([df.copy() for df in slopes_backwards(h, name)])


def are_the_slopes_from_the_last_step_to_the_first(h: np.ndarray, found: np.ndarray, name: str) -> None:
    np.testing.assert_array_equal(found, slope(h, name)[::-1], strict=True)


@given(st.integers(1, 12), st.integers(1, 40), st.sampled_from(NAMES))
def test_blocks_of_any_length_give_the_slopes_backwards(T, block, name):
    h = np.random.default_rng(T).standard_normal((T, 2, 3))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nonlinearity, "BLOCK", block)
        are_the_slopes_from_the_last_step_to_the_first(h, backwards(h, name), name)


def test_a_block_that_is_lost_shows():
    h = np.random.default_rng(0).standard_normal((5, 2, 3))
    with pytest.raises(AssertionError):
        are_the_slopes_from_the_last_step_to_the_first(h, backwards(h, "tanh")[:-1], "tanh")
    with pytest.raises(AssertionError):
        are_the_slopes_from_the_last_step_to_the_first(h, backwards(h, "tanh")[::-1], "tanh")


def memory_of(view: np.ndarray) -> np.ndarray:
    return view if view.base is None else memory_of(view.base)


@pytest.mark.parametrize(
    ("T", "block", "steps"), [(3, 24, 3), (4, 24, 4), (5, 24, 4), (100, 24, 4), (5, 6, 1), (5, 5, 1)]
)
def test_one_buffer_of_a_block_serves_a_sequence_of_any_length(monkeypatch, T, block, steps):
    monkeypatch.setattr(nonlinearity, "BLOCK", block)
    first, *others = (memory_of(df) for df in slopes_backwards(np.ones((T, 2, 3)), "tanh"))
    assert first.shape == (steps, 2, 3)
    assert all(memory is first for memory in others)
