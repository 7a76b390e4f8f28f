"""Mistakes of the forward pass. Gradient checks by differences do not see them: the wrong model is consistent."""

from functools import partial

import numpy as np

from rnncheck.faults.registry import Faulty, register
from rnncheck.textbook.loss import Array

fault = partial(register, family="forward", kinds=("rnn", "sample"))


@fault(
    title="The recurrence is missing from the forward pass",
    wrong="h = np.tanh(x @ W_xh.T + b_h)",
    right="h = np.tanh(x @ W_xh.T + b_h + h_prev @ W_hh.T)",
    symptom="The states do not depend on what came before.",
    effect="The network is a feed-forward model of single tokens; the loss stops at that of a bigram table.",
    cure="Add W_hh h_{t-1} to the pre-activation.",
    corrupts=("h",),
    seen=5,
    equivalent_when="T = 1 and h0 = 0",
)
class RecurrenceDropped(Faulty):
    def recurrent_term(self, h: Array) -> Array:
        return 0 * h


@fault(
    title="The given first state is ignored",
    wrong="h = np.zeros((B, H))",
    right="h = np.zeros((B, H)) if h0 is None else h0",
    symptom="The result is the same for every h0.",
    effect="A state carried from chunk to chunk is lost, so that the model never sees beyond a chunk.",
    cure="Start from h0 where it is given.",
    corrupts=("h",),
    equivalent_when="h0 = 0 or not given",
)
class FirstStateIgnored(Faulty):
    def first_state(self, h0: Array | None, B: int) -> Array:
        return super().first_state(None, B)


@fault(
    title="W_hh is multiplied from the wrong side",
    wrong="a = xp[t] + h @ W_hh",
    right="a = xp[t] + h @ W_hh.T",
    symptom="All states are wrong, while a network trained with the same code works.",
    effect="Weights exchanged with another program mean something else; only a shared case shows it.",
    cure="With states in rows (B, H) the product is h @ W_hh.T, with states in columns W_hh @ h.",
    corrupts=("h",),
    equivalent_when="W_hh is symmetric, or H = 1, or T = 1 and h0 = 0",
)
class RecurrentMatrixTransposed(Faulty):
    def recurrent_term(self, h: Array) -> Array:
        return h @ self.W_hh


@fault(
    title="Every step starts from the first state",
    wrong="h[t] = np.tanh(xp[t] + h0 @ W_hh.T)",
    right="h[t] = np.tanh(xp[t] + h[t - 1] @ W_hh.T)",
    symptom="The states depend on the current input and on h0 only.",
    effect="No memory beyond one step.",
    cure="Update the variable that holds the previous state inside the loop.",
    corrupts=("h",),
    shows_from=2,
    seen=5,
    equivalent_when="T = 1",
    kinds=("rnn",),
)
class EveryStepFromTheFirstState(Faulty):
    def previous_state(self, t: int) -> Array:
        return self.h0


@fault(
    title="The state from two steps back is fed in",
    wrong="h[t] = np.tanh(xp[t] + h[t - 2] @ W_hh.T)",
    right="h[t] = np.tanh(xp[t] + h[t - 1] @ W_hh.T)",
    symptom="Even and odd steps do not know of each other.",
    effect="Two interleaved networks, each seeing half of the text.",
    cure="Mind the offset between a state array with a slot for h0 and one without.",
    corrupts=("h",),
    shows_from=2,
    seen=15,
    equivalent_when="T = 1",
    kinds=("rnn",),
)
class StateTwoStepsBack(Faulty):
    def previous_state(self, t: int) -> Array:
        return self.h[t - 2] if t > 1 else self.h0


