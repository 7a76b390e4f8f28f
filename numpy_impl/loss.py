"""Softmax cross-entropy and its gradient.

    p = softmax(z),    loss = -log p_y = log sum_j exp(z_j) - z_y,    dz = p - onehot(y)

J. Bridle, "Probabilistic interpretation of feedforward classification network outputs", 1990. The maximum is
subtracted before the exponential: without it exp(800) overflows. `reduction` and `ignore_index` mean what they
mean in `torch.nn.functional.cross_entropy`.
"""

from typing import NamedTuple

import numpy as np

from numpy_impl.shapes import Ids, Real

__all__ = ["IGNORE_INDEX", "REDUCTIONS", "CrossEntropy", "cross_entropy", "cross_entropy_backward", "softmax"]

IGNORE_INDEX = -100
REDUCTIONS = ("sum", "mean", "none")


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
    targets: Ids[np.ndarray, "T B"],
    reduction: str = "sum",
    ignore_index: int = IGNORE_INDEX,
) -> CrossEntropy:
    """Return the loss in nats. Ignored targets count neither in the sum nor in the denominator of the mean.

    Raises
    ------
    ValueError
        If every target is ignored under `reduction="mean"`: a mean over nothing is undefined.
    """
    kept = targets != ignore_index
    shifted = logits - logits.max(axis=-1, keepdims=True)
    p = np.exp(shifted)
    total = p.sum(axis=-1, keepdims=True)
    p /= total
    picked = np.take_along_axis(shifted, np.where(kept, targets, 0)[..., None], axis=-1)
    loss = np.where(kept, (np.log(total) - picked)[..., 0], np.zeros((), logits.dtype))
    if reduction == "sum":
        loss = np.asarray(loss.sum())
    elif reduction == "mean":
        loss = np.asarray(loss.sum() / _count(kept, logits.dtype))
    return CrossEntropy(loss, p)


def cross_entropy_backward(
    p: Real[np.ndarray, "T B V"],
    targets: Ids[np.ndarray, "T B"],
    reduction: str = "sum",
    ignore_index: int = IGNORE_INDEX,
    dloss: Real[np.ndarray, "*shape"] | None = None,
) -> Real[np.ndarray, "T B V"]:
    """Return dlogits. `dloss` is the upstream gradient: one number (1 if not given), or one per step for "none"."""
    kept = targets != ignore_index
    t, b = np.nonzero(kept)
    dlogits = p.copy()
    dlogits[t, b, targets[t, b]] -= 1
    if reduction == "none":
        assert dloss is not None
        dlogits *= np.where(kept, dloss, np.zeros((), p.dtype))[..., None]
        return dlogits
    dlogits[~kept] = 0
    if reduction == "mean":
        dlogits /= _count(kept, p.dtype)
    if dloss is not None:
        dlogits *= dloss
    return dlogits


def _count(kept: np.ndarray, dtype: np.dtype) -> np.floating:
    """Count the targets that are not ignored, in the dtype of the loss so that dividing by it casts nothing."""
    n = np.count_nonzero(kept)
    if n == 0:
        raise ValueError(
            "targets: all of them are ignore_index, and the mean over no targets is undefined; "
            'keep at least one, or use reduction="sum"'
        )
    return dtype.type(n)
