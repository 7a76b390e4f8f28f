"""Mistakes of Adagrad."""

from functools import partial

import numpy as np

from rnncheck.faults.registry import Faulty, register
from rnncheck.textbook.loss import Array

fault = partial(
    register, family="optimizer", kinds=("optim",), corrupts=("step*",), equivalent_when="the optimiser is not Adagrad"
)


@fault(
    title="Epsilon on the other side of the root",
    wrong="w -= lr * g / np.sqrt(m + eps)",
    right="w -= lr * g / (np.sqrt(m) + eps)    # or the other way round: papers and programs differ",
    symptom="Steps for tiny gradients differ, by a factor of 100 at g = 1e-6 and eps = 1e-8.",
    effect="Parameters with rare, small gradients learn faster or slower than in the program compared with.",
    cure="Say where epsilon stands: torch has it outside the root, min-char-rnn inside.",
    convention=True,
)
class AdagradEpsilonMisplaced(Faulty):
    def root(self, m: Array) -> Array:
        eps = self.rule.eps
        return np.sqrt(m) + eps if self.rule.eps_inside else np.sqrt(m + eps)


@fault(
    title="Adagrad divides by the sum of squares",
    wrong="w -= lr * g / (m + eps)",
    right="w -= lr * g / (np.sqrt(m) + eps)",
    symptom="The first step is lr / g instead of lr times the sign of g.",
    effect="Small gradients make huge steps.",
    cure="Take the root.",
)
class AdagradWithoutRoot(Faulty):
    def root(self, m: Array) -> Array:
        return m + self.rule.eps


@fault(
    title="Adagrad without epsilon",
    wrong="w -= lr * g / np.sqrt(m)",
    right="w -= lr * g / (np.sqrt(m) + eps)",
    symptom="NaN in every element that has not had a gradient yet; right elsewhere, but for tiny gradients.",
    effect="0 / 0: the column of the first token that does not occur turns the whole network into NaN.",
    cure="Add epsilon to the denominator.",
)
class AdagradWithoutEpsilon(Faulty):
    def root(self, m: Array) -> Array:
        return np.sqrt(m)


@fault(
    title="Adagrad divides by the squares before this step",
    wrong="w -= lr * g / (np.sqrt(m) + eps); m += g**2",
    right="m += g**2; w -= lr * g / (np.sqrt(m) + eps)",
    symptom="The first step divides by epsilon alone.",
    effect="The first update throws all parameters away.",
    cure="Add the squared gradient first.",
)
class AdagradMemoryAfterUse(Faulty):
    def adagrad_update(self, before: Array, m: Array, g: Array) -> Array:
        return g / self.root(before)


@fault(
    title="Adagrad's learning rate enters twice",
    wrong="w -= lr * (lr * g) / (np.sqrt(m) + eps)",
    right="w -= lr * g / (np.sqrt(m) + eps)",
    symptom="All steps are too small by lr.",
    effect="Training is ten times slower at lr = 0.1.",
    cure="Scale the gradient or the step, not both.",
)
class AdagradLearningRateTwice(Faulty):
    def learning_rate(self, s: int) -> float:
        lr = super().learning_rate(s)
        return lr * lr if self.rule.method == "adagrad" else lr


@fault(
    title="Adagrad forgets",
    wrong="m = 0.9 * m + 0.1 * g**2",
    right="m = m + g**2",
    symptom="The first step is 3.2 times too large.",
    effect="That is RMSprop: steps do not shrink.",
    cure="Adagrad adds up all squares.",
)
class AdagradForgets(Faulty):
    def squares(self, m: Array, g: Array) -> Array:
        return 0.9 * m + 0.1 * g * g


@fault(
    title="The initial accumulator is ignored",
    wrong="m = np.zeros_like(w)",
    right="m = np.full_like(w, initial_accumulator)",
    symptom="First steps are too large.",
    effect="What the accumulator was set for, a careful start, is lost.",
    cure="Start m at the given value.",
)
class AdagradAccumulatorIgnored(Faulty):
    def first_memory(self, w: Array) -> Array | None:
        return np.zeros_like(w) if self.rule.method == "adagrad" else super().first_memory(w)
