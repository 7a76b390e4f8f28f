"""Mistakes of gradient clipping."""

from collections.abc import Mapping
from functools import partial

import numpy as np

from rnncheck.case import ClipCase
from rnncheck.faults.registry import Faulty, register
from rnncheck.textbook.loss import Array

fault = partial(register, family="clipping", kinds=("clip",))


@fault(
    title="Every tensor is clipped by its own norm",
    wrong="for g in grads: g *= min(1, bound / np.linalg.norm(g))",
    right="norm = np.sqrt(sum((g**2).sum() for g in grads))",
    symptom="Small tensors are not scaled, large ones too little.",
    effect="The direction of the step changes, which clipping by norm is meant to keep.",
    cure="One norm over all elements of all tensors.",
    corrupts=("d*",),
    seen=6,
    equivalent_when="there is one tensor, or none exceeds the bound and nor do all together",
)
class ClipPerTensor(Faulty):
    def clip_by_norm(self, grads: Mapping[str, Array], bound: float, eps: float) -> dict[str, Array]:
        norms = {name: self.total_norm({name: g}) for name, g in grads.items()}
        scaled = {name: self.scale(g, self.coefficient(norms[name], bound, eps)) for name, g in grads.items()}
        return {"total_norm": self.total_norm(grads), **scaled}


@fault(
    title="Clipping by value where clipping by norm is meant",
    wrong="np.clip(g, -bound, bound)",
    right="g * min(1, bound / norm)",
    symptom="Large elements equal the bound, small ones are untouched.",
    effect="The direction of the step changes.",
    cure="Scale all elements by one factor.",
    corrupts=("d*",),
    seen=6,
    equivalent_when="the norm is within the bound",
)
class ValueForNorm(Faulty):
    def clip_by_norm(self, grads: Mapping[str, Array], bound: float, eps: float) -> dict[str, Array]:
        return {"total_norm": self.total_norm(grads), **self.clip_by_value(grads, bound)}


@fault(
    title="Clipping by norm where clipping by value is meant",
    wrong="g * min(1, bound / np.linalg.norm(g))",
    right="np.clip(g, -bound, bound)",
    symptom="All elements shrink, those within the bound too.",
    effect="One large element makes all others vanish.",
    cure="Clip element by element.",
    corrupts=("d*",),
    seen=6,
    equivalent_when="the norm is within the bound",
)
class NormForValue(Faulty):
    def clip_elements(self, g: Array, bound: float) -> Array:
        return g * self.coefficient(np.asarray(np.sqrt(self.sum_of_squares(g))), bound, 0.0)


@fault(
    title="Gradients are scaled to the bound even when they are small",
    wrong="g * bound / norm",
    right="g * min(1, bound / norm)",
    symptom="Small gradients grow.",
    effect="The step never gets smaller near the minimum.",
    cure="Scale only if the norm exceeds the bound.",
    corrupts=("d*",),
    equivalent_when="the norm exceeds the bound",
)
class AlwaysScaledToTheBound(Faulty):
    def coefficient(self, norm: Array, bound: float, eps: float) -> Array:
        return np.asarray(bound / (norm + eps)).astype(norm.dtype)


@fault(
    title="The norm without its root",
    wrong="norm = sum((g**2).sum() for g in grads)",
    right="norm = np.sqrt(sum((g**2).sum() for g in grads))",
    symptom="total_norm is the square of what it should be.",
    effect="Large gradients are clipped to far less than the bound.",
    cure="Take the root of the sum of squares.",
    corrupts=("total_norm",),
)
class NormWithoutRoot(Faulty):
    def total_norm(self, grads: Mapping[str, Array]) -> Array:
        return super().total_norm(grads) ** 2


@fault(
    title="Biases are left out of the norm",
    wrong="norm = np.sqrt(sum((g**2).sum() for g in (dW_xh, dW_hh, dW_hy)))",
    right="norm = np.sqrt(sum((g**2).sum() for g in grads.values()))",
    symptom="total_norm is a little too small.",
    effect="The bound is not kept.",
    cure="All parameters belong to the one vector whose length is bounded.",
    corrupts=("total_norm",),
    equivalent_when="there are no biases",
)
class BiasesLeftOutOfTheNorm(Faulty):
    def sum_of_squares(self, g: Array) -> Array:
        return super().sum_of_squares(g) * (g.ndim > 1)


@fault(
    title="Clipping bounds one side only",
    wrong="np.minimum(g, bound)",
    right="np.clip(g, -bound, bound)",
    symptom="Large negative elements pass.",
    effect="Half of the explosions happen.",
    cure="Bound both sides.",
    corrupts=("d*",),
    equivalent_when="no element lies below -bound",
)
class OneSidedClip(Faulty):
    def clip_elements(self, g: Array, bound: float) -> Array:
        return np.minimum(g, bound)


@fault(
    title="The norm after clipping is reported",
    wrong="clip(grads); return norm(grads)",
    right="total_norm = norm(grads); clip(grads); return total_norm",
    symptom="total_norm never exceeds the bound; the gradients are right.",
    effect="The log does not show that gradients explode.",
    cure="Report the norm before clipping, as torch does.",
    corrupts=("total_norm",),
    equivalent_when="the norm is within the bound",
)
class NormAfterClippingReported(Faulty):
    def reported_norm(self, norm: Array, scaled: Mapping[str, Array]) -> Array:
        return self.total_norm(scaled)


@fault(
    title="Clipping writes into the gradients it was given",
    wrong="np.clip(g, -bound, bound, out=g)",
    right="clipped = np.clip(g, -bound, bound)",
    symptom="The result is right; the caller's gradients have changed.",
    effect="Intended in torch, whose name says so (clip_grad_norm_); a surprise elsewhere.",
    cure="Return new arrays unless an output array is asked for.",
    corrupts=("inputs.grads.*",),
    equivalent_when="the gradients are within the bound",
)
class ClipInPlace(Faulty):
    def run_clip(self, case: ClipCase) -> dict[str, Array]:
        clipped = super().run_clip(case)
        for name, g in case.grads.items():
            g[...] = clipped[name]
        return clipped


@fault(
    title="What needs no clipping is returned uncopied",
    wrong="return g if norm <= bound else g * bound / norm",
    right="return g.copy() if norm <= bound else g * bound / norm",
    symptom="The result is right, and sometimes the very array that was given.",
    effect="Writing into the result writes into the gradients, on some steps only.",
    cure="Return a new array in both branches.",
    corrupts=("shared.d*",),
    equivalent_when="clipping acts",
)
class UnclippedGradientsUncopied(Faulty):
    def clip_elements(self, g: Array, bound: float) -> Array:
        return g if np.abs(g).max() <= bound else super().clip_elements(g, bound)

    def scale(self, g: Array, coefficient: Array) -> Array:
        return g if coefficient == 1 else super().scale(g, coefficient)
