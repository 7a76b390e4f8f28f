"""A number that the user sets (a learning rate, a bound), in the dtype of the arrays that it meets.

A Python float beside a float32 array stays float32, but an `np.float64` would turn the array into float64, and
1e-50 is zero in float32. So every setting is converted once and judged *after* the conversion.
"""

import numbers
from functools import lru_cache

import numpy as np

from numpy_impl.shapes import Real

__all__ = ["Scalar", "constant", "not_negative", "positive"]

Scalar = int | float | np.floating
SMALLEST_OVERFLOW = 2.0**127
"""Nothing below this overflows in float32, and asking is cheaper than `np.errstate`."""


def positive(name: str, value: Scalar, dtype: np.dtype, advice: str, *, finite: bool = True) -> np.floating:
    """Return `value` in `dtype`; refuse what is not above zero there, or not finite unless `finite` is False."""
    judge = _positive_float if type(value) is float else _positive
    return judge(name, value, dtype, advice, finite)


def _positive(name: str, value: Scalar, dtype: np.dtype, advice: str, finite: bool) -> np.floating:
    scalar = _convert(name, value, dtype)
    if not scalar > 0 or (finite and scalar == np.inf):
        there = f" ({scalar} in {dtype})" if value > 0 else ""
        rule = "positive and finite" if finite else "positive"
        raise ValueError(f"{name} is {value}{there}: it must be {rule}; {advice}")
    return scalar


_positive_float = lru_cache(maxsize=64)(_positive)
"""A setting is judged once, not in every step; a float is what it is, where an array could change."""


def not_negative(name: str, value: Scalar, dtype: np.dtype, advice: str) -> np.floating:
    """Return `value` in `dtype`; refuse what is below zero or not finite."""
    scalar = _convert(name, value, dtype)
    if not 0 <= scalar < np.inf:
        raise ValueError(f"{name} is {value}: it must be zero or positive, and finite; {advice}")
    return scalar


def _convert(name: str, value: Scalar, dtype: np.dtype) -> np.floating:
    if type(value) is not float and (not isinstance(value, numbers.Real) or isinstance(value, bool)):
        raise TypeError(f"{name} is {value!r}, a {type(value).__name__}: it must be a number")
    if abs(value) < SMALLEST_OVERFLOW:
        return dtype.type(value)
    with np.errstate(over="ignore"):
        return dtype.type(value)


@lru_cache(maxsize=32)
def constant(value: int, dtype: np.dtype) -> Real[np.ndarray, ""]:
    """Return `value` as an array without axes: beside a small array it costs a third of what a Python number does."""
    array = np.array(value, dtype)
    array.flags.writeable = False
    return array
