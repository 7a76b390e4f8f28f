"""Mistakes of softmax and cross-entropy, and of their gradient."""

from functools import partial

import numpy as np

from rnncheck.faults.registry import Faulty, register
from rnncheck.textbook.loss import Array

fault = partial(register, family="loss")


@fault(
    title="Softmax without the maximum subtracted",
    wrong="p = np.exp(z) / np.exp(z).sum()",
    right="p = np.exp(z - z.max()) / np.exp(z - z.max()).sum()",
    symptom="NaN once a logit passes 709 (float64) or 88 (float32); right below.",
    effect="Training dies without warning when the weights grow.",
    cure="Subtract the maximum: the probabilities do not change.",
    corrupts=("loss", "dlogits", "p"),
    seen=35,
    equivalent_when="all logits are moderate",
    kinds=("rnn", "sample"),
)
class SoftmaxWithoutMaximum(Faulty):
    def shifted(self, logits: Array) -> Array:
        return logits


@fault(
    title="One maximum subtracted for all sequences",
    wrong="e = np.exp(z - z.max())",
    right="e = np.exp(z - z.max(axis=-1, keepdims=True))",
    symptom="NaN where the logits of one sequence lie far below those of another; right for one sequence alone.",
    effect="exp underflows to zero in a whole row, and 0 / 0 ends the training.",
    cure="Subtract from each row its own maximum.",
    corrupts=("loss", "dlogits", "p"),
    equivalent_when="B = 1, or all logits are moderate",
    kinds=("rnn", "sample"),
)
class OneMaximumForAllSequences(Faulty):
    def shifted(self, logits: Array) -> Array:
        return logits - logits.max()


@fault(
    title="Softmax normalised over the batch",
    wrong="p = e / e.sum(axis=0)",
    right="p = e / e.sum(axis=-1, keepdims=True)",
    symptom="The probabilities of a sequence do not sum to one, those of a token do.",
    effect="The gradients of one sequence depend on the others; at B = 1 every p is 1.",
    cure="Normalise over the vocabulary, the last axis, and keep the axis.",
    corrupts=("dlogits", "p"),
    kinds=("rnn", "sample"),
)
class SoftmaxOverTheBatch(Faulty):
    def softmax(self, logits: Array) -> Array:
        e = np.exp(self.shifted(logits))
        return e / e.sum(axis=0)


@fault(
    title="The logarithm of a probability that underflowed",
    wrong="loss = -np.log(p[y])",
    right="loss = np.log(np.exp(z - z.max()).sum()) - (z[y] - z.max())",
    symptom="The loss is infinite where the target's logit is far below the largest.",
    effect="One confident mistake ends the training, though the loss is finite: about 800, say.",
    cure="Compute the loss from the logits (log-sum-exp), not from the probabilities.",
    corrupts=("loss",),
    seen=35,
    equivalent_when="all logits are moderate",
)
class LogOfZero(Faulty):
    def token_loss(self, t: int) -> Array:
        p = self.softmax(self.logits[t])
        return -np.log(p[np.arange(len(p)), self.target(t)])


@fault(
    title="0 log 0 in the sum over the one-hot target",
    wrong="loss = -np.sum(onehot * np.log(p))",
    right="loss = np.log(np.exp(z - z.max()).sum()) - (z[y] - z.max())",
    symptom="The loss is NaN as soon as any probability underflows, the target's or not.",
    effect="A network that has become confident and right looks broken.",
    cure="Pick the target's entry, and compute it from the logits.",
    corrupts=("loss",),
    seen=35,
    equivalent_when="all logits are moderate",
)
class ZeroTimesLogZero(Faulty):
    def token_loss(self, t: int) -> Array:
        return -(self.one_hot(t) * np.log(self.softmax(self.logits[t]))).sum(axis=-1)


