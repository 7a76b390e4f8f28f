"""What the network reads: W_xh x_t + b_h for all t, and back.

An input is a token id or a dense vector. For an id, W_xh x is column x of W_xh, so nothing is multiplied; NO_TOKEN
stands for the zero vector. One-hot vectors are dense vectors like any other.
"""

from functools import lru_cache

import numpy as np

from numpy_impl.rnn import weight_gradient
from numpy_impl.shapes import Ids, Real

__all__ = ["NO_TOKEN", "input_backward", "input_projection", "unit_rows"]

NO_TOKEN = -1
"""The id of *no token*: the zero vector, as in the first input of a name. Legal only in inputs."""

ONE_HOT_LIMIT = 20_000
"""Up to so many entries (T B I) the one-hot product beats sorting the tokens..."""
ONE_HOT_TOKENS = 256
"""... if there are no more tokens than this."""
BLOCK = 16_384
"""So many rows are sorted at a time."""

Input = Ids[np.ndarray, "T B"] | Real[np.ndarray, "T B I"]


def input_projection(
    x: Input,
    W_xh: Real[np.ndarray, "H I"],
    b_h: Real[np.ndarray, "H"] | None,
    out: Real[np.ndarray, "T B H"] | None = None,
) -> Real[np.ndarray, "T B H"]:
    """Return W_xh x_t + b_h for all t and all sequences of the batch, in `out` if it is given."""
    T, B = x.shape[:2]
    H, I = W_xh.shape
    out = np.empty((T, B, H), W_xh.dtype) if out is None else out
    rows = out.reshape(T * B, H)
    if x.ndim == 3:
        x.reshape(T * B, I).dot(W_xh.T, out=rows)
        if b_h is not None:
            rows += b_h
        return out
    ids, bias = x.ravel().astype(np.intp, copy=False), W_xh.dtype.type(0) if b_h is None else b_h
    if I <= T * B:  # every token once, with its bias, then row by row; NO_TOKEN, -1, takes the last row
        table = np.empty((I + 1, H), W_xh.dtype)
        np.add(W_xh.T, bias, out=table[:I])
        table[I] = bias
        table.take(ids, axis=0, out=rows, mode="wrap")
    else:
        np.add(W_xh.take(ids, axis=1, mode="wrap").T, bias, out=rows)
        if ids.size and ids.item(ids.argmin()) == NO_TOKEN:
            rows[ids == NO_TOKEN] = bias
    return out


def input_backward(
    da: Real[np.ndarray, "T B H"],
    x: Input,
    W_xh: Real[np.ndarray, "H I"],
    out: Real[np.ndarray, "H I"] | None = None,
) -> tuple[Real[np.ndarray, "H I"], Real[np.ndarray, "T B I"] | None]:
    """Return dW_xh, in `out` if it is given, and, for dense inputs, dx; db_h is da summed over time and batch."""
    if x.ndim == 3:
        dx = (da.reshape(-1, da.shape[-1]) @ W_xh).reshape(x.shape)
        return weight_gradient(da, x, out), dx
    return _sum_by_token(da.reshape(-1, da.shape[-1]), x.ravel(), W_xh.shape[1], out), None


def _sum_by_token(
    da: Real[np.ndarray, "N H"], ids: Ids[np.ndarray, "N"], I: int, out: Real[np.ndarray, "H I"] | None = None
) -> Real[np.ndarray, "H I"]:
    """Add each row of `da` to the column of its token: every occurrence counts, *no token* goes nowhere."""
    ids = ids.astype(np.intp, copy=False)
    if I <= ONE_HOT_TOKENS and ids.size * I <= ONE_HOT_LIMIT:
        return da.T.dot(_one_hot(ids, I, da.dtype), out=out)
    out = np.empty((da.shape[1], I), da.dtype) if out is None else out
    out.fill(0)
    for start in range(0, len(ids), BLOCK):  # sorting copies, and a copy of everything would be large
        _add_segments(da[start : start + BLOCK], ids[start : start + BLOCK], out)
    return out


def _one_hot(ids: Ids[np.ndarray, "N"], I: int, dtype: np.dtype) -> Real[np.ndarray, "N I"]:
    """Turn ids into rows with a single one; *no token*, -1, is the row after the last, and has none."""
    return unit_rows(I, dtype.char).take(ids, axis=0, mode="wrap")


@lru_cache(maxsize=8)
def unit_rows(I: int, dtype: str) -> Real[np.ndarray, "rows I"]:
    """Return the one-hot vector of every token, and a row of zeros for *no token*."""
    rows = np.eye(I + 1, I, dtype=dtype)
    rows.flags.writeable = False
    return rows


def _add_segments(da: Real[np.ndarray, "N H"], ids: Ids[np.ndarray, "N"], out: Real[np.ndarray, "H I"]) -> None:
    """Sort the rows by token and add each segment to its column, as a product with ones: faster than `np.add.at`."""
    order = ids.argsort(kind="stable")
    tokens = ids.take(order)
    known = int(np.searchsorted(tokens, 0))  # before it there is *no token*
    tokens, rows = tokens[known:], da.take(order[known:], axis=0)
    if not len(tokens):
        return
    starts = np.flatnonzero(np.diff(tokens, prepend=-1))
    sums, ones = np.empty((len(starts), da.shape[1]), da.dtype), np.ones(len(rows), da.dtype)
    stops = [*starts[1:].tolist(), len(rows)]
    for start, stop, total in zip(starts.tolist(), stops, sums, strict=True):
        ones[start:stop].dot(rows[start:stop], out=total)
    out[:, tokens[starts]] += sums.T
