"""The network unrolled from gates: slow, for reading, and a second opinion on `numpy_impl.model`.

One step is a few gates,

    a_t = add(add(multiply(W_xh, x_t), multiply(W_hh, h_{t-1})), b_h)
    h_t = tanh(a_t)
    logits_t = add(multiply(W_hy, h_t), b_y)
    loss_t = softmax_output(logits_t, y_t)

and over time the same gates with the same parameters, once per step: a graph without cycles. Backpropagation through
time is plain backpropagation on that graph; the parameters are shared, so their gradients are sums over the steps.
(P. Werbos, "Backpropagation through time: what it does and how to do it", 1990.)
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from numpy_impl import gates
from numpy_impl.inputs import Input
from numpy_impl.loss import IGNORE_INDEX
from numpy_impl.shapes import Ids, Params, Real
from numpy_impl.validate import (
    check_bptt,
    check_dloss,
    check_inputs,
    check_nonlinearity,
    check_params,
    check_targets,
)

__all__ = ["run_rnn"]

NONLINEAR = {"tanh": (gates.tanh, gates.tanh_backward), "relu": (gates.relu, gates.relu_backward)}


class Step(NamedTuple):
    """What went into the gates of one step, and what came out."""

    x: Real[np.ndarray, "B I"]
    h_before: Real[np.ndarray, "B H"]
    h: Real[np.ndarray, "B H"]
    logits: Real[np.ndarray, "B V"]


class StepBack(NamedTuple):
    """The gradients that leave one step: of its nodes, of the state before it, and its part of the parameters'."""

    dh: Real[np.ndarray, "B H"]
    da: Real[np.ndarray, "B H"]
    dx: Real[np.ndarray, "B I"]
    dh_before: Real[np.ndarray, "B H"]
    grads: Params


def step(params: Params, x: Real[np.ndarray, "B I"], h_before: Real[np.ndarray, "B H"], f: str) -> Step:
    """Compute the state and the logits of one step."""
    squash, _ = NONLINEAR[f]
    sum_ = gates.add(gates.multiply(params["W_xh"], x), gates.multiply(params["W_hh"], h_before))
    h = squash(gates.add(sum_, params["b_h"]))
    logits = gates.add(gates.multiply(params["W_hy"], h), params["b_y"])
    return Step(x, h_before, h, logits)


def step_backward(
    params: Params, s: Step, dlogits: Real[np.ndarray, "B V"], dh_later: Real[np.ndarray, "B H"], f: str
) -> StepBack:
    """Go through the gates of `step` in reverse. `dh_later` is what reaches h_t from the step after it."""
    _, squash_backward = NONLINEAR[f]
    dout, db_y = gates.add_backward(dlogits, params["b_y"])
    dW_hy, dh_output = gates.multiply_backward(dout, params["W_hy"], s.h)
    dh = dh_output + dh_later
    da = squash_backward(dh, s.h)
    dsum, db_h = gates.add_backward(da, params["b_h"])
    dfrom_x, dfrom_h = gates.add_backward(dsum, s.h_before)
    dW_xh, dx = gates.multiply_backward(dfrom_x, params["W_xh"], s.x)
    dW_hh, dh_before = gates.multiply_backward(dfrom_h, params["W_hh"], s.h_before)
    grads = {"dW_xh": dW_xh, "dW_hh": dW_hh, "db_h": db_h, "dW_hy": dW_hy, "db_y": db_y}
    return StepBack(dh, da, dx, dh_before, grads)


def unroll(params: Params, x: Real[np.ndarray, "T B I"], h_before: Real[np.ndarray, "B H"], f: str) -> list[Step]:
    """Lay out one step after the other, each with the state that the one before left."""
    steps: list[Step] = []
    for x_t in x:
        steps.append(step(params, x_t, h_before, f))
        h_before = steps[-1].h
    return steps


def output_layer(
    steps: list[Step],
    y: Ids[np.ndarray, "T B"],
    reduction: str,
    ignore_index: int,
    dloss: Real[np.ndarray, "*shape"] | None,
) -> tuple[Real[np.ndarray, "*shape"], Real[np.ndarray, "T B V"]]:
    """Return the loss and dlogits: a softmax gate at every step, then a sum or a mean over those not ignored."""
    dtype = steps[0].logits.dtype
    kept = y != ignore_index
    targets = np.where(kept, y, 0)
    outputs = [gates.softmax_output(s.logits, targets[t]) for t, s in enumerate(steps)]
    each_loss = np.stack([loss for loss, _ in outputs]) * kept
    count = dtype.type(kept.sum() if reduction == "mean" else 1)
    loss = each_loss if reduction == "none" else np.asarray(each_loss.sum() / count)

    deach_loss = (np.ones((), dtype) if dloss is None else dloss) * kept / count
    back = [gates.softmax_output_backward(deach_loss[t], p, targets[t]) for t, (_, p) in enumerate(outputs)]
    return loss, np.stack(back)


