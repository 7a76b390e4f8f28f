"""Mistakes with what the network reads: token ids, NO_TOKEN, dense vectors, and their gradients."""

from functools import partial

import numpy as np

from rnncheck.faults.registry import Faulty, register
from rnncheck.textbook.loss import Array
from rnncheck.textbook.rnn import NO_TOKEN

fault = partial(register, family="inputs")


@fault(
    title="NO_TOKEN reads the last column of W_xh",
    wrong="xp = W_xh[:, x].T    # x = -1 wraps around",
    right="xp = np.where(x[:, None] == NO_TOKEN, 0, W_xh[:, x].T)",
    symptom="Sequences that start with NO_TOKEN start as if the last token of the vocabulary came first.",
    effect="NumPy counts -1 from the end and says nothing; the first step learns to undo it.",
    cure="Treat the id -1 explicitly, as the zero vector.",
    corrupts=("h",),
    equivalent_when="no input is NO_TOKEN, or inputs are dense",
    kinds=("rnn", "sample"),
)
class NoTokenReadsTheLastColumn(Faulty):
    def input_term(self, x: Array) -> Array:
        return self.W_xh.T[x] if x.ndim == 1 else super().input_term(x)


@fault(
    title="NO_TOKEN is a vector of ones",
    wrong="x = np.ones(I)    # the first input",
    right="x = np.zeros(I)",
    symptom="The first state sees all tokens at once.",
    effect="Every column of W_xh is pulled by the first step of every sequence.",
    cure="The first input is the zero vector.",
    corrupts=("h",),
    seen=6,
    equivalent_when="no input is NO_TOKEN, or inputs are dense",
    kinds=("rnn", "sample"),
)
class NoTokenIsAllOnes(Faulty):
    def input_term(self, x: Array) -> Array:
        if x.ndim == 2:
            return super().input_term(x)
        return np.where(x[:, None] == NO_TOKEN, self.W_xh.sum(axis=1), self.W_xh.T[x])


@fault(
    title="The inputs are read backwards in time",
    wrong="xp = x[T - 1 - t] @ W_xh.T",
    right="xp = x[t] @ W_xh.T",
    symptom="logits_t depends on later inputs and not on earlier ones.",
    effect="The model predicts from the future, and is useless for sampling.",
    cure="Reverse the order of time in the backward pass only.",
    corrupts=("h",),
    shows_from=2,
    seen=3,
    equivalent_when="T = 1, or the inputs read the same backwards",
)
class InputsReadBackwards(Faulty):
    def input_at(self, t: int) -> Array:
        return self.input_term(self.x[self.T - 1 - t])


@fault(
    title="Every step reads the input of the step before",
    wrong="xp = x[t - 1] @ W_xh.T",
    right="xp = x[t] @ W_xh.T",
    symptom="The states come one step late, and the first has read the last input: index -1 wraps around.",
    effect="The first prediction sees the future, all others know one token less than they could.",
    cure="Count inputs from 0 as the loop does; x_t and h_t belong to the same step.",
    corrupts=("h",),
    shows_from=2,
    equivalent_when="T = 1 (the index wraps around)",
)
class InputOfTheStepBefore(Faulty):
    def input_at(self, t: int) -> Array:
        return self.input_term(self.x[t - 1])


@fault(
    title="Every step reads the input of the next step",
    wrong="xp = x[min(t + 1, T - 1)] @ W_xh.T",
    right="xp = x[t] @ W_xh.T",
    symptom="logits_t depends on the input after it.",
    effect="In a language model the next input is the target: the loss falls to zero, and samples are nonsense.",
    cure="x_t and h_t belong to the same step.",
    corrupts=("h",),
    shows_from=2,
    equivalent_when="T = 1",
)
class InputOfTheNextStep(Faulty):
    def input_at(self, t: int) -> Array:
        return self.input_term(self.x[min(t + 1, self.T - 1)])


