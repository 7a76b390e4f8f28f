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

    def __setitem__(self, name: str, value: np.ndarray) -> None:
        """Write into the view; a name can be neither added nor bound to another array, and nothing is broadcast."""
        view = self[name]
        if value.shape != view.shape or value.dtype != view.dtype:
            raise ValueError(
                f"{name} is {value.dtype} of shape {value.shape}, expected {view.dtype} of shape {view.shape}: "
                "an array in a vector keeps its shape and dtype; cast or reshape the value first"
            )
        view[...] = value

    def update(self, *args: Any, **arrays: Any) -> None:
        """Write into several views; `dict.update` would bind the names to other arrays."""
        for name, value in dict(*args, **arrays).items():
            self[name] = value

    def __reduce__(self) -> tuple[Any, ...]:
        """Let `copy` and `pickle` rebuild the views: copied one by one they would no longer be views."""
        return Flat, (self.flat, {name: a.shape for name, a in self.items()})
