"""Named arrays that live side by side in one vector.

An optimiser step over one long vector costs one ufunc call where a dictionary of five arrays costs five; the
names remain, as views. Order is the order of the dictionary the vector was packed from.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import prod
from typing import Any

import numpy as np

from numpy_impl.aligned import aligned_empty
from numpy_impl.shapes import Real

__all__ = ["Flat", "Layout"]


@dataclass(frozen=True, eq=False)
class Layout:
    """Where each array lies in the vector. Flats of one layout share the object, so that it is worked out once."""

    shapes: dict[str, tuple[int, ...]]
    dtype: np.dtype
    places: dict[str, slice]
    size: int

    @classmethod
    def of(cls, shapes: Mapping[str, tuple[int, ...]], dtype: np.dtype) -> "Layout":
        """Lay the arrays one after the other, in the order of their names."""
        places, start = {}, 0
        for name, shape in shapes.items():
            places[name] = slice(start, start + prod(shape))
            start = places[name].stop
        return cls(dict(shapes), dtype, places, start)

    @lru_cache(maxsize=64)  # noqa: B019 - a layout is small, and there are as many as models
    def prefixed(self, prefix: str) -> "Layout":
        """Return the same layout with `prefix` before every name: `d` for gradients."""
        return Layout.of({prefix + name: shape for name, shape in self.shapes.items()}, self.dtype)


class Flat(dict[str, np.ndarray]):
    """Arrays by name, each a view of the vector `flat`: write to either and both change."""

    flat: Real[np.ndarray, "N"]
    layout: Layout

    def __init__(self, flat: Real[np.ndarray, "N"], shapes: Mapping[str, tuple[int, ...]] | Layout):
        self.flat = flat
        self.layout = shapes if isinstance(shapes, Layout) else Layout.of(shapes, flat.dtype)
        super().__init__(
            {name: flat[place].reshape(self.layout.shapes[name]) for name, place in self.layout.places.items()}
        )

    @classmethod
    def pack(cls, arrays: Mapping[str, np.ndarray]) -> "Flat":
        """Copy `arrays`, which share one dtype, into a new vector."""
        dtypes = {str(a.dtype) for a in arrays.values()}
        if len(dtypes) > 1:
            kinds = ", ".join(f"{name} {a.dtype}" for name, a in arrays.items())
            raise TypeError(f"arrays have several dtypes ({kinds}): one vector has one dtype; cast them with .astype")
        layout = Layout.of({name: a.shape for name, a in arrays.items()}, next(iter(arrays.values())).dtype)
        flat = aligned_empty((layout.size,), layout.dtype)
        return cls(np.concatenate([a.ravel() for a in arrays.values()], out=flat), layout)

    @classmethod
    def empty(cls, like: Mapping[str, np.ndarray], prefix: str = "") -> "Flat":
        """Return uninitialised arrays in the shapes and dtype of `like`, every name with `prefix` before it."""
        layout = _layout(like)
        if prefix:
            layout = layout.prefixed(prefix)
        return cls(aligned_empty((layout.size,), layout.dtype), layout)

    @classmethod
    def zeros(cls, like: Mapping[str, np.ndarray], prefix: str = "") -> "Flat":
        """Return zeros in the shapes and dtype of `like`, every name with `prefix` before it."""
        zeros = cls.empty(like, prefix)
        zeros.flat.fill(0)
        return zeros

    def copy(self) -> "Flat":
        """Copy the vector and the views."""
        copy = Flat.empty(self)
        copy.flat[...] = self.flat
        return copy

    def over(self, flat: Real[np.ndarray, "N"]) -> "Flat":
        """Return the same names as views of another vector."""
        return Flat(flat, self.layout)

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
        return Flat, (self.flat, self.layout.shapes)


def _layout(arrays: Mapping[str, np.ndarray]) -> Layout:
    if isinstance(arrays, Flat):
        return arrays.layout
    dtype = next(iter(arrays.values())).dtype
    return Layout.of({name: a.shape for name, a in arrays.items()}, dtype)
