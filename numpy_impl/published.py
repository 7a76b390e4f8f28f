"""The published run of the `names` recipe, repeated: costs to six decimals and names letter by letter.

Public data file: https://raw.githubusercontent.com/Javicadserres/quantdare_posts/master/rnn/person_names.txt.
Beyond step 20000 no figure can be asked for: training is a chaotic map, and weights perturbed by one rounding differ
by 1e-11 at step 20000 and by 0.1 at step 32500.
"""

import os
from dataclasses import dataclass

from numpy_impl.datasets import Dataset, load_dataset
from numpy_impl.recipes import RECIPES
from numpy_impl.run import start
from numpy_impl.train import train

__all__ = ["PUBLISHED", "PUBLISHED_SHA256", "Published", "public_names", "reproduce_names"]

PUBLISHED_SHA256 = "223821f7f633a8e3a119b4ee29f62b694293cd7580ee8f15c74c9213c2e6c28c"


@dataclass(frozen=True)
class Published:
    """The cost of a step before its update, and four names drawn after it."""

    step: int
    cost: float
    names: tuple[str, ...]

    def agrees(self, other: "Published") -> bool:
        """Say whether both tell the same: the cost to six decimals, the names exactly."""
        same_cost = f"{self.cost:.6f}" == f"{other.cost:.6f}"
        return self.step == other.step and same_cost and self.names == other.names


PUBLISHED = (
    Published(0, 22.388388, ("wiibjnaswxngbih", "msprglszcxepjjg", "ntlipdryxt", "minjhhsixfxkfo")),
    Published(10_000, 26.761209, ("skorley", "tisole", "dyanera", "koenopa")),
    Published(20_000, 16.745427, ("harila", "roecestlp", "shanjeel", "desimr")),
)


def public_names(path: str | os.PathLike[str]) -> Dataset:
    """Read the public file.

    Raises
    ------
    ValueError
        If the file is not the public one: its figures hold for its bytes only.
    """
    data = load_dataset(RECIPES["names"], path)
    if data.sha256 != PUBLISHED_SHA256:
        raise ValueError(
            f"{os.fspath(path)} has sha256 {data.sha256[:12]}..., expected {PUBLISHED_SHA256[:12]}...: "
            "the published figures hold for the public file only; download it again"
        )
    return data


def reproduce_names(data: Dataset) -> list[Published]:
    """Train the `names` recipe on the public file from seed 1 and return what `PUBLISHED` is to be compared with."""
    records = train(start(RECIPES["names"], data, seed=1), data, PUBLISHED[-1].step + 1)
    return [Published(r.step, r.loss, tuple(r.samples)) for r in records if r.samples]
