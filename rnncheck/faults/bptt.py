"""Mistakes of the carry: what a step sends back to the one before it."""

from functools import partial

import numpy as np

from rnncheck.case import RNNCase
from rnncheck.faults.registry import Faulty, register
from rnncheck.textbook.loss import Array

fault = partial(register, family="bptt")


@fault(
    title="The gradient from the next step is never added",
    wrong="dh = dlogits[t] @ W_hy",
    right="dh = dlogits[t] @ W_hy + dh_next",
    symptom="dh and da are right at the last step only.",
    effect="Every step learns for itself: the network cannot learn to remember.",
    cure="Add what comes back from step t + 1 before the derivative is taken.",
    corrupts=("dh",),
    shows_from=2,
    seen=16,
    equivalent_when="T = 1, or a window or chunk of one step",
)
class RecurrentGradientDropped(Faulty):
    def total_gradient(self, own: Array, carry: Array) -> Array:
        return own + 0 * carry


@fault(
    title="The carry of the last step is used for all",
    wrong="dh_next = da[T - 1] @ W_hh    # before the loop, and never again",
    right="dh_next = da @ W_hh    # at the end of every turn of the loop",
    symptom="dh is right at the last two steps only; at T = 2 dh0 alone is wrong.",
    effect="Earlier steps get a gradient that is not theirs.",
    cure="Update dh_next inside the loop.",
    corrupts=("dh", "dh0"),
    shows_from=2,
    seen=16,
    equivalent_when="T = 1",
)
class CarryNeverUpdated(Faulty):
    first_carry: Array | None

    def begin(self, case: RNNCase) -> None:
        super().begin(case)
        self.first_carry = None

    def carry(self, t: int, dh: Array, da: Array) -> Array:
        if self.first_carry is None:
            self.first_carry = super().carry(t, dh, da)
        return self.first_carry


@fault(
    title="W_hh is not transposed in the carry",
    wrong="dh_next = da @ W_hh.T",
    right="dh_next = da @ W_hh    # the transpose of h @ W_hh.T",
    symptom="dh is right at the last step only (so T = 1 shows it in dh0 alone); shapes fit, for W_hh is square.",
    effect="The gradient turns at every step; learning seems to work as long as W_hh is small.",
    cure="Forward and backward use W_hh and its transpose, one each. With columns: W_hh h forward, W_hh.T da back.",
    corrupts=("dh", "dh0"),
    seen=9,
    equivalent_when="W_hh is symmetric",
)
class CarryNotTransposed(Faulty):
    def carry(self, t: int, dh: Array, da: Array) -> Array:
        return da @ self.W_hh.T


@fault(
    title="The carry is taken before the derivative",
    wrong="dh_next = dh @ W_hh",
    right="dh_next = da @ W_hh",
    symptom="dh is too large before the last step; tiny weights hide it, for there tanh' = 1.",
    effect="Saturated units pass gradients that they should stop.",
    cure="Go back through f first, then through W_hh.",
    corrupts=("dh", "dh0"),
    equivalent_when="all states are near zero",
)
class CarryBeforeTheDerivative(Faulty):
    def carry(self, t: int, dh: Array, da: Array) -> Array:
        return dh @ self.W_hh


@fault(
    title="The derivative is applied after the recurrent product",
    wrong="dh_next = (dh @ W_hh) * (1 - h[t]**2)",
    right="dh_next = (dh * (1 - h[t]**2)) @ W_hh",
    symptom="dh is wrong before the last step, by the order of two factors.",
    effect="A diagonal matrix and W_hh do not commute: the gradient of another network.",
    cure="Go back in the reverse order of the forward pass: through f, then through W_hh.",
    corrupts=("dh", "dh0"),
    seen=3,
    equivalent_when="H = 1, or all states are near zero",
)
class DerivativeOnTheWrongSide(Faulty):
    def carry(self, t: int, dh: Array, da: Array) -> Array:
        return (dh @ self.W_hh) * self.derivative(t)


