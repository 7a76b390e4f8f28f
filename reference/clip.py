"""Gradient clipping by torch: R. Pascanu et al., ICML 2013 (norm); T. Mikolov, thesis, 2012 (value).

torch fixes the small number that it adds to the norm; for another one the formula stands here in its own words.
"""

from collections.abc import Iterable, Mapping

import numpy as np
import torch
from torch import Tensor, nn

from reference.edge import Number, to_numpy, to_torch

__all__ = ["CLIP_METHODS", "TORCH_EPS", "clip_", "run_clip"]

CLIP_METHODS = ("value", "norm")
TORCH_EPS = 1e-6
"""What `clip_grad_norm_` adds to the norm."""


def clip_(parameters: Iterable[Tensor], method: str, bound: Number, eps: Number = TORCH_EPS) -> Tensor | None:
    """Clip `.grad` of every parameter in place; return the norm before (method "norm" only).

    Raises
    ------
    ValueError
        If the method is unknown, the bound not positive or eps negative.
    """
    if method not in CLIP_METHODS:
        raise ValueError(f"method is {method!r}, expected one of {', '.join(CLIP_METHODS)}")
    if not bound > 0 or not eps >= 0:
        raise ValueError(f"bound is {bound} and eps {eps}: the bound must be positive, eps not negative")
    parameters = list(parameters)
    if method == "value":
        nn.utils.clip_grad_value_(parameters, bound)
        return None
    if eps == TORCH_EPS:
        return nn.utils.clip_grad_norm_(parameters, bound)
    grads = [p.grad for p in parameters if p.grad is not None]
    total_norm = torch.linalg.vector_norm(torch.cat([g.flatten() for g in grads]))
    coefficient = torch.clamp(bound / (total_norm + eps), max=1)
    for g in grads:
        g *= coefficient
    return total_norm


def run_clip(
    grads: Mapping[str, np.ndarray],
    method: str,
    bound: Number,
    eps: Number = TORCH_EPS,
    *,
    dtype: torch.dtype = torch.float64,
) -> dict[str, np.ndarray]:
    """Clip named gradients together; return them, and before them `total_norm` when clipping by norm."""
    parameters = {name: to_torch(g, dtype) for name, g in grads.items()}
    for p in parameters.values():
        p.grad = p.clone()
    total_norm = clip_(parameters.values(), method, bound, eps)
    shown = {} if total_norm is None else {"total_norm": total_norm}
    shown |= {name: p.grad for name, p in parameters.items() if p.grad is not None}
    return {name: to_numpy(tensor) for name, tensor in shown.items()}
