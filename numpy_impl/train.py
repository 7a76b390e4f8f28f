"""The training loop of all three systems: one example a step or several, the whole state of it in one `Run`.

A `Run` is everything that the next step depends on, so a run that is saved after any step and loaded again
(`numpy_impl.checkpoint`) goes on bit for bit as if it had not stopped.
"""

from collections.abc import Callable, Iterator
from math import isfinite
from typing import NamedTuple

import numpy as np

from numpy_impl.clip import clip_grad_norm, clip_grad_value
from numpy_impl.datasets import Batch, Dataset
from numpy_impl.flat import Flat
from numpy_impl.generate import sample_while_training
from numpy_impl.lean import Lean, lean_loss_and_grads
from numpy_impl.loss import cross_entropy
from numpy_impl.model import forward
from numpy_impl.optim import halve_lr_on_rise
from numpy_impl.packed import PackedStep, packed_loss_and_grads
from numpy_impl.recipes import Recipe, make_optimizer
from numpy_impl.run import Run
from numpy_impl.shapes import Real
from numpy_impl.touched import step_touched
from numpy_impl.workspace import FRESH, Fresh

__all__ = ["Record", "StepFunction", "StepOut", "advance", "evaluate", "next_batch", "numpy_step", "train"]

SMOOTHING = 0.999
"""What is left of the smoothed loss after a step; the rest is the loss of that step."""


class StepOut(NamedTuple):
    """What one step gives back: the loss that was differentiated, and the state after the update."""

    loss: float
    params: Flat
    opt_state: dict[str, np.ndarray]
    h_T: Real[np.ndarray, "B H"]  # noqa: N815 - a name of the field


class Record(NamedTuple):
    """What there is to tell about a step: its loss *before* the update, and what was seen on the way."""

    step: int
    loss: float
    smoothed: float
    lr: float
    set_loss: float | None
    """The loss of the whole set, where it was evaluated before this step."""
    samples: list[str]


StepFunction = Callable[[Recipe, Flat, dict[str, np.ndarray], float, Batch, Real[np.ndarray, "B H"] | None], StepOut]


def train(run: Run, data: Dataset, steps: int, step_fn: StepFunction | None = None) -> Iterator[Record]:
    """Go on with `run` until it has done `steps` steps in all, one record a step.

    Between two records the run is complete: it may be saved, looked at, or left.
    """
    if data.sha256 != run.sha256:
        raise ValueError(
            f"data has sha256 {data.sha256[:12]}..., the run was trained on {run.sha256[:12]}...: a run goes on with "
            "the file it began with; give that file, or begin a new run"
        )
    while run.step < steps:
        yield advance(run, data, step_fn)


def steps_per_pass(run: Run, data: Dataset) -> int:
    """Return how many steps see every example once."""
    return -(-len(data) // run.recipe.batch)


def next_batch(run: Run, data: Dataset) -> Batch:
    """Return what the next step of `run` trains on: examples in their order, fewer in the last step of a pass."""
    first = run.step % steps_per_pass(run, data) * run.recipe.batch
    examples = range(first, min(first + run.recipe.batch, len(data)))
    return data.batch(*(examples if run.order is None else run.order[examples].tolist()))


@np.errstate(over="ignore", invalid="ignore")  # told once, in a sentence, and not by a warning from every layer
def advance(run: Run, data: Dataset, step_fn: StepFunction | None = None) -> Record:
    """Do one step: evaluate the set where that is due, train on one example, sample where that is due.

    Raises
    ------
    ValueError
        If the loss is not finite; the run is left as it was before the update.
    """
    recipe, step = run.recipe, run.step
    set_loss = None
    if recipe.evaluate_every is not None and step % (steps_per_pass(run, data) * recipe.evaluate_every) == 0:
        set_loss = evaluate(run, data)
        run.lr = halve_lr_on_rise(run.lr, run.set_loss, set_loss)
        run.set_loss = set_loss
    batch = next_batch(run, data)
    h0 = None if batch.reset else run.h
    if step_fn is None:
        out = numpy_step(recipe, run.params, run.opt_state, run.lr, batch, h0, inplace=True, workspace=run.workspace)
    else:
        out = step_fn(recipe, run.params, run.opt_state, run.lr, batch, h0)
        _check_finite(out.loss, run.lr)
    run.params, run.opt_state = out.params, out.opt_state
    run.h = out.h_T if data.carried else None
    run.step += 1
    loss = _as_reported(out.loss, recipe, batch)
    run.smoothed = SMOOTHING * run.smoothed + (1 - SMOOTHING) * loss
    samples = sample_while_training(run, data) if recipe.sample_every and step % recipe.sample_every == 0 else []
    return Record(step, loss, run.smoothed, run.lr, set_loss, samples)


def numpy_step(
    recipe: Recipe,
    params: Flat,
    opt_state: dict[str, np.ndarray],
    lr: float,
    batch: Batch,
    h0: Real[np.ndarray, "B H"] | None,
    *,
    inplace: bool = False,
    workspace: Fresh = FRESH,
) -> StepOut:
    """Loss, gradients, clip, update. `inplace` writes the update into `params` and `opt_state`."""
    settings = {name: getattr(recipe, name) for name in ("nonlinearity", "reduction", "bptt", "k")}
    result: Lean | PackedStep
    if batch.lengths is None:
        result = lean_loss_and_grads(params, batch.x, batch.y, h0, **settings, workspace=workspace)
    else:
        result = packed_loss_and_grads(params, batch.x, batch.y, batch.lengths, h0, **settings, workspace=workspace)
    loss = float(result.loss)
    _check_finite(loss, lr)
    g = result.grads.flat
    if recipe.clip_method == "value":
        g = clip_grad_value(g, recipe.clip_bound, out=g)
    elif recipe.clip_method == "norm":
        g, _ = clip_grad_norm(g, recipe.clip_bound, out=g)
    if not inplace:
        params, opt_state = params.copy(), {name: array.copy() for name, array in opt_state.items()}
    step_touched(make_optimizer(recipe), params, g, opt_state, lr, batch.x)
    return StepOut(loss, params, opt_state, result.h_T)


def evaluate(run: Run, data: Dataset) -> float:
    """Return the loss of the whole set under the present parameters: the mean over its examples.

    With `report="mean"` each example counts by its mean over tokens, so this is the mean of means of `sentences`.
    """
    total, h = 0.0, None
    for i in range(len(data)):
        batch = data.batch(i)
        fwd = forward(run.params, batch.x, None if batch.reset else h, nonlinearity=run.recipe.nonlinearity)
        total += float(cross_entropy(fwd.logits, batch.y, run.recipe.report).loss)
        h = fwd.h_T
    return total / len(data)


def _as_reported(loss: float, recipe: Recipe, batch: Batch) -> float:
    """Turn the loss that was differentiated into the one that is shown: of one token, or of one example."""
    if recipe.reduction == recipe.report == "mean":
        return loss
    total = loss if recipe.reduction == "sum" else loss * batch.targets
    return total / (batch.targets if recipe.report == "mean" else batch.y.shape[1])


def _check_finite(loss: float, lr: float) -> None:
    if not isfinite(loss):
        raise ValueError(
            f"loss is {loss}: training needs a finite loss, and the weights have grown out of range; lower lr "
            f"(now {lr:g}) or clip the gradient. Checkpoints written so far are intact"
        )
