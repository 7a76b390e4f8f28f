"""Mistakes of the update: of SGD, of its momentum, and of what is kept between steps."""

from dataclasses import replace
from functools import partial

import numpy as np

from rnncheck.case import OptimCase
from rnncheck.faults.registry import Faulty, register
from rnncheck.textbook.loss import Array

fault = partial(register, family="optimizer", kinds=("optim",))


@fault(
    title="The parameters never change",
    wrong="for w, g in zip(params, grads): w = w - lr * g    # binds a name",
    right="for w, g in zip(params, grads): w -= lr * g    # writes into the array",
    symptom="The parameters after a step are those before it.",
    effect="The loss is flat.",
    cure="Update in place, or put the new array back where the old one was.",
    corrupts=("step*",),
    seen=9,
)
class ParametersNeverChange(Faulty):
    def apply(self, w: Array, update: Array, lr: float) -> Array:
        return w


@fault(
    title="The optimiser's memory is reset at every step",
    wrong="def step(): m = np.zeros_like(w); m += g**2; ...",
    right="def step(): self.m += g**2; ...",
    symptom="A first step is right, every later one is a first step again.",
    effect="Momentum and Adagrad do nothing; Adagrad then takes a step of lr times the sign of g for ever.",
    cure="Keep the memory where it outlives the call.",
    corrupts=("step*",),
    seen=9,
    equivalent_when="plain SGD, or one step with none before it",
)
class MemoryResetAtEveryStep(Faulty):
    def step_all(self, s: int) -> None:
        self.memory = {name: self.first_memory(w) for name, w in self.params.items()}
        super().step_all(s)


@fault(
    title="One parameter is never updated",
    wrong="for name in ('W_xh', 'W_hh', 'b_h', 'W_hy'): ...",
    right="for name in params: ...",
    symptom="The last parameter keeps its value.",
    effect="Seldom visible in the loss.",
    cure="Loop over the dictionary of parameters instead of a list of names.",
    corrupts=("step*.b_y",),
    seen=9,
)
class LastParameterNeverUpdated(Faulty):
    def step_one(self, name: str, s: int) -> None:
        if name != list(self.params)[-1]:
            super().step_one(name, s)


@fault(
    title="The gradient is added",
    wrong="w += lr * g",
    right="w -= lr * g",
    symptom="The parameters move away from the minimum.",
    effect="The loss rises; right only with gradients that are returned negated.",
    cure="Descent subtracts.",
    corrupts=("step*",),
    seen=4,
)
class GradientAdded(Faulty):
    def apply(self, w: Array, update: Array, lr: float) -> Array:
        return w + lr * update


@fault(
    title="Gradients are not set to zero between steps",
    wrong="grads += backward()",
    right="grads = backward()",
    symptom="The first step is right, the second uses the sum of both gradients.",
    effect="An unintended momentum of 1 that never forgets.",
    cure="Zero the gradients before every backward pass.",
    corrupts=("step2.*",),
    shows_from=2,
    seen=7,
    equivalent_when="one step",
)
class GradientsNotZeroedBetweenSteps(Faulty):
    def gradient(self, name: str, s: int) -> Array:
        return np.add.reduce([super(GradientsNotZeroedBetweenSteps, self).gradient(name, r) for r in range(s + 1)])


@fault(
    title="The memory is lost when a run is resumed",
    wrong="m = np.zeros_like(w)    # whatever the checkpoint holds",
    right="m = checkpoint['m']",
    symptom="A run that goes on from a checkpoint takes other steps than one that was never stopped.",
    effect="Adagrad starts again with large steps: the loss jumps up after every interruption.",
    cure="Save and load the state of the optimiser with the parameters.",
    corrupts=("step*",),
    equivalent_when="no step came before, or plain SGD",
)
class MemoryLostOnResume(Faulty):
    def run_optim(self, case: OptimCase) -> dict[str, Array]:
        return super().run_optim(replace(case, buffer=None))


