"""Mistakes of the derivative of the nonlinearity, and of what reaches the first state."""

from functools import partial

import numpy as np

from rnncheck.faults.registry import Faulty, register
from rnncheck.textbook.loss import Array

fault = partial(register, family="derivative")


@fault(
    title="The derivative of an already activated value",
    wrong="da = dh * (1 - np.tanh(h[t])**2)",
    right="da = dh * (1 - h[t]**2)",
    symptom="da is too large, by the size of h^2: 1e-8 at tiny initial weights.",
    effect="Saturated units keep learning; a gradient check at initialisation passes.",
    cure="With h = tanh(a) the derivative is 1 - h^2: h is activated already.",
    corrupts=("da",),
    seen=13,
    equivalent_when="the nonlinearity is relu",
)
class DerivativeOfTheActivated(Faulty):
    def derivative(self, t: int) -> Array:
        return 1 - np.tanh(self.h[t]) ** 2 if self.nonlinearity == "tanh" else super().derivative(t)


@fault(
    title="The derivative of the nonlinearity is missing",
    wrong="da = dh",
    right="da = dh * (1 - h[t]**2)",
    symptom="da equals dh.",
    effect="The gradient of a linear network; with large weights it explodes.",
    cure="Multiply by f'(a).",
    corrupts=("da",),
    seen=13,
    equivalent_when="all states are near zero",
)
class DerivativeMissing(Faulty):
    def derivative(self, t: int) -> Array:
        return np.ones_like(self.h[t])


@fault(
    title="The derivative is applied twice",
    wrong="da = dh * (1 - h[t]**2)**2",
    right="da = dh * (1 - h[t]**2)",
    symptom="da is too small, most of all for saturated units.",
    effect="Gradients vanish twice as fast.",
    cure="Go through the nonlinearity once.",
    corrupts=("da",),
    equivalent_when="the nonlinearity is relu, or all states are near zero",
)
class DerivativeSquared(Faulty):
    def derivative(self, t: int) -> Array:
        return super().derivative(t) ** 2


@fault(
    title="The derivative formula applied to the pre-activation",
    wrong="da = dh * (1 - a[t]**2)",
    right="da = dh * (1 - h[t]**2)    # or 1 - np.tanh(a[t])**2",
    symptom="da changes its sign where |a| > 1.",
    effect="Harmless at tiny weights, divergence later.",
    cure="1 - h^2 is written with the state, not with the pre-activation.",
    corrupts=("da",),
    equivalent_when="the nonlinearity is relu, or all states are near zero",
)
class DerivativeAtThePreActivation(Faulty):
    def derivative(self, t: int) -> Array:
        return 1 - self.a[t] ** 2 if self.nonlinearity == "tanh" else super().derivative(t)


@fault(
    title="The derivative of the sigmoid",
    wrong="da = dh * h[t] * (1 - h[t])",
    right="da = dh * (1 - h[t]**2)",
    symptom="da has the wrong sign where the state is negative.",
    effect="Half of the units climb the loss.",
    cure="Each nonlinearity has its own derivative: h (1 - h) is the sigmoid's, 1 - h^2 that of tanh.",
    corrupts=("da",),
    seen=13,
    equivalent_when="the nonlinearity is not tanh",
)
class SigmoidDerivative(Faulty):
    def derivative(self, t: int) -> Array:
        return self.h[t] * (1 - self.h[t]) if self.nonlinearity == "tanh" else super().derivative(t)


@fault(
    title="The derivative of tanh in a network with ReLU",
    wrong="da = dh * (1 - h[t]**2)",
    right="da = dh * (h[t] > 0)",
    symptom="da is wrong, and large, wherever a unit is active.",
    effect="States above 1 turn the gradient around.",
    cure="Change the derivative together with the nonlinearity.",
    corrupts=("da",),
    seen=13,
    equivalent_when="the nonlinearity is tanh",
)
class TanhDerivativeForRelu(Faulty):
    def derivative(self, t: int) -> Array:
        return 1 - self.h[t] ** 2


@fault(
    title="The derivative is missing at the last step",
    wrong="da = dh    # before the loop, for t = T - 1",
    right="da = dh * (1 - h[T - 1]**2)",
    symptom="da is wrong at the last step first; at T = 1 it equals dh.",
    effect="A last step that is written apart from the loop lacks a line that the loop has.",
    cure="Let the loop begin at T - 1 with a carry of zero: no step is special.",
    corrupts=("da",),
    equivalent_when="the states of the last step are near zero",
)
class DerivativeMissingAtTheLastStep(Faulty):
    def derivative(self, t: int) -> Array:
        return super().derivative(t) if t < self.T - 1 else np.ones_like(self.h[t])


@fault(
    title="The derivative is that of the state before",
    wrong="da = dh * (1 - h[t - 1]**2)    # states[t], where states[0] is h0",
    right="da = dh * (1 - h[t]**2)",
    symptom="da is dh times the derivative of another step, at every step.",
    effect="Units learn by how saturated they were a step ago.",
    cure="h_t = f(a_t): the derivative that leads from dh_t to da_t is taken at h_t.",
    corrupts=("da",),
    equivalent_when="all states are near zero",
)
class DerivativeOfTheStateBefore(Faulty):
    def derivative(self, t: int) -> Array:
        before = self.previous_state(t)
        return 1 - before**2 if self.nonlinearity == "tanh" else (before > 0).astype(self.dtype)


@fault(
    title="The last state's derivative is used at every step",
    wrong="da = dh * (1 - self.cache_h**2)    # one cell object, its cache overwritten at every step",
    right="da = dh * (1 - h[t]**2)",
    symptom="da is right at the last step only.",
    effect="One activation object for all steps remembers only its last call.",
    cure="Keep the states of all steps.",
    corrupts=("da",),
    shows_from=2,
    seen=4,
    equivalent_when="T = 1",
)
class LastDerivativeForAllSteps(Faulty):
    def derivative(self, t: int) -> Array:
        return super().derivative(self.T - 1)


@fault(
    title="dh0 is zero",
    wrong="dh0 = np.zeros_like(h0)",
    right="dh0 = dh_next    # what the first step sends back",
    symptom="dh0 is zero, everything else is right.",
    effect="A learnt first state, or an encoder before this network, never learns.",
    cure="Return the carry that is left when the loop over time has ended.",
    corrupts=("dh0",),
)
class FirstStateGradientZero(Faulty):
    def first_state_gradient(self, carry: Array) -> Array:
        return 0 * carry


@fault(
    title="dh0 without the last product with W_hh",
    wrong="dh0 = da[0]",
    right="dh0 = da[0] @ W_hh",
    symptom="dh0 equals da of the first step.",
    effect="A learnt first state is trained in the wrong direction.",
    cure="h0 reaches a_1 through W_hh, as every state reaches its successor.",
    corrupts=("dh0",),
)
class FirstStateGradientWithoutTheMatrix(Faulty):
    def first_state_gradient(self, carry: Array) -> Array:
        return 1 * self.da[0]


@fault(
    title="dh0 is the gradient of the state after it",
    wrong="dh0 = dh[0]",
    right="dh0 = da[0] @ W_hh    # dh[0] belongs to h_1",
    symptom="dh0 equals dh of the first step.",
    effect="A learnt first state gets the gradient of its successor.",
    cure="Go one step further back than the first dh: through f and W_hh.",
    corrupts=("dh0",),
)
class FirstStateGradientOneStepLate(Faulty):
    def first_state_gradient(self, carry: Array) -> Array:
        return self.dh[0] - self.dh0  # in windows, what is new in this one
