"""Mistakes of the sums over time: one step instead of all, a wrong start, a gradient left out."""

from collections.abc import Mapping
from functools import partial

import numpy as np

from rnncheck.faults.registry import Faulty, register
from rnncheck.textbook.loss import Array

fault = partial(register, family="gradients")
assigned = partial(
    fault,
    symptom="This gradient is that of the step visited last, all others are right.",
    effect="A shared parameter learns from one step of every sequence.",
    cure="+= instead of =, and zeros before the loop: the parameter is used at every step.",
    shows_from=2,
    seen=7,
)


@assigned(
    title="dW_hh is assigned, not summed",
    wrong="dW_hh = da.T @ h_prev",
    right="dW_hh += da.T @ h_prev",
    corrupts=("dW_hh",),
    equivalent_when="T = 1",
)
class RecurrentGradientAssigned(Faulty):
    def accumulate_W_hh(self, t: int, dh: Array, da: Array) -> None:
        self.grads["dW_hh"][...] = 0
        super().accumulate_W_hh(t, dh, da)


@assigned(
    title="dW_xh is assigned, not summed",
    wrong="dW_xh = da.T @ x[t]",
    right="dW_xh += da.T @ x[t]",
    corrupts=("dW_xh",),
    equivalent_when="T = 1",
)
class InputWeightGradientAssigned(Faulty):
    def accumulate_W_xh(self, t: int, dh: Array, da: Array) -> None:
        self.grads["dW_xh"][...] = 0
        super().accumulate_W_xh(t, dh, da)


@assigned(
    title="db_h is assigned, not summed",
    wrong="db_h = da.sum(axis=0)",
    right="db_h += da.sum(axis=0)",
    corrupts=("db_h",),
    equivalent_when="T = 1, or there is no b_h",
)
class HiddenBiasGradientAssigned(Faulty):
    def accumulate_b_h(self, t: int, dh: Array, da: Array) -> None:
        self.grads["db_h"][...] = 0
        super().accumulate_b_h(t, dh, da)


@assigned(
    title="dW_hy is assigned, not summed",
    wrong="dW_hy = dlogits[t].T @ h[t]",
    right="dW_hy += dlogits[t].T @ h[t]",
    corrupts=("dW_hy",),
    equivalent_when="T = 1",
)
class ReadoutGradientAssigned(Faulty):
    def accumulate_W_hy(self, t: int) -> None:
        self.grads["dW_hy"][...] = 0
        super().accumulate_W_hy(t)


@assigned(
    title="db_y is assigned, not summed",
    wrong="db_y = dlogits[t].sum(axis=0)",
    right="db_y += dlogits[t].sum(axis=0)",
    corrupts=("db_y",),
    equivalent_when="T = 1, or there is no b_y",
)
class OutputBiasGradientAssigned(Faulty):
    def accumulate_b_y(self, t: int) -> None:
        self.grads["db_y"][...] = 0
        super().accumulate_b_y(t)


@fault(
    title="db_h stays zero",
    wrong="db_h = np.zeros_like(b_h)    # and nothing is ever added",
    right="db_h += da.sum(axis=0)",
    symptom="db_h is zero, everything else is right.",
    effect="The hidden bias keeps its first value for ever.",
    cure="Add da, summed over the batch, at every step.",
    corrupts=("db_h",),
    seen=4,
    equivalent_when="there is no b_h",
)
class HiddenBiasGradientMissing(Faulty):
    def accumulate_b_h(self, t: int, dh: Array, da: Array) -> None:
        pass


@fault(
    title="db_y stays zero",
    wrong="db_y = np.zeros_like(b_y)    # and nothing is ever added",
    right="db_y += dlogits[t].sum(axis=0)",
    symptom="db_y is zero, everything else is right.",
    effect="The output bias keeps its first value for ever.",
    cure="Add dlogits, summed over the batch, at every step.",
    corrupts=("db_y",),
    seen=4,
    equivalent_when="there is no b_y",
)
class OutputBiasGradientMissing(Faulty):
    def accumulate_b_y(self, t: int) -> None:
        pass


@fault(
    title="The sums over time start at one",
    wrong="dW_hh = np.ones_like(W_hh)",
    right="dW_hh = np.zeros_like(W_hh)",
    symptom="All parameter gradients are too large by exactly one.",
    effect="Every parameter drifts downwards at a constant pace.",
    cure="np.zeros_like; np.empty_like is as wrong, and seems to work now and then.",
    corrupts=("dW_hy", "db_y", "dW_hh", "dW_xh", "db_h"),
    seen=7,
)
class SumsStartAtOne(Faulty):
    def zero_grads(self, params: Mapping[str, Array]) -> dict[str, Array]:
        return {name: g + 1 for name, g in super().zero_grads(params).items()}


@fault(
    title="The sums are clipped at every step",
    wrong="    for d in (dW_hh, dW_xh, db_h): np.clip(d, -5, 5, out=d)    # indented into the loop over time",
    right="for d in (dW_hh, dW_xh, db_h): np.clip(d, -5, 5, out=d)    # after the loop",
    symptom="Right as long as every partial sum is small; dh and da are right always.",
    effect="What later steps have reached is cut off before earlier ones can balance it: no gradient of anything.",
    cure="Clip once, when the loop has ended.",
    corrupts=("dW_hh", "dW_xh", "db_h"),
    seen=6,
    equivalent_when="no partial sum exceeds the bound",
)
class SumsClippedAtEveryStep(Faulty):
    def accumulate(self, t: int, dh: Array, da: Array) -> None:
        super().accumulate(t, dh, da)
        for name in {"dW_hh", "dW_xh", "db_h"} & set(self.grads):
            self.grads[name] = np.clip(self.grads[name], -5, 5)


@fault(
    title="Every step has weights of its own",
    wrong="cells = [Cell(W_xh.copy(), W_hh.copy()) for t in range(T)]; return cells[-1].dW_hh",
    right="dW_hh = sum(cell.dW_hh for cell in cells)",
    symptom="dW_xh, dW_hh and db_h are those of the last step alone.",
    effect="The copies drift apart, and a sequence longer than those of training has no weights.",
    cure="One set of weights for all steps; their gradient is the sum over the steps.",
    corrupts=("dW_hh", "dW_xh", "db_h"),
    shows_from=2,
    seen=2,
    equivalent_when="T = 1",
)
class WeightsNotSharedOverTime(Faulty):
    def accumulate(self, t: int, dh: Array, da: Array) -> None:
        hidden: dict[str, Array] = {n: self.grads[n].copy() for n in ("dW_hh", "dW_xh", "db_h") if n in self.grads}
        super().accumulate(t, dh, da)
        if t < self.T - 1:
            self.grads |= hidden
