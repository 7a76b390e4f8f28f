"""Silent casts: right formulas in the wrong precision."""

from collections.abc import Mapping
from functools import partial

import numpy as np

from rnncheck.faults.registry import Faulty, register
from rnncheck.textbook.loss import Array

fault = partial(register, family="precision", structural=False)


@fault(
    title="States are kept in float32 inside float64",
    wrong="h = np.zeros((T + 1, B, H), dtype=np.float32)",
    right="h = np.zeros((T + 1, B, H), dtype=W_hh.dtype)",
    symptom="Everything agrees to seven digits only.",
    effect="Gradient checks by differences become meaningless; long sequences lose what float64 was chosen for.",
    cure="Allocate in the dtype of the parameters.",
    corrupts=("h", "p"),
    equivalent_when="the case is in float32",
    kinds=("rnn", "sample"),
)
class StatesInSinglePrecision(Faulty):
    def activate(self, a: Array) -> Array:
        return super().activate(a).astype(np.float32).astype(self.dtype)


@fault(
    title="The loss is computed in float32 inside float64",
    wrong="loss = -np.log(p.astype(np.float32)[y])",
    right="loss = -np.log(p[y])",
    symptom="The loss agrees to seven digits only, the gradients to all.",
    effect="Differences of losses, as a gradient check takes them, are noise.",
    cure="No astype on the way to the loss.",
    corrupts=("loss",),
    equivalent_when="the case is in float32",
)
class LossInSinglePrecision(Faulty):
    def token_loss(self, t: int) -> Array:
        return super().token_loss(t).astype(np.float32).astype(self.dtype)


@fault(
    title="Gradients are summed in float64 inside float32",
    wrong="dW_hh = np.zeros((H, H))",
    right="dW_hh = np.zeros_like(W_hh)",
    symptom="The values are right, the dtype is float64.",
    effect="One update turns all parameters into float64, and float32's speed and memory are gone.",
    cure="np.zeros_like, or dtype=W_hh.dtype: NumPy's default is float64.",
    corrupts=("dW_hy", "db_y", "dW_hh", "dW_xh", "db_h"),
    equivalent_when="the case is in float64",
)
class GradientsInDoublePrecision(Faulty):
    def zero_grads(self, params: Mapping[str, Array]) -> dict[str, Array]:
        return {name: g.astype(np.float64) for name, g in super().zero_grads(params).items()}


@fault(
    title="Gradients are summed in float32 inside float64",
    wrong="dW_hh = np.zeros((H, H), dtype=np.float32)",
    right="dW_hh = np.zeros_like(W_hh)",
    symptom="The dtype is float32, and the values agree to six digits.",
    effect="A gradient check by differences fails at 1e-7 and leaves one searching for a mistake in the formulas.",
    cure="np.zeros_like, or dtype=W_hh.dtype.",
    corrupts=("dW_hy", "db_y", "dW_hh", "dW_xh", "db_h"),
    equivalent_when="the case is in float32",
)
class GradientsInSinglePrecision(Faulty):
    def zero_grads(self, params: Mapping[str, Array]) -> dict[str, Array]:
        return {name: g.astype(np.float32) for name, g in super().zero_grads(params).items()}
