"""The check that a resumed run is the run that was not stopped: whatever a resumed run forgets, it notices."""

from collections.abc import Callable
from functools import cache, partial

import numpy as np
import pytest

from numpy_impl.datasets import Dataset, load_dataset
from numpy_impl.recipes import RECIPES
from numpy_impl.run import Run
from rnncheck.checks.check import Bench, run_check
from rnncheck.checks.resume import compare_resumed, eventful, resume_checks, through_a_file
from rnncheck.implementation import NumpyImpl
from rnncheck.result import Verdict
from rnncheck.shipped import shipped_text
from rnncheck.vectors import VectorOracle

SEED, STOP, STEPS = 5, 13, 40


@cache
def data(name: str) -> Dataset:
    return load_dataset(eventful(RECIPES[name]), str(shipped_text(name)))


@pytest.mark.parametrize("name", RECIPES)
def test_a_resumed_run_is_the_run_that_was_not_stopped(name: str) -> None:
    checks = list(resume_checks(eventful(RECIPES[name]), partial(data, name), SEED))
    for check in checks:
        assert run_check(check, Bench(NumpyImpl(), VectorOracle([]))).verdict is Verdict.PASSED
    assert len(checks) == 2


def other_bit(run: Run) -> None:
    run.params["W_hh"][0, 0] = np.nextafter(run.params["W_hh"][0, 0], 9)


FORGOTTEN: dict[str, tuple[str, str, Callable[[Run], object]]] = {
    "momentum": ("names", "W_hh", lambda run: run.opt_state["v"].fill(0)),
    "the order": ("names", "loss", lambda run: run.order is not None and run.order.sort()),
    "the legacy generator": ("names", "samples", lambda run: run.rng.random()),
    "the generator": ("chars", "samples", lambda run: run.rng.random()),
    "the squared gradients": ("chars", "W_hh", lambda run: run.opt_state["m"].fill(0)),
    "the carried state": ("chars", "loss", lambda run: setattr(run, "h", None)),
    "the smoothed loss": ("sentences", "smoothed", lambda run: setattr(run, "smoothed", 1.0)),
    "the last loss of the set": ("chars", "lr", lambda run: setattr(run, "set_loss", None)),
    "the halved rate": ("chars", "lr", lambda run: setattr(run, "lr", run.recipe.lr)),
    "the position": ("sentences", "loss", lambda run: setattr(run, "step", run.step - 1)),
    "one bit": ("sentences", "W_hh", other_bit),
}


@pytest.mark.parametrize("what", FORGOTTEN)
def test_what_is_forgotten_is_noticed(what: str) -> None:
    name, array, forget = FORGOTTEN[what]
    stop = 4 if what == "the last loss of the set" else STOP  # before the second evaluation, and behind it

    def reload(run: Run) -> Run:
        loaded = through_a_file(run)
        forget(loaded)
        return loaded

    wrong = [
        c.array
        for c in compare_resumed(eventful(RECIPES[name]), data(name), SEED, stop, STEPS, reload)
        if c.verdict is Verdict.FAILED
    ]
    assert array in wrong
