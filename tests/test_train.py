"""The loop: what it visits, evaluates, halves, samples and refuses. Its numbers: test_plain_systems.py."""

from dataclasses import replace
from itertools import islice, pairwise
from math import log

import numpy as np
import pytest

from numpy_impl.recipes import RECIPES
from numpy_impl.run import start
from numpy_impl.train import evaluate, numpy_step, train

from small_runs import dataset, records, small


def test_lr_is_halved_whenever_the_set_loss_has_risen() -> None:
    seen = [r for r in records("sentences", 40, lr=0.4)[1] if r.set_loss is not None]
    assert [r.step for r in seen] == list(range(0, 40, len(dataset("sentences"))))
    expected = 0.4
    for before, now in pairwise(seen):
        expected = expected / 2 if now.set_loss > before.set_loss else expected
        assert now.lr == expected
    assert expected < 0.4  # it did happen


def test_the_set_is_evaluated_every_so_many_passes() -> None:
    n = len(dataset("sentences"))
    _, seen = records("sentences", 6 * n, evaluate_every=3)
    assert [r.step for r in seen if r.set_loss is not None] == [0, 3 * n]


def test_sentences_learn() -> None:
    run, seen = records("sentences", 10 * len(dataset("sentences")))
    assert evaluate(run, dataset("sentences")) < seen[0].set_loss


def test_names_are_shuffled_once_and_visited_in_that_order() -> None:
    data = dataset("names")
    run = start(small("names"), data, seed=3)
    assert sorted(run.order.tolist()) == list(range(len(data)))
    assert run.order.tolist() != list(range(len(data)))
    before, visited = run.order.copy(), []

    def spy(recipe, params, opt_state, lr, batch, h0):
        visited.append(batch.y[:, 0].tolist())
        return numpy_step(recipe, params, opt_state, lr, batch, h0)

    list(train(run, data, 12, spy))
    np.testing.assert_array_equal(run.order, before)
    assert visited == [data.targets[before[s % len(data)]].tolist() for s in range(12)]


def test_the_smoothed_loss_begins_at_that_of_equally_likely_tokens() -> None:
    data = dataset("chars")
    assert start(small("chars"), data).smoothed == 25 * log(len(data.vocabulary))
    data = dataset("sentences")
    assert start(small("sentences"), data).smoothed == log(len(data.vocabulary))


@pytest.mark.parametrize("name", RECIPES)
def test_samples_come_after_every_so_many_steps(name: str) -> None:
    data = dataset(name)
    recipe = replace(small(name), sample_every=3, sample_length=9)
    seen = list(train(start(recipe, data), data, 8))
    assert [r.step for r in seen if r.samples] == [0, 3, 6]
    assert len(seen[0].samples) == recipe.sample_count
    for sample in seen[0].samples:
        assert len(sample) == 9 if name == "chars" else len(sample.split()) <= 9


@pytest.mark.parametrize("name", RECIPES)
def test_sampling_does_not_disturb_training(name: str) -> None:
    data = dataset(name)
    seen = [list(train(start(replace(small(name), sample_every=n), data), data, 8)) for n in (1, 0)]
    assert [r.loss for r in seen[0]] == [r.loss for r in seen[1]]
    assert all(r.samples for r in seen[0])
    assert not any(r.samples for r in seen[1])


def test_a_step_in_place_equals_a_step_into_new_arrays() -> None:
    for name in RECIPES:
        data = dataset(name)
        runs = [start(small(name), data), start(small(name), data)]
        for run, step_fn in zip(runs, (None, numpy_step), strict=True):
            list(train(run, data, 5, step_fn))
        np.testing.assert_array_equal(runs[0].params.flat, runs[1].params.flat)


def test_a_step_into_new_arrays_leaves_what_it_was_given() -> None:
    data = dataset("names")
    run = start(small("names"), data)
    before, v = run.params.flat.copy(), run.opt_state["v"].copy()
    numpy_step(run.recipe, run.params, run.opt_state, run.lr, data.batch(0), None)
    np.testing.assert_array_equal(run.params.flat, before)
    np.testing.assert_array_equal(run.opt_state["v"], v)


def test_float32_stays_float32() -> None:
    for name in RECIPES:
        run, _ = records(name, 5, dtype="float32")
        assert {a.dtype for a in [run.params.flat, *run.opt_state.values()]} <= {np.dtype("float32"), np.dtype("bool")}


def test_a_loss_that_is_not_finite_stops_the_run_before_the_update() -> None:
    data = dataset("chars")
    run = start(small("chars"), data)
    list(islice(train(run, data, 9), 4))
    run.params["W_hy"][...] = np.where(np.arange(12) % 2, 1e308, -1e308)  # logits overflow
    before, step = run.params.flat.copy(), run.step
    with pytest.raises(ValueError, match=r"^loss is (nan|inf): .* lower lr \(now 0\.1\) or clip the gradient"):
        list(train(run, data, 9))
    np.testing.assert_array_equal(run.params.flat, before)
    assert run.step == step


def test_a_step_function_that_returns_no_finite_loss_stops_the_run() -> None:
    data = dataset("names")
    run = start(small("names"), data)

    def broken(*args):
        return numpy_step(*args)._replace(loss=float("nan"))

    with pytest.raises(ValueError, match="loss is nan"):
        list(train(run, data, 1, broken))


def test_a_run_goes_on_with_its_own_file_only() -> None:
    data = dataset("names")
    run = start(small("names"), data)
    with pytest.raises(ValueError, match=r"data has sha256 1{12}\.\.\., the run was trained on 0{12}"):
        list(train(run, replace(data, sha256="1" * 64), 1))
