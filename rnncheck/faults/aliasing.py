"""Arrays that share memory: what was right when it was computed is overwritten before it is read."""

from collections.abc import Mapping
from functools import partial

import numpy as np

from rnncheck.faults.registry import Faulty, register
from rnncheck.textbook.loss import Array

fault = partial(register, family="aliasing")


@fault(
    title="All recorded states are one buffer",
    wrong="np.tanh(a, out=h); states.append(h)",
    right="h = np.tanh(a); states.append(h)",
    symptom="All states equal the last one; logits and loss are right.",
    effect="The backward pass sees the last state at every step.",
    cure="Append a copy, or give every step its own row.",
    corrupts=("h",),
    shows_from=2,
    seen=15,
    equivalent_when="T = 1",
)
class StatesShareOneBuffer(Faulty):
    def forward_step(self, t: int) -> None:
        super().forward_step(t)
        self.h = [self.h[t]] * (t + 1)


@fault(
    title="dh is overwritten by da",
    wrong="da = dh; da *= 1 - h[t]**2",
    right="da = dh * (1 - h[t]**2)",
    symptom="The dh that is returned equals da; every gradient computed from da is right.",
    effect="Whoever reads dh afterwards (a layer above, a plot of vanishing gradients) reads something else.",
    cure="`b = a` names the same array; multiply into a new one.",
    corrupts=("dh",),
)
class StateGradientOverwritten(Faulty):
    def through_activation(self, dh: Array, t: int) -> Array:
        dh *= self.derivative(t)
        return dh


@fault(
    title="The logits are overwritten by the probabilities",
    wrong="p = logits; p -= p.max(); np.exp(p, out=p); p /= p.sum()",
    right="p = softmax(logits)    # into a new array",
    symptom="The logits that are returned lie between 0 and 1; loss and gradients are right.",
    effect="Sampling applies softmax a second time, nearly uniform draws are the result.",
    cure="Compute probabilities into an array of their own.",
    corrupts=("logits",),
)
class LogitsOverwritten(Faulty):
    def logits_gradient(self, t: int) -> Array:
        gradient = super().logits_gradient(t)
        self.logits[t] = self.softmax(self.logits[t])
        return gradient


@fault(
    title="The loss is read from probabilities that the gradient has overwritten",
    wrong="dlogits = p; dlogits[y] -= 1; loss = -np.log(p[y])",
    right="loss = -np.log(p[y]); dlogits = p.copy(); dlogits[y] -= 1",
    symptom="The loss is NaN (the logarithm of p - 1), the gradients are right.",
    effect="Training works while its curve is empty.",
    cure="Copy p before subtracting the target.",
    corrupts=("loss",),
)
class LossAfterTheGradientInPlace(Faulty):
    def token_loss(self, t: int) -> Array:
        p = self.softmax(self.logits[t]) - self.one_hot(t)
        return -np.log(p[np.arange(len(p)), self.target(t)])


@fault(
    title="Every call returns the same buffers",
    wrong="np.matmul(da.T, h_prev, out=self.dW_hh); return self.dW_hh",
    right="return self.dW_hh.copy()",
    symptom="The result of a call changes when the next call is made.",
    effect="Two gradients that are compared are the same array: every check passes.",
    cure="Return copies, or new arrays.",
    corrupts=("shared.*",),
)
class ResultsShareOneBuffer(Faulty):
    def trace(self) -> dict[str, Array]:
        found = super().trace()
        buffers = self.__dict__.setdefault("buffers", {})
        for name, array in found.items():
            buffer = buffers.get((name, array.dtype))
            if buffer is None or buffer.size < array.size:
                buffer = buffers[name, array.dtype] = np.empty(array.size, array.dtype)
            found[name] = buffer[: array.size].reshape(array.shape)
            found[name][...] = array
        return found


@fault(
    title="The returned state is one step old",
    wrong="return h_prev",
    right="return h",
    symptom="The last state that is returned equals the one before it; loss and gradients are right.",
    effect="A chunk continues from the state before its predecessor's last token.",
    cure="Return the state after the last step.",
    corrupts=("h",),
    seen=9,
)
class ReturnedStateIsOneStepOld(Faulty):
    def trace(self) -> dict[str, Array]:
        found = super().trace()
        found["h"][-1] = self.previous_state(self.T - 1)
        return found


@fault(
    title="The parameters of every step are one array",
    wrong="history.append(w)    # and w -= lr * g in place",
    right="history.append(w.copy())",
    symptom="All recorded steps equal the last.",
    effect="A plot of the weights over time is flat, early stopping restores the newest weights.",
    cure="Record copies.",
    corrupts=("step1.*", "shared.*"),
    kinds=("optim",),
    shows_from=2,
    seen=15,
    equivalent_when="one step",
)
class StepsRecordedWithoutCopy(Faulty):
    def apply(self, w: Array, update: Array, lr: float) -> Array:
        w -= lr * update
        return w

    def record(self, w: Array) -> Array:
        return w


@fault(
    title="The caller's parameters are updated in place",
    wrong="w -= lr * g",
    right="w = w - lr * g",
    symptom="The result is right; the parameters that were given have changed.",
    effect="A comparison that starts twice from the same weights does not.",
    cure="Return new arrays unless an update in place is asked for.",
    corrupts=("inputs.params.*",),
    kinds=("optim",),
)
class ParametersUpdatedInPlace(Faulty):
    def take_params(self, params: Mapping[str, Array]) -> dict[str, Array]:
        return dict(params)

    def apply(self, w: Array, update: Array, lr: float) -> Array:
        w -= lr * update
        return w
