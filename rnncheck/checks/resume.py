"""A training run that is stopped, saved, loaded and resumed must be bit for bit the run that was not stopped."""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from numpy_impl import checkpoint
from numpy_impl.datasets import Dataset
from numpy_impl.recipes import Recipe
from numpy_impl.run import Run, start
from numpy_impl.train import train
from rnncheck.checks.check import Bench, Check, failed, passed
from rnncheck.result import Comparison

__all__ = ["compare_resumed", "resume_checks"]

Reload = Callable[[Run], Run]


def resume_checks(recipe: Recipe, load: Callable[[], Dataset], seed: int, steps: int = 40) -> Iterator[Check]:
    """Plan two stops, the first of them right after the first step."""
    rng = np.random.default_rng([seed, len(recipe.name)])
    for stop in (1, int(rng.integers(2, steps))):
        yield Check(f"resume-{recipe.name}[stop={stop}-of={steps}]", "resume", _ask(recipe, load, seed, stop, steps))


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
    """Train twice, once through `reload` after `stop` steps, and compare losses and parameters bit for bit."""
    straight, broken = start(recipe, data, seed), start(recipe, data, seed)
    losses = [record.loss for record in train(straight, data, steps)]
    again = [record.loss for record in train(broken, data, stop)]
    broken = reload(broken)
    again += [record.loss for record in train(broken, data, steps)]
    return [
        _same("loss", np.array(losses), np.array(again)),
        *(_same(name, array, broken.params[name]) for name, array in straight.params.items()),
    ]


def _same(name: str, one: np.ndarray, two: np.ndarray) -> Comparison:
    if one.tobytes() == two.tobytes():
        return passed(name, "bit for bit")
    return failed(name, "bit for bit", "differs between the run that was stopped and the one that was not")
