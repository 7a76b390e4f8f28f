"""What the network reads: W_xh x_t + b_h for all t, and back.

An input is a token id or a dense vector. For an id, W_xh x is column x of W_xh, so nothing is multiplied; NO_TOKEN
stands for the zero vector. One-hot vectors are dense vectors like any other.
"""

import numpy as np

from numpy_impl.rnn import weight_gradient
from numpy_impl.shapes import Ids, Real

__all__ = ["NO_TOKEN", "input_backward", "input_projection"]

NO_TOKEN = -1
"""The id of *no token*: the zero vector, as in the first input of a name. Legal only in inputs."""

ONE_HOT_LIMIT = 20_000
"""Up to so many entries (T B I) the one-hot product beats sorting the tokens."""

Input = Ids[np.ndarray, "T B"] | Real[np.ndarray, "T B I"]


def input_projection(
    x: Input, W_xh: Real[np.ndarray, "H I"], b_h: Real[np.ndarray, "H"] | None
) -> Real[np.ndarray, "T B H"]:
    """Return W_xh x_t + b_h for all t and all sequences of the batch."""
    if x.ndim == 2:
        xp = W_xh.T[x]  # NO_TOKEN is -1 and picks the last row, wrongly:
        xp[x == NO_TOKEN] = 0
    else:
        xp = (x.reshape(-1, x.shape[-1]) @ W_xh.T).reshape(*x.shape[:2], -1)
    if b_h is not None:
        xp += b_h
    return xp


def input_backward(
    da: Real[np.ndarray, "T B H"], x: Input, W_xh: Real[np.ndarray, "H I"]
) -> tuple[Real[np.ndarray, "H I"], Real[np.ndarray, "T B I"] | None]:
    """Return dW_xh and, for dense inputs, dx; db_h is da summed over time and batch."""
    if x.ndim == 3:
        dx = (da.reshape(-1, da.shape[-1]) @ W_xh).reshape(x.shape)
        return weight_gradient(da, x), dx
    return _sum_by_token(da.reshape(-1, da.shape[-1]), x.ravel(), W_xh.shape[1]), None


def _sum_by_token(da: Real[np.ndarray, "N H"], ids: Ids[np.ndarray, "N"], I: int) -> Real[np.ndarray, "H I"]:
    """Add each row of `da` to the column of its token: every occurrence counts, *no token* goes nowhere."""
    if ids.size * I <= ONE_HOT_LIMIT:
        one_hot = (ids[:, None] == np.arange(I)).astype(da.dtype)
        return da.T @ one_hot
    dW_T = np.zeros((I, da.shape[1]), da.dtype)
    order = np.argsort(ids, kind="stable")
    order = order[np.searchsorted(ids[order], 0) :]
    tokens, starts = np.unique(ids[order], return_index=True)
    if len(tokens):
        dW_T[tokens] = np.add.reduceat(da[order], starts, axis=0)
    return dW_T.T
