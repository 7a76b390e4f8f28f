"""Sums as products with ones: small whole numbers are exact in any order, so they are equal to what NumPy sums."""

import numpy as np
import pytest

from numpy_impl.sums import sum_columns, sum_rows

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