@fault(
    title="The pre-activation is carried on instead of the state",
    wrong="a = xp[t] + a @ W_hh.T; h[t] = np.tanh(a)",
    right="a = xp[t] + h[t - 1] @ W_hh.T; h[t] = np.tanh(a)",
    symptom="The first state is right; those after it grow without the bound that tanh gives them.",
    effect="A linear recurrence with a squashed output: it explodes as soon as the gain of W_hh exceeds one.",
    cure="What goes round the loop is h, the value after the nonlinearity.",
    corrupts=("h",),
    shows_from=2,
    equivalent_when="T = 1",
    kinds=("rnn",),
)
class PreActivationCarried(Faulty):
    def forward_step(self, t: int) -> None:
        before = self.a[t - 1] if t > 0 else self.h0
        self.a.append(self.input_at(t) + self.recurrent_term(before) + self.hidden_bias())
        self.h.append(self.activate(self.a[t]))
        self.logits.append(self.readout(self.h[t]))


@fault(
    title="The hidden bias is never added",
    wrong="a = x @ W_xh.T + h @ W_hh.T",
    right="a = x @ W_xh.T + h @ W_hh.T + b_h",
    symptom="b_h changes in training while the output does not depend on it.",
    effect="A lost parameter; training hides it well.",
    cure="Add b_h to the pre-activation.",
    corrupts=("h",),
    seen=5,
    equivalent_when="b_h = 0 or absent",
)
class HiddenBiasUnused(Faulty):
    def hidden_bias(self) -> Array | int:
        return 0


@fault(
    title="The hidden bias is added twice",
    wrong="a = (x @ W_xh.T + b_h) + (h @ W_hh.T + b_h)",
    right="a = x @ W_xh.T + h @ W_hh.T + b_h",
    symptom="The states are those of a bias of twice the size.",
    effect="Weights exchanged with another program give other states; db_h is half of what it should be.",
    cure="Two linear layers with a bias each: keep one bias, or count both in the gradient.",
    corrupts=("h",),
    equivalent_when="b_h = 0 or absent",
)
class HiddenBiasAddedTwice(Faulty):
    def hidden_bias(self) -> Array | int:
        return self.b_h + self.b_h


@fault(
    title="The output bias is never added",
    wrong="logits = h @ W_hy.T",
    right="logits = h @ W_hy.T + b_y",
    symptom="b_y changes in training while the output does not depend on it.",
    effect="The frequencies of the tokens have to be learnt through the states.",
    cure="Add b_y to the logits.",
    corrupts=("logits",),
    seen=5,
    equivalent_when="b_y = 0 or absent",
)
class OutputBiasUnused(Faulty):
    def readout(self, h: Array) -> Array:
        return h @ self.W_hy.T


@fault(
    title="The states pass through a sigmoid instead of tanh",
    wrong="h = 1 / (1 + np.exp(-a))",
    right="h = np.tanh(a)",
    symptom="States lie in (0, 1); with the derivative of tanh the gradients do not fit them either.",
    effect="Slower learning, and gradients that are not those of the loss.",
    cure="Use np.tanh, or change forward and derivative together.",
    corrupts=("h",),
    seen=5,
    equivalent_when="the nonlinearity is not tanh",
)
class SigmoidForTanh(Faulty):
    def activate(self, a: Array) -> Array:
        return 1 / (1 + np.exp(-a)) if self.nonlinearity == "tanh" else super().activate(a)


@fault(
    title="All sequences of the batch share the state of the first",
    wrong="a = xp[t] + h[0] @ W_hh.T",
    right="a = xp[t] + h @ W_hh.T",
    symptom="Broadcasting hides it: shapes fit, and permuting the batch changes the result.",
    effect="Every sequence is continued from another one's past.",
    cure="Keep the batch axis of the state: (B, H), never (H,) or (1, H).",
    corrupts=("h",),
    seen=9,
    equivalent_when="B = 1, or T = 1 and h0 is the same for all",
)
class OneStateForTheWholeBatch(Faulty):
    def recurrent_term(self, h: Array) -> Array:
        return super().recurrent_term(np.repeat(h[:1], len(h), axis=0))
