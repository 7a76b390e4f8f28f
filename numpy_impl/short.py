"""The training step of one short sequence, with every array and every view of it made beforehand.

At H = 50 and T = 8 the arithmetic of a step takes 20 us. As much again goes into asking: for memory, for the view of a
step, for the shape of an array. The answers are the same step after step, so `Short` asks once, for parameters of one
layout and a length T.

So what `inputs`, `rnn`, `loss`, `lean` and `model` say once for all cases is said here again, on purpose, for the plain
one: read those first. Each method names the function that it repeats, its result is the same to the last bit, and
`tests/test_short.py` holds them together: whoever changes one changes both. What is not plain is left to the model:
`short_step` returns None for a batch, dense inputs, targets to be ignored, products so large that calls no longer
count, and for all that is wrong, because there it is said what is wrong.

A batch of one needs no axis: states are vectors, and a_t = W_xh x_t + b_h + W_hh h_{t-1} stands as it is written.
"""

import numpy as np

from numpy_impl.aligned import aligned_empty
from numpy_impl.flat import Flat
from numpy_impl.inputs import NO_TOKEN, ONE_HOT_LIMIT, ONE_HOT_TOKENS, Input, unit_rows
from numpy_impl.nonlinearity import activation, slope
from numpy_impl.products import SMALL
from numpy_impl.shapes import Ids, Params, Real
from numpy_impl.sums import ones, row_starts, sum_rows, total
from numpy_impl.validate import NONLINEARITIES, check_params
from numpy_impl.workspace import Fresh, Workspace

__all__ = ["Short", "short_step"]

LONGEST = 256
"""Steps. In longer sequences it is the steps that take time, and not what surrounds them."""
IDS = np.dtype(np.intp)

Found = tuple[Real[np.ndarray, ""], Flat, Real[np.ndarray, "1 H"]]


def short_step(
    params: Params,
    x: Input,
    y: Ids[np.ndarray, "T B"],
    h0: Real[np.ndarray, "B H"] | None,
    nonlinearity: str,
    reduction: str,
    ignore_index: int,
    workspace: Fresh,
) -> Found | None:
    """Return loss, gradients and last state as `lean.lean_loss_and_grads` does, or None: not the way for this."""
    if not (isinstance(workspace, Workspace) and isinstance(params, Flat) and _plain(x) and _plain(y)):
        return None
    if not (isinstance(nonlinearity, str) and isinstance(ignore_index, int)):
        return None
    step = workspace.once(_step_for, params, len(x), nonlinearity)
    if step is None or len(params) < step.parameters or len(x) != len(y):
        return None
    if not (reduction in ("sum", "mean") and ignore_index < 0 and (h0 is None or step.can_start(h0))):
        return None
    return step(params, x.ravel(), y.ravel(), h0, reduction)


def _plain(ids: np.ndarray) -> bool:
    return isinstance(ids, np.ndarray) and ids.dtype is IDS and ids.ndim == 2 and ids.shape[1] == 1


def _step_for(params: Flat, T: int, nonlinearity: str, workspace: Workspace) -> "Short | None":
    """Return a step for these sizes if they are small: then every product is a plain one, ids are one-hot vectors."""
    check_params(params)
    (H, I), V = params["W_xh"].shape, len(params["W_hy"])
    small = 0 < T <= LONGEST and T * H * max(H, V) <= SMALL
    few = max(I, V) <= ONE_HOT_TOKENS and T * I <= ONE_HOT_LIMIT
    return Short(params, T, nonlinearity, workspace) if small and few and nonlinearity in NONLINEARITIES else None


