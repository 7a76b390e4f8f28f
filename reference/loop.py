"""The oracle: the recurrent network one step at a time, every gradient by autograd.

    a_t = W_xh x_t + b_h + W_hh h_{t-1},    h_t = f(a_t),    f = tanh, ReLU or sigmoid
    logits_t = W_hy h_t + b_y,              loss_t = -log softmax(logits_t)[y_t]

J. Elman, "Finding structure in time", 1990. No derivative is written here: autograd applies the chain rule to the
steps as they were computed, and the truncations are cuts in the graph (`reference.bptt`).

Replicas: parameters, h0 and dense inputs may have leading axes K, so that many networks run at once. Time stays in
front: parameters (K, H, I), states (K, B, H), inputs, targets and all results (T, K, B, ...). Inputs and targets
without the axes K are shared by all replicas. Without replicas K is simply absent.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from reference.bptt import segments
from reference.edge import leaf, to_numpy, to_torch
from reference.validate import check_case

__all__ = ["IGNORE_INDEX", "NONLINEARITIES", "NO_TOKEN", "Nodes", "backward", "forward", "loss", "run_rnn"]

NO_TOKEN = -1
"""The input id that stands for the zero vector."""

IGNORE_INDEX = -100
NONLINEARITIES = {"tanh": torch.tanh, "relu": torch.relu, "sigmoid": torch.sigmoid}


class Nodes(NamedTuple):
    """The nodes of the graph, of which `backward` tells the gradients.

    `states` are the single steps as they were computed, and `steps` says which t each of them is: under windowed
    BPTT a state is computed once for every window it lies in. `h` stacks those that a loss reads, one for every t.
    """

    xp: Float[Tensor, "T *K B H"]
    h: Float[Tensor, "T *K B H"]
    logits: Float[Tensor, "T *K B V"]
    h0: Float[Tensor, "*K B H"]
    steps: list[int]
    states: list[Tensor]


def forward(
    params: dict[str, Tensor],
    x: Int[Tensor, "T *N B"] | Float[Tensor, "T *N B I"],
    h0: Float[Tensor, "*K B H"] | None = None,
    *,
    nonlinearity: str = "tanh",
    bptt: str = "full",
    k: int | None = None,
) -> Nodes:
    """Compute states and logits as a graph that is cut where `bptt` says. `h0` is zero if not given.

    The caller marks what it wants gradients of with `requires_grad_`; parameters must be marked.
    """
    activation = NONLINEARITIES[nonlinearity]
    xp = _input_projection(x, params["W_xh"], params.get("b_h"))
    if h0 is None:
        h0 = torch.zeros_like(xp[0]).requires_grad_()
    W_hh_T = params["W_hh"].mT
    xp_t = xp.unbind()
    carried = {0: h0}
    steps: list[int] = []
    states: list[Tensor] = []
    read_by_loss: list[Tensor] = []
    for start, stop, read in segments(len(x), bptt, k):
        h = carried[start] if start == 0 else carried[start].detach()
        for t in range(start, stop):
            h = activation(xp_t[t] + h @ W_hh_T)
            states.append(h)
        steps += range(start, stop)
        read_by_loss += states[len(states) - (stop - read) :]
        carried[stop] = h
    hs = torch.stack(read_by_loss)
    return Nodes(xp, hs, _linear(hs, params["W_hy"], params.get("b_y")), h0, steps, states)


def loss(
    logits: Float[Tensor, "T *K B V"],
    y: Int[Tensor, "T *N B"],
    reduction: str = "sum",
    ignore_index: int = IGNORE_INDEX,
) -> Float[Tensor, "*shape"]:
    """Return the cross-entropy in nats: (K) for "sum" and "mean" over time and batch, (T, K, B) for "none"."""
    y = _spread(y.long(), logits[..., 0])
    kept = y != ignore_index
    log_p = logits.log_softmax(-1).gather(-1, torch.where(kept, y, 0)[..., None])[..., 0]
    each = torch.where(kept, -log_p, 0)
    if reduction == "none":
        return each
    total = each.sum((0, -1))
    return total if reduction == "sum" else total / kept.sum((0, -1))


def backward(
    value: Float[Tensor, "*shape"],
    params: dict[str, Tensor],
    x: Tensor,
    nodes: Nodes,
    dloss: Float[Tensor, "*dshape"] | None = None,
) -> dict[str, Tensor]:
    """Return the gradient of every node and parameter, in dataflow order; `dx` if `x` was marked for one.

    `dh` is all that reaches a state, from its own loss and from later steps. a_t is the sum of xp_t and W_hh h_{t-1},
    so the gradient of xp_t *is* that of a_t. Both are summed over the windows in which the step was computed.

    Parameters
    ----------
    value
        What `loss` returned.
    dloss
        The upstream gradient of `value`: one number, or (T, B) under `reduction="none"`; 1 if not given.
    """
    upstream = None if dloss is None else _spread(dloss, value)
    if upstream is None and value.ndim:  # one number needs none, and to look at it autograd imports for half a second
        upstream = torch.ones_like(value)
    wanted = {**params, "logits": nodes.logits, "a": nodes.xp, "h0": nodes.h0}
    if x.requires_grad:
        wanted["x"] = x
    grads = torch.autograd.grad(value, [*wanted.values(), *nodes.states], upstream)
    found = {"d" + name: grad for name, grad in zip(wanted, grads, strict=False)}
    at_states = torch.stack(grads[len(wanted) :])
    found["dh"] = torch.zeros_like(nodes.h).index_add(0, torch.tensor(nodes.steps), at_states)
    order = ("logits", "W_hy", "b_y", "h", "a", "W_hh", "W_xh", "b_h", "x", "h0")
    return {"d" + name: found["d" + name] for name in order if "d" + name in found}


def run_rnn(
    params: Mapping[str, np.ndarray],
    x: np.ndarray,
    y: np.ndarray,
    h0: np.ndarray | None = None,
    *,
    nonlinearity: str = "tanh",
    reduction: str = "sum",
    ignore_index: int = IGNORE_INDEX,
    dloss: np.ndarray | None = None,
    bptt: str = "full",
    k: int | None = None,
    dtype: torch.dtype = torch.float64,
) -> dict[str, np.ndarray]:
    """Evaluate one problem: states, logits, loss and every gradient, computed in `dtype` whatever the arrays have.

    Raises
    ------
    ValueError, TypeError
        If the arrays do not fit together, or a setting is unknown.
    """
    check_case(params, x, y, h0, nonlinearity, reduction, ignore_index, dloss)
    leaves = {name: leaf(array, dtype) for name, array in params.items()}
    tx = leaf(x, dtype) if x.ndim == 3 else to_torch(x)
    ty = to_torch(y)
    nodes = forward(leaves, tx, None if h0 is None else leaf(h0, dtype), nonlinearity=nonlinearity, bptt=bptt, k=k)
    value = loss(nodes.logits, ty, reduction, ignore_index)
    total = value if dloss is None else (value * to_torch(dloss, dtype)).sum()
    grads = backward(total, leaves, tx, nodes)
    shown = {"h": nodes.h, "logits": nodes.logits, "loss": value, **grads}
    return {name: to_numpy(tensor) for name, tensor in shown.items()}


def _input_projection(x: Tensor, W_xh: Tensor, b_h: Tensor | None) -> Float[Tensor, "T *K B H"]:
    """Return W_xh x_t + b_h for all t. A token id picks a column of W_xh, and *no token* a column of zeros."""
    if x.is_floating_point():
        return _linear(x, W_xh, b_h)
    columns = torch.cat([W_xh, torch.zeros_like(W_xh[..., :1])], -1).mT
    ids = torch.where(x == NO_TOKEN, W_xh.shape[-1], x.long())
    xp = _time_first(_pick(columns, _rows(ids[..., None])[..., 0]), x.shape)
    return xp if b_h is None else xp + b_h[..., None, :]


def _pick(rows: Float[Tensor, "*K I H"], ids: Int[Tensor, "*N TB"]) -> Float[Tensor, "*K TB H"]:
    """Return the rows that `ids` name, the same for every replica or each its own."""
    if ids.ndim == 1:
        return rows.index_select(-2, ids)
    return rows.gather(-2, ids[..., None].expand(*ids.shape, rows.shape[-1]))


def _linear(x: Float[Tensor, "T *K B I"], W: Tensor, b: Tensor | None) -> Float[Tensor, "T *K B M"]:
    """Return W x_t + b for all t, one product per replica."""
    out = _time_first(_rows(x) @ W.mT, x.shape[:-1])
    return out if b is None else out + b[..., None, :]


def _rows(x: Float[Tensor, "T *K B M"] | Int[Tensor, "T *K B M"]) -> Tensor:
    """Lay time and batch of each replica in one axis of rows."""
    return x.movedim(0, -3).flatten(-3, -2)


def _time_first(rows: Float[Tensor, "*K TB M"], shape: tuple[int, ...]) -> Float[Tensor, "T *K B M"]:
    """Undo `_rows`; the first and the last of `shape` are T and B."""
    return rows.reshape(*rows.shape[:-2], shape[0], shape[-1], rows.shape[-1]).movedim(-3, 0)


def _spread(shared: Tensor, like: Tensor) -> Tensor:
    """Repeat what is one number, or (T, B), over the replica axes of `like`."""
    if shared.ndim == 2:
        shared = shared.reshape(shared.shape[0], *(1,) * (like.ndim - 2), shared.shape[1])
    return shared.expand(like.shape)
