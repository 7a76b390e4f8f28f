"""A vector repeated to the shape of a matrix, before it is added to every row or divides every column.

NumPy adds arrays of equal shape in one go; to broadcast it sets up an iterator and goes row by row. On 8 rows of 27
numbers that takes three times as long, and still more on many short rows, while to repeat the vector by assignment
takes half as long as the addition. So it is repeated first, and the numbers that come out are the same. Where rows are
long, one row at a time is no loss, and the vector is left to NumPy.
"""

import numpy as np

from numpy_impl.shapes import Real
from numpy_impl.workspace import FRESH, Fresh

__all__ = ["spread"]

LONG = 1024
"""Rows of more elements than this are left to broadcasting."""


def spread(
    vector: Real[np.ndarray, "*broadcastable"], like: Real[np.ndarray, "*shape"], workspace: Fresh = FRESH
) -> Real[np.ndarray, "*any"]:
    """Return what may stand for `vector` beside `like`: `vector` itself, or repeated to that shape, until next time."""
    if like.shape[-1] > LONG:
        return vector
    repeated = workspace.empty("spread", like.shape, like.dtype)
    repeated[...] = vector
    return repeated
