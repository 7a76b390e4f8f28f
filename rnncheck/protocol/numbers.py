"""Arrays as JSON: nested lists of decimal numbers that round-trip, and a word for what JSON has no number for."""

from collections.abc import Iterator
from typing import Any

import numpy as np

__all__ = ["NotNumbersError", "decode_array", "encode_array"]

NON_FINITE = {"NaN": np.nan, "Infinity": np.inf, "-Infinity": -np.inf, None: np.nan}
"""What stands for a number that is not finite; `null` is what JavaScript makes of it."""


class NotNumbersError(ValueError):
    """A value that should be nested lists of numbers is something else."""


def encode_array(array: np.ndarray) -> Any:
    """Return nested lists (one number for an array without axes).

    A float32 is written as the float64 of the same value: its shortest decimals give the same bits back in both.
    """
    array = np.asarray(array)
    if array.dtype.kind != "f":
        return array.tolist()
    wide = array.astype(np.float64)
    return wide.tolist() if np.isfinite(wide).all() else _spell(wide.tolist())


def _spell(value: Any) -> Any:
    if isinstance(value, list):
        return [_spell(item) for item in value]
    if np.isfinite(value):
        return value
    return "NaN" if np.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def decode_array(value: Any, dtype: np.dtype) -> np.ndarray:
    """Return the array that nested lists hold: whole numbers as int64, unless `dtype` is a floating one.

    Raises
    ------
    NotNumbersError
        If the lists are ragged, or an item is no number.
    """
    try:
        array = np.array(value)
    except ValueError:
        raise NotNumbersError(_ragged(value)) from None
    if array.dtype.kind not in "iuf":
        array = np.array(_read(value))
    if dtype.kind == "f":
        with np.errstate(over="ignore"):  # too large for float32 is infinite, and judged as such
            return array.astype(dtype)
    return array


def _read(value: Any) -> Any:
    """Read item by item what NumPy did not take for numbers."""
    if isinstance(value, list):
        return [_read(item) for item in value]
    if value is None or (isinstance(value, str) and value in NON_FINITE):
        return NON_FINITE[value]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise NotNumbersError(
            f"holds {_quote(value)}, expected a number or one of the strings NaN, Infinity, -Infinity"
        )
    try:
        return float(value)
    except OverflowError:
        return np.inf if value > 0 else -np.inf


def _ragged(value: Any) -> str:
    lengths = sorted({len(row) if isinstance(row, list) else 0 for rows in _levels(value) for row in rows})
    if not lengths:
        return "is nested too deeply; no array of a Trace has more than three axes"
    return f"is ragged: lists on one level have the lengths {lengths}; write one rectangular array"


def _levels(value: Any) -> Iterator[list[Any]]:
    """Yield the first level whose items do not agree in length."""
    level = [value]
    while level:
        if len({len(row) if isinstance(row, list) else 0 for row in level}) > 1:
            yield level
            return
        level = [item for row in level if isinstance(row, list) for item in row]


def _quote(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
