"""The input projection and its gradient: ids, dense vectors, *no token*, and the ways to sum by token."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from numpy_impl import inputs
from numpy_impl.inputs import NO_TOKEN, input_backward, input_projection

DTYPES = [np.float32, np.float64, np.longdouble]
ULPS = 64
"""Two correct orders of summation may differ by this many units in the last place of the largest entry."""

EXAMPLES = {"max_examples": 25}
seeds = st.integers(0, 2**32 - 1)
sizes = st.tuples(st.integers(1, 9), st.integers(1, 4), st.integers(1, 7), st.integers(1, 4))


def draw(seed: int, T=6, B=3, I=4, H=2, dtype: type = np.float64) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(seed)
    x = rng.integers(NO_TOKEN, I, (T, B))
    return x, *(rng.standard_normal(s).astype(dtype) for s in [(H, I), (H,), (T, B, H)])


def one_hot(x: np.ndarray, I: int, dtype: type) -> np.ndarray:
    return np.stack([np.eye(I, dtype=dtype)[t] if t >= 0 else np.zeros(I, dtype) for t in x.ravel()]).reshape(
        *x.shape, I
    )


def assert_close(actual: np.ndarray, expected: np.ndarray) -> None:
    assert actual.dtype == expected.dtype
    limit = ULPS * np.finfo(expected.dtype).eps * np.abs(expected).max()
    assert np.abs(actual - expected).max() <= limit


ALWAYS, NEVER = 10**9, -1
WAYS = {"one-hot product": (ALWAYS, ALWAYS), "sorted by token": (NEVER, ALWAYS), "sorted in blocks": (NEVER, 3)}
"""Limit of the one-hot product; rows that are sorted at a time."""


@pytest.fixture(params=WAYS)
def path(request, monkeypatch):
    """Take each of the ways to sum by token, whatever the size."""
    limit, block = WAYS[request.param]
    monkeypatch.setattr(inputs, "ONE_HOT_LIMIT", limit)
    monkeypatch.setattr(inputs, "BLOCK", block)


# --- ids


def projection_by_hand(projection: Callable) -> None:
    W_xh = np.array([[1.0, 2.0, 3.0], [10.0, 20.0, 30.0]])
    x = np.array([[2, NO_TOKEN], [0, 2]])
    assert projection(x, W_xh, None).tolist() == [[[3, 30], [0, 0]], [[1, 10], [3, 30]]]
    assert projection(x, W_xh, np.array([0.5, 7.0])).tolist() == [[[3.5, 37], [0.5, 7]], [[1.5, 17], [3.5, 37]]]


def gradient_by_hand(backward: Callable) -> None:
    """Token 2 occurs twice, token 1 never, *no token* once: every occurrence counts, the others leave nothing."""
    da = np.array([[[1.0, 2.0], [100.0, 200.0]], [[3.0, 4.0], [5.0, 6.0]]])
    x = np.array([[2, NO_TOKEN], [0, 2]])
    dW_xh, dx = backward(da, x, np.zeros((2, 3)))
    assert dW_xh.tolist() == [[3, 0, 6], [4, 0, 8]]
    assert dx is None


def test_projection_by_hand():
    projection_by_hand(input_projection)


@pytest.mark.usefixtures("path")
def test_gradient_by_hand():
    gradient_by_hand(input_backward)


@pytest.mark.usefixtures("path")
def test_no_token_alone_gives_no_gradient():
    dW_xh, _ = input_backward(np.ones((3, 2, 4)), np.full((3, 2), NO_TOKEN), np.ones((4, 5)))
    assert dW_xh.shape == (4, 5)
    assert not dW_xh.any()


@given(seeds, sizes)
@settings(**EXAMPLES)
def test_all_ways_to_sum_by_token_agree(seed, TBIH):
    x, _, _, da = draw(seed, *TBIH)
    I, N, H = TBIH[2], x.size, da.shape[-1]
    with pytest.MonkeyPatch.context() as patch:
        found = []
        for limit, block in WAYS.values():
            patch.setattr(inputs, "ONE_HOT_LIMIT", limit)
            patch.setattr(inputs, "BLOCK", block)
            found.append(inputs._sum_by_token(da.reshape(N, H), x.ravel(), I))
    product, by_token, in_blocks = found
    assert_close(by_token, product)
    assert_close(in_blocks, product)


def test_the_limit_lies_where_it_says():
    """A long text takes the path by token without any help, and agrees with the product."""
    x, W_xh, _, da = draw(1, T=50, B=8, I=60, H=3)
    assert x.size * 60 > inputs.ONE_HOT_LIMIT
    assert_close(input_backward(da, x, W_xh)[0], input_backward(da, one_hot(x, 60, np.float64), W_xh)[0])


@pytest.mark.parametrize(
    ("N", "I", "way"), [(6, 4, "_one_hot"), (7, 4, "_add_segments"), (2, 5, "_add_segments"), (8, 3, "_one_hot")]
)
def test_the_product_is_taken_for_few_entries_of_few_tokens(monkeypatch, N, I, way):
    monkeypatch.setattr(inputs, "ONE_HOT_LIMIT", 24)
    monkeypatch.setattr(inputs, "ONE_HOT_TOKENS", 4)
    monkeypatch.setattr(inputs, way, None)
    with pytest.raises(TypeError, match="not callable"):
        input_backward(np.ones((N, 1, 2)), np.zeros((N, 1), int), np.ones((2, I)))


# --- ids are one-hot vectors


def ids_are_one_hot_vectors(projection: Callable, backward: Callable, seed: int, TBIH=(6, 3, 4, 2), dtype=np.float64):
    x, W_xh, b_h, da = draw(seed, *TBIH, dtype=dtype)
    dense = one_hot(x, TBIH[2], dtype)
    assert_close(projection(x, W_xh, b_h), projection(dense, W_xh, b_h))
    dW_xh, dx = backward(da, x, W_xh)
    dense_dW_xh, dense_dx = backward(da, dense, W_xh)
    assert_close(dW_xh, dense_dW_xh)
    assert dx is None
    assert_close(dense_dx, np.einsum("tbh,hi->tbi", da, W_xh))


@pytest.mark.usefixtures("path")
@pytest.mark.parametrize("dtype", DTYPES)
def test_ids_are_one_hot_vectors(dtype):
    ids_are_one_hot_vectors(input_projection, input_backward, 2, dtype=dtype)


@given(seeds, sizes)
@settings(**EXAMPLES)
def test_ids_are_one_hot_vectors_at_any_size(seed, TBIH):
    ids_are_one_hot_vectors(input_projection, input_backward, seed, TBIH)


# --- dense vectors: the projection is linear in each argument, so its gradient is an inner product


def adjoint(projection: Callable, backward: Callable, seed: int, TBIH=(6, 3, 4, 2), dtype=np.float64):
    """<da, P(x, W)> = <dW, W> = <dx, x>: exact for a bilinear map, no step size needed."""
    _, W_xh, b_h, da = draw(seed, *TBIH, dtype=dtype)
    x = np.random.default_rng(seed + 1).standard_normal((*TBIH[:2], TBIH[2])).astype(dtype)
    value = (da * projection(x, W_xh, None)).sum()
    dW_xh, dx = backward(da, x, W_xh)
    size = (np.abs(da) @ np.abs(W_xh) * np.abs(x)).sum()
    assert abs((dW_xh * W_xh).sum() - value) <= ULPS * np.finfo(dtype).eps * size
    assert abs((dx * x).sum() - value) <= ULPS * np.finfo(dtype).eps * size
    assert_close(projection(x, W_xh, b_h), projection(x, W_xh, None) + b_h)
    assert dW_xh.dtype == dx.dtype == np.dtype(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_gradients_are_the_adjoint(dtype):
    adjoint(input_projection, input_backward, 3, dtype=dtype)


@given(seeds, sizes)
@settings(**EXAMPLES)
def test_gradients_are_the_adjoint_at_any_size(seed, TBIH):
    adjoint(input_projection, input_backward, seed, TBIH)


# --- and for both


@pytest.mark.usefixtures("path")
@pytest.mark.parametrize("integer", [np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint64])
def test_ids_may_have_any_integer_type(integer):
    x, W_xh, b_h, da = draw(4)
    x = np.maximum(x, 0)  # an unsigned type has no *no token*
    np.testing.assert_array_equal(input_projection(x.astype(integer), W_xh, b_h), input_projection(x, W_xh, b_h))
    np.testing.assert_array_equal(input_backward(da, x.astype(integer), W_xh)[0], input_backward(da, x, W_xh)[0])


@pytest.mark.usefixtures("path")
@pytest.mark.parametrize("dense", [False, True])
def test_layout_of_the_inputs_does_not_matter(dense):
    x, W_xh, b_h, da = draw(5)
    x = one_hot(x, 4, np.float64) if dense else x
    sx, sW, sb, sda = (np.asfortranarray(np.repeat(a, 2, axis=-1))[..., ::2] for a in (x, W_xh, b_h, da))
    assert not sx.flags.c_contiguous
    assert_close(input_projection(sx, sW, sb), input_projection(x, W_xh, b_h))
    (found, found_dx), (expected, expected_dx) = input_backward(sda, sx, sW), input_backward(da, x, W_xh)
    assert_close(found, expected)
    if dense:
        assert_close(found_dx, expected_dx)


def inputs_left_alone(projection: Callable, backward: Callable, dense: bool) -> None:
    x, W_xh, b_h, da = draw(6)
    x = one_hot(x, 4, np.float64) if dense else x
    given = [x, W_xh, b_h, da]
    before = [a.copy() for a in given]
    results = [projection(x, W_xh, b_h), *(r for r in backward(da, x, W_xh) if r is not None)]
    for a, b in zip(given, before, strict=True):
        np.testing.assert_array_equal(a, b)
    assert not any(np.shares_memory(r, a) for r in results for a in given)


@pytest.mark.usefixtures("path")
@pytest.mark.parametrize("dense", [False, True])
def test_inputs_are_left_alone(dense):
    inputs_left_alone(input_projection, input_backward, dense)


# --- the twins


def wrapping_no_token(x, W_xh, b_h):
    return input_projection(np.where(x == NO_TOKEN, W_xh.shape[1] - 1, x) if x.ndim == 2 else x, W_xh, b_h)


def no_token_without_bias(x, W_xh, b_h):
    found = input_projection(x, W_xh, b_h)
    if x.ndim == 2:
        found[x == NO_TOKEN] = 0
    return found


def writing_into_x(x, W_xh, b_h):
    if x.ndim == 2:
        x[x == NO_TOKEN] = 0
    return input_projection(x, W_xh, b_h)


def losing_duplicates(da, x, W_xh):
    if x.ndim == 3:
        return input_backward(da, x, W_xh)
    dW_T = np.zeros_like(W_xh.T)
    dW_T[x] += da  # NumPy keeps the last of several equal indices
    return dW_T.T, None


def last_row_for_no_token(da, x, W_xh):
    if x.ndim == 3:
        return input_backward(da, x, W_xh)
    return input_backward(da, np.where(x == NO_TOKEN, W_xh.shape[1] - 1, x), W_xh)


def dx_of_the_last_step(da, x, W_xh):
    dW_xh, dx = input_backward(da, x, W_xh)
    return dW_xh, None if dx is None else np.broadcast_to(dx[-1], dx.shape)


def scaled(da, x, W_xh):
    dW_xh, dx = input_backward(da, x, W_xh)
    return dW_xh / len(x), dx


@pytest.mark.parametrize("projection", [wrapping_no_token, no_token_without_bias])
def test_projection_by_hand_catches(projection):
    with pytest.raises(AssertionError):
        projection_by_hand(projection)


@pytest.mark.parametrize("backward", [losing_duplicates, last_row_for_no_token, scaled])
def test_gradient_by_hand_catches(backward):
    with pytest.raises(AssertionError):
        gradient_by_hand(backward)


@pytest.mark.parametrize(
    ("projection", "backward"),
    [
        (wrapping_no_token, input_backward),
        (no_token_without_bias, input_backward),
        (input_projection, losing_duplicates),
        (input_projection, last_row_for_no_token),
        (input_projection, dx_of_the_last_step),
    ],
)
def test_one_hot_vectors_catch(projection, backward):
    with pytest.raises(AssertionError):
        ids_are_one_hot_vectors(projection, backward, 7)


@pytest.mark.parametrize("backward", [scaled, dx_of_the_last_step])
def test_adjoint_catches(backward):
    with pytest.raises(AssertionError):
        adjoint(input_projection, backward, 8)


def test_inputs_left_alone_catches():
    with pytest.raises(AssertionError):
        inputs_left_alone(writing_into_x, input_backward, dense=False)