@fault(
    title="The learning rate falls at every step",
    wrong="lr = lr / (step + 1)",
    right="lr = lr    # a schedule is asked for, never assumed",
    symptom="The first step is right, the second is half of it.",
    effect="Training stops by itself.",
    cure="Change the learning rate only where the caller says so.",
    corrupts=("step2.*",),
    shows_from=2,
    equivalent_when="one step",
)
class LearningRateFallsUnasked(Faulty):
    def learning_rate(self, s: int) -> float:
        return super().learning_rate(s) / (s + 1)


@fault(
    title="The momentum starts with the first gradient where it should start at zero",
    wrong="v = g if first else 0.9 * v + 0.1 * g",
    right="v = 0.9 * v + 0.1 * g    # v = 0 before the first step",
    symptom="The first step is ten times too large; the difference fades by 0.9 a step.",
    effect="torch.optim.SGD with momentum and dampening does this: it is no exponential average from the start.",
    cure="Set the momentum to zeros before step 0.",
    corrupts=("step1.*",),
    equivalent_when="the momentum is torch's, or there is none",
)
class MomentumStartsWithTheGradient(Faulty):
    def first_memory(self, w: Array) -> Array | None:
        return super().first_memory(w) if self.rule.method == "adagrad" else None


@fault(
    title="The momentum starts at zero where it should start with the first gradient",
    wrong="v = np.zeros_like(w); v = momentum * v + (1 - dampening) * g",
    right="v = g if v is None else momentum * v + (1 - dampening) * g",
    symptom="The first step is dampened; right without dampening.",
    effect="Early training is slower than torch's.",
    cure="torch takes the first gradient undampened.",
    corrupts=("step1.*",),
    equivalent_when="dampening is 0, or the start at zero is asked for",
)
class MomentumStartsAtZero(Faulty):
    def first_memory(self, w: Array) -> Array | None:
        return super().first_memory(w) if self.rule.method == "adagrad" else np.zeros_like(w)


@fault(
    title="Nesterov's momentum where the plain one is asked for",
    wrong="w -= lr * (g + momentum * v)",
    right="w -= lr * v",
    symptom="The first step is too large by 1 + momentum; from then on every step looks ahead.",
    effect="A method of its own (Y. Nesterov, 1983): steps cannot be compared with those of plain momentum.",
    cure="Say which of the two it is; torch asks for nesterov=True.",
    corrupts=("step*",),
    equivalent_when="there is no momentum",
)
class NesterovUnasked(Faulty):
    def step_one(self, name: str, s: int) -> None:
        super().step_one(name, s)
        ahead, w = self.memory[name], self.params[name]
        if self.rule.method == "sgd" and self.rule.momentum and ahead is not None:
            g = self.gradient(name, s)
            extra = g + (self.rule.momentum - 1) * ahead  # beyond the v that has been taken
            self.params[name] = self.apply(w, extra, self.learning_rate(s))


@fault(
    title="Dampening is ignored",
    wrong="v = momentum * v + g",
    right="v = momentum * v + (1 - dampening) * g",
    symptom="Steps grow towards lr g / (1 - momentum): ten times too large at 0.9.",
    effect="A learning rate that was chosen for an average diverges for a sum.",
    cure="Give the gradient its share, 1 - dampening.",
    corrupts=("step*",),
    equivalent_when="dampening is 0, or torch's start and one step",
)
class DampeningIgnored(Faulty):
    def gradient_share(self) -> float:
        return 1.0


@fault(
    title="Dampening taken for the share of the gradient",
    wrong="v = momentum * v + dampening * g",
    right="v = momentum * v + (1 - dampening) * g",
    symptom="With momentum 0.9 and dampening 0.9 the gradient counts nine times too much.",
    effect="0.9 v + 0.9 g is another recursion than 0.9 v + 0.1 g.",
    cure="Dampening is what is taken away.",
    corrupts=("step*",),
    equivalent_when="dampening is 0.5, or there is no momentum",
)
class DampeningForItsComplement(Faulty):
    def gradient_share(self) -> float:
        return self.rule.dampening
