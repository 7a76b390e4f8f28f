"""Sequences of different length in one batch: sorted, packed, and no work on padding.

The longest sequence comes first. Then those that have not ended at step t are the first B_t of the batch, and B_t
never grows. Their rows lie step under step in one matrix, without a gap:

    a  a0 a1 a2          step 0     step 1   step 2
    b  b0 b1       ->    a0 b0 c0   a1 b1    a2             B_t = 3, 2, 1
    c  c0

This is the layout of torch's `PackedSequence`. Whatever does not wait for time (inputs, readout, loss, gradients of the
weights) is computed on that matrix as if it were one step of many sequences; the recurrence walks from one slot of B_t
rows to the next. Slot 0 holds h_0, as in `numpy_impl.rnn`.
"""

from typing import NamedTuple

import numpy as np

from numpy_impl.flat import Flat
from numpy_impl.inputs import Input, input_backward, input_projection
from numpy_impl.lean import readout
from numpy_impl.loss import IGNORE_INDEX
from numpy_impl.nonlinearity import activation, slope
from numpy_impl.packing import Packing
from numpy_impl.products import state_product
from numpy_impl.rnn import weight_gradient
from numpy_impl.shapes import Ids, Params, Real
from numpy_impl.sums import sum_columns
from numpy_impl.validate import check_bptt, check_inputs, check_nonlinearity, check_params
from numpy_impl.workspace import FRESH, Fresh, check_workspace

__all__ = ["PackedStep", "packed_backward_", "packed_forward_", "packed_loss_and_grads"]


class PackedStep(NamedTuple):
    """One evaluation of the loss with its gradients. Its arrays may lie in a workspace, all but `dh0` and `dx`."""

    loss: Real[np.ndarray, ""]
    grads: Flat
    packing: Packing
    states: Real[np.ndarray, "slots H"]
    dh0: Real[np.ndarray, "B H"]
    dx: Real[np.ndarray, "T B I"] | None
    """The gradient of dense inputs, zero beyond the end of a sequence; None for token ids."""

    @property
    def h(self) -> Real[np.ndarray, "T B H"]:
        """The states h_1..h_T in the order the sequences came in, zero beyond the end of each."""
        return self.packing.unpack(self.states[self.packing.B :])

    @property
    def h_T(self) -> Real[np.ndarray, "B H"]:
        """The state after the last step of each sequence, a copy."""
        return self.packing.unsort(self.states[self.packing.last])


def packed_loss_and_grads(
    params: Params,
    x: Input,
    y: Ids[np.ndarray, "T B"],
    lengths: Ids[np.ndarray, "B"],
    h0: Real[np.ndarray, "B H"] | None = None,
    *,
    nonlinearity: str = "tanh",
    reduction: str = "sum",
    ignore_index: int = IGNORE_INDEX,
    bptt: str = "full",
    k: int | None = None,
    workspace: Fresh = FRESH,
) -> PackedStep:
    """Evaluate the loss and its gradients on the first `lengths[b]` steps of each sequence b.

    What `x` and `y` hold beyond that is not looked at. `reduction` is "sum" or "mean", over all steps of all
    sequences that have a target. Modes of `bptt`: see `numpy_impl.rnn.rnn_backward`.

    Raises
    ------
    ValueError, TypeError
        As `model.loss_and_grads`; for lengths that `x` does not have; and for `reduction="none"`.
    """
    if reduction == "none":
        raise ValueError('reduction is "none", which asks for one loss per step; use "sum" or "mean"')
    check_params(params)
    check_workspace(workspace)
    check_nonlinearity(nonlinearity)
    check_bptt(bptt, k)
    packing = Packing.of(lengths, x, y)
    rows, targets = packing.pack(x)[None], packing.pack(y)[None]  # one step of N sequences
    check_inputs(params, rows, None)
    if h0 is not None:
        check_inputs(params, x[:1], h0)  # the first step of a sequence is always its own

    states = _run_states(params, rows, h0, packing, nonlinearity, workspace)
    grads, B = workspace.gradients(params), packing.B
    dh = workspace.empty("dh", states[B:].shape, states.dtype)
    loss = readout(params, states[None, B:], targets, reduction, ignore_index, dh[None], grads, workspace)

    da = packed_backward_(dh, states, packing, params["W_hh"], nonlinearity, bptt, k, workspace)
    before = workspace.empty("before", da.shape, da.dtype)
    states.take(packing.before, axis=0, out=before, mode="clip")  # none lies outside: "clip" only spares a buffer
    weight_gradient(da[None], before[None], grads["dW_hh"], workspace)
    _, dx = input_backward(da[None], rows, params["W_xh"], out=grads["dW_xh"])
    if "db_h" in grads:
        sum_columns(da, out=grads["db_h"])
    dh0 = packing.unsort(da[:B].dot(params["W_hh"]))
    return PackedStep(loss, grads, packing, states, dh0, None if dx is None else packing.unpack(dx[0]))


