"""The whole model: inputs -> recurrence -> linear readout -> cross-entropy, and every gradient back.

    h_t = f(W_xh x_t + b_h + W_hh h_{t-1}),    logits_t = W_hy h_t + b_y

Parameters are a dictionary of arrays in torch's shapes; a model without biases has no `b_h`, no `b_y`.
Pure functions: the state goes in as `h0` and comes out as `forward.h_T`, nothing is remembered between calls.
"""

from typing import NamedTuple

import numpy as np

from numpy_impl.flat import Flat
from numpy_impl.inputs import Input, input_backward, input_projection
from numpy_impl.loss import IGNORE_INDEX, cross_entropy_and_gradient
from numpy_impl.products import product
from numpy_impl.rnn import rnn_backward, rnn_forward_, weight_gradient
from numpy_impl.shapes import Ids, Params, Real
from numpy_impl.spread import spread
from numpy_impl.sums import sum_columns
from numpy_impl.validate import check_inputs, check_params
from numpy_impl.workspace import FRESH, Fresh, check_workspace

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
    params: Params,
    x: Input,
    h0: Real[np.ndarray, "B H"] | None = None,
    *,
    nonlinearity: str = "tanh",
    workspace: Fresh = FRESH,
) -> Forward:
    """Compute states and logits. `h0` is zero if not given. With a `workspace`, the result lasts until its next use.

    Raises
    ------
    ValueError
        If a shape, an id or the nonlinearity is not what the parameters ask for.
    TypeError
        If the arrays do not share one floating dtype: nothing is cast silently.
    """
    states = run_states(params, x, h0, nonlinearity, workspace)
    (T, B), (V, H) = x.shape[:2], params["W_hy"].shape
    logits = workspace.empty("logits", (T, B, V), states.dtype)
    product(states[1:].reshape(T * B, H), params["W_hy"].T, logits.reshape(T * B, V), workspace)
    if "b_y" in params:
        np.add(logits, spread(params["b_y"], logits, workspace), logits)
    return Forward(x, states, logits, nonlinearity)


def run_states(
    params: Params, x: Input, h0: Real[np.ndarray, "B H"] | None, nonlinearity: str, workspace: Fresh
) -> Real[np.ndarray, "slots B H"]:
    """Compute the states h_0..h_T: the way from the inputs to the readout."""
    check_params(params)
    check_inputs(params, x, h0)
    check_workspace(workspace)
    (T, B), W_hh = x.shape[:2], params["W_hh"]
    states = workspace.empty("states", (T + 1, B, len(W_hh)), W_hh.dtype)
    states[0] = 0 if h0 is None else h0
    input_projection(x, params["W_xh"], params.get("b_h"), out=states[1:])
    return rnn_forward_(states, W_hh, nonlinearity, workspace)


def backward(
    params: Params,
    fwd: Forward,
    dlogits: Real[np.ndarray, "T B V"],
    *,
    bptt: str = "full",
    k: int | None = None,
    workspace: Fresh = FRESH,
) -> Backward:
    """Carry the gradient of the logits back to every node and parameter. Modes of `bptt`: see `rnn_backward`."""
    check_workspace(workspace)
    (T, B, H), V = fwd.h.shape, dlogits.shape[-1]
    grads = workspace.gradients(params)
    readout_gradients(dlogits, fwd.h, grads, workspace)
    dh = workspace.empty("dh", (T, B, H), dlogits.dtype)
    product(dlogits.reshape(T * B, V), params["W_hy"], dh.reshape(T * B, H), workspace)
    da, dx, dh0 = backward_from_states(
        params, fwd.x, fwd.states, dh, grads, fwd.nonlinearity, bptt, k, inplace=False, workspace=workspace
    )
    return Backward(grads, dh, da, dx, dh0)


def readout_gradients(
    dlogits: Real[np.ndarray, "T B V"],
    h: Real[np.ndarray, "T B H"],
    grads: Flat,
    workspace: Fresh,
    *,
    add: bool = False,
) -> None:
    """Fill dW_hy and, if there is one, db_y, or `add` to what is there."""
    rows = dlogits.reshape(-1, dlogits.shape[-1])
    if add:
        grads["dW_hy"] += weight_gradient(dlogits, h, None, workspace)
    else:
        weight_gradient(dlogits, h, grads["dW_hy"], workspace)
    if "db_y" in grads and add:
        grads["db_y"] += sum_columns(rows)
    elif "db_y" in grads:
        sum_columns(rows, out=grads["db_y"])


def backward_from_states(
    params: Params,
    x: Input,
    states: Real[np.ndarray, "slots B H"],
    dh: Real[np.ndarray, "T B H"],
    grads: Flat,
    nonlinearity: str,
    bptt: str,
    k: int | None,
    *,
    inplace: bool,
    workspace: Fresh,
) -> tuple[Real[np.ndarray, "T B H"], Real[np.ndarray, "T B I"] | None, Real[np.ndarray, "B H"]]:
    """Fill the gradients of the recurrence and of the inputs; return da, dx and dh0. `inplace`: see `rnn_backward`."""
    da, dh0 = rnn_backward(dh, states, params["W_hh"], nonlinearity, bptt, k, inplace=inplace, workspace=workspace)
    weight_gradient(da, states[:-1], grads["dW_hh"], workspace)
    _, dx = input_backward(da, x, params["W_xh"], out=grads["dW_xh"])
    if "db_h" in grads:
        sum_columns(da.reshape(-1, da.shape[-1]), out=grads["db_h"])
    return da, dx, dh0


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
    workspace: Fresh = FRESH,
) -> Step:
    """Evaluate the loss and all its gradients. With a `workspace`, the result lasts until its next use.

    Under `reduction="none"` the loss is one number per step and `dloss`, its upstream gradient in the same shape,
    must be given; under "sum" and "mean" it is one number, and `dloss` is 1 unless given.
    """
    fwd = forward(params, x, h0, nonlinearity=nonlinearity, workspace=workspace)
    dlogits = workspace.empty("dlogits", fwd.logits.shape, fwd.logits.dtype)
    loss, _ = cross_entropy_and_gradient(
        fwd.logits, y, reduction, ignore_index, dloss, out=dlogits, workspace=workspace
    )
    return Step(loss, fwd, dlogits, backward(params, fwd, dlogits, bptt=bptt, k=k, workspace=workspace))