@fault(
    title="A small number added inside the logarithm",
    wrong="loss = -np.log(p[y] + 1e-8)",
    right="loss = np.log(np.exp(z - z.max()).sum()) - (z[y] - z.max())",
    symptom="The loss never exceeds 18.4; at moderate logits it is off by about 1e-8 / p.",
    effect="The loss is not the one whose gradient is used, and flat where the model is most wrong.",
    cure="Compute the loss from the logits; then nothing needs protection.",
    corrupts=("loss",),
)
class LogWithEpsilon(Faulty):
    def token_loss(self, t: int) -> Array:
        p = self.softmax(self.logits[t])
        return -np.log(p[np.arange(len(p)), self.target(t)] + 1e-8)


@fault(
    title="The one-hot target is not subtracted",
    wrong="dlogits = p",
    right="dlogits = p - onehot",
    symptom="Every dlogits is positive and sums to one instead of zero.",
    effect="All logits are pushed down together; nothing is learnt.",
    cure="dlogits[y] -= 1.",
    corrupts=("dlogits",),
)
class OneHotNotSubtracted(Faulty):
    def logits_gradient(self, t: int) -> Array:
        return self.softmax(self.logits[t]) * self.loss_weight(t)[:, None]


@fault(
    title="The derivative of softmax applied a second time",
    wrong="dlogits = (p - onehot) * p * (1 - p)",
    right="dlogits = p - onehot    # softmax and log are both in it already",
    symptom="dlogits is too small, most of all where the model is confident.",
    effect="Learning stalls on exactly the tokens that are most wrong.",
    cure="p - onehot is the gradient of the loss with respect to the logits.",
    corrupts=("dlogits",),
)
class SoftmaxDerivativeTwice(Faulty):
    def logits_gradient(self, t: int) -> Array:
        p = self.softmax(self.logits[t])
        return super().logits_gradient(t) * p * (1 - p)


@fault(
    title="The gradient is taken against the target of the step before",
    wrong="dlogits[t][y[t - 1]] -= 1",
    right="dlogits[t][y[t]] -= 1",
    symptom="The loss is right, its gradient belongs to other targets.",
    effect="The model learns to repeat its input; the loss rises while it 'trains'.",
    cure="Use the same index in the loss and in its gradient.",
    corrupts=("dlogits",),
    shows_from=2,
    seen=15,
    equivalent_when="T = 1 (the index wraps around)",
)
class GradientAgainstThePreviousTarget(Faulty):
    def logits_gradient(self, t: int) -> Array:
        return (self.softmax(self.logits[t]) - self.one_hot(t - 1)) * self.loss_weight(t)[:, None]


@fault(
    title="Only the last step is trained",
    wrong="dlogits = np.zeros_like(p); dlogits[-1] = p[-1] - onehot[-1]",
    right="dlogits = p - onehot    # at every step that has a target",
    symptom="dlogits is zero before the last step, the loss counts all of them.",
    effect="A many-to-one gradient under a many-to-many loss: earlier outputs stay random.",
    cure="Every step whose loss is counted sends back a gradient.",
    corrupts=("dlogits",),
    shows_from=2,
    seen=4,
    equivalent_when="T = 1, or all targets but the last are ignored",
)
class OnlyTheLastStepIsTrained(Faulty):
    def logits_gradient(self, t: int) -> Array:
        return super().logits_gradient(t) * (t == self.T - 1)


@fault(
    title="The upstream gradient is ignored",
    wrong="dlogits = p - onehot",
    right="dlogits = (p - onehot) * dloss[:, None]",
    symptom="The gradients do not change with dloss.",
    effect="Weights of samples, masks and outer losses have no effect.",
    cure="Multiply by the gradient that reaches the loss.",
    corrupts=("dlogits",),
    equivalent_when="dloss is 1 or not given",
)
class UpstreamGradientIgnored(Faulty):
    def upstream(self, t: int) -> Array:
        return np.ones(len(self.y[t]), self.dtype)
