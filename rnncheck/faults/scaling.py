"""Sums and means: the most frequent mistake of all is a loss and a gradient that are scaled differently."""

from functools import partial

import numpy as np

from rnncheck.faults.registry import Faulty, register
from rnncheck.textbook.loss import Array

fault = partial(register, family="scaling")


@fault(
    title="The loss is a sum, its gradient that of the mean",
    wrong="loss = losses.sum(); dlogits = (p - onehot) / losses.size",
    right="loss = losses.sum(); dlogits = p - onehot",
    symptom="All gradients are too small by one factor, the number of targets.",
    effect="The learning rate depends on the length of the sequence.",
    cure="Divide both or neither.",
    corrupts=("dlogits",),
    seen=19,
    equivalent_when="the reduction is not sum, or there is one target",
)
class GradientOfTheMeanForTheSum(Faulty):
    def logits_gradient(self, t: int) -> Array:
        count = self.denominator() if self.case.reduction == "sum" else 1
        return super().logits_gradient(t) / count


@fault(
    title="The loss is a mean, its gradient that of the sum",
    wrong="loss = losses.mean(); dlogits = p - onehot",
    right="loss = losses.mean(); dlogits = (p - onehot) / losses.size",
    symptom="All gradients are too large by one factor, the number of targets.",
    effect="Long sequences explode or are clipped where short ones are not.",
    cure="Divide both or neither.",
    corrupts=("dlogits",),
    seen=19,
    equivalent_when="the reduction is not mean, or there is one target",
)
class GradientOfTheSumForTheMean(Faulty):
    def logits_gradient(self, t: int) -> Array:
        count = self.denominator() if self.case.reduction == "mean" else 1
        return super().logits_gradient(t) * count


@fault(
    title="The gradient is averaged over the vocabulary",
    wrong="dlogits = (p - onehot) / V",
    right="dlogits = p - onehot",
    symptom="All gradients are too small by V.",
    effect="np.mean over everything divides by one axis too many; the learning rate is V times smaller than it says.",
    cure="Cross-entropy picks one entry of the vocabulary: there is nothing to average over it.",
    corrupts=("dlogits",),
    seen=19,
)
class GradientAveragedOverTheVocabulary(Faulty):
    def logits_gradient(self, t: int) -> Array:
        return super().logits_gradient(t) / len(self.W_hy)


@fault(
    title="The mean is rounded down to a whole number",
    wrong="loss = losses.sum() // n",
    right="loss = losses.sum() / n",
    symptom="The loss is a whole number; the gradients are right.",
    effect="Training looks as if it stood still, then jumps by one.",
    cure="// is the division of integers; of the two the loss needs /.",
    corrupts=("loss",),
    equivalent_when="the reduction is not mean",
)
class MeanRoundedDown(Faulty):
    def loss(self) -> Array:
        return np.floor(super().loss()) if self.case.reduction == "mean" else super().loss()


@fault(
    title="Ignored targets count in the denominator of the mean",
    wrong="loss = losses.sum() / (T * B)",
    right="loss = losses.sum() / (y != ignore_index).sum()",
    symptom="Loss and gradients are too small by the share of ignored targets.",
    effect="Batches with much padding count less.",
    cure="Divide by the number of targets that are not ignored.",
    corrupts=("loss", "dlogits"),
    equivalent_when="the reduction is not mean, or nothing is ignored",
)
class IgnoredTargetsCountInTheMean(Faulty):
    def denominator(self) -> int:
        return self.y.size


@fault(
    title="Ignored targets send back a gradient",
    wrong="dlogits = p; dlogits[kept, y[kept]] -= 1",
    right="dlogits = p; dlogits[kept, y[kept]] -= 1; dlogits[~kept] = 0",
    symptom="dlogits is not zero where the target is ignored; the loss is right.",
    effect="Padding pushes all logits down at every step; a many-to-one model is trained at every step.",
    cure="Set the gradient of ignored steps to zero.",
    corrupts=("dlogits",),
    seen=4,
    equivalent_when="nothing is ignored",
)
class IgnoredTargetsSendBackAGradient(Faulty):
    def logits_gradient(self, t: int) -> Array:
        p = self.softmax(self.logits[t]) * self.upstream(t)[:, None]
        return np.where(self.kept[t][:, None], super().logits_gradient(t), p)


@fault(
    title="Ignored targets are scored as token 0",
    wrong="loss = -log_p[rows, np.maximum(y, 0)].sum()",
    right="loss = -log_p[rows, np.maximum(y, 0)][y != ignore_index].sum()",
    symptom="The loss grows with the amount of padding, the gradients do not know of it.",
    effect="Losses of batches with different padding cannot be compared.",
    cure="Mask the losses, not only the gradients.",
    corrupts=("loss",),
    equivalent_when="nothing is ignored",
)
class IgnoredTargetsAreScored(Faulty):
    def step_loss(self, t: int) -> Array:
        return self.token_loss(t)


@fault(
    title="Steps with an ignored target do not move the state",
    wrong="h = np.where(y[t][:, None] == ignore_index, h_prev, h)",
    right="h = np.tanh(a)    # a target says nothing about the input",
    symptom="States after an ignored target differ; those before are right.",
    effect="Text that is read but not predicted, a start text for example, is forgotten.",
    cure="Mask losses by the target; freeze states only where the input itself is padding.",
    corrupts=("h",),
    equivalent_when="nothing is ignored",
)
class IgnoredStepsFreezeTheState(Faulty):
    def forward_step(self, t: int) -> None:
        super().forward_step(t)
        self.h[t] = np.where(self.kept[t][:, None], self.h[t], self.previous_state(t))
        self.logits[t] = self.readout(self.h[t])


@fault(
    title="Hidden gradients divided by T",
    wrong="dW_hh /= T; dW_xh /= T; db_h /= T",
    right="# the gradient of shared weights is the sum over the steps",
    symptom="dW_xh, dW_hh and db_h are too small by T, dW_hy and db_y are right.",
    effect="The recurrent part learns T times more slowly than the readout.",
    cure="Sum over time. Where a mean is wanted, take it in the loss, so that all gradients follow.",
    corrupts=("dW_hh", "dW_xh", "db_h"),
    shows_from=2,
    seen=19,
    equivalent_when="T = 1",
)
class HiddenGradientsDividedByT(Faulty):
    def trace(self) -> dict[str, Array]:
        mean = {"dW_hh", "dW_xh", "db_h"}
        return {name: array / self.T if name in mean else array for name, array in super().trace().items()}


@fault(
    title="The recurrent gradient is averaged over the batch",
    wrong="dW_hh += da.T @ h_prev / B",
    right="dW_hh += da.T @ h_prev",
    symptom="dW_hh is too small by B, all other gradients are right.",
    effect="The memory learns B times more slowly than the rest.",
    cure="Sum over the batch as the loss does.",
    corrupts=("dW_hh",),
    seen=19,
    equivalent_when="B = 1",
)
class RecurrentGradientAveragedOverTheBatch(Faulty):
    def accumulate_W_hh(self, t: int, dh: Array, da: Array) -> None:
        self.grads["dW_hh"] += da.T @ self.previous_state(t) / len(da)
