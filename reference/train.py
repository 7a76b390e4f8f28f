"""One training step in torch: the twin of the NumPy step, arrays in and arrays out.

Loss, gradient by autograd, clipping and update, each by the module that the oracle is made of. All parameters lie in
one vector, of which the named ones are views, so that gradient, clipping and optimiser state are one tensor each.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
import torch

from reference.clip import clip_
from reference.edge import leaf, to_numpy, to_torch, torch_dtype
from reference.loop import IGNORE_INDEX, forward, loss
from reference.optim import load_state, make_optimizer, read_state
from reference.validate import check_case

__all__ = ["Batch", "StepOut", "torch_step"]

OPTIMIZER_OPTIONS = ("momentum", "dampening", "zero_start", "eps", "eps_inside", "initial_accumulator")


@runtime_checkable
class Batch(Protocol):
    """Inputs and targets of one step: ids (T, B), and how long each sequence is if they differ."""

    @property
    def x(self) -> np.ndarray: ...

    @property
    def y(self) -> np.ndarray: ...

    @property
    def lengths(self) -> np.ndarray | None: ...


class StepOut(NamedTuple):
    """What a step leaves behind: the loss before the update, and all that the next step starts from."""

    loss: float
    params: dict[str, np.ndarray]
    opt_state: dict[str, np.ndarray]
    h_T: np.ndarray  # noqa: N815 - the field's name


def torch_step(
    settings: Mapping[str, Any],
    params: Mapping[str, np.ndarray],
    opt_state: Mapping[str, np.ndarray],
    lr: float,
    batch: Batch,
    h0: np.ndarray | None = None,
    *,
    dtype: torch.dtype | None = None,
) -> StepOut:
    """Take one step and return new arrays; nothing that is handed in changes.

    Sequences of different length are padded, with *no token* and with targets that are ignored: what happens beyond
    their end is computed, and has no part in the loss or in any gradient.

    Parameters
    ----------
    settings
        Plain values by name: `nonlinearity`, `reduction`, `bptt`, `k`, `clip_method` ("none", "value", "norm"),
        `clip_bound`, `optimizer` ("sgd", "adagrad") and the options of `make_optimizer`; other names are ignored.
    opt_state
        Vectors in the order of `params`: `v` and `started` for momentum, `m` for Adagrad, nothing for plain SGD.
    dtype
        What to compute in; the dtype of the parameters if not given.
    """
    x, y = batch.x, batch.y
    last = len(x) - 1 if batch.lengths is None else torch.from_numpy(batch.lengths - 1)
    check_case(params, x, y, h0, settings["nonlinearity"], settings["reduction"], IGNORE_INDEX, None)
    dtype = dtype or torch_dtype(params["W_xh"])
    flat = leaf(np.concatenate([array.ravel() for array in params.values()]), dtype)
    parts = torch.split(flat, [array.size for array in params.values()])
    views = {name: part.reshape(params[name].shape) for name, part in zip(params, parts, strict=True)}

    nodes = forward(
        views,
        to_torch(x, None if x.ndim == 2 else dtype),
        None if h0 is None else to_torch(h0, dtype),
        nonlinearity=settings["nonlinearity"],
        bptt=settings["bptt"],
        k=settings["k"],
    )
    value = loss(nodes.logits, to_torch(y), settings["reduction"])
    (flat.grad,) = torch.autograd.grad(value, [flat])

    if settings["clip_method"] != "none":
        clip_([flat], settings["clip_method"], settings["clip_bound"])
    options = {name: settings[name] for name in OPTIMIZER_OPTIONS}
    optimizer = make_optimizer([flat], settings["optimizer"], lr=lr, **options)
    load_state(optimizer, flat, opt_state)
    optimizer.step()
    updated = {name: to_numpy(view) for name, view in views.items()}
    h_T = to_numpy(nodes.h[last, range(x.shape[1])])
    return StepOut(float(value.detach()), updated, read_state(optimizer, flat), h_T)
