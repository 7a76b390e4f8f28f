"""What `rnncheck train` does, without its words: begin or resume a run, and take its steps in either framework."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np

from numpy_impl import checkpoint
from numpy_impl.datasets import Batch, Dataset, load_dataset, make_dataset
from numpy_impl.flat import Flat
from numpy_impl.optim import State
from numpy_impl.recipes import RECIPES, Recipe, vary
from numpy_impl.run import Run, start
from numpy_impl.text import TextFile, read_text
from numpy_impl.train import Record, StepOut, advance, train
from rnncheck.errors import UserError
from rnncheck.result import Comparison, Verdict
from rnncheck.shipped import shipped_text

__all__ = ["DEFAULT_SEED", "Framework", "Keeper", "Request", "Tally", "follow", "prepare", "torch_step"]

DEFAULT_SEED = 1
"""The seed of the published run of `names`."""

Framework = Literal["numpy", "torch", "both"]


@dataclass(frozen=True)
class Request:
    """What the user asked for. None: the recipe's own, or when resuming the checkpoint's."""

    recipe: str
    data: Path | None = None
    steps: int | None = None
    seed: int | None = None
    sample_every: int | None = None
    resume: Path | None = None
    settings: dict[str, str] = field(default_factory=dict)


def prepare(request: Request) -> tuple[Run, Dataset]:
    """Begin the run that was asked for, or take it up where its checkpoint was written.

    Raises
    ------
    UserError, ValueError
        If the data or the checkpoint cannot be used, or a checkpoint is of another recipe, text or seed.
    """
    path = request.data or shipped_text(request.recipe)
    if request.resume is None:
        recipe = _sampling(vary(RECIPES[request.recipe], request.settings), request)
        data = load_dataset(recipe, path)
        return start(recipe, data, DEFAULT_SEED if request.seed is None else request.seed), data
    run = checkpoint.load(request.resume)
    file = read_text(path)  # once: a pipe gives its text one time only
    _refuse_another(run, request, file)
    run.recipe = _sampling(run.recipe, request)
    return run, make_dataset(run.recipe, file, run.vocabulary)


def _sampling(recipe: Recipe, request: Request) -> Recipe:
    return recipe if request.sample_every is None else replace(recipe, sample_every=request.sample_every)


def _refuse_another(run: Run, request: Request, file: TextFile) -> None:
    """Refuse to go on with anything that would make it another run."""
    if run.recipe.name != request.recipe:
        raise UserError(
            f"{request.resume} is a run of {run.recipe.name}, not of {request.recipe}: a run goes on as what it is; "
            f"use `rnncheck train {run.recipe.name}`, or leave --resume out"
        )
    asked = vary(run.recipe, request.settings)
    changed = [name for name in request.settings if getattr(asked, name) != getattr(run.recipe, name)]
    if changed:
        raise UserError(
            f"{request.resume} was trained with {changed[0]}={getattr(run.recipe, changed[0])}, not with "
            f"{changed[0]}={request.settings[changed[0]]}: a run goes on with its own settings; leave --set out"
        )
    if request.seed is not None and request.seed != run.seed:
        raise UserError(
            f"{request.resume} has seed {run.seed}, not {request.seed}: a run goes on with its own seed; "
            "leave --seed out, or leave --resume out to begin anew"
        )
    if file.sha256 != run.sha256:
        raise UserError(
            f"{request.resume} was trained on a text with sha256 {run.sha256[:12]}..., but {file.path} has "
            f"{file.sha256[:12]}...: a run goes on with the text it began with; name that file with --data"
        )
    if request.steps is not None and request.steps < run.step:
        raise UserError(
            f"{request.resume} has done {run.step} steps already, more than --steps {request.steps}: "
            "--steps is the total, also when resuming; give more"
        )


@dataclass
class Keeper:
    """Writes a run to its checkpoint when called, each step once; nowhere if there is no path."""

    path: Path | None
    run: Run
    kept: int | None = None
    """The step that was written last."""

    def __call__(self) -> None:
        """Write the run unless it was written after this very step."""
        if self.path is not None and self.kept != self.run.step:
            checkpoint.save(self.path, self.run)
            self.kept = self.run.step


@dataclass
class Tally:
    """What the judge has said of all steps so far: the worst comparison, the first wrong one, and how many of each."""

    worst: Comparison | None = None
    wrong: Comparison | None = None
    step: int = 0
    """The step of `wrong`, or of `worst` if nothing is wrong."""
    judged: int = 0
    failed: int = 0
    not_comparable: int = 0

    def add(self, step: int, found: list[Comparison]) -> None:
        """Count the comparisons of one step."""
        for comparison in found:
            self.not_comparable += comparison.verdict is Verdict.NOT_COMPARABLE
            if comparison.verdict not in (Verdict.PASSED, Verdict.FAILED):
                continue
            self.judged += 1
            if comparison.verdict is Verdict.FAILED:
                self.failed += 1
                if self.wrong is None:
                    self.wrong, self.step = comparison, step
            if self.worst is None or comparison.margin > self.worst.margin:
                self.worst = comparison
                self.step = step if self.wrong is None else self.step


def follow(run: Run, data: Dataset, steps: int, framework: Framework, tally: Tally) -> Iterator[Record]:
    """Take the steps of `run` up to `steps` in all.

    "both" trains in lockstep: each step is computed by NumPy and by PyTorch from the same parameters, all arrays are
    judged and counted in `tally`, and the run goes on with what NumPy found.
    """
    if framework == "numpy":
        yield from train(run, data, steps)
    elif framework == "torch":
        yield from train(run, data, steps, torch_step)
    else:
        from rnncheck.checks.check import Bench
        from rnncheck.implementation import NumpyImpl
        from rnncheck.lockstep import judge_step
        from rnncheck.oracle import LiveOracle

        bench = Bench(NumpyImpl(), LiveOracle())
        while run.step < steps:
            tally.add(run.step, judge_step(bench, run, data))
            yield advance(run, data)


def torch_step(
    recipe: Recipe, params: Flat, opt_state: State, lr: float, batch: Batch, h0: np.ndarray | None
) -> StepOut:
    """Take one step of a run in PyTorch: the step function to train with in place of our own."""
    from reference import train as reference

    loss, updated, state, h_T = reference.torch_step(recipe.settings(), params, opt_state, lr, batch, h0)
    return StepOut(loss, Flat.pack(updated), state, h_T)
