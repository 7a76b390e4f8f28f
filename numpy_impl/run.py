"""A training run between two steps: everything that the next step depends on, in one object."""

from dataclasses import dataclass, field
from math import log

import numpy as np

from numpy_impl.datasets import Dataset
from numpy_impl.flat import Flat
from numpy_impl.init import Rng, init_params
from numpy_impl.recipes import Recipe, make_optimizer
from numpy_impl.shapes import Ids, Real
from numpy_impl.vocabulary import Vocabulary
from numpy_impl.workspace import Workspace

__all__ = ["Run", "start"]


@dataclass
class Run:
    """The state of a run. `step` counts the steps done."""

    recipe: Recipe
    vocabulary: Vocabulary
    sha256: str
    seed: int
    params: Flat
    opt_state: dict[str, np.ndarray]
    rng: Rng
    lr: float
    smoothed: float
    order: Ids[np.ndarray, "N"] | None = None
    """The order of the examples where they were shuffled; file order otherwise."""
    h: Real[np.ndarray, "B H"] | None = None
    """The state that is carried to the next step; None where every example begins at zero."""
    set_loss: float | None = None
    step: int = 0
    workspace: Workspace = field(default_factory=Workspace, compare=False, repr=False)
    """Memory that one step leaves to the next; no number of it is read by the next."""


def start(recipe: Recipe, data: Dataset, seed: int = 1) -> Run:
    """Begin a run: shuffle if the recipe says so, then draw the weights, both from `seed`.

    With the legacy generator the samples come from the same stream later, as in the published run of `names`; with
    the default generator they have a stream of their own.

    Raises
    ------
    ValueError
        If the seed is out of range.
    """
    if not 0 <= seed < 2**32:
        raise ValueError(
            f"seed is {seed}: the legacy generator takes 0 to 2**32 - 1, and so does every run; choose one"
        )
    legacy = recipe.generator == "legacy"
    rng: Rng = np.random.RandomState(seed) if legacy else np.random.default_rng(seed)
    order = None
    if recipe.shuffle:
        order = np.arange(len(data))
        rng.shuffle(order)
    K = len(data.vocabulary)
    params = init_params(recipe.init, K, recipe.hidden, K, rng, biases=recipe.biases, dtype=np.dtype(recipe.dtype))
    if isinstance(rng, np.random.Generator):
        rng = rng.spawn(1)[0]
    untrained = log(K) * (data.mean_length if recipe.report == "sum" else 1.0)  # all tokens equally likely
    opt_state = make_optimizer(recipe).init(params.flat)
    return Run(recipe, data.vocabulary, data.sha256, seed, params, opt_state, rng, recipe.lr, untrained, order)
