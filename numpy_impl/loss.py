"""Softmax cross-entropy and its gradient.

    p = softmax(z),    loss = -log p_y = log sum_j exp(z_j) - z_y,    dz = p - onehot(y)

J. Bridle, "Probabilistic interpretation of feedforward classification network outputs", 1990. The maximum is
subtracted before the exponential: without it exp(800) overflows. `reduction` and `ignore_index` mean what they
mean in `torch.nn.functional.cross_entropy`.
"""

from typing import NamedTuple

import numpy as np

from numpy_impl.shapes import Ids, Real
from numpy_impl.validate import check_dloss, check_targets

__all__ = ["IGNORE_INDEX", "CrossEntropy", "cross_entropy", "cross_entropy_backward", "softmax"]

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
    check_targets(y, logits.shape, reduction, ignore_index)
    kept = y != ignore_index
    shifted = logits - logits.max(axis=-1, keepdims=True)
    p = np.exp(shifted)
    total = p.sum(axis=-1, keepdims=True)
    p /= total
    picked = np.take_along_axis(shifted, np.where(kept, y, 0)[..., None], axis=-1)
    loss = np.where(kept, (np.log(total) - picked)[..., 0], np.zeros((), logits.dtype))
    if reduction == "sum":
        loss = np.asarray(loss.sum())
    elif reduction == "mean":
        loss = np.asarray(loss.sum() / _count(kept, logits.dtype))
    return CrossEntropy(loss, p)


def cross_entropy_backward(
    p: Real[np.ndarray, "T B V"],
    y: Ids[np.ndarray, "T B"],
    reduction: str = "sum",
    ignore_index: int = IGNORE_INDEX,
    dloss: Real[np.ndarray, "*shape"] | None = None,
) -> Real[np.ndarray, "T B V"]:
    """Return dlogits. `dloss` is the upstream gradient: one number (1 if not given), or one per step for "none"."""
    check_dloss(dloss, y, p.dtype, reduction)
    kept = y != ignore_index
    t, b = np.nonzero(kept)
    dlogits = p.copy()
    dlogits[t, b, y[t, b]] -= 1
    dlogits[~kept] = 0
    if reduction == "mean":
        dlogits /= _count(kept, p.dtype)
    if dloss is not None:
        dlogits *= dloss[..., None]
    return dlogits


def _count(kept: np.ndarray, dtype: np.dtype) -> np.floating:
    """Count the targets that are not ignored, in the dtype of the loss so that dividing by it casts nothing."""
    return dtype.type(np.count_nonzero(kept))
