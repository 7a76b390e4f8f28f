"""Texts, recipes and runs so small that a test can take many steps."""

from dataclasses import replace

from numpy_impl.datasets import Dataset, chunk_data, name_data, sentence_data
from numpy_impl.recipes import RECIPES, Recipe
from numpy_impl.run import Run, start
from numpy_impl.text import TextFile
from numpy_impl.train import Record, train

NAMES = "Ada\nBartholomew\nCy\nDee\nElisabeth\n"
TEXT = "It rains today. The old dog sleeps near the fire, and nobody minds. Come in! The fire is warm, the dog is old. "
FOUR_CHUNKS = TEXT[: 25 * 4 + 1 + 7]
"""Running text with something left over at its end."""


def dataset(name: str) -> Dataset:
    text = {"names": NAMES, "sentences": TEXT, "chars": FOUR_CHUNKS}[name]
    return {"names": name_data, "sentences": sentence_data, "chars": chunk_data}[name](
        TextFile("a.txt", text, "0" * 64)
    )


def small(name: str, **changes: object) -> Recipe:
    return replace(RECIPES[name], hidden=12, sample_every=1000, **changes)


def records(name: str, steps: int, **changes: object) -> tuple[Run, list[Record]]:
    """Return a run that has done so many steps, and what they told."""
    data = dataset(name)
    run = start(small(name, **changes), data, seed=3)
    return run, list(train(run, data, steps))