@fault(
    title="The gradient from the next step is added twice",
    wrong="dh = dlogits[t] @ W_hy + dh_next; ...; dh += dh_next",
    right="dh = dlogits[t] @ W_hy + dh_next",
    symptom="dh is right at the last step, then grows by a factor of up to two at every step back.",
    effect="Gradients explode with T though W_hh is harmless.",
    cure="Add dh_next once.",
    corrupts=("dh",),
    shows_from=2,
    equivalent_when="T = 1",
)
class CarryAddedTwice(Faulty):
    def total_gradient(self, own: Array, carry: Array) -> Array:
        return own + carry + carry


@fault(
    title="The carry adds up",
    wrong="dh_next += da @ W_hh",
    right="dh_next = da @ W_hh",
    symptom="dh is right at the last two steps; before them every step gets the carries of all later ones too.",
    effect="Old gradients are added again at every step back: they explode with T.",
    cure="dh_next is what this step sends back, nothing else: assign it.",
    corrupts=("dh", "dh0"),
    shows_from=2,
    seen=7,
    equivalent_when="T = 1",
)
class CarryAddsUp(Faulty):
    def walk_back(self, last: int, first: int) -> None:
        self.carried = np.zeros_like(self.h0)
        super().walk_back(last, first)

    def carry(self, t: int, dh: Array, da: Array) -> Array:
        self.carried = self.carried + super().carry(t, dh, da)
        return self.carried


@fault(
    title="The carry is damped",
    wrong="dh_next = 0.9 * (da @ W_hh)",
    right="dh_next = da @ W_hh",
    symptom="dh is too small by 0.9 to the power of the distance from the last step.",
    effect="Long dependencies are unlearnable, and no loss shows why.",
    cure="Clip the final gradients if they explode; the gradient itself has no free factor.",
    corrupts=("dh", "dh0"),
)
class CarryDamped(Faulty):
    def carry(self, t: int, dh: Array, da: Array) -> Array:
        return 0.9 * super().carry(t, dh, da)


@fault(
    title="Clipping inside the loop over time",
    wrong="dh_next = np.clip(da @ W_hh, -1, 1)",
    right="dh_next = da @ W_hh    # clip dW_hh, dW_xh, ... after the loop",
    symptom="Right as long as gradients are small; a large one changes the gradients of all earlier steps.",
    effect="Not the clipped gradient but the gradient of nothing: its direction is lost on the way.",
    cure="Finish the backward pass, then clip the gradients of the parameters.",
    corrupts=("dh", "dh0"),
    seen=6,
    equivalent_when="no element of a carry exceeds the bound",
)
class ClipInsideTheLoop(Faulty):
    def carry(self, t: int, dh: Array, da: Array) -> Array:
        return np.clip(super().carry(t, dh, da), -1, 1)


@fault(
    title="The backward pass walks forward in time",
    wrong="for t in range(T):",
    right="for t in reversed(range(T)):",
    symptom="dh_t holds what comes from earlier steps instead of later ones; no step is right.",
    effect="Gradients flow from the past to the future.",
    cure="Reverse the loop: step t needs what step t + 1 sends back.",
    corrupts=("dh",),
    shows_from=2,
    seen=2,
    equivalent_when="T = 1",
)
class BackwardWalksForward(Faulty):
    def steps_back(self, last: int, first: int) -> range:
        return range(first, last + 1)


@fault(
    title="The readout's gradient arrives one step late",
    wrong="dh = dlogits[t - 1] @ W_hy + dh_next",
    right="dh = dlogits[t] @ W_hy + dh_next",
    symptom="dh is that of a shifted loss, the first step gets the gradient of the last.",
    effect="Every state is corrected for the mistake of its predecessor.",
    cure="Use the dlogits of the step whose state it is.",
    corrupts=("dh",),
    shows_from=2,
    seen=4,
    equivalent_when="T = 1 (the index wraps around)",
)
class ReadoutGradientOneStepLate(Faulty):
    def walk_back(self, last: int, first: int) -> None:
        self.own = [dlogits @ self.W_hy for dlogits in [self.dlogits[-1], *self.dlogits[:-1]]]
        super().walk_back(last, first)
