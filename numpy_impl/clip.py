"""Gradient clipping: each element to a range, or the whole vector to a length.

    by value:  g <- max(-bound, min(bound, g))                             T. Mikolov, PhD thesis, 2012
    by norm:   g <- g min(1, bound / (norm + eps)),  norm = sqrt(sum g^2)   R. Pascanu et al., ICML 2013, algorithm 1

By norm the direction stays, by value it turns. The norm is that of *all* gradients together, so hand in one vector of
all of them (`Flat.flat`). `eps` = 1e-6 is what `torch.nn.utils.clip_grad_norm_` adds; 0 is the textbook.

Whether there is anything to clip is asked first: most steps need nothing, and then every bit stays what it was.
Non-finite gradients go as in torch: by value NaN stays and an infinity becomes the bound; by norm one NaN turns all
into NaN, one infinity turns itself into NaN and the others into 0, and the returned norm tells. One thing goes better:
finite elements whose squares overflow have a finite norm here, where torch's is infinite and leaves zeros.
"""

import numpy as np

from numpy_impl.scalar import Scalar, not_negative, positive
from numpy_impl.shapes import Real
from numpy_impl.validate import check_array

__all__ = ["clip_grad_norm", "clip_grad_value"]

PIECE = 65_536
"""So many numbers of a long vector are looked at at a time."""


def clip_grad_value(
    g: Real[np.ndarray, "*shape"], bound: Scalar, out: Real[np.ndarray, "*shape"] | None = None
) -> Real[np.ndarray, "*shape"]:
    """Clip every element of `g` to [-bound, bound], into a new array or into `out` (`out=g`: in place).

    Raises
    ------
    ValueError
        If the bound is not positive, or `out` has another shape than `g`.
    TypeError
        If `g` is not a floating array, or `out` has another dtype.
    """
    _check(g, out)
    limit = positive("bound", bound, g.dtype, "leave clipping out to keep gradients as they are", finite=False)
    return _unchanged(g, out) if _within(g.reshape(-1), limit) else np.clip(g, -limit, limit, out=out)


def clip_grad_norm(
    g: Real[np.ndarray, "N"], bound: Scalar, eps: Scalar = 1e-6, out: Real[np.ndarray, "N"] | None = None
) -> tuple[Real[np.ndarray, "N"], np.floating]:
    """Scale `g` down to the norm `bound` if it is longer; return it and its norm *before* that.

    `out` and errors as in `clip_grad_value`; `eps` must not be negative.
    """
    _check(g, out)
    if g.ndim != 1:
        raise ValueError(
            f"g has shape {g.shape}, expected one vector: the norm is that of all gradients; use Flat.flat"
        )
    limit = positive("bound", bound, g.dtype, "leave clipping out to keep gradients as they are", finite=False)
    epsilon = not_negative("eps", eps, g.dtype, "use 0 for the textbook, 1e-6 for torch's semantics")
    norm = _norm(g)
    if norm + epsilon <= limit:
        return _unchanged(g, out), norm
    with np.errstate(invalid="ignore"):  # infinity times zero, as in torch
        return np.multiply(g, limit / (norm + epsilon), out=out), norm


def _within(g: Real[np.ndarray, "N"], limit: np.floating) -> bool:
    """Return whether no element is beyond `limit` (NaN is), in pieces that are still in the cache when read again."""
    if 0 < g.size <= PIECE:  # here `argmin` takes half as long as a reduction
        bound = limit if g.itemsize > 8 else float(limit)  # beside which a NumPy number is slow
        return bool(-bound <= g.item(g.argmin()) and g.item(g.argmax()) <= bound)
    pieces = (g[start : start + PIECE] for start in range(0, g.size, PIECE))
    return all(bool(-limit <= np.minimum.reduce(piece) and np.maximum.reduce(piece) <= limit) for piece in pieces)


def _norm(g: Real[np.ndarray, "N"]) -> np.floating:
    """Return the Euclidean norm, scaled by the largest element where the squares would overflow or underflow."""
    info = np.finfo(g.dtype)
    with np.errstate(over="ignore"):
        square = g.dot(g)
        if info.tiny / info.eps < square < np.inf:
            return np.sqrt(square)
        largest = np.abs(g).max(initial=0)
        if not 0 < largest < np.inf:
            return largest
        scaled = g / largest
        return largest * np.sqrt(scaled.dot(scaled))


def _unchanged(g: Real[np.ndarray, "*shape"], out: Real[np.ndarray, "*shape"] | None) -> Real[np.ndarray, "*shape"]:
    if out is None:
        return g.copy()
    if out is not g:
        out[...] = g
    return out


def _check(g: np.ndarray, out: np.ndarray | None) -> None:
    check_array("g", g)
    if out is not None:
        check_array("out", out)
    if g.dtype.kind != "f":
        raise TypeError(f"g is {g.dtype}, expected floating gradients; cast with .astype")
    if out is not None and out.shape != g.shape:
        raise ValueError(f"out has shape {out.shape}, expected {g.shape} as g has")
    if out is not None and out.dtype != g.dtype:
        raise TypeError(f"out is {out.dtype} but g is {g.dtype}: nothing is cast silently; give one dtype")
