"""Choices that others make differently: not bugs, but reported by name, with what to change."""

from functools import partial

import numpy as np

from rnncheck.faults.registry import Faulty, register
from rnncheck.textbook.loss import Array
from rnncheck.trace import TIMED

fault = partial(register, family="conventions", convention=True)
GRADIENTS = ("dW_hy", "db_y", "dW_hh", "dW_xh", "db_h")


@fault(
    title="Loss and gradients of the mean instead of the sum",
    wrong="loss = losses.mean(); dlogits = (p - onehot) / losses.size",
    right="loss = losses.sum(); dlogits = p - onehot",
    symptom="The loss and all gradients are too small by the number of targets.",
    effect="Consistent: another learning rate makes up for it.",
    cure='reduction="mean", or multiply by the number of targets.',
    corrupts=("loss", "dlogits"),
    seen=19,
    equivalent_when="the reduction is not sum, or there is one target",
)
class MeanForSum(Faulty):
    def loss(self) -> Array:
        return np.asarray(super().loss() / self.count())

    def loss_weight(self, t: int) -> Array:
        return super().loss_weight(t) / self.count()

    def count(self) -> int:
        return self.denominator() if self.case.reduction == "sum" else 1


@fault(
    title="The mean is taken over time, not over the batch",
    wrong="loss = losses.sum(axis=1).mean()",
    right="loss = losses.mean()",
    symptom="The loss and all gradients are too large by B.",
    effect="Consistent: another learning rate makes up for it.",
    cure="Divide by B as well, or compare with the sum divided by T.",
    corrupts=("loss", "dlogits"),
    seen=19,
    equivalent_when="the reduction is not mean, or B = 1",
)
class MeanOverTimeOnly(Faulty):
    def denominator(self) -> int:
        return len(self.y)


@fault(
    title="The gradient is doubled",
    wrong="dlogits = 2 * (p - onehot)",
    right="dlogits = p - onehot",
    symptom="All gradients are too large by exactly two.",
    effect="A habit from the squared error; another learning rate makes up for it.",
    cure="The gradient of cross-entropy has no factor.",
    corrupts=("dlogits",),
    seen=19,
)
class GradientDoubled(Faulty):
    def logits_gradient(self, t: int) -> Array:
        return 2 * super().logits_gradient(t)


@fault(
    title="The gradients are returned negated",
    wrong="return -dW_hh    # the direction of descent, for w += lr * ...",
    right="return dW_hh",
    symptom="All parameter gradients have the opposite sign.",
    effect="Consistent with an update that adds.",
    cure="Negate, or compare the update.",
    corrupts=GRADIENTS,
    seen=4,
)
class GradientsNegated(Faulty):
    def trace(self) -> dict[str, Array]:
        return {n: -a if n in GRADIENTS else a for n, a in super().trace().items()}


@fault(
    title="The loss is in bits",
    wrong="loss = -np.log2(p[y])",
    right="loss = -np.log(p[y])",
    symptom="The loss is too large by 1 / log 2 = 1.4427; the gradients are those in nats.",
    effect="None on training; published losses are in nats unless they say bits.",
    cure="Multiply by log 2.",
    corrupts=("loss",),
)
class LossInBits(Faulty):
    def token_loss(self, t: int) -> Array:
        return super().token_loss(t) / np.log(2)


@fault(
    title="Weights and their gradients in the transposed layout",
    wrong="a = x @ W_xh    # W_xh is (I, H)",
    right="a = x @ W_xh.T    # W_xh is (H, I)",
    symptom="Gradients of matrices have their axes swapped.",
    effect="None within one program.",
    cure="Transpose when exchanging weights: torch has the output axis first.",
    corrupts=("dW_hy", "dW_hh", "dW_xh"),
)
class TransposedLayout(Faulty):
    def trace(self) -> dict[str, Array]:
        return {n: a.T.copy() if n.startswith("dW") else a for n, a in super().trace().items()}


@fault(
    title="Batch first",
    wrong="h.shape == (B, T, H)",
    right="h.shape == (T, B, H)",
    symptom="Arrays with a time axis have the axes of time and batch swapped.",
    effect="None within one program.",
    cure="h.swapaxes(0, 1)",
    corrupts=("h", "logits", "dlogits", "dh", "da", "dx"),
    equivalent_when="T = B = 1",
)
class BatchFirst(Faulty):
    def trace(self) -> dict[str, Array]:
        return {n: a.swapaxes(0, 1).copy() if n in TIMED else a for n, a in super().trace().items()}


@fault(
    title="Two hidden biases, both counted",
    wrong="db_h = db_ih + db_hh",
    right="db_h = db_ih    # each of the two receives the full gradient",
    symptom="db_h is too large by exactly two.",
    effect="The bias learns twice as fast as in a network with one.",
    cure="Compare with one of the two; torch's second bias is redundant.",
    corrupts=("db_h",),
    equivalent_when="there is no b_h",
)
class TwoHiddenBiases(Faulty):
    def accumulate_b_h(self, t: int, dh: Array, da: Array) -> None:
        super().accumulate_b_h(t, dh, da)
        super().accumulate_b_h(t, dh, da)


@fault(
    title="Gradients are clipped before they are returned",
    wrong="for g in (dW_xh, dW_hh, dW_hy, db_h, db_y): np.clip(g, -5, 5, out=g)",
    right="return the gradients; clip them in the training loop",
    symptom="No element of a parameter gradient exceeds 5; smaller ones are right.",
    effect="None on training with that bound; a gradient check fails on large gradients.",
    cure="Switch clipping off when checking gradients.",
    corrupts=GRADIENTS,
    seen=66,
    equivalent_when="no element exceeds the bound",
)
class GradientsClippedBeforeReturned(Faulty):
    def trace(self) -> dict[str, Array]:
        return {n: np.clip(a, -5, 5) if n in GRADIENTS else a for n, a in super().trace().items()}


@fault(
    title="Clipping by norm without torch's 1e-6",
    wrong="coefficient = min(1, bound / norm)",
    right="coefficient = min(1, bound / (norm + 1e-6))",
    symptom="Clipped gradients differ by a relative 1e-6 / norm.",
    effect="None, except for bounds that are as small as 1e-6.",
    cure="Pass the epsilon that the other side uses.",
    corrupts=("d*",),
    structural=False,
    equivalent_when="eps = 0, or the norm is within the bound",
    kinds=("clip",),
)
class ClipWithoutEpsilon(Faulty):
    def coefficient(self, norm: Array, bound: float, eps: float) -> Array:
        return super().coefficient(norm, bound, 0.0)
