"""Softmax cross-entropy and its gradient.

    p = softmax(z),    loss = -log p_y = log sum_j exp(z_j) - z_y,    dz = p - onehot(y)

J. Bridle, "Probabilistic interpretation of feedforward classification network outputs", 1990. The maximum is
subtracted before the exponential: without it exp(800) overflows. `reduction` and `ignore_index` mean what they
mean in `torch.nn.functional.cross_entropy`.
"""

from typing import NamedTuple

import numpy as np

from numpy_impl.scalar import constant
from numpy_impl.shapes import Ids, Real
from numpy_impl.spread import spread
from numpy_impl.sums import row_maxima, row_starts, sum_rows, total
from numpy_impl.validate import check_dloss, check_logits, check_targets
from numpy_impl.workspace import FRESH, Fresh, check_workspace

__all__ = [
    "IGNORE_INDEX",
    "CrossEntropy",
    "cross_entropy",
    "cross_entropy_and_gradient",
    "cross_entropy_backward",
    "softmax",
]

IGNORE_INDEX = -100
"""The target that marks a step without one; any other value can be chosen where a loss is computed."""


class CrossEntropy(NamedTuple):
    """The loss (one number, or one per step under `reduction="none"`) and the probabilities it came from."""

    loss: Real[np.ndarray, "*shape"]
    p: Real[np.ndarray, "T B V"]


def softmax(logits: Real[np.ndarray, "*batch V"]) -> Real[np.ndarray, "*batch V"]:
    """Turn logits into probabilities along the last axis."""
    p = np.exp(logits - logits.max(axis=-1, keepdims=True))
    p /= p.sum(axis=-1, keepdims=True)
    return p


def cross_entropy(
    logits: Real[np.ndarray, "T B V"],
    y: Ids[np.ndarray, "T B"],
    reduction: str = "sum",
    ignore_index: int = IGNORE_INDEX,
) -> CrossEntropy:
    """Return the loss in nats. Ignored targets count neither in the sum nor in the denominator of the mean.

    Raises
    ------
    ValueError
        If a target is out of range, or every target is ignored under `reduction="mean"`: a mean over nothing.
    """
    check_logits(logits)
    check_targets(y, logits.shape, reduction, ignore_index)
    places = _places(y, logits.shape[-1], ignore_index)
    rows = logits.reshape(-1, logits.shape[-1])
    p = np.empty(rows.shape, rows.dtype)
    losses = _softmax(rows, places, p)
    return CrossEntropy(_reduce(losses, places, reduction, y.shape), p.reshape(logits.shape))


def cross_entropy_backward(
    p: Real[np.ndarray, "T B V"],
    y: Ids[np.ndarray, "T B"],
    reduction: str = "sum",
    ignore_index: int = IGNORE_INDEX,
    dloss: Real[np.ndarray, "*shape"] | None = None,
) -> Real[np.ndarray, "T B V"]:
    """Return dlogits. `dloss` is the upstream gradient: one number (1 if not given), or one per step for "none"."""
    check_dloss(dloss, y, p.dtype, reduction)
    dlogits = p.reshape(-1, p.shape[-1]).copy()
    _subtract_targets_(dlogits, _places(y, p.shape[-1], ignore_index), reduction, dloss)
    return dlogits.reshape(p.shape)


def cross_entropy_and_gradient(
    logits: Real[np.ndarray, "T B V"],
    y: Ids[np.ndarray, "T B"],
    reduction: str = "sum",
    ignore_index: int = IGNORE_INDEX,
    dloss: Real[np.ndarray, "*shape"] | None = None,
    *,
    out: Real[np.ndarray, "T B V"] | None = None,
    workspace: Fresh = FRESH,
) -> tuple[Real[np.ndarray, "*loss"], Real[np.ndarray, "T B V"]]:
    """Return the loss and dlogits, as the two functions above, in one pass over `out`, which may be the logits."""
    check_logits(logits)
    ignored = check_targets(y, logits.shape, reduction, ignore_index)
    check_dloss(dloss, y, logits.dtype, reduction)
    check_workspace(workspace)
    V = logits.shape[-1]
    places = _places(y, V, ignore_index, ignored)
    dlogits = np.empty(logits.shape, logits.dtype) if out is None else out
    p = dlogits.reshape(-1, V)
    z = p if dlogits is logits else logits.reshape(-1, V)
    losses = _softmax(z, places, p, workspace)
    _subtract_targets_(p, places, reduction, dloss)
    return _reduce(losses, places, reduction, y.shape), dlogits


class _Places(NamedTuple):
    """Where the targets stand in the flat array of logits, and which rows have none (None: all have one)."""

    entries: Ids[np.ndarray, "N"]
    ignored: np.ndarray | None

    @property
    def targets(self) -> int:
        """How many steps have a target."""
        return len(self.entries) - (0 if self.ignored is None else int(np.count_nonzero(self.ignored)))


def _places(y: Ids[np.ndarray, "T B"], V: int, ignore_index: int, ignored: bool = True) -> _Places:
    targets, first = y.ravel().astype(np.intp, copy=False), row_starts(y.size, V)
    if not ignored:
        return _Places(first + targets, None)
    rows = targets == ignore_index
    return _Places(first + np.where(rows, 0, targets), rows if rows.any() else None)


def _softmax(
    z: Real[np.ndarray, "N V"], places: _Places, p: Real[np.ndarray, "N V"], workspace: Fresh = FRESH
) -> Real[np.ndarray, "N"]:
    """Write the probabilities into `p`; return -log p of every target."""
    largest = row_maxima(z)
    z = np.subtract(z, spread(largest[:, None], z, workspace), p)
    picked = z.reshape(-1).take(places.entries)
    np.exp(z, p)
    sums = sum_rows(p)
    np.divide(p, spread(sums[:, None], p, workspace), p)
    return np.subtract(np.log(sums, sums), picked, sums)


def _subtract_targets_(
    p: Real[np.ndarray, "N V"], places: _Places, reduction: str, dloss: Real[np.ndarray, "*shape"] | None
) -> None:
    """Turn probabilities into the gradient of the logits in place."""
    p.reshape(-1)[places.entries] -= constant(1, p.dtype)
    if places.ignored is not None:
        p[places.ignored] = 0
    if reduction == "mean":
        p /= p.dtype.type(places.targets)
    if dloss is not None:
        p *= dloss.reshape(-1, 1) if reduction == "none" else dloss


def _reduce(
    losses: Real[np.ndarray, "N"], places: _Places, reduction: str, shape: tuple[int, ...]
) -> Real[np.ndarray, "*loss"]:
    if places.ignored is not None:
        losses[places.ignored] = 0
    if reduction == "none":
        return losses.reshape(shape)
    loss = total(losses)
    return np.asarray(loss / losses.dtype.type(places.targets) if reduction == "mean" else loss)
