"""Training in lockstep: at every step both sides get the same parameters, and all that they compute is judged.

Two correct programs that train side by side drift apart, because training is chaotic. Set back to the same weights
before every step they must agree to rounding, for as many steps as one likes, on real text. A step is judged in three
stages, each from what went into it on one side: gradients, clipping, update. So no stage hides behind another.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from numpy_impl.datasets import Dataset
from numpy_impl.flat import Flat
from numpy_impl.recipes import Recipe
from numpy_impl.run import Run, start
from numpy_impl.train import advance, next_batch
from rnncheck.case import Case, ClipCase, OptimCase, RNNCase
from rnncheck.checks.check import Bench, Check
from rnncheck.judging.judge import judge
from rnncheck.result import Comparison
from rnncheck.trace import Trace

__all__ = ["Lockstep", "judge_step", "lockstep_checks", "next_stage", "step_cases"]


@dataclass
class Lockstep:
    """A training run that is advanced to the step that is asked for; steps are judged on the way or not at all."""

    recipe: Recipe
    data: Dataset
    seed: int
    run: Run | None = None

    def judge(self, bench: Bench, step: int) -> list[Comparison]:
        """Train up to `step`, judge it, and take it."""
        if self.run is None or self.run.step > step:
            self.run = start(self.recipe, self.data, self.seed)
        while self.run.step < step:
            advance(self.run, self.data)
        found = judge_step(bench, self.run, self.data)
        advance(self.run, self.data)
        return found


def lockstep_checks(lockstep: Lockstep, steps: int) -> Iterator[Check]:
    """Plan one check per training step."""
    name = lockstep.recipe.name
    for step in range(steps):
        yield Check(f"lockstep-{name}[step={step}]", f"lockstep-{name}", _ask(lockstep, step))


def _ask(lockstep: Lockstep, step: int) -> Callable[[Bench], list[Comparison]]:
    return lambda bench: lockstep.judge(bench, step)


def judge_step(bench: Bench, run: Run, data: Dataset) -> list[Comparison]:
    """Compare all arrays of the step that `run` takes next, stage by stage; the run itself is left as it is."""
    found: list[Comparison] = []
    case: Case | None = step_cases(run, data)
    while case is not None:
        trace = bench.run(case)
        found += judge(case, trace, bench.ask_oracle(case))
        case = next_stage(run, case, trace)
    return found


def step_cases(run: Run, data: Dataset) -> RNNCase:
    """Return the forward and backward pass of the step that `run` takes next, as a case."""
    batch, recipe = next_batch(run, data), run.recipe
    return RNNCase(
        name=f"{recipe.name}-step={run.step}",
        seed=run.seed,
        params=dict(run.params),
        x=batch.x,
        y=batch.y,
        h0=None if batch.reset else run.h,
        nonlinearity=recipe.nonlinearity,
        reduction=recipe.reduction,
        bptt=recipe.bptt,
        k=recipe.k,
    )


def next_stage(run: Run, case: Case, trace: Trace) -> Case | None:
    """Return what follows on the candidate's side: clipping its gradients, then the update by what came out."""
    if isinstance(case, OptimCase):
        return None
    grads = {"d" + name: trace["d" + name] for name in run.params}
    if isinstance(case, RNNCase) and run.recipe.clip_method != "none":
        return ClipCase(case.name, case.seed, grads, run.recipe.clip_method, run.recipe.clip_bound, eps=1e-6)
    return _update_case(run, case, grads)


def _update_case(run: Run, case: Case, grads: dict[str, np.ndarray]) -> OptimCase:
    recipe = run.recipe
    return OptimCase(
        case.name,
        case.seed,
        params=dict(run.params),
        grads={name: g[None] for name, g in grads.items()},
        method=recipe.optimizer,
        lr=run.lr,
        momentum=recipe.momentum,
        dampening=recipe.dampening,
        zero_start=recipe.zero_start,
        eps=recipe.eps,
        eps_inside=recipe.eps_inside,
        initial_accumulator=recipe.initial_accumulator,
        buffer=_buffer(run),
    )


def _buffer(run: Run) -> dict[str, np.ndarray] | None:
    """Return the optimiser's momentum or accumulator by parameter; None before the first step that fills it."""
    vector = run.opt_state.get("v", run.opt_state.get("m"))
    if vector is None or not run.opt_state.get("started", True):
        return None
    return dict(Flat(vector, {name: a.shape for name, a in run.params.items()}))
