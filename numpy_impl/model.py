"""The whole model: inputs -> recurrence -> linear readout -> cross-entropy, and every gradient back.

    h_t = f(W_xh x_t + b_h + W_hh h_{t-1}),    logits_t = W_hy h_t + b_y

Parameters are a dictionary of arrays in torch's shapes; a model without biases has no `b_h`, no `b_y`.
Pure functions: the state goes in as `h0` and comes out as `forward.h_T`, nothing is remembered between calls.
"""

from typing import NamedTuple

import numpy as np

from numpy_impl.flat import Flat
from numpy_impl.inputs import Input, input_backward, input_projection
from numpy_impl.loss import IGNORE_INDEX, cross_entropy, cross_entropy_backward
from numpy_impl.rnn import rnn_backward, rnn_forward, weight_gradient
from numpy_impl.shapes import Ids, Params, Real
from numpy_impl.validate import check_inputs, check_params

__all__ = ["Backward", "Forward", "Step", "backward", "forward", "loss_and_grads"]


class Forward(NamedTuple):
    """What the forward pass computed, and all that the backward pass needs."""

    x: Input
    states: Real[np.ndarray, "T+1 B H"]
    logits: Real[np.ndarray, "T B V"]
    nonlinearity: str

    @property
    def h(self) -> Real[np.ndarray, "T B H"]:
        """The states h_1..h_T, one per step."""
        return self.states[1:]

    @property
    def h_T(self) -> Real[np.ndarray, "B H"]:
        """The last state, a copy: the `h0` of the next chunk."""
        return self.states[-1].copy()


class Backward(NamedTuple):
    """The gradient of every node and of every parameter (`grads`, under `dW_xh` and so on)."""

    grads: Flat
    dh: Real[np.ndarray, "T B H"]
    da: Real[np.ndarray, "T B H"]
    dx: Real[np.ndarray, "T B I"] | None
    dh0: Real[np.ndarray, "B H"]


class Step(NamedTuple):
    """One evaluation of the loss with everything that was computed on the way."""

    loss: Real[np.ndarray, "*shape"]
    forward: Forward
    dlogits: Real[np.ndarray, "T B V"]
    backward: Backward

    @property
    def grads(self) -> Flat:
        """The gradients of the parameters, under `dW_xh` and so on."""
        return self.backward.grads


def forward(
    params: Params, x: Input, h0: Real[np.ndarray, "B H"] | None = None, *, nonlinearity: str = "tanh"
) -> Forward:
    """Compute states and logits. `h0` is zero if not given.

    Raises
    ------
    ValueError
        If a shape, an id or the nonlinearity is not what the parameters ask for.
    TypeError
        If the arrays do not share one floating dtype: nothing is cast silently.
    """
    check_params(params)
    check_inputs(params, x, h0)
    xp = input_projection(x, params["W_xh"], params.get("b_h"))
    states = rnn_forward(xp, h0, params["W_hh"], nonlinearity)
    T, B, H = xp.shape
    logits = (states[1:].reshape(-1, H) @ params["W_hy"].T).reshape(T, B, -1)
    if "b_y" in params:
        logits += params["b_y"]
    return Forward(x, states, logits, nonlinearity)


def backward(
    params: Params,
    fwd: Forward,
    dlogits: Real[np.ndarray, "T B V"],
    *,
    bptt: str = "full",
    k: int | None = None,
) -> Backward:
    """Carry the gradient of the logits back to every node and parameter. Modes of `bptt`: see `rnn_backward`."""
    grads = Flat.zeros(params, prefix="d")
    grads["dW_hy"] = weight_gradient(dlogits, fwd.h)
    dh = (dlogits.reshape(-1, dlogits.shape[-1]) @ params["W_hy"]).reshape(fwd.h.shape)
    da, dh0 = rnn_backward(dh, fwd.states, params["W_hh"], fwd.nonlinearity, bptt, k)
    grads["dW_hh"] = weight_gradient(da, fwd.states[:-1])
    grads["dW_xh"], dx = input_backward(da, fwd.x, params["W_xh"])
    if "b_h" in params:
        grads["db_h"] = da.sum(axis=(0, 1))
    if "b_y" in params:
        grads["db_y"] = dlogits.sum(axis=(0, 1))
    return Backward(grads, dh, da, dx, dh0)


def loss_and_grads(
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
) -> Step:
    """Evaluate the loss and all its gradients.

    Under `reduction="none"` the loss is one number per step and `dloss`, its upstream gradient in the same shape,
    must be given; under "sum" and "mean" it is one number, and `dloss` is 1 unless given.
    """
    fwd = forward(params, x, h0, nonlinearity=nonlinearity)
    loss, p = cross_entropy(fwd.logits, y, reduction, ignore_index)
    dlogits = cross_entropy_backward(p, y, reduction, ignore_index, dloss)
    return Step(loss, fwd, dlogits, backward(params, fwd, dlogits, bptt=bptt, k=k))
