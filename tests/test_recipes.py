"""The three systems are configured as their descriptions say, and a recipe that makes no sense is refused."""

import json
from dataclasses import replace

import pytest

from numpy_impl.optim import SGD, Adagrad
from numpy_impl.recipes import RECIPES, Recipe, make_optimizer, vary

DESCRIBED = {
    "names": {
        **{"hidden": 50, "init": "names", "biases": True, "reduction": "sum", "report": "sum", "bptt": "full"},
        **{"clip_method": "value", "clip_bound": 1.0, "lr": 0.01, "momentum": 0.9, "dampening": 0.9},
        **{"zero_start": True, "generator": "legacy", "shuffle": True, "sample_count": 4, "sample_length": 15},
    },
    "sentences": {
        **{"hidden": 100, "init": "sentences", "biases": False, "reduction": "sum", "report": "mean"},
        **{"bptt": "windowed", "k": 4, "clip_method": "none", "lr": 0.005, "momentum": 0.0, "evaluate_every": 1},
        **{"vocabulary_size": 8000, "shuffle": False},
    },
    "chars": {
        **{"hidden": 100, "init": "chars", "biases": True, "reduction": "sum", "report": "sum", "bptt": "full"},
        **{"clip_method": "value", "clip_bound": 5.0, "lr": 0.1, "optimizer": "adagrad", "eps": 1e-8},
        **{"eps_inside": True, "chunk_length": 25, "sample_every": 100, "sample_length": 200, "shuffle": False},
    },
}


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_is_what_its_description_says(name: str) -> None:
    settings = RECIPES[name].settings()
    assert {key: settings[key] for key in DESCRIBED[name]} == DESCRIBED[name]
    assert settings["name"] == name
    assert settings["dtype"] == "float64"


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_survives_json(name: str) -> None:
    recipe = RECIPES[name]
    assert Recipe(**json.loads(json.dumps(recipe.settings()))) == recipe


def test_optimizers_have_the_options_of_their_recipe() -> None:
    assert make_optimizer(RECIPES["names"]) == SGD(momentum=0.9, dampening=0.9, zero_start=True)
    assert make_optimizer(RECIPES["sentences"]) == SGD()
    assert make_optimizer(RECIPES["chars"]) == Adagrad(eps=1e-8, eps_inside=True)


@pytest.mark.usefixtures("shapes_unchecked")
@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"hidden": 2.5}, "hidden is 2.5, expected int"),
        ({"hidden": True}, "hidden is True, expected int"),
        ({"lr": "a"}, "lr is 'a', expected float"),
        ({"shuffle": "no"}, "shuffle is 'no', expected bool"),
        ({"examples": 2.5}, "examples is 2.5, expected int or None"),
        ({"optimizer": []}, r"optimizer is \[\], expected str"),
    ],
)
def test_a_value_of_another_kind_is_refused(wrong: dict[str, object], sentence: str) -> None:
    with pytest.raises(TypeError, match=sentence):
        replace(RECIPES["chars"], **wrong)


def test_a_setting_may_come_with_what_it_needs() -> None:
    changed = vary(RECIPES["sentences"], {"clip_bound": "2", "clip_method": "norm", "momentum": "0.5"})
    assert (changed.clip_bound, changed.clip_method, changed.momentum) == (2.0, "norm", 0.5)


def test_settings_are_read_as_the_kind_they_are() -> None:
    typed = {"optimizer": "sgd", "lr": "1e-2", "hidden": "32", "biases": "false", "examples": "none", "init": "uniform"}
    changed = vary(RECIPES["chars"], typed)
    assert changed == replace(
        RECIPES["chars"], optimizer="sgd", lr=0.01, hidden=32, biases=False, examples=None, init="uniform"
    )


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"colour": "red"}, "'colour' is not a setting of a recipe; the settings are hidden, steps, "),
        ({"name": "chars"}, "'name' is not a setting"),
        ({"hidden": "many"}, "hidden is 'many', expected int"),
        ({"hidden": "none"}, "hidden is 'none', expected int"),
        ({"biases": "maybe"}, "biases is 'maybe', expected bool"),
        ({"hidden": "0"}, "hidden is 0, and must be at least 1"),
        ({"examples": "0"}, "examples is 0, and must be at least 1"),
        ({"lr": "-1"}, "lr is -1.0, and must be a positive number"),
        ({"lr": "nan"}, "lr is nan, and must be a positive number"),
        ({"lr": "inf"}, "lr is inf, and must be a positive number"),
        ({"momentum": "nan"}, "momentum is nan, and must be at least 0"),
        ({"optimizer": "adam"}, "optimizer is 'adam', expected one of sgd, adagrad"),
        ({"reduction": "none"}, "reduction is 'none', expected one of sum, mean"),
        ({"k": "none"}, 'k is None under bptt="windowed"'),
        ({"hidden": "99999999999999999999"}, "hidden is 99999999999999999999, and must be at most 2147483647"),
        (
            {"clip_bound": "5"},
            "clip_bound has no effect beside clip_method=none; leave it out, or set clip_method=",
        ),
        ({"eps": "1e-8"}, "eps has no effect beside optimizer=sgd; leave it out, or set optimizer=adagrad as well"),
        ({"momentum": "0.9", "optimizer": "adagrad"}, "momentum has no effect beside optimizer=adagrad"),
        ({"chunk_length": "5"}, "chunk_length has no effect on sentences; it is a setting of chars"),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused(settings: dict[str, str], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        vary(RECIPES["sentences"], settings)
