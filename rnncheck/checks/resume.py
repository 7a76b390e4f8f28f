"""A training run that is stopped, saved, loaded and resumed must be bit for bit the run that was not stopped."""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from numpy_impl import checkpoint
from numpy_impl.datasets import Dataset
from numpy_impl.recipes import Recipe
from numpy_impl.run import Run, start
from numpy_impl.train import train
from rnncheck.checks.check import Bench, Check, failed, passed
from rnncheck.result import Comparison

__all__ = ["compare_resumed", "eventful", "resume_checks"]

Reload = Callable[[Run], Run]


def resume_checks(recipe: Recipe, load: Callable[[], Dataset], seed: int, steps: int = 40) -> Iterator[Check]:
    """Plan two stops, the first of them right after the first step.

    So that nothing is lost unseen, `recipe` should evaluate its set and write samples behind the stops: `eventful`.
    """
    rng = np.random.default_rng([seed, len(recipe.name)])
    for stop in (1, int(rng.integers(2, steps))):
        yield Check(f"resume-{recipe.name}[stop={stop}-of={steps}]", "resume", _ask(recipe, load, seed, stop, steps))


def eventful(recipe: Recipe) -> Recipe:
    """Let a few dozen steps go several times over few examples, evaluate them and write samples."""
    return replace(recipe, examples=8, evaluate_every=1, sample_every=6, sample_count=1, sample_length=10)


def _ask(
    recipe: Recipe, load: Callable[[], Dataset], seed: int, stop: int, steps: int
) -> Callable[[Bench], list[Comparison]]:
    return lambda _bench: compare_resumed(recipe, load(), seed, stop, steps, through_a_file)


def through_a_file(run: Run) -> Run:
    """Save the run and load it again."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.safetensors"
        checkpoint.save(path, run)
        return checkpoint.load(path)


def compare_resumed(
    recipe: Recipe, data: Dataset, seed: int, stop: int, steps: int, reload: Reload
) -> list[Comparison]:
    """Train twice, once through `reload` after `stop` steps, and compare all that the runs tell, bit for bit."""
    straight, broken = start(recipe, data, seed), start(recipe, data, seed)
    told = list(train(straight, data, steps))
    again = list(train(broken, data, stop))
    broken = reload(broken)
    again += train(broken, data, steps)
    return [
        _same("loss", *([r.loss for r in records] for records in (told, again))),
        _same("smoothed", *([r.smoothed for r in records] for records in (told, again))),
        _same("lr", *([(r.lr, r.set_loss) for r in records] for records in (told, again))),
        _same("samples", *([r.samples for r in records] for records in (told, again))),
        *(_same(name, array.tobytes(), broken.params[name].tobytes()) for name, array in straight.params.items()),
    ]


def _same(name: str, one: object, two: object) -> Comparison:
    if one == two:
        return passed(name, "bit for bit")
    return failed(name, "bit for bit", "differs between the run that was stopped and the one that was not")
