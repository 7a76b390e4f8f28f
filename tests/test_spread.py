"""A vector beside a matrix, repeated or broadcast: the same bits; and a number as an array without axes."""

import numpy as np
import pytest

from numpy_impl import spread as spread_
from numpy_impl.scalar import constant
from numpy_impl.spread import LONG, spread
from numpy_impl.workspace import FRESH, Workspace

DTYPES = [np.float32, np.float64, np.longdouble]


@pytest.mark.parametrize("workspace", [FRESH, Workspace()])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (2, 3, 4), (2, LONG), (2, LONG + 1)])
def test_what_stands_for_a_vector_gives_the_bits_of_broadcasting(shape, dtype, workspace):
    rng = np.random.default_rng(len(shape))
    matrix, row, column = (rng.standard_normal(s).astype(dtype) for s in (shape, shape[-1:], (*shape[:-1], 1)))
    for vector in (row, column):
        for operation in (np.add, np.divide):
            found = operation(matrix, spread(vector, matrix, workspace))
            np.testing.assert_array_equal(found, operation(matrix, vector), strict=True)


@pytest.mark.parametrize(("M", "repeated"), [(LONG, True), (LONG + 1, False)])
def test_short_rows_are_repeated_and_long_ones_are_not(M, repeated):
    vector, matrix = np.ones(M), np.ones((2, M))
    assert spread(vector, matrix).shape == (matrix.shape if repeated else vector.shape)


def test_the_memory_is_used_again():
    workspace, matrix = Workspace(), np.ones((2, 3))
    assert spread(np.ones(3), matrix, workspace) is spread(np.zeros(3), matrix, workspace)


def test_a_vector_that_is_not_repeated_shows(monkeypatch):
    monkeypatch.setattr(spread_.Fresh, "empty", lambda self, name, shape, dtype: np.zeros((1, *shape[1:]), dtype))
    with pytest.raises((AssertionError, ValueError)):
        test_what_stands_for_a_vector_gives_the_bits_of_broadcasting((3, 5), np.float64, FRESH)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_constant_keeps_the_dtype_of_what_it_meets(dtype):
    one = constant(1, np.dtype(dtype))
    assert (one.shape, one.dtype, one.item()) == ((), dtype, 1)
    assert (one - np.ones(2, dtype)).dtype == dtype


def test_nobody_can_change_a_constant():
    with pytest.raises(ValueError, match="read-only"):
        constant(1, np.dtype(float))[...] = 2
