"""The vanilla recurrent network over time, forward and back.

    a_t = W_xh x_t + b_h + W_hh h_{t-1},    h_t = f(a_t),    f = tanh or ReLU

Forward: J. Elman, "Finding structure in time", 1990. Backward: backpropagation through time, P. Werbos, 1990,
eq. 12; its truncations: R. Williams and J. Peng, 1990. The input projection W_xh x_t + b_h arrives ready made
(`numpy_impl.inputs`), because over all t at once it is one matrix product; only W_hh h_{t-1} must wait for time.

States lie in one array of T + 1 slots, slot 0 being h0. So h_1..h_T and h_0..h_{T-1} are two views of it, and the
gradient of W_hh, a sum over time of da_t h_{t-1}^T, is one product of two matrices.
"""

import numpy as np

from numpy_impl.shapes import Real
from numpy_impl.validate import check_bptt, check_nonlinearity

__all__ = ["rnn_backward", "rnn_forward", "weight_gradient"]


def rnn_forward(
    xp: Real[np.ndarray, "T B H"],
    h0: Real[np.ndarray, "B H"] | None,
    W_hh: Real[np.ndarray, "H H"],
    nonlinearity: str = "tanh",
) -> Real[np.ndarray, "T+1 B H"]:
    """Run the recurrence over the input projection `xp` and return the states h_0..h_T."""
    check_nonlinearity(nonlinearity)
    T, B, H = xp.shape
    states = np.empty((T + 1, B, H), xp.dtype)
    states[0] = 0 if h0 is None else h0
    W_hh_T = np.ascontiguousarray(W_hh.T)
    for t in range(T):
        a = states[t + 1]
        states[t].dot(W_hh_T, out=a)
        a += xp[t]
        if nonlinearity == "tanh":
            np.tanh(a, out=a)
        else:
            np.maximum(a, 0, out=a)
    return states


def rnn_backward(
    dh: Real[np.ndarray, "T B H"],
    states: Real[np.ndarray, "T+1 B H"],
    W_hh: Real[np.ndarray, "H H"],
    nonlinearity: str = "tanh",
    bptt: str = "full",
    k: int | None = None,
) -> tuple[Real[np.ndarray, "T B H"], Real[np.ndarray, "B H"]]:
    """Carry the gradient of the states back through time; return da and dh0.

    `dh` comes in as the gradient that reaches each state from its own output, and is completed **in place** with
    what reaches it from later steps. `bptt` says how far back that goes:

    - `"full"`: to the first step;
    - `"windowed"`: the loss of step t reaches the states max(0, t-k)..t, so k steps back from every t;
    - `"chunked"`: the sequence is cut into chunks of k steps; states are carried over the cut, gradients are not.

    The gradient that reaches h0 is `dh0`; in the two truncated modes it comes from the windows, or from the chunk,
    that begin at the first step.
    """
    check_bptt(bptt, k)
    df = 1 - states[1:] ** 2 if nonlinearity == "tanh" else (states[1:] > 0).astype(dh.dtype)
    if bptt == "windowed":
        assert k is not None  # check_bptt has seen to it
        _carry_windowed(dh, df, W_hh, k)
        da = dh * df
    else:
        da = _carry_serial(dh, df, W_hh, chunk=k if bptt == "chunked" else None)
    return da, da[0].dot(W_hh)


def _carry_serial(
    dh: Real[np.ndarray, "T B H"], df: Real[np.ndarray, "T B H"], W_hh: Real[np.ndarray, "H H"], chunk: int | None
) -> Real[np.ndarray, "T B H"]:
    """Full and chunked: one pass from the last step to the first, without a carry over the end of a chunk."""
    T = len(dh)
    da = np.empty_like(dh)
    carry = np.empty_like(dh[0])
    for t in reversed(range(T)):
        last_of_chunk = t == T - 1 or (chunk is not None and (t + 1) % chunk == 0)
        if not last_of_chunk:
            da[t + 1].dot(W_hh, out=carry)
            dh[t] += carry
        np.multiply(dh[t], df[t], out=da[t])
    return da


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
        far = (da_later.reshape(-1, W_hh.shape[0]) @ W_hh).reshape(da_later.shape)
        dh[: len(far)] += far


def weight_gradient(da: Real[np.ndarray, "T B A"], source: Real[np.ndarray, "T B C"]) -> Real[np.ndarray, "A C"]:
    """Sum da_t source_t^T over time and batch in one product: the gradient of W in `a = W source`."""
    return da.reshape(-1, da.shape[-1]).T @ source.reshape(-1, source.shape[-1])
