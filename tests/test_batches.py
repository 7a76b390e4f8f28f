"""Training on several names or sentences a step: what is visited, what is learnt, and that a run can be resumed."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from numpy_impl import checkpoint
from numpy_impl.datasets import Batch, Dataset, name_data, sentence_data
from numpy_impl.inputs import NO_TOKEN
from numpy_impl.lean import lean_loss_and_grads
from numpy_impl.loss import IGNORE_INDEX
from numpy_impl.model import loss_and_grads
from numpy_impl.recipes import RECIPES, Recipe, vary
from numpy_impl.run import Run, start
from numpy_impl.text import TextFile
from numpy_impl.train import next_batch, numpy_step, train

NAMES = "Ada\nBartholomew\nCy\nDee\nElisabeth\nFay\nGiovanni\n"
TEXT = "It rains today. The old dog sleeps near the fire, and nobody minds. Come in, dog! The fire is warm now. I go."
ROUNDING = 1e-12
"""Sums in another order, in float64, relative to the largest entry."""


def dataset(name: str = "names") -> Dataset:
    text, make = (NAMES, name_data) if name == "names" else (TEXT, sentence_data)
    return make(TextFile("a.txt", text, "0" * 64))


def small(name: str = "names", **changes: object) -> Recipe:
    return replace(RECIPES[name], hidden=12, sample_every=0, **{"batch": 3, **changes})


def same(found: np.ndarray, expected: np.ndarray) -> bool:
    return bool(np.abs(found - expected).max() <= ROUNDING * np.abs(expected).max())


def test_several_names_stand_beside_each_other_padded() -> None:
    data = dataset()
    batch = data.batch(2, 0)  # cy, ada
    assert batch.lengths.tolist() == [3, 4]
    assert batch.targets == 7
    assert batch.reset
    assert batch.x[0].tolist() == [NO_TOKEN, NO_TOKEN]
    assert (batch.x[3, 0], batch.y[3, 0]) == (NO_TOKEN, IGNORE_INDEX)
    assert ["".join(data.vocabulary.decode(y[y >= 0])) for y in batch.y.T] == ["cy\n", "ada\n"]


def test_every_pass_visits_every_name_once_in_order_the_last_step_the_rest() -> None:
    data = dataset()
    run = start(small(), data, seed=3)
    batches = []
    for _ in train(run, data, 6, lambda *given: (batches.append(given[4]), numpy_step(*given))[1]):
        pass
    assert [batch.y.shape[1] for batch in batches] == [3, 3, 1, 3, 3, 1]
    visited = [y[y >= 0].tolist() for batch in batches for y in batch.y.T]
    assert visited == 2 * [data.targets[i].tolist() for i in run.order]


@pytest.mark.parametrize("name", ["names", "sentences"])
@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_a_step_goes_along_the_gradients_of_all_its_examples(name: str, reduction: str) -> None:
    data = dataset(name)
    recipe = small(name, reduction=reduction, momentum=0.0, dampening=0.0, zero_start=False, clip_method="none")
    run = start(recipe, data)
    batch = next_batch(run, data)
    order = run.order if run.order is not None else range(3)
    alone = [
        loss_and_grads(run.params, *data.batch(int(i))[:2], bptt=recipe.bptt, k=recipe.k).grads.flat for i in order[:3]
    ]
    share = 1 / batch.targets if reduction == "mean" else 1.0
    expected = run.params.flat - recipe.lr * share * sum(alone)
    out = numpy_step(recipe, run.params, run.opt_state, recipe.lr, batch, None)
    assert same(out.params.flat, expected)
    assert not same(out.params.flat, run.params.flat)


@pytest.mark.parametrize("report", ["sum", "mean"])
@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_the_loss_that_is_shown_is_that_of_one_name_or_one_letter(reduction: str, report: str) -> None:
    data = dataset()
    run = start(small(reduction=reduction, report=report), data)
    losses = [float(loss_and_grads(run.params, *data.batch(int(i))[:2]).loss) for i in run.order[:3]]
    letters = sum(len(data.targets[i]) for i in run.order[:3])
    (record,) = train(run, data, 1)
    assert record.loss == pytest.approx(sum(losses) / (3 if report == "sum" else letters), rel=ROUNDING)


def test_the_set_is_evaluated_at_the_start_of_a_pass() -> None:
    data = dataset("sentences")
    run = start(small("sentences", batch=2), data)
    passes = -(-len(data) // 2)
    assert [r.step for r in train(run, data, 2 * passes + 1) if r.set_loss is not None] == [0, passes, 2 * passes]


def test_a_batch_of_one_is_the_step_as_it_was() -> None:
    data = dataset()
    run = start(small(batch=1), data)
    batch = next_batch(run, data)
    assert batch.lengths is None
    assert batch.x.shape == (len(data.targets[run.order[0]]), 1)


def test_batches_learn_names() -> None:
    data = dataset()
    run = start(small(lr=0.05), data)
    records = list(train(run, data, 600))
    assert np.mean([r.loss for r in records[-3:]]) < 0.6 * np.mean([r.loss for r in records[:3]])


@pytest.mark.parametrize("name", ["names", "sentences"])
def test_the_torch_step_is_the_twin_of_ours(name: str) -> None:
    pytest.importorskip("torch")
    from rnncheck.training import torch_step

    assert drift(name, torch_step) <= ROUNDING


def drift(name: str, other) -> float:
    """Train seven steps on either side and return how far the weights and the state are apart at most."""
    data = dataset(name)
    recipe = small(name)
    ours, theirs = start(recipe, data), start(recipe, data)
    found = 0.0
    for ours_record, record in zip(train(ours, data, 7), train(theirs, data, 7, other), strict=True):
        found = max(found, abs(record.loss / ours_record.loss - 1))
        scale = np.abs(ours.params.flat).max()
        found = max(found, float(np.abs(ours.params.flat - theirs.params.flat).max() / scale))
    return found


def test_last_states_are_those_at_the_end_of_each_name_on_both_sides() -> None:
    pytest.importorskip("torch")
    from rnncheck.training import torch_step

    data = dataset()
    run = start(small(), data)
    batch = next_batch(run, data)
    given = run.recipe, run.params, run.opt_state, run.lr, batch, None
    ours, theirs = numpy_step(*given), torch_step(*given)
    assert same(theirs.h_T, ours.h_T)
    assert not same(lean_loss_and_grads(run.params, batch.x, batch.y).h_T, ours.h_T)  # the end of the longest


def padding_counts(recipe, params, opt_state, lr, batch: Batch, h0):
    """A step that takes the padding for line breaks."""
    y = np.where(batch.y == IGNORE_INDEX, 0, batch.y)
    return numpy_step(recipe, params, opt_state, lr, batch._replace(y=y, lengths=None), h0)


def one_is_cut(recipe, params, opt_state, lr, batch: Batch, h0):
    """A step that forgets the last letter of the longest name."""
    lengths = None if batch.lengths is None else np.minimum(batch.lengths, max(1, len(batch.x) - 1))
    return numpy_step(recipe, params, opt_state, lr, batch._replace(lengths=lengths), h0)


@pytest.mark.parametrize("fault", [padding_counts, one_is_cut])
def test_a_wrong_step_is_seen_from_how_far_it_drifts(fault) -> None:
    assert drift("names", numpy_step) == 0
    assert drift("names", fault) > 1e6 * ROUNDING


def finished(steps: list[int], path: Path) -> bytes:
    """Train in stages, each from the checkpoint of the one before; return the last checkpoint."""
    data, run = dataset(), None
    for total in steps:
        current: Run = start(small(), data, seed=3) if run is None else checkpoint.load(path)
        run = current
        list(train(current, data, total))
        checkpoint.save(path, current)
    return path.read_bytes()


def test_a_run_may_stop_in_the_middle_of_a_pass(tmp_path: Path) -> None:
    whole = finished([8], tmp_path / "a")
    assert all(finished([stop, 8], tmp_path / "b") == whole for stop in range(1, 8))
    assert finished([7], tmp_path / "c") != whole


def test_the_chars_recipe_has_one_text_and_so_no_batches() -> None:
    for change in (partial(vary, settings={"batch": "4"}), partial(replace, batch=4)):
        with pytest.raises(ValueError, match="batch is 4, and must be 1 for chars: its state goes on"):
            change(RECIPES["chars"])
    with pytest.raises(ValueError, match="batch is 0, and must be at least 1"):
        vary(RECIPES["names"], {"batch": "0"})


def test_a_checkpoint_of_before_there_were_batches_is_a_run_of_one_name_a_step() -> None:
    settings = RECIPES["names"].settings()
    del settings["batch"]
    assert Recipe(**settings) == RECIPES["names"]
