"""The training step that all the peers are given: sizes, weights, one batch of token ids, and what a step consists of.

Loss (summed), backpropagation through all T steps, clipping to [-5, 5], Adagrad: the step of a character model.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

__all__ = ["CLIP", "EPS", "LR", "Problem", "Size"]

CLIP = 5.0
EPS = 1e-10
LR = 1e-6
"""So small that ten thousand timed steps leave the weights where they were."""


class Size(NamedTuple):
    """Units, tokens, steps, sequences."""

    H: int
    V: int
    T: int
    B: int

    @classmethod
    def parse(cls, text: str) -> "Size":
        """Read `H,V,T,B`."""
        try:
            size = cls(*map(int, text.split(",")))
        except (TypeError, ValueError):
            raise ValueError(f"size {text!r}: expected four whole numbers H,V,T,B, such as 100,65,25,1") from None
        if min(size) < 1:
            raise ValueError(f"size {text!r}: H, V, T and B must be at least 1")
        return size

    def __str__(self) -> str:
        return ",".join(map(str, self))


@dataclass(frozen=True)
class Problem:
    """One batch and the weights to begin with; the same numbers for every peer."""

    size: Size
    dtype: np.dtype
    params: dict[str, np.ndarray]
    x: np.ndarray
    y: np.ndarray
    h0: np.ndarray

    @classmethod
    def draw(cls, size: Size, dtype: str, seed: int = 0) -> "Problem":
        """Draw weights as `torch.nn.RNN` and `torch.nn.Linear` do, uniformly within +-1 / sqrt(H).

        How large they are matters to one size: with standard normal ones over sqrt(H), at the edge of chaos, gradients
        outlive a chunk, so the text of 10,000 steps goes back step by step (`numpy_impl.chunks`), a tenth slower.
        """
        rng = np.random.default_rng(seed)
        H, V, T, B = size
        shapes = {"W_xh": (H, V), "W_hh": (H, H), "b_h": (H,), "W_hy": (V, H), "b_y": (V,)}
        params = {name: (rng.uniform(-1, 1, s) / np.sqrt(H)).astype(dtype) for name, s in shapes.items()}
        x, y = rng.integers(0, V, (2, T, B))
        return cls(size, np.dtype(dtype), params, x, y, rng.uniform(-1, 1, (B, H)).astype(dtype))
