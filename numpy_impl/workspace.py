"""Memory that one call leaves to the next.

A training step asks for the same arrays again and again. Fresh ones cost little when they are small, but large ones
come from the operating system page by page, a fifth of a step at T = 100, B = 32, H = 256; and at the other end a view
of every single step, h_t, costs half as much as the addition it is made for. A workspace keeps both.

It remembers memory, never numbers: every array is written before it is read, so a result does not depend on what the
workspace has seen, to the last bit. But the arrays that come out of a call lie in it, until the next call.
"""

from collections.abc import Callable, Hashable
from math import prod
from typing import Any, TypeVar

import numpy as np

from numpy_impl.aligned import aligned_empty
from numpy_impl.flat import Flat, Layout
from numpy_impl.shapes import Params

__all__ = ["FRESH", "Fresh", "Workspace", "check_workspace"]

MANY = 16_384
"""Longer sequences have no list of their steps: at H = 100 it would take a sixth of the memory of the states."""
PREPARED = 64
"""So many things are remembered by `once`, then it begins anew: sequences may come in all lengths."""

Made = TypeVar("Made")
Steps = np.ndarray | list[np.ndarray]


class Fresh:
    """No workspace: new memory every time. `panels` is what `numpy_impl.products` asks, see there."""

    def __init__(self, panels: bool | None = None):
        self.panels = panels

    def empty(self, name: str, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        """Return an uninitialised array. `name` tells apart arrays that are in use at the same time."""
        return np.empty(shape, dtype)

    def steps(self, array: np.ndarray) -> Steps:
        """Return something that gives array[0], array[1] ... in either direction: vectors if the batch is one."""
        return array[:, 0] if array.ndim > 2 and array.shape[1] == 1 else array

    def gradients(self, params: Params) -> Flat:
        """Return an uninitialised array for the gradient of each parameter, all in one vector."""
        return Flat.empty(params, "d")


class Workspace(Fresh):
    """Memory by name, as large as the largest array of that name has been. Not to be shared between threads."""

    def __init__(self, panels: bool | None = None):
        super().__init__(panels)
        self._memory: dict[tuple[str, np.dtype], np.ndarray] = {}
        self._arrays: dict[tuple[str, tuple[int, ...], np.dtype], np.ndarray] = {}
        self._steps: dict[int, Steps] = {}
        self._gradients: dict[Layout, Flat] = {}
        self._made: dict[Hashable, Any] = {}

    def empty(self, name: str, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        """Return the array of this name and shape; its content is whatever was left there."""
        found = self._arrays.get((name, shape, dtype))
        return self._lay_out(name, shape, dtype) if found is None else found

    def steps(self, array: np.ndarray) -> Steps:
        """Return the list array[0], array[1] ..., made once for an array of this workspace; no list of very many."""
        found = self._steps.get(id(array))
        return super().steps(array) if found is None else found

    def gradients(self, params: Params) -> Flat:
        """Return the gradients of parameters of this layout; if they are not in one vector, new ones."""
        if not isinstance(params, Flat):
            return super().gradients(params)
        if params.layout not in self._gradients:
            self._gradients[params.layout] = super().gradients(params)
        return self._gradients[params.layout]

    def once(self, make: Callable[..., Made], params: Flat, *settings: Hashable) -> Made:
        """Return `make(params, *settings, self)` as it was made for the first parameters of this layout."""
        key = (make, params.layout, settings)
        if key not in self._made:
            if len(self._made) >= PREPARED:
                self._made.clear()
            self._made[key] = make(params, *settings, self)
        return self._made[key]

    def __reduce__(self) -> tuple[type["Workspace"], tuple[bool | None]]:
        """Let a copy begin empty: it holds nothing that a result depends on."""
        return Workspace, (self.panels,)

    def _lay_out(self, name: str, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        memory = self._memory.get((name, dtype))
        if memory is None or memory.size < prod(shape):
            self._forget(name, dtype)
            memory = self._memory[name, dtype] = aligned_empty((prod(shape),), dtype)
        array = self._arrays[name, shape, dtype] = memory[: prod(shape)].reshape(shape)
        if len(shape) > 2 and len(array) <= MANY:
            self._steps[id(array)] = list(super().steps(array))
        return array

    def _forget(self, name: str, dtype: np.dtype) -> None:
        for key in [key for key in self._arrays if (key[0], key[2]) == (name, dtype)]:
            self._steps.pop(id(self._arrays.pop(key)), None)


FRESH = Fresh()


def check_workspace(workspace: Fresh) -> None:
    """Refuse what is no workspace, None above all: that there is none is said by leaving it out."""
    if not isinstance(workspace, Fresh):
        raise TypeError(
            f"workspace is {workspace!r:.60}, expected a Workspace(); leave it out for new memory every time"
        )