def pieces(T: int, bptt: str, k: int | None) -> Iterator[tuple[range, range]]:
    """Say how the graph is cut: the steps of each piece, and those of them whose loss is counted in it.

    A piece starts from the state before it, held constant. So full BPTT is one piece, chunked BPTT pieces side by
    side, and windowed BPTT a piece for every t that reaches k steps back and counts the loss of step t alone.
    """
    if k is None:
        yield range(T), range(T)
    elif bptt == "chunked":
        for first in range(0, T, k):
            yield range(first, min(first + k, T)), range(first, min(first + k, T))
    else:
        for t in range(T):
            yield range(max(0, t - k), t + 1), range(t, t + 1)


def backpropagate(
    params: Params, steps: list[Step], dlogits: Real[np.ndarray, "T B V"], f: str, bptt: str, k: int | None
) -> dict[str, Real[np.ndarray, "..."]]:
    """Go back through every piece of the graph and add up what reaches each parameter and each node."""
    x, h = np.stack([s.x for s in steps]), np.stack([s.h for s in steps])
    total = {"d" + name: np.zeros_like(w) for name, w in params.items()}
    total |= {"dh": np.zeros_like(h), "da": np.zeros_like(h), "dx": np.zeros_like(x), "dh0": np.zeros_like(h[0])}
    for piece, counted in pieces(len(steps), bptt, k):
        first = piece.start
        recomputed = unroll(params, x[first : piece.stop], steps[first].h_before, f)
        dh_later = np.zeros_like(h[0])  # the piece ends here: nothing comes from later steps
        for t in reversed(piece):
            dout = dlogits[t] if t in counted else np.zeros_like(dlogits[t])
            back = step_backward(params, recomputed[t - first], dout, dh_later, f)
            for name, part in back.grads.items():
                total[name] += part
            total["dh"][t] += back.dh
            total["da"][t] += back.da
            total["dx"][t] += back.dx
            dh_later = back.dh_before
        if first == 0:
            total["dh0"] += dh_later
    return total


def run_rnn(
    params: Params,
    x: Input,
    y: Ids[np.ndarray, "T B"],
    h0: Real[np.ndarray, "B H"] | None = None,
    *,
    nonlinearity: str = "tanh",
    reduction: str = "sum",
    ignore_index: int = IGNORE_INDEX,
    dloss: Real[np.ndarray, "*shape"] | None = None,
    bptt: str = "full",
    k: int | None = None,
) -> dict[str, Real[np.ndarray, "..."]]:
    """Evaluate the loss and all its gradients, and return every array by its name.

    The arguments are those of `numpy_impl.model.loss_and_grads`, and so are the results: `h logits loss dlogits`, the
    gradients of the parameters, `dh da` (summed over the pieces in which a state occurs), `dx` of dense inputs, `dh0`.
    """
    check_params(params)
    check_nonlinearity(nonlinearity)
    check_inputs(params, x, h0)
    (T, B), (H, I), V, dtype = x.shape[:2], params["W_xh"].shape, len(params["W_hy"]), params["W_xh"].dtype
    check_targets(y, (T, B, V), reduction, ignore_index)
    check_dloss(dloss, y, dtype, reduction)
    check_bptt(bptt, k)

    # A missing bias is a bias of zero, a missing state a state of zero, an id a one-hot vector.
    everything = {"b_h": np.zeros(H, dtype), "b_y": np.zeros(V, dtype), **params}
    vectors = x if x.ndim == 3 else gates.one_hot(x, I, dtype)
    steps = unroll(everything, vectors, np.zeros((B, H), dtype) if h0 is None else h0, nonlinearity)

    loss, dlogits = output_layer(steps, y, reduction, ignore_index, dloss)
    gradients = backpropagate(everything, steps, dlogits, nonlinearity, bptt, k)

    h, logits = np.stack([s.h for s in steps]), np.stack([s.logits for s in steps])
    absent = {"d" + name for name in everything if name not in params} | ({"dx"} if x.ndim == 2 else set())
    found = {"h": h, "logits": logits, "loss": loss, "dlogits": dlogits, **gradients}
    return {name: array for name, array in found.items() if name not in absent}
