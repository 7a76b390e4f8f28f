"""Layouts as words: the axes of an array in the order in which somebody keeps them.

A case keeps inputs as T B (ids) or T B N (vectors), a state as B N. `"T N 1"` are T columns, `"B T N"` is batch
first, `"T"` the ids of one sequence, `""` a single id. In brackets it is a Python list: `"[T]"`, a list of lists
`"[T N]"`, a list of columns `"[T] N 1"`. A layout without B is that
of one sequence; one without T, of an array that has T in the case, is that of the last step.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

__all__ = ["axes_of", "give", "take"]


def axes_of(layout: str) -> list[str]:
    """Split a layout into its axes, without the brackets of a list."""
    return layout.replace("[", "").replace("]", "").split()


def give(array: np.ndarray, kept: str, layout: str) -> Any:
    """Rearrange `array`, whose axes are `kept`, as `layout`. T left out: the last step; B left out: the only one.

    What comes back is a view wherever it can be: whoever writes into it writes into the case, and is noticed.
    """
    axes, source = axes_of(layout), kept.split()
    for axis in [a for a in source if a not in axes]:
        array = np.moveaxis(array, source.index(axis), 0)[-1]
        source.remove(axis)
    array = array.transpose([source.index(a) for a in axes if a != "1"])
    array = np.expand_dims(array, [i for i, a in enumerate(axes) if a == "1"])
    if layout.startswith("["):
        return array.tolist() if layout.endswith("]") else list(array)
    return int(array) if array.ndim == 0 and array.dtype.kind == "i" else array


def take(value: Any, kept: str, layout: str, sizes: Mapping[str, int]) -> np.ndarray:
    """Undo `give`: return an array with axes `kept`, of length 1 where `layout` leaves one out.

    A dictionary by time step, as `hs[t]` in many scripts, counts as a list. What does not have the shape that the
    layout asks for is returned as it is: the judge will say what is wrong with it.
    """
    if isinstance(value, Mapping):
        value = [value[t] for t in sorted(value) if isinstance(t, int) and 0 <= t < sizes["T"]]
    try:
        array = np.asarray(value)
    except ValueError:  # ragged
        return np.asarray(np.nan)
    axes = axes_of(layout)
    expected = tuple(1 if a == "1" else sizes[a] for a in axes)
    if array.shape != expected:
        if array.size != np.prod(expected) or [n for n in array.shape if n > 1] != [n for n in expected if n > 1]:
            return array
        array = array.reshape(expected)
    array = array.reshape([n for a, n in zip(axes, expected, strict=True) if a != "1"])
    present = [a for a in axes if a != "1"]
    array = array.transpose([present.index(a) for a in kept.split() if a in present])
    return np.expand_dims(array, [i for i, a in enumerate(kept.split()) if a not in present])
