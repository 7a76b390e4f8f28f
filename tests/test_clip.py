"""Clipping against its definition, by hand-computed values and by properties that hold for every gradient."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from numpy_impl.clip import PIECE, clip_grad_norm, clip_grad_value

DTYPES = [np.float32, np.float64, np.longdouble]
A_FEW_ROUNDINGS = 8  # of a norm, a quotient and a product, in units of eps
PROPERTY = settings(max_examples=60)
gradients = arrays(np.float64, st.integers(0, 12), elements=st.floats(-1e3, 1e3))
bounds = st.floats(1e-3, 1e3)


def assert_clips_by_value(clip):
    for g, bound, expected in [
        ([-3.0, -0.5, 0.0, 0.25, 2.0], 1, [-1.0, -0.5, 0.0, 0.25, 1.0]),
        ([2.0, 0.5], 1, [1.0, 0.5]),
        ([-2.0, 0.5], 1, [-1.0, 0.5]),
        ([0.5, -0.75], 1, [0.5, -0.75]),
        ([7.0, -9.0], 8, [7.0, -8.0]),
        ([math.nan, 9.0], 1, [math.nan, 1.0]),
        ([-math.inf, 0.5], 1, [-1.0, 0.5]),
    ]:
        np.testing.assert_array_equal(clip(np.array(g), bound), expected)


def assert_clips_by_norm(clip):
    for g, bound, eps, expected, norm in [
        ([3.0, 4.0], 1, 0.0, [0.6, 0.8], 5.0),
        ([3.0, 4.0], 3, 1.0, [1.5, 2.0], 5.0),
        ([3.0, 4.0], 5, 0.0, [3.0, 4.0], 5.0),
        ([3.0, 4.0], 5, 5.0, [1.5, 2.0], 5.0),
        ([3.0, 4.0], 6, 5.0, [1.8, 2.4], 5.0),
        ([3.0, 4.0], 50, 0.0, [3.0, 4.0], 5.0),
        ([0.0, 0.0], 1, 0.0, [0.0, 0.0], 0.0),
        ([-1.0] * 16, 2, 0.0, [-0.5] * 16, 4.0),
    ]:
        clipped, total_norm = clip(np.array(g), bound, eps)
        np.testing.assert_allclose(clipped, expected, rtol=A_FEW_ROUNDINGS * np.finfo(float).eps)
        assert total_norm == norm


def test_value_clipping_matches_hand_computed_values():
    assert_clips_by_value(clip_grad_value)


def test_norm_clipping_matches_hand_computed_values():
    assert_clips_by_norm(clip_grad_norm)


def test_value_clipping_takes_gradients_of_any_shape():
    g = np.array([[0.5, -3.0], [2.0, -0.25]])
    np.testing.assert_array_equal(clip_grad_value(g, 1), [[0.5, -1.0], [1.0, -0.25]])
    np.testing.assert_array_equal(clip_grad_value(g, 4), g)


@pytest.mark.parametrize("piece", [1, PIECE])
@pytest.mark.parametrize("g", [[0.5, -0.25], [1.0, -1.0], [-0.0, 0.0], []], ids=str)
def test_what_lies_within_the_range_is_not_clipped_at_all(monkeypatch, g, piece):
    monkeypatch.setattr(np, "clip", None)
    monkeypatch.setattr("numpy_impl.clip.PIECE", piece)
    np.testing.assert_array_equal(clip_grad_value(np.array(g), 1), g)
    with pytest.raises(TypeError, match="not callable"):
        clip_grad_value(np.array([*g, 1.5]), 1)


def test_a_bound_has_the_digits_of_its_dtype():
    """As a float64 this one is larger, and what is beyond it would pass."""
    eps = np.longdouble(np.finfo(np.float64).eps)
    bound, g = 1 + eps * 3 / 4, np.array([1 + eps * 7 / 8])
    np.testing.assert_array_equal(clip_grad_value(g, bound), [bound], strict=True)


@pytest.mark.parametrize("place", range(11))
@pytest.mark.parametrize("large", [9.0, -9.0, math.nan])
def test_a_long_vector_is_looked_through_to_its_end(monkeypatch, place, large):
    monkeypatch.setattr("numpy_impl.clip.PIECE", 4)
    g, expected = np.zeros(11), np.zeros(11)
    g[place], expected[place] = large, np.clip(large, -1, 1)
    np.testing.assert_array_equal(clip_grad_value(g, 1), expected)


FAULTY_VALUE = {
    "from above only": lambda g, bound: np.minimum(g, bound),
    "from below only": lambda g, bound: np.maximum(g, -bound),
    "never": lambda g, bound: g.copy(),
    "the sign times the bound": lambda g, bound: np.sign(g) * bound,
    "by the largest element": lambda g, bound: g * min(1, bound / max(abs(g))),
    "range test that NaN slips through": lambda g, bound: (
        np.clip(g, -bound, bound) if g.max() > bound or g.min() < -bound else g.copy()
    ),
}
FAULTY_NORM = {
    "by value": lambda g, bound, eps: (np.clip(g, -bound, bound), np.sqrt(g.dot(g))),
    "squared norm": lambda g, bound, eps: (g * min(1, bound / max(g.dot(g) + eps, 1e-9)), g.dot(g)),
    "L1 norm": lambda g, bound, eps: (g * min(1, bound / max(abs(g).sum() + eps, 1e-9)), abs(g).sum()),
    "scales up as well": lambda g, bound, eps: (g * bound / max(np.sqrt(g.dot(g)) + eps, 1e-9), np.sqrt(g.dot(g))),
    "eps forgotten": lambda g, bound, eps: clip_grad_norm(g, bound, 0.0),
    "returns the norm after clipping": lambda g, bound, eps: (
        clip_grad_norm(g, bound, eps)[0],
        min(bound, np.sqrt(g.dot(g))),
    ),
}


@pytest.mark.parametrize("fault", FAULTY_VALUE)
def test_the_values_catch_a_faulty_value_clipping(fault):
    with pytest.raises(AssertionError):
        assert_clips_by_value(FAULTY_VALUE[fault])


@pytest.mark.parametrize("fault", FAULTY_NORM)
def test_the_values_catch_a_faulty_norm_clipping(fault):
    with pytest.raises(AssertionError):
        assert_clips_by_norm(FAULTY_NORM[fault])


@PROPERTY
@given(gradients, bounds)
def test_value_clipping_stays_in_range_and_touches_nothing_inside_it(g, bound):
    clipped = clip_grad_value(g, bound)
    assert (np.abs(clipped) <= bound).all()
    np.testing.assert_array_equal(clipped, np.where(np.abs(g) <= bound, g, np.copysign(bound, g)))
    np.testing.assert_array_equal(clip_grad_value(clipped, bound), clipped)


@PROPERTY
@given(gradients, bounds, st.sampled_from([0.0, 1e-6, 1.0]))
def test_norm_clipping_keeps_the_direction_and_never_exceeds_the_bound(g, bound, eps):
    clipped, norm = clip_grad_norm(g, bound, eps)
    exact = math.hypot(*g)
    assert norm == pytest.approx(exact, rel=A_FEW_ROUNDINGS * np.finfo(float).eps, abs=0)
    expected = g * min(1.0, bound / (exact + eps)) if exact else g
    np.testing.assert_allclose(clipped, expected, rtol=2 * A_FEW_ROUNDINGS * np.finfo(float).eps)
    assert math.hypot(*clipped) <= bound * (1 + A_FEW_ROUNDINGS * np.finfo(float).eps)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("bound", [5, 5.0, np.float64(5), np.float32(5)])
def test_the_dtype_stays_whatever_type_the_bound_has(dtype, bound):
    g = np.array([3.0, 40.0], dtype)
    assert clip_grad_value(g, bound).dtype == dtype
    clipped, norm = clip_grad_norm(g, bound)
    assert clipped.dtype == norm.dtype == dtype


@pytest.mark.parametrize("dtype", DTYPES)
def test_an_inactive_clip_keeps_every_bit_and_returns_a_new_array(dtype):
    g = np.array([0.1, -0.2, 0.0, -0.0], dtype)
    for clipped in (clip_grad_value(g, 0.3), clip_grad_norm(g, 0.3)[0]):
        assert np.array_equal(clipped, g)
        assert np.array_equal(np.signbit(clipped), np.signbit(g))
        assert not np.shares_memory(clipped, g)


@pytest.mark.parametrize("bound", [1.0, 100.0], ids=["active", "inactive"])
def test_out_receives_the_result_in_place_or_elsewhere(bound):
    g = np.array([3.0, 4.0])
    for clip in (clip_grad_value, lambda *a, out=None: clip_grad_norm(*a, out=out)[0]):
        expected = clip(g, bound)
        elsewhere, inplace = np.empty(2), g.copy()
        assert clip(g, bound, out=elsewhere) is elsewhere
        assert clip(inplace, bound, out=inplace) is inplace
        np.testing.assert_array_equal([elsewhere, inplace], [expected, expected])
    np.testing.assert_array_equal(g, [3.0, 4.0])


def test_non_finite_gradients_go_as_in_torch():
    clipped, norm = clip_grad_norm(np.array([math.nan, 100.0, 1.0]), 1.0)
    assert np.isnan(norm)
    assert np.isnan(clipped).all()
    clipped, norm = clip_grad_norm(np.array([math.inf, 100.0, 1.0]), 1.0)
    assert norm == math.inf
    np.testing.assert_array_equal(clipped, [math.nan, 0.0, 0.0])


@pytest.mark.parametrize("size", [1e25, 1e-22, 1e-25], ids=["overflow", "subnormal", "underflow"])
def test_a_norm_whose_square_leaves_the_range_is_still_right(size):
    g = np.array([3.0, 4.0], np.float32) * np.float32(size)
    clipped, norm = clip_grad_norm(g, size, eps=0.0)
    few = A_FEW_ROUNDINGS * np.finfo(np.float32).eps
    assert float(norm) == pytest.approx(5 * size, rel=float(few), abs=0)
    np.testing.assert_allclose(clipped / np.float32(size), [0.6, 0.8], rtol=few)


@pytest.mark.parametrize(("g", "measured"), [([3.0, 4.0], 5.0), ([1.5e308] * 4, math.inf)], ids=["5", "overflow"])
def test_an_infinite_bound_only_measures(g, measured):
    clipped, norm = clip_grad_norm(np.array(g), math.inf)
    assert norm == measured
    np.testing.assert_array_equal(clipped, g)


@pytest.mark.parametrize("bound", [0, -1.0, math.nan])
@pytest.mark.parametrize("clip", [clip_grad_value, clip_grad_norm])
def test_a_bound_that_is_not_positive_is_refused(clip, bound):
    with pytest.raises(ValueError, match=r"^bound is (0|-1.0|nan): it must be positive; leave clipping out"):
        clip(np.ones(3), bound)


def test_a_bound_that_is_zero_in_the_dtype_is_refused():
    with pytest.raises(ValueError, match=r"^bound is 1e-50 \(0.0 in float32\): it must be positive;"):
        clip_grad_value(np.ones(3, np.float32), 1e-50)


def test_a_negative_eps_is_refused():
    with pytest.raises(ValueError, match=r"^eps is -1e-06: it must be zero or positive, and finite; use 0 for the"):
        clip_grad_norm(np.ones(3), 1.0, eps=-1e-6)


@pytest.mark.usefixtures("shapes_unchecked")
@pytest.mark.parametrize(
    ("g", "bound", "out", "error", "message"),
    [
        (np.ones(3, int), 1.0, None, TypeError, "g is int64, expected floating gradients; cast with .astype"),
        ([1.0], 1.0, None, TypeError, "g is a list, expected a NumPy array; convert it with np.asarray(g)"),
        (
            np.ones(3),
            1.0,
            [0.0] * 3,
            TypeError,
            "out is a list, expected a NumPy array; convert it with np.asarray(out)",
        ),
        (np.ones(3), "1", None, TypeError, "bound is '1', a str: it must be a number"),
        (np.ones(3), True, None, TypeError, "bound is True, a bool: it must be a number"),
        (np.ones(3), 1.0, np.ones(2), ValueError, "out has shape (2,), expected (3,) as g has"),
        (
            np.ones(3),
            1.0,
            np.ones(3, np.float32),
            TypeError,
            "out is float32 but g is float64: nothing is cast silently; give one dtype",
        ),
    ],
)
@pytest.mark.parametrize("clip", [clip_grad_value, clip_grad_norm])
def test_wrong_arrays_are_refused_in_one_sentence(clip, g, bound, out, error, message):
    with pytest.raises(error) as caught:
        clip(g, bound, out=out)
    assert str(caught.value) == message


@pytest.mark.usefixtures("shapes_unchecked")
def test_the_norm_of_one_matrix_alone_is_refused():
    with pytest.raises(ValueError, match=r"^g has shape \(2, 3\), expected one vector: the norm is"):
        clip_grad_norm(np.ones((2, 3)), 1.0)
