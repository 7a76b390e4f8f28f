"""Named arrays that live side by side in one vector.

An optimiser step over one long vector costs one ufunc call where a dictionary of five arrays costs five; the
names remain, as views. Order is the order of the dictionary the vector was packed from.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from numpy_impl.shapes import Real

__all__ = ["Flat"]


class Flat(dict[str, np.ndarray]):
    """Arrays by name, each a view of the vector `flat`: write to either and both change."""

    flat: Real[np.ndarray, "N"]

    def __init__(self, flat: Real[np.ndarray, "N"], shapes: Mapping[str, tuple[int, ...]]):
        self.flat = flat
        start = 0
        for name, shape in shapes.items():
            size = int(np.prod(shape))
            super().__setitem__(name, flat[start : start + size].reshape(shape))
            start += size

    @classmethod
    def pack(cls, arrays: Mapping[str, np.ndarray]) -> "Flat":
        """Copy `arrays`, which share one dtype, into a new vector."""
        dtypes = {str(a.dtype) for a in arrays.values()}
        if len(dtypes) > 1:
            kinds = ", ".join(f"{name} {a.dtype}" for name, a in arrays.items())
            raise TypeError(f"arrays have several dtypes ({kinds}): one vector has one dtype; cast them with .astype")
        flat = np.concatenate([a.ravel() for a in arrays.values()])
        return cls(flat, {name: a.shape for name, a in arrays.items()})

    @classmethod
    def zeros(cls, like: Mapping[str, np.ndarray], prefix: str = "") -> "Flat":
        """Return zeros in the shapes and dtype of `like`, every name with `prefix` before it."""
        dtype = next(iter(like.values())).dtype
        size = sum(a.size for a in like.values())
        return cls(np.zeros(size, dtype), {prefix + name: a.shape for name, a in like.items()})

    def copy(self) -> "Flat":
        """Copy the vector and the views."""
        return Flat(self.flat.copy(), {name: a.shape for name, a in self.items()})

    def __setitem__(self, name: str, value: Any) -> None:
        """Write into the view; a name can be neither added nor bound to another array."""
        self[name][...] = value
