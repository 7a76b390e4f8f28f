"""Clipping, one tensor after the other: each element to ±bound, or all of them together to one norm.

By norm: R. Pascanu, T. Mikolov, Y. Bengio, "On the difficulty of training recurrent neural networks", 2013, with
torch's coefficient min(1, bound / (norm + eps)).
"""

from collections.abc import Mapping

import numpy as np

from rnncheck.case import ClipCase
from rnncheck.textbook.loss import Array

__all__ = ["ClipSteps"]


class ClipSteps:
    """Clip the gradients of a ClipCase."""

    def run_clip(self, case: ClipCase) -> dict[str, Array]:
        """Return the clipped gradients, after their norm where the method is "norm"."""
        if case.method == "value":
            return self.clip_by_value(case.grads, case.bound)
        return self.clip_by_norm(case.grads, case.bound, case.eps)

    def clip_by_value(self, grads: Mapping[str, Array], bound: float) -> dict[str, Array]:
        """Clip element by element."""
        return {name: self.clip_elements(g, bound) for name, g in grads.items()}

    def clip_elements(self, g: Array, bound: float) -> Array:
        """Bring every element into [-bound, bound]."""
        return np.minimum(np.maximum(g, -bound), bound)

    def clip_by_norm(self, grads: Mapping[str, Array], bound: float, eps: float) -> dict[str, Array]:
        """Scale all tensors by one coefficient."""
        norm = self.total_norm(grads)
        coefficient = self.coefficient(norm, bound, eps)
        scaled = {name: self.scale(g, coefficient) for name, g in grads.items()}
        return {"total_norm": self.reported_norm(norm, scaled), **scaled}

    def total_norm(self, grads: Mapping[str, Array]) -> Array:
        """Return the Euclidean norm of all elements of all tensors."""
        squares = np.zeros((), next(iter(grads.values())).dtype)
        for g in grads.values():
            squares += self.sum_of_squares(g)
        return np.asarray(np.sqrt(squares))

    def sum_of_squares(self, g: Array) -> Array:
        """Return the share of one tensor in the squared norm."""
        return np.square(g).sum()

    def coefficient(self, norm: Array, bound: float, eps: float) -> Array:
        """Return 1 where the norm is within the bound, less beyond it."""
        return np.minimum(1, bound / (norm + eps)).astype(norm.dtype)

    def scale(self, g: Array, coefficient: Array) -> Array:
        """Scale one tensor."""
        return g * coefficient

    def reported_norm(self, norm: Array, scaled: Mapping[str, Array]) -> Array:
        """Return the norm that is reported: the one before clipping."""
        return norm
