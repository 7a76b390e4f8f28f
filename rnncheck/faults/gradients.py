"""Mistakes of one parameter gradient while everything before it is right."""

from functools import partial

from rnncheck.faults.registry import Faulty, register
from rnncheck.textbook.loss import Array

fault = partial(register, family="gradients")


@fault(
    title="The previous state of the first step is the last state",
    wrong="dW_hh += da.T @ h[t - 1]    # t = 0: h[-1]",
    right="dW_hh += da.T @ (h[t - 1] if t > 0 else h0)",
    symptom="Only dW_hh is wrong, already at T = 1; the error may shrink with T.",
    effect="NumPy wraps -1 around to the last state: the network is taught that its future caused its past.",
    cure="Keep h0 in slot 0 of the states, or in a dictionary under -1.",
    corrupts=("dW_hh",),
    seen=15,
)
class PreviousStateWrapsAround(Faulty):
    def accumulate_W_hh(self, t: int, dh: Array, da: Array) -> None:
        self.grads["dW_hh"] += da.T @ self.h[t - 1]


@fault(
    title="dW_hh uses the current state",
    wrong="dW_hh += da.T @ h[t]",
    right="dW_hh += da.T @ h[t - 1]",
    symptom="Only dW_hh is wrong, from T = 1.",
    effect="The recurrent weights learn to reproduce the state instead of to predict it.",
    cure="a_t = W_hh h_{t-1} + ...: the factor is the state that went into the product.",
    corrupts=("dW_hh",),
    seen=15,
)
class CurrentStateForPrevious(Faulty):
    def accumulate_W_hh(self, t: int, dh: Array, da: Array) -> None:
        self.grads["dW_hh"] += da.T @ self.h[t]


@fault(
    title="dW_hh uses the state before the previous one",
    wrong="dW_hh += da.T @ states[t - 1]    # states[0] is h0, so this is h_{t-2}",
    right="dW_hh += da.T @ states[t]",
    symptom="Only dW_hh is wrong, from T = 2.",
    effect="The recurrent weights learn dependencies over two steps from products over one.",
    cure="Write down which index of the array of states is h0.",
    corrupts=("dW_hh",),
    shows_from=2,
    seen=15,
    equivalent_when="T = 1",
)
class StateBeforeThePrevious(Faulty):
    def accumulate_W_hh(self, t: int, dh: Array, da: Array) -> None:
        self.grads["dW_hh"] += da.T @ self.previous_state(max(t - 1, 0))


@fault(
    title="The first state is missing from dW_hh",
    wrong="if t > 0: dW_hh += da.T @ h[t - 1]",
    right="dW_hh += da.T @ (h[t - 1] if t > 0 else h0)",
    symptom="Only dW_hh is wrong, by da_1 h0^T.",
    effect="Right for single sequences, wrong as soon as a state is carried.",
    cure="Count the first step too: h0 is a state.",
    corrupts=("dW_hh",),
    equivalent_when="h0 = 0 or not given",
)
class FirstStateMissingFromGradient(Faulty):
    def accumulate_W_hh(self, t: int, dh: Array, da: Array) -> None:
        if t > 0:
            super().accumulate_W_hh(t, dh, da)


@fault(
    title="dW_hh is transposed",
    wrong="dW_hh += h_prev.T @ da",
    right="dW_hh += da.T @ h_prev",
    symptom="Only dW_hh is wrong; its transpose is right, and shapes fit, for it is square.",
    effect="The recurrent weights move in a direction that is right on the diagonal only.",
    cure="The gradient of W in a = W h has da's axis first, as W has.",
    corrupts=("dW_hh",),
    equivalent_when="H = 1",
)
class RecurrentGradientTransposed(Faulty):
    def accumulate_W_hh(self, t: int, dh: Array, da: Array) -> None:
        self.grads["dW_hh"] += self.previous_state(t).T @ da


@fault(
    title="dW_hy uses the previous state",
    wrong="dW_hy += dlogits[t].T @ h[t - 1]",
    right="dW_hy += dlogits[t].T @ h[t]",
    symptom="Only dW_hy is wrong.",
    effect="The readout is trained on states that it does not read.",
    cure="logits_t = W_hy h_t: the factor is the state of the same step.",
    corrupts=("dW_hy",),
    seen=15,
)
class ReadoutGradientFromPreviousState(Faulty):
    def accumulate_W_hy(self, t: int) -> None:
        self.grads["dW_hy"] += self.dlogits[t].T @ self.previous_state(t)


@fault(
    title="db_h sums dh instead of da",
    wrong="db_h += dh.sum(axis=0)",
    right="db_h += da.sum(axis=0)",
    symptom="Only db_h is wrong.",
    effect="The bias learns as if no unit were ever saturated.",
    cure="b_h is added inside the nonlinearity: its gradient is da.",
    corrupts=("db_h",),
    seen=5,
    equivalent_when="all states are near zero, or there is no b_h",
)
class BiasGradientBeforeTheDerivative(Faulty):
    def accumulate_b_h(self, t: int, dh: Array, da: Array) -> None:
        self.grads["db_h"] += dh.sum(axis=0)


@fault(
    title="db_h is averaged over the batch",
    wrong="db_h += da.mean(axis=0)",
    right="db_h += da.sum(axis=0)",
    symptom="Only db_h is wrong, too small by B.",
    effect="The bias learns B times more slowly than the weights beside it.",
    cure="The products sum over the batch: so must the bias.",
    corrupts=("db_h",),
    seen=19,
    equivalent_when="B = 1, or there is no b_h",
)
class BiasGradientAveragedOverTheBatch(Faulty):
    def accumulate_b_h(self, t: int, dh: Array, da: Array) -> None:
        self.grads["db_h"] += da.mean(axis=0)


@fault(
    title="dW_hh is computed from dh instead of da",
    wrong="dW_hh += dh.T @ h_prev",
    right="dW_hh += da.T @ h_prev",
    symptom="Only dW_hh is wrong, though dh and da are right.",
    effect="Recurrent weights into saturated units move too far.",
    cure="W_hh acts inside the nonlinearity: its gradient is da h_prev^T.",
    corrupts=("dW_hh",),
    seen=5,
    equivalent_when="all states are near zero",
)
class RecurrentGradientBeforeTheDerivative(Faulty):
    def accumulate_W_hh(self, t: int, dh: Array, da: Array) -> None:
        super().accumulate_W_hh(t, dh, dh)


@fault(
    title="dW_xh is computed from dh instead of da",
    wrong="dW_xh += dh.T @ x",
    right="dW_xh += da.T @ x",
    symptom="Only dW_xh is wrong, though dh and da are right.",
    effect="Input weights into saturated units move too far.",
    cure="W_xh acts inside the nonlinearity: its gradient is da x^T.",
    corrupts=("dW_xh",),
    seen=5,
    equivalent_when="all states are near zero",
)
class InputWeightGradientBeforeTheDerivative(Faulty):
    def accumulate_W_xh(self, t: int, dh: Array, da: Array) -> None:
        super().accumulate_W_xh(t, dh, dh)


@fault(
    title="db_h is summed to a scalar",
    wrong="db_h += da.sum()",
    right="db_h += da.sum(axis=0)",
    symptom="All elements of db_h are equal.",
    effect="Broadcasting hides it: all biases move together.",
    cure="Sum over the batch (and time) only.",
    corrupts=("db_h",),
    seen=4,
    equivalent_when="H = 1, or there is no b_h",
)
class BiasGradientSummedToAScalar(Faulty):
    def accumulate_b_h(self, t: int, dh: Array, da: Array) -> None:
        self.grads["db_h"] += da.sum()
