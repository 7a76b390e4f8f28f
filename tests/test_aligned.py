"""Memory begins where a line of the cache does, whatever its size."""

import numpy as np
import pytest

from numpy_impl.aligned import LINE, aligned_empty


def begins_a_line(array: np.ndarray) -> bool:
    return array.ctypes.data % LINE == 0


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.longdouble])
@pytest.mark.parametrize("shape", [(), (0,), (1,), (3, 5), (256, 256), (2, 3, 1000)])
def test_an_array_as_any_other_but_for_where_it_begins(shape, dtype):
    array = aligned_empty(shape, np.dtype(dtype))
    assert (array.shape, array.dtype) == (shape, dtype)
    assert array.flags.c_contiguous
    assert array.flags.writeable
    assert begins_a_line(array) or not array.size  # nothing is nowhere
    array[...] = 3
    np.testing.assert_array_equal(array, np.full(shape, 3, dtype), strict=True)


def test_two_arrays_are_two():
    first, second = (aligned_empty((5,), np.dtype(float)) for _ in range(2))
    assert not np.shares_memory(first, second)


def test_elsewhere_than_at_the_beginning_shows():
    assert not begins_a_line(aligned_empty((5,), np.dtype(np.float32))[1:])
