"""Softmax cross-entropy at one step, and its gradient: p = softmax(z), loss = -log p_y, dz = p - onehot(y).

Arrays of one step: logits and p (B, V), targets (B,). A target equal to `ignore_index` has neither loss nor gradient.
"""

import numpy as np

from rnncheck.case import RNNCase

__all__ = ["Array", "LossSteps"]

Array = np.ndarray


class LossSteps:
    """The loss of all steps; reads the logits that the forward pass left in `self.logits`."""

    case: RNNCase
    logits: list[Array]
    y: Array
    kept: Array
    dtype: np.dtype

    def softmax(self, logits: Array) -> Array:
        """Turn logits into probabilities."""
        e = np.exp(self.shifted(logits))
        return e / e.sum(axis=-1, keepdims=True)

    def shifted(self, logits: Array) -> Array:
        """Subtract the maximum: the probabilities stay, and exp cannot overflow."""
        return logits - logits.max(axis=-1, keepdims=True)

    def target(self, t: int) -> Array:
        """Return the targets, with token 0 in place of the ignored ones (whose loss is masked anyway)."""
        return np.where(self.kept[t], self.y[t], 0)

    def one_hot(self, t: int) -> Array:
        """Return a 1 at each target, 0 elsewhere."""
        tokens = np.arange(self.logits[t].shape[-1])
        return (self.target(t)[:, None] == tokens).astype(self.dtype)

    # Forward

    def token_loss(self, t: int) -> Array:
        """Return log sum exp(z) - z_y for each sequence."""
        z = self.shifted(self.logits[t])
        rows = np.arange(len(z))
        return np.log(np.exp(z).sum(axis=-1)) - z[rows, self.target(t)]

    def step_loss(self, t: int) -> Array:
        """Return the losses of step t, zero where the target is ignored."""
        return np.where(self.kept[t], self.token_loss(t), 0)

    def loss(self) -> Array:
        """Add up the losses, or keep them apart under reduction "none"."""
        losses = np.stack([self.step_loss(t) for t in range(len(self.logits))])
        if self.case.reduction == "none":
            return losses
        total = np.zeros((), self.dtype)
        for loss_t in losses:
            total += loss_t.sum()
        if self.case.reduction == "mean":
            total /= self.denominator()
        return total

    def denominator(self) -> int:
        """Count the targets over which the mean is taken."""
        return int(np.count_nonzero(self.kept))

    # Backward

    def upstream(self, t: int) -> Array:
        """Return the gradient that reaches each token's own loss."""
        dloss = np.ones((), self.dtype) if self.case.dloss is None else self.case.dloss
        return dloss[t] if self.case.reduction == "none" else np.full(len(self.y[t]), dloss)

    def loss_weight(self, t: int) -> Array:
        """Return what each token's loss counts in the whole: the upstream gradient, divided under "mean"."""
        weight = self.upstream(t)
        if self.case.reduction == "mean":
            weight = weight / self.denominator()
        return np.where(self.kept[t], weight, 0)

    def logits_gradient(self, t: int) -> Array:
        """Return dlogits_t = (p - onehot) times the weight of the token."""
        return (self.softmax(self.logits[t]) - self.one_hot(t)) * self.loss_weight(t)[:, None]
