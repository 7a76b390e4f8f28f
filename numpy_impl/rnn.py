"""The vanilla recurrent network over time, forward and back.

    a_t = W_xh x_t + b_h + W_hh h_{t-1},    h_t = f(a_t),    f = tanh or ReLU

Forward: J. Elman, "Finding structure in time", 1990. Backward: backpropagation through time, P. Werbos, 1990,
eq. 12; its truncations: R. Williams and J. Peng, 1990. The input projection W_xh x_t + b_h arrives ready made
(`numpy_impl.inputs`), because over all t at once it is one matrix product; only W_hh h_{t-1} must wait for time.

States lie in one array of T + 1 slots, slot 0 being h0. So h_1..h_T and h_0..h_{T-1} are two views of it, and the
gradient of W_hh, a sum over time of da_t h_{t-1}^T, is one product of two matrices. A slot whose state is still to be
computed can hold its input projection: `rnn_forward_` turns the one into the other and needs no second array.
"""

from collections.abc import Callable

import numpy as np

from numpy_impl.chunks import carry_in_chunks, goes_in_chunks, windows_backwards
from numpy_impl.nonlinearity import activation, slope, slopes_backwards
from numpy_impl.products import product, state_product
from numpy_impl.shapes import Real
from numpy_impl.validate import check_bptt, check_nonlinearity
from numpy_impl.workspace import FRESH, Fresh, check_workspace

__all__ = ["rnn_backward", "rnn_forward", "rnn_forward_", "weight_gradient"]


def rnn_forward(
    xp: Real[np.ndarray, "T B H"],
    h0: Real[np.ndarray, "B H"] | None,
    W_hh: Real[np.ndarray, "H H"],
    nonlinearity: str = "tanh",
) -> Real[np.ndarray, "T+1 B H"]:
    """Run the recurrence over the input projection `xp` and return the states h_0..h_T."""
    T, B, H = xp.shape
    states = np.empty((T + 1, B, H), xp.dtype)
    states[0] = 0 if h0 is None else h0
    states[1:] = xp
    return rnn_forward_(states, W_hh, nonlinearity)


def rnn_forward_(
    states: Real[np.ndarray, "slots B H"],
    W_hh: Real[np.ndarray, "H H"],
    nonlinearity: str = "tanh",
    workspace: Fresh = FRESH,
) -> Real[np.ndarray, "slots B H"]:
    """Run the recurrence in place: slot 0 is h_0, the others hold the input projection and become h_1..h_T."""
    check_nonlinearity(nonlinearity)
    check_workspace(workspace)
    slots, B, _ = states.shape
    times, carry = _product_over_time(W_hh.T, slots - 1, B, workspace)
    add, activate = np.add, activation(nonlinearity)
    h, *rest = workspace.steps(states)
    for a in rest:
        times(h, carry)
        add(a, carry, a)
        h = activate(a, a)
    return states


def _product_over_time(
    W: Real[np.ndarray, "H H"], T: int, B: int, workspace: Fresh
) -> tuple[Callable[..., object], Real[np.ndarray, "*B H"]]:
    """Prepare T calls of `times(h, out)`, which writes h W for the state of a step as `Fresh.steps` gives it.

    Return `times`, and an `out`. A batch of one is a vector, and BLAS takes W^T h as it lies there.
    """
    if B == 1:
        return W.T.dot, workspace.empty("carry", (len(W),), W.dtype)
    times, prepared = state_product(W, T, B, workspace)
    return lambda h, out: times(h, prepared, out), workspace.empty("carry", (B, len(W)), W.dtype)


