"""Sums as products with ones: small whole numbers are exact in any order, so they are equal to what NumPy sums."""

import numpy as np
import pytest

from numpy_impl.sums import SHORT, ones, row_maxima, row_starts, sum_columns, sum_rows, total

DTYPES = [np.float32, np.float64, np.longdouble]
SHAPES = [(1, 1), (1, 5), (4, 1), (3, 7), (7, 3)]


def whole_numbers(shape: tuple[int, int], dtype: type) -> np.ndarray:
    return np.random.default_rng(sum(shape)).integers(-9, 10, shape).astype(dtype)


def are_the_sums(a: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> None:
    np.testing.assert_array_equal(rows, a.sum(axis=1), strict=True)
    np.testing.assert_array_equal(columns, a.sum(axis=0), strict=True)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
def test_rows_and_columns_are_summed_in_their_own_dtype(shape, dtype):
    a = whole_numbers(shape, dtype)
    are_the_sums(a, sum_rows(a), sum_columns(a))


def test_a_sum_along_the_other_axis_shows():
    a = whole_numbers((3, 3), np.float64)
    with pytest.raises(AssertionError):
        are_the_sums(a, sum_columns(a), sum_rows(a))


def test_columns_are_summed_into_the_array_that_is_given():
    a, out = whole_numbers((3, 7), np.float64), np.full(7, np.nan)
    assert sum_columns(a, out=out) is out
    np.testing.assert_array_equal(out, a.sum(axis=0))


@pytest.mark.parametrize("M", [4, 5, 6])
def test_rows_are_summed_into_the_array_that_is_given(M):
    a, out = whole_numbers((3, M), np.float64), np.full(3, np.nan)
    assert sum_rows(a, out) is out
    np.testing.assert_array_equal(out, a.sum(axis=1))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [1, 7, SHORT, SHORT + 1])
def test_all_elements_are_summed(n, dtype):
    a = whole_numbers((1, n), dtype)[0]
    assert total(a) == a.sum()
    assert total(a).dtype == dtype


def are_the_maxima(a: np.ndarray, maxima: np.ndarray) -> None:
    np.testing.assert_array_equal(maxima, a.max(axis=1), strict=True)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
def test_the_largest_of_each_row(shape, dtype):
    a = whole_numbers(shape, dtype)
    for array in (a, -a, np.asfortranarray(a), a[::-1], np.zeros_like(a)):
        are_the_maxima(array, row_maxima(array))


def test_what_is_not_finite_is_found():
    a = np.array([[1, np.inf, 2], [-np.inf, -np.inf, -np.inf], [1, np.nan, np.inf], [np.nan, 1, 2]])
    are_the_maxima(a, row_maxima(a))


def test_the_largest_of_the_columns_shows():
    a = whole_numbers((3, 3), np.float64)
    with pytest.raises(AssertionError):
        are_the_maxima(a, row_maxima(a.T))


def test_nobody_can_change_what_is_kept():
    for kept in (ones(3, "d"), row_starts(3, 4)):
        with pytest.raises(ValueError, match="read-only"):
            kept[0] = 2


def between_signalling_nans(shape: tuple[int, int]) -> np.ndarray:
    """Return ones in float32, in memory that had held numbers of which any use is an invalid operation."""
    size = shape[0] * shape[1]
    left = [np.full(size + more, 0x7FA00000, np.uint32) for more in range(0, 64, 4)]
    del left
    return np.ones(shape, np.float32)


def warns(add, a: np.ndarray) -> bool:
    try:
        add(a)
    except RuntimeWarning as warning:
        return "invalid value" in str(warning)
    return False


def test_nothing_warns_of_what_lies_behind_the_array():
    for rows in range(1, 300):
        assert not warns(sum_rows, between_signalling_nans((rows, 5))), rows


def test_such_a_warning_would_be_seen():
    assert warns(lambda a: np.add.reduce(np.full(2, 0x7FA00000, np.uint32).view(np.float32)), np.ones(1))


class WithoutDot(np.ndarray):
    """An array whose product is not to be asked for."""

    def dot(self, *_):
        raise LookupError("asked for a product")


def test_rows_of_five_are_summed_without_a_product_on_every_machine():
    a = whole_numbers((7, 5), np.float32)
    np.testing.assert_array_equal(np.asarray(sum_rows(a.view(WithoutDot))), a.sum(axis=1))


@pytest.mark.parametrize("columns", [4, 6])
def test_other_rows_are_a_product(columns):
    with pytest.raises(LookupError, match="product"):
        sum_rows(whole_numbers((7, columns), np.float32).view(WithoutDot))


def rounds_like_pairs(add) -> bool:
    """In blocks of 128 by 8 numbers at a time, then in pairs, each of a million numbers is in 16 + 13 additions."""
    a = np.full(1_000_000, 0.1, np.float32)
    exact = 1_000_000 * float(np.float32(0.1))
    return abs(float(add(a)) - exact) <= 29 * 2.0**-24 * exact


def test_long_vectors_are_added_in_pairs():
    assert rounds_like_pairs(total)
    assert not rounds_like_pairs(lambda a: np.add.accumulate(a)[-1])


@pytest.mark.parametrize("length", [1, SHORT])
def test_short_vectors_are_a_product(length):
    with pytest.raises(LookupError, match="product"):
        total(np.ones(length).view(WithoutDot))