def _run_states(
    params: Params,
    rows: Ids[np.ndarray, "1 N"] | Real[np.ndarray, "1 N I"],
    h0: Real[np.ndarray, "B H"] | None,
    packing: Packing,
    nonlinearity: str,
    workspace: Fresh,
) -> Real[np.ndarray, "slots H"]:
    """Compute the states, slot by slot."""
    W_hh, B = params["W_hh"], packing.B
    states = workspace.empty("states", (B + rows.shape[1], len(W_hh)), W_hh.dtype)
    states[:B] = 0 if h0 is None else h0[packing.order]
    input_projection(rows, params["W_xh"], params.get("b_h"), out=states[None, B:])
    return packed_forward_(states, packing, W_hh, nonlinearity, workspace)


def packed_forward_(
    states: Real[np.ndarray, "slots H"],
    packing: Packing,
    W_hh: Real[np.ndarray, "H H"],
    nonlinearity: str,
    workspace: Fresh,
) -> Real[np.ndarray, "slots H"]:
    """Run the recurrence in place: slot 0 is h_0, the others hold the input projection and become h_1..h_T."""
    first, *rest = packing.slots
    times, W_hh_T = state_product(W_hh.T, len(rest), packing.B, workspace)
    carried = workspace.empty("carry", (packing.B, len(W_hh)), states.dtype)
    add, activate = np.add, activation(nonlinearity)
    h = states[first]
    for slot in rest:
        a = states[slot]
        if len(a) < len(h):  # the sequences that have ended are the last rows
            h, carried = h[: len(a)], carried[: len(a)]
        times(h, W_hh_T, carried)
        add(a, carried, a)
        h = activate(a, a)
    return states


def packed_backward_(
    dh: Real[np.ndarray, "N H"],
    states: Real[np.ndarray, "slots H"],
    packing: Packing,
    W_hh: Real[np.ndarray, "H H"],
    nonlinearity: str,
    bptt: str,
    k: int | None,
    workspace: Fresh,
) -> Real[np.ndarray, "N H"]:
    """Carry the gradient of the states, as it comes from the outputs, back through time; da takes its place."""
    B, T = packing.B, packing.T
    df = slope(states[B:], nonlinearity, workspace.empty("slopes", dh.shape, dh.dtype))
    if bptt == "windowed":
        assert k is not None  # check_bptt has seen to it
        return _carry_windowed_(dh, df, packing, W_hh, k)
    times, W = state_product(W_hh, T, B, workspace)
    carry = workspace.empty("carry", (B, len(W_hh)), dh.dtype)
    add, multiply = np.add, np.multiply
    chunk = T if k is None else k
    later = None
    for t, rows in zip(reversed(range(T)), reversed(packing.rows), strict=True):
        dh_t = dh[rows]
        if later is not None and (t + 1) % chunk:
            carried, reached = carry[: len(later)], dh_t[: len(later)]
            times(later, W, carried)
            add(reached, carried, reached)
        later = multiply(dh_t, df[rows], dh_t)
    return dh


def _carry_windowed_(
    dh: Real[np.ndarray, "N H"], df: Real[np.ndarray, "N H"], packing: Packing, W_hh: Real[np.ndarray, "H H"], k: int
) -> Real[np.ndarray, "N H"]:
    """All windows at once, one step further back with every round, as in `numpy_impl.rnn`."""
    B, far = packing.B, dh
    earlier = packing.before[B:] - B  # of every row but those of the first step: the row of the step before
    for _ in range(min(k, packing.T - 1)):
        reached = (far * df)[B:] @ W_hh
        far = np.zeros_like(dh)
        far[earlier] = reached
        dh += far
    dh *= df
    return dh