class Short:
    """The step for parameters of one layout and T tokens. What it returns lasts until its next call."""

    def __init__(self, params: Flat, T: int, nonlinearity: str, workspace: Workspace):
        (H, I), V, dtype = params["W_xh"].shape, len(params["W_hy"]), params["W_hh"].dtype
        self.parameters, self.I, self.V = len(params), I, V
        self.nonlinearity, self.activate = nonlinearity, activation(nonlinearity)
        self.grads = workspace.gradients(params)
        # states h_0..h_T, and what waits for time
        self.states, self.carry = aligned_empty((T + 1, H), dtype), aligned_empty((H,), dtype)
        self.first, *self.steps = self.states
        self.h, self.before = self.states[1:], self.states[:-1]
        self.bias, self.columns = np.empty((T, H), dtype), np.empty((H, T), dtype)
        # logits, in whose place come p and then dlogits
        self.logits, self.repeated = np.empty((2, T, V), dtype)
        self.entries, self.dlogits_T = self.logits.reshape(-1), self.logits.T
        self.starts, self.at = row_starts(T, V), np.empty(T, IDS)
        self.largest, self.losses, self.picked = np.empty((3, T), dtype)
        self.largest_column, self.sums_column = self.largest[:, None], self.losses[:, None]
        # dh, in whose place comes da, and the slopes, last step first
        self.dh, self.df = np.empty((2, T, H), dtype)
        self.da_T = self.dh.T
        self.last, *self.earlier = list(zip(self.dh, self.df, strict=True))[::-1]
        self.one_hot, self.unit_I, self.unit_V = np.empty((T, I), dtype), *(unit_rows(n, dtype.char) for n in (I, V))
        self.ones_T, self.targets = ones(T, dtype.char), dtype.type(T)

    def can_start(self, h0: np.ndarray) -> bool:
        """Return whether `h0` is a first state."""
        return isinstance(h0, np.ndarray) and h0.dtype is self.first.dtype and h0.shape == (1, len(self.first))

    def __call__(
        self,
        params: Params,
        x: Ids[np.ndarray, "T"],
        y: Ids[np.ndarray, "T"],
        h0: Real[np.ndarray, "1 H"] | None,
        reduction: str,
    ) -> Found | None:
        """Evaluate; None if an id is out of range."""
        least = x.item(x.argmin())
        if least < NO_TOKEN or x.item(x.argmax()) >= self.I or y.item(y.argmin()) < 0 or y.item(y.argmax()) >= self.V:
            return None
        self.first[...] = 0 if h0 is None else h0
        self.project(params, x, least == NO_TOKEN)
        self.forward(params["W_hh"])
        loss = self.readout(params, y, reduction)
        self.backward(params["W_hh"])
        self.gradients(x)
        return np.asarray(loss), self.grads, self.states[-1:].copy()

    def project(self, params: Params, x: Ids[np.ndarray, "T"], without_token: bool) -> None:
        """W_xh x_t + b_h, where the states will be: see `numpy_impl.inputs`."""
        h, bias, W_xh = self.h, self.bias, params["W_xh"]
        if len(x) < self.I:  # the columns of a few tokens, then transposed
            h[...] = W_xh.take(x, 1, self.columns, "wrap").T
        else:  # which transposes all of W_xh
            W_xh.T.take(x, 0, h, "wrap")
        if without_token:
            h[x == NO_TOKEN] = 0
        if "b_h" in params:
            bias[...] = params["b_h"]
            np.add(h, bias, h)

    def forward(self, W_hh: Real[np.ndarray, "H H"]) -> None:
        """h_t = f(W_hh h_{t-1} + ...): see `rnn.rnn_forward_`."""
        times, carry, add, activate, h = W_hh.dot, self.carry, np.add, self.activate, self.first
        for a in self.steps:
            times(h, carry)
            add(a, carry, a)
            h = activate(a, a)

    def readout(self, params: Params, y: Ids[np.ndarray, "T"], reduction: str) -> np.floating:
        """From the states to the loss and back to the states: see `lean.readout` and `numpy_impl.loss`."""
        W_hy, z, repeated, at, losses = params["W_hy"], self.logits, self.repeated, self.at, self.losses
        self.h.dot(W_hy.T, z)
        if "b_y" in params:
            repeated[...] = params["b_y"]
            np.add(z, repeated, z)
        z.argmax(1, at)
        self.entries.take(np.add(self.starts, at, at), None, self.largest, "clip")
        repeated[...] = self.largest_column
        np.subtract(z, repeated, z)
        self.entries.take(np.add(self.starts, y, at), None, self.picked, "clip")
        p = np.exp(z, z)
        sum_rows(p, losses)
        repeated[...] = self.sums_column
        np.divide(p, repeated, p)
        loss = total(np.subtract(np.log(losses, losses), self.picked, losses))

        dlogits = np.subtract(p, self.unit_V.take(y, 0, repeated, "clip"), p)
        if reduction == "mean":
            dlogits /= self.targets
            loss = loss / self.targets
        dlogits.dot(W_hy, self.dh)
        self.dlogits_T.dot(self.h, self.grads["dW_hy"])
        if "b_y" in params:
            self.ones_T.dot(dlogits, self.grads["db_y"])
        return loss

    def backward(self, W_hh: Real[np.ndarray, "H H"]) -> None:
        """da_t = (dh_t + W_hh^T da_{t+1}) f'_t: see `rnn.rnn_backward`."""
        slope(self.h, self.nonlinearity, self.df)
        times, carry, add, multiply = W_hh.T.dot, self.carry, np.add, np.multiply
        dh_t, df_t = self.last
        da = multiply(dh_t, df_t, dh_t)
        for dh_t, df_t in self.earlier:
            times(da, carry)
            add(dh_t, carry, dh_t)
            da = multiply(dh_t, df_t, dh_t)

    def gradients(self, x: Ids[np.ndarray, "T"]) -> None:
        """Sum over time: see `model.backward_from_states`."""
        grads, da_T = self.grads, self.da_T
        da_T.dot(self.before, grads["dW_hh"])
        da_T.dot(self.unit_I.take(x, 0, self.one_hot, "wrap"), grads["dW_xh"])
        if "db_h" in grads:
            self.ones_T.dot(self.dh, grads["db_h"])
