"""Training in free run: NumPy and PyTorch drift apart, but no faster than rounding alone drives two runs apart.

Training is a chaotic map: whatever difference there is grows, by factors of 10^10 in ten steps of Adagrad. Two right
programs end far apart, so the distance as such says nothing. It is compared with the distance between two NumPy runs
whose initial weights differ by one unit in the last place. A ratio near one is rounding, far above it is a bug.

After s steps a ratio of 16 sqrt(s) is allowed: 16 standard deviations as everywhere, and sqrt(s) because every step
adds independent roundings of its own, while the nudged runs got theirs once. Where so many roundings would move the
weights by a thousandth, chaos has swallowed every difference and there is no verdict (lockstep still gives one).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from math import sqrt

import numpy as np

from numpy_impl.clip import clip_grad_norm, clip_grad_value
from numpy_impl.datasets import Batch, Dataset
from numpy_impl.flat import Flat
from numpy_impl.optim import State
from numpy_impl.recipes import Recipe, make_optimizer
from numpy_impl.run import Run, start
from numpy_impl.train import StepFunction, StepOut, train
from rnncheck.case import RNNCase
from rnncheck.checks.check import Bench, Check
from rnncheck.implementation import Implementation, NumpyImpl
from rnncheck.judging.tolerance import ratio, unit_roundoff
from rnncheck.result import Comparison, Verdict

__all__ = ["EXAMPLES", "MARKS", "compare_drift", "follow", "gradient_step", "nudged", "rms", "trajectory_check"]

MARKS = (1, 2, 5, 10, 20, 50, 100, 200)
"""After so many steps the weights are compared."""

EXAMPLES = 50
"""So few examples that the run passes over them several times, and halves the rate where the recipe says so."""

DRAWS = 4
LIMIT = 16.0
POWER = 2.0**-10

Weights = Mapping[int, Mapping[str, np.ndarray]]
"""The parameters after each marked step."""


def trajectory_check(
    recipe: Recipe,
    load: Callable[[Recipe], Dataset],
    seed: int,
    marks: Sequence[int] = MARKS,
    other_step: StepFunction | None = None,
) -> Check:
    """Plan a free run of `recipe` on its first examples, against `other_step`: PyTorch if none is given.

    Our own RNN trains by its own loop. Of any other implementation the gradients are asked for.
    """
    short = replace(recipe, examples=EXAMPLES)

    def ask(bench: Bench) -> list[Comparison]:
        data, own = load(short), isinstance(bench.implementation, NumpyImpl)
        candidate = follow(start(short, data, seed), data, marks, None if own else gradient_step(bench.implementation))
        other = follow(start(short, data, seed), data, marks, other_step or _torch_step())
        plain = follow(start(short, data, seed), data, marks)
        nearby = [follow(nudged(start(short, data, seed), draw), data, marks) for draw in range(DRAWS)]
        return list(compare_drift(candidate, other, plain, nearby))

    return Check(f"trajectory-{recipe.name}[steps={marks[-1]}]", "trajectory", ask)


def _torch_step() -> StepFunction:
    from rnncheck.training import torch_step

    return torch_step


def gradient_step(implementation: Implementation) -> StepFunction:
    """Make a training step of an implementation's gradients; clipping and update are those of `numpy_impl`."""

    def step(recipe: Recipe, params: Flat, opt_state: State, lr: float, batch: Batch, h0: np.ndarray | None) -> StepOut:
        settings = {name: getattr(recipe, name) for name in ("nonlinearity", "reduction", "bptt", "k")}
        case = RNNCase("training-step", 0, dict(params), batch.x, batch.y, h0, **settings)
        trace = implementation.run(case.copy())
        g = Flat.pack({name: trace["d" + name] for name in params}).flat
        if recipe.clip_method == "value":
            g = clip_grad_value(g, recipe.clip_bound)
        elif recipe.clip_method == "norm":
            g, _ = clip_grad_norm(g, recipe.clip_bound)
        w, opt_state = make_optimizer(recipe).step(params.flat, g, opt_state, lr)
        updated = Flat(w, {name: array.shape for name, array in params.items()})
        return StepOut(float(trace["loss"]), updated, opt_state, np.array(trace["h"][-1]))

    return step


def nudged(run: Run, draw: int) -> Run:
    """Move every initial weight by one unit in its last place, up or down at random."""
    w = run.params.flat
    up = np.random.default_rng([run.seed, draw]).random(w.size) < 0.5
    w[...] = np.nextafter(w, np.where(up, np.inf, -np.inf))
    return run


def follow(run: Run, data: Dataset, marks: Sequence[int], step_fn: StepFunction | None = None) -> Weights:
    """Train, and copy the weights after each marked step."""
    weights: dict[int, Mapping[str, np.ndarray]] = {}
    for _record in train(run, data, marks[-1], step_fn):
        if run.step in marks:
            weights[run.step] = {name: array.copy() for name, array in run.params.items()}
    return weights


def compare_drift(
    candidate: Weights, other: Weights, plain: Weights, nearby: Sequence[Weights]
) -> Iterator[Comparison]:
    """Compare, array by array, the drift between two programs with that between `plain` and the runs nearby.

    No run can be nearer than half a unit in the last place of the weights themselves, wherever they started.
    """
    for step, weights in plain.items():
        for name, w in weights.items():
            by_rounding = sqrt(np.mean([rms(run[step][name] - w) ** 2 for run in nearby]))
            scale = max(by_rounding, unit_roundoff(w.dtype) * rms(w))
            drift = rms(candidate[step][name] - other[step][name])
            yield _judge(name, step, drift, scale, rms(w))


def _judge(name: str, step: int, drift: float, scale: float, size: float) -> Comparison:
    limit = LIMIT * sqrt(step)
    if limit * scale > POWER * size:
        reason = f"one unit in the last place has become {scale:.1g}: too chaotic to tell a bug from rounding"
        return Comparison(name, Verdict.NOT_COMPARABLE, step=step - 1, reason=reason)
    error = float(ratio(np.asarray(drift), np.asarray(scale)))
    verdict = Verdict.PASSED if error <= limit else Verdict.FAILED
    return Comparison(name, verdict, error, limit, "drift over that of one ulp", step - 1)


def rms(array: np.ndarray) -> float:
    """Return the root mean square."""
    return float(np.sqrt(np.mean(np.square(array, dtype=np.float64))))