def rnn_backward(
    dh: Real[np.ndarray, "T B H"],
    states: Real[np.ndarray, "T+1 B H"],
    W_hh: Real[np.ndarray, "H H"],
    nonlinearity: str = "tanh",
    bptt: str = "full",
    k: int | None = None,
    *,
    inplace: bool = False,
    workspace: Fresh = FRESH,
) -> tuple[Real[np.ndarray, "T B H"], Real[np.ndarray, "B H"]]:
    """Carry the gradient of the states back through time; return da and dh0.

    `dh` comes in as the gradient that reaches each state from its own output, and is completed **in place** with
    what reaches it from later steps; with `inplace`, da then takes its place. `bptt` says how far back that goes:

    - `"full"`: to the first step;
    - `"windowed"`: the loss of step t reaches the states max(0, t-k)..t, so k steps back from every t;
    - `"chunked"`: the sequence is cut into chunks of k steps; states are carried over the cut, gradients are not.

    The gradient that reaches h0 is `dh0`; in the two truncated modes it comes from the windows, or from the chunk,
    that begin at the first step.
    """
    check_nonlinearity(nonlinearity)
    check_bptt(bptt, k)
    check_workspace(workspace)
    da = dh if inplace else workspace.empty("da", dh.shape, dh.dtype)
    h = states[1:]
    if bptt == "windowed":
        assert k is not None  # check_bptt has seen to it
        df = slope(h, nonlinearity)
        _carry_windowed(dh, df, W_hh, k)
        np.multiply(dh, df, out=da)
    elif bptt == "chunked":
        assert k is not None  # here too
        for start in range(0, len(dh), k):
            chunk = slice(start, start + k)
            _carry_serial(dh[chunk], h[chunk], W_hh, nonlinearity, da[chunk], None, workspace)
    elif goes_in_chunks(len(dh), dh.shape[1], dh.dtype):
        _carry_long(dh, h, W_hh, nonlinearity, da, workspace)
    else:
        _carry_serial(dh, h, W_hh, nonlinearity, da, None, workspace)
    return da, da[0].dot(W_hh)


def _carry_serial(
    dh: Real[np.ndarray, "T B H"],
    h: Real[np.ndarray, "T B H"],
    W_hh: Real[np.ndarray, "H H"],
    nonlinearity: str,
    da: Real[np.ndarray, "T B H"],
    later: Real[np.ndarray, "B H"] | None,
    workspace: Fresh,
) -> None:
    """From the last step to the first. `later` is da of the step after the last; None: nothing comes from there."""
    times, carry = _product_over_time(W_hh, len(dh), dh.shape[1], workspace)
    add, multiply, steps = np.add, np.multiply, workspace.steps
    df = slopes_backwards(h, nonlinearity, workspace)
    backwards = zip(reversed(steps(dh)), df, reversed(steps(da)), strict=True)
    da_t = multiply(*next(backwards)) if later is None else steps(later[None])[0]
    for dh_t, df_t, out in backwards:
        times(da_t, carry)
        add(dh_t, carry, dh_t)
        da_t = multiply(dh_t, df_t, out)


def _carry_long(
    dh: Real[np.ndarray, "T B H"],
    h: Real[np.ndarray, "T B H"],
    W_hh: Real[np.ndarray, "H H"],
    nonlinearity: str,
    da: Real[np.ndarray, "T B H"],
    workspace: Fresh,
) -> None:
    """Do the same for a long sequence: in chunks beside each other, where that proves to be the same."""
    later = None
    for steps, in_chunks in windows_backwards(len(dh)):
        window = dh[steps], h[steps], W_hh, nonlinearity, da[steps], later
        if not in_chunks or not carry_in_chunks(*window):
            _carry_serial(*window, workspace)
        later = da[steps.start]


def _carry_windowed(
    dh: Real[np.ndarray, "T B H"], df: Real[np.ndarray, "T B H"], W_hh: Real[np.ndarray, "H H"], k: int
) -> None:
    """Windowed: all windows at once, one step further back with every round.

    After j rounds, `far[s]` is the gradient of the loss of step s + j with respect to h_s. The definition recomputes
    the states of each window, O(T k) single steps; they come out the same, so k products over all s do the work.
    """
    far = dh
    for _ in range(min(k, len(dh) - 1)):
        da_later = far[1:] * df[1 : len(far)]
        far = (da_later.reshape(-1, len(W_hh)) @ W_hh).reshape(da_later.shape)
        dh[: len(far)] += far


def weight_gradient(
    da: Real[np.ndarray, "T B A"],
    source: Real[np.ndarray, "T B C"],
    out: Real[np.ndarray, "A C"] | None = None,
    workspace: Fresh = FRESH,
) -> Real[np.ndarray, "A C"]:
    """Sum da_t source_t^T over time and batch in one product: the gradient of W in `a = W source`."""
    A, C = da.shape[-1], source.shape[-1]
    out = np.empty((A, C), da.dtype) if out is None else out
    return product(da.reshape(-1, A).T, source.reshape(-1, C), out, workspace)
