"""The loss and the gradients of the parameters, and nothing else: what a training step needs, in little memory.

`model.loss_and_grads` keeps every node, so that a reader or a judge can look at it: logits and their gradient, dh and
da. Here the logits exist for one block of steps at a time, da takes the place of dh, and what remains are the states
and one array of their size. The functions called are the same, so for a sequence of one block the gradients are too,
to the last bit.
"""

from typing import NamedTuple

import numpy as np

from numpy_impl.flat import Flat
from numpy_impl.inputs import Input
from numpy_impl.loss import IGNORE_INDEX, cross_entropy_and_gradient
from numpy_impl.model import backward_from_states, readout_gradients, run_states
from numpy_impl.products import product
from numpy_impl.shapes import Ids, Params, Real
from numpy_impl.short import short_step
from numpy_impl.spread import spread
from numpy_impl.validate import check_targets
from numpy_impl.workspace import FRESH, Fresh

__all__ = ["Lean", "lean_loss_and_grads", "readout"]

BLOCK = 1 << 18
"""So many logits exist at a time."""


class Lean(NamedTuple):
    """One evaluation of the loss, its gradients and the last state. `grads` may lie in a workspace."""

    loss: np.ndarray
    grads: Flat
    h_T: Real[np.ndarray, "B H"]  # noqa: N815 - the field's name for the last state


def lean_loss_and_grads(
    params: Params,
    x: Input,
    y: Ids[np.ndarray, "T B"],
    h0: Real[np.ndarray, "B H"] | None = None,
    *,
    nonlinearity: str = "tanh",
    reduction: str = "sum",
    ignore_index: int = IGNORE_INDEX,
    bptt: str = "full",
    k: int | None = None,
    workspace: Fresh = FRESH,
) -> Lean:
    """Evaluate the loss and its gradients as `model.loss_and_grads` does; `reduction` is "sum" or "mean".

    Raises
    ------
    ValueError, TypeError
        As `model.loss_and_grads`; and for `reduction="none"`.
    """
    if reduction == "none":
        raise ValueError('reduction is "none", which asks for one loss per step; use model.loss_and_grads')
    if bptt == "full" and k is None:
        found = short_step(params, x, y, h0, nonlinearity, reduction, ignore_index, workspace)
        if found is not None:
            return Lean(*found)
    states = run_states(params, x, h0, nonlinearity, workspace)
    grads = workspace.gradients(params)
    dh = workspace.empty("dh", states[1:].shape, states.dtype)
    (T, B), V = x.shape[:2], len(params["W_hy"])
    through = readout if T * B * V <= BLOCK else _readout_in_blocks
    loss = through(params, states[1:], y, reduction, ignore_index, dh, grads, workspace)
    backward_from_states(params, x, states, dh, grads, nonlinearity, bptt, k, inplace=True, workspace=workspace)
    return Lean(loss, grads, states[-1].copy())


def readout(
    params: Params,
    h: Real[np.ndarray, "T B H"],
    y: Ids[np.ndarray, "T B"],
    reduction: str,
    ignore_index: int,
    dh: Real[np.ndarray, "T B H"],
    grads: Flat,
    workspace: Fresh,
    share: Real[np.ndarray, ""] | None = None,
    *,
    add: bool = False,
) -> np.ndarray:
    """Go from states to the loss and back to the states; fill `dh`, and fill dW_hy and db_y, or `add` to them.

    `share` is the gradient that arrives at this loss where it is but a part of one: 1 unless given.
    """
    W_hy, (T, B, H), V = params["W_hy"], h.shape, len(params["W_hy"])
    logits = workspace.empty("logits", (T, B, V), W_hy.dtype)
    product(h.reshape(T * B, H), W_hy.T, logits.reshape(T * B, V), workspace)
    if "b_y" in params:
        np.add(logits, spread(params["b_y"], logits, workspace), logits)
    loss, dlogits = cross_entropy_and_gradient(
        logits, y, reduction, ignore_index, share, out=logits, workspace=workspace
    )
    product(dlogits.reshape(T * B, V), W_hy, dh.reshape(T * B, H), workspace)
    readout_gradients(dlogits, h, grads, workspace, add=add)
    return loss


def _readout_in_blocks(
    params: Params,
    h: Real[np.ndarray, "T B H"],
    y: Ids[np.ndarray, "T B"],
    reduction: str,
    ignore_index: int,
    dh: Real[np.ndarray, "T B H"],
    grads: Flat,
    workspace: Fresh,
) -> np.ndarray:
    """Do the same for a block of steps at a time. What a block does not know, the number of targets, is said to it."""
    (T, B, _), (V, _), dtype = h.shape, params["W_hy"].shape, h.dtype
    check_targets(y, (T, B, V), reduction, ignore_index)
    share = None
    if reduction == "mean":
        share = np.asarray(dtype.type(1) / np.count_nonzero(y != ignore_index), dtype)
    steps, loss = max(1, BLOCK // (B * V)), dtype.type(0)
    for start in range(0, T, steps):
        block = slice(start, start + steps)
        loss += readout(
            params, h[block], y[block], "sum", ignore_index, dh[block], grads, workspace, share, add=start > 0
        )
    return np.asarray(loss if share is None else loss * share)
