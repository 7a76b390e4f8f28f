"""The nonlinearity of the cell and its slope.

    tanh:  h = tanh(a),    dh/da = 1 - h^2
    ReLU:  h = max(a, 0),  dh/da = 1 where h > 0, else 0 (at the kink too, as in torch)

The slope is a function of the state h alone, so the pre-activation a need not be kept.
"""

from collections.abc import Callable, Iterator

import numpy as np

from numpy_impl.scalar import constant
from numpy_impl.shapes import Real
from numpy_impl.workspace import FRESH, Fresh

__all__ = ["activation", "slope", "slopes_backwards"]

BLOCK = 16_384
"""Slopes are computed for so many numbers at once: few calls, and still in the cache when they are used."""


def activation(nonlinearity: str) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """Return `activate(a, out)`; `out` may be `a`."""
    return np.tanh if nonlinearity == "tanh" else _relu


def _relu(a: np.ndarray, out: np.ndarray) -> np.ndarray:
    return np.maximum(a, constant(0, a.dtype), out=out)


def slope(
    h: Real[np.ndarray, "*shape"], nonlinearity: str, out: Real[np.ndarray, "*shape"] | None = None
) -> Real[np.ndarray, "*shape"]:
    """Return dh/da, into `out` if it is given."""
    out = np.empty_like(h) if out is None else out
    if nonlinearity == "relu":
        return np.greater(h, constant(0, h.dtype), out)
    np.multiply(h, h, out)
    return np.subtract(constant(1, h.dtype), out, out)


def slopes_backwards(
    h: Real[np.ndarray, "T B H"], nonlinearity: str, workspace: Fresh = FRESH
) -> Iterator[Real[np.ndarray, "*B H"]]:
    """Yield dh_t/da_t from the last step to the first; use each before asking for the next."""
    T, B, H = h.shape
    block = min(T, max(1, BLOCK // (B * H)))
    buffer = workspace.empty("slopes", (block, B, H), h.dtype)
    if block == T:
        return reversed(workspace.steps(slope(h, nonlinearity, buffer)))
    return _by_blocks(h, nonlinearity, buffer)


def _by_blocks(
    h: Real[np.ndarray, "T B H"], nonlinearity: str, buffer: Real[np.ndarray, "block B H"]
) -> Iterator[Real[np.ndarray, "*B H"]]:
    block = len(buffer)
    for stop in range(len(h), 0, -block):
        start = max(0, stop - block)
        yield from FRESH.steps(slope(h[start:stop], nonlinearity, buffer[:stop]))[::-1]  # the last may be shorter
