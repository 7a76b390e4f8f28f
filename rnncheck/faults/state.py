"""Mistakes that live in what a call leaves behind: two calls, or a look at the inputs, are needed to see them."""

from collections.abc import Mapping
from functools import partial

import numpy as np

from rnncheck.faults.registry import Faulty, register
from rnncheck.textbook.loss import Array
from rnncheck.textbook.rnn import NO_TOKEN

fault = partial(register, family="state")


@fault(
    title="The state leaks from one call to the next",
    wrong="h = self.h    # whatever the last call left",
    right="h = np.zeros((B, H)) if h0 is None else h0",
    symptom="The first call is right, the same call again gives another result.",
    effect="A sequence is continued from the end of an unrelated one; validation depends on what was run before.",
    cure="Take the first state as an argument, zero by default, and return the last.",
    corrupts=("second.h",),
    seen=9,
    equivalent_when="every call gives its h0, or the batch size changes",
)
class StateLeaksBetweenCalls(Faulty):
    def __init__(self) -> None:
        self.left: dict[tuple[int, ...], Array] = {}

    def first_state(self, h0: Array | None, B: int) -> Array:
        fresh = super().first_state(h0, B)
        return self.left.get(fresh.shape, fresh).astype(self.dtype) if h0 is None else fresh

    def trace(self) -> dict[str, Array]:
        self.left[self.h0.shape] = self.h[-1]
        return super().trace()


@fault(
    title="Gradients of a second call are added to those of the first",
    wrong="self.dW_hh += da.T @ h_prev    # set to zero in __init__ only",
    right="self.dW_hh = np.zeros_like(W_hh)    # at the beginning of every backward pass",
    symptom="The first call is right; the second equal call returns twice the parameter gradients.",
    effect="The step grows with every batch.",
    cure="Start the sums at zero in the backward pass itself.",
    corrupts=("second.dW_*", "second.db_*"),
    seen=7,
)
class GradientsAddUpOverCalls(Faulty):
    def __init__(self) -> None:
        self.sums: dict[str, Array] = {}

    def zero_grads(self, params: Mapping[str, Array]) -> dict[str, Array]:
        fresh = {f"{name} {g.shape} {g.dtype}": g for name, g in super().zero_grads(params).items()}
        self.sums = fresh | self.sums
        return {key.partition(" ")[0]: self.sums[key] for key in fresh}

    def trace(self) -> dict[str, Array]:
        return {name: np.array(array) for name, array in super().trace().items()}


@fault(
    title="h0 is overwritten with the last state",
    wrong="h = h0; h[:] = np.tanh(a)    # the caller's array",
    right="h = np.tanh(a)",
    symptom="The result is right; the caller's h0 holds the last state afterwards.",
    effect="The second use of the same h0 starts elsewhere.",
    cure="Never write into an argument; copy where a buffer is wanted.",
    corrupts=("inputs.h0",),
    equivalent_when="h0 is not given",
)
class FirstStateOverwritten(Faulty):
    def trace(self) -> dict[str, Array]:
        found = super().trace()
        self.h0[...] = self.h[-1]
        return found


@fault(
    title="NO_TOKEN ids are replaced in the caller's array",
    wrong="x[x == NO_TOKEN] = 0",
    right="ids = np.where(x == NO_TOKEN, 0, x)",
    symptom="The result is right; the second call with the same array reads token 0.",
    effect="From the second epoch on, every sequence begins with token 0.",
    cure="Work on a copy.",
    corrupts=("inputs.x",),
    equivalent_when="no input is NO_TOKEN, or inputs are dense",
)
class TokensReplacedInPlace(Faulty):
    def trace(self) -> dict[str, Array]:
        if self.x.ndim == 2:
            self.x[self.x == NO_TOKEN] = 0
        return super().trace()


@fault(
    title="Ignored targets are replaced in the caller's array",
    wrong="y[y == ignore_index] = 0",
    right="target = np.where(y == ignore_index, 0, y)",
    symptom="The result is right; the second call with the same array counts the ignored targets as token 0.",
    effect="From the second epoch on, padding is trained on.",
    cure="Work on a copy.",
    corrupts=("inputs.y",),
    equivalent_when="nothing is ignored",
)
class TargetsReplacedInPlace(Faulty):
    def trace(self) -> dict[str, Array]:
        self.y[~self.kept] = 0
        return super().trace()


@fault(
    title="The parameters are updated inside the gradient function",
    wrong="W_hh -= 0.1 * dW_hh; return loss, dW_hh",
    right="return loss, dW_hh    # the optimiser updates",
    symptom="The gradients are right; the caller's parameters have changed.",
    effect="Evaluating the loss trains the model, and a gradient check chases a moving target.",
    cure="Separate gradient and update.",
    corrupts=("inputs.params.*",),
    seen=25,
)
class UpdateInsideTheGradient(Faulty):
    def trace(self) -> dict[str, Array]:
        for name, array in self.case.params.items():
            array -= 0.1 * self.grads[f"d{name}"].astype(array.dtype)
        return super().trace()


@fault(
    title="A missing first state is a vector of ones",
    wrong="h = np.ones((B, H)) if h0 is None else h0",
    right="h = np.zeros((B, H)) if h0 is None else h0",
    symptom="h0 left out and h0 = 0 give different results.",
    effect="Every sequence starts in a state that no training has chosen.",
    cure="The state before the first token is zero.",
    corrupts=("h",),
    seen=6,
    equivalent_when="h0 is given",
    kinds=("rnn", "sample"),
)
class MissingFirstStateIsOnes(Faulty):
    def first_state(self, h0: Array | None, B: int) -> Array:
        return super().first_state(h0, B) + (h0 is None)