@fault(
    title="The prefix is fed as one multi-hot vector",
    wrong="x_t = sum(one_hot(token) for token in text[:t + 1])",
    right="x_t = one_hot(text[t])",
    symptom="A start text and its anagrams give the same state.",
    effect="The order of the text is lost; samples do not continue it.",
    cure="Feed the text token by token, carrying the state.",
    corrupts=("h",),
    shows_from=2,
    seen=6,
    equivalent_when="T = 1",
)
class PrefixAsMultiHot(Faulty):
    def input_at(self, t: int) -> Array:
        return np.sum([self.input_term(self.x[s]) for s in range(t + 1)], axis=0)


@fault(
    title="The gradient of W_xh goes to the target's column",
    wrong="dW_xh[:, y[t]] += da",
    right="dW_xh[:, x[t]] += da",
    symptom="dW_xh has the right sum over its columns and the wrong columns.",
    effect="Every token is taught what its successor should learn.",
    cure="The input layer sees the input of the step.",
    corrupts=("dW_xh",),
    seen=6,
    equivalent_when="targets equal inputs, or inputs are dense",
)
class TargetForInput(Faulty):
    def accumulate_W_xh(self, t: int, dh: Array, da: Array) -> None:
        if self.x.ndim == 3:
            return super().accumulate_W_xh(t, dh, da)
        for target, da_b in zip(self.y[t] % self.W_xh.shape[1], da, strict=True):
            self.grads["dW_xh"][:, target] += da_b


@fault(
    title="A token that occurs twice is counted once",
    wrong="dW_xh.T[x[t]] += da    # fancy indexing keeps the last of equal ids",
    right="np.add.at(dW_xh.T, x[t], da)",
    symptom="Columns of frequent tokens are too small.",
    effect="NumPy buffers `a[ids] += b`: of several equal ids only one is added. Frequent tokens learn too slowly.",
    cure="np.add.at, a one-hot product, or a loop over the batch.",
    corrupts=("dW_xh",),
    equivalent_when="no token occurs twice in a step (B = 1, for one), or inputs are dense",
)
class DuplicateTokenLost(Faulty):
    def accumulate_W_xh(self, t: int, dh: Array, da: Array) -> None:
        if self.x.ndim == 3:
            return super().accumulate_W_xh(t, dh, da)
        kept = self.x[t] != NO_TOKEN
        self.grads["dW_xh"].T[self.x[t][kept]] += da[kept]


@fault(
    title="The gradient of NO_TOKEN goes to the last column",
    wrong="np.add.at(dW_xh.T, x[t], da)    # x = -1 wraps around",
    right="np.add.at(dW_xh.T, x[t][x[t] != NO_TOKEN], da[x[t] != NO_TOKEN])",
    symptom="The last column of dW_xh is wrong, all others are right.",
    effect="The last token of the vocabulary is trained by the first step of every sequence.",
    cure="Leave NO_TOKEN out: the zero vector has no column.",
    corrupts=("dW_xh",),
    equivalent_when="no input is NO_TOKEN, or inputs are dense",
)
class NoTokenUpdatesTheLastColumn(Faulty):
    def accumulate_W_xh(self, t: int, dh: Array, da: Array) -> None:
        if self.x.ndim == 3:
            return super().accumulate_W_xh(t, dh, da)
        np.add.at(self.grads["dW_xh"].T, self.x[t], da)


@fault(
    title="dx ignores the later steps",
    wrong="dx[t] = (dlogits[t] @ W_hy * (1 - h[t]**2)) @ W_xh",
    right="dx[t] = da[t] @ W_xh    # da[t] holds what comes back from step t + 1 as well",
    symptom="dx is right at the last step only; all parameter gradients are right.",
    effect="A layer below (an embedding, another RNN) learns from the current output alone.",
    cure="Compute dx from the complete da.",
    corrupts=("dx",),
    shows_from=2,
    seen=3,
    equivalent_when="T = 1, or inputs are ids",
)
class InputGradientIgnoresLaterSteps(Faulty):
    def accumulate_x(self, t: int, dh: Array, da: Array) -> None:
        self.dx[t] = (self.own[t] * self.derivative(t)) @ self.W_xh
