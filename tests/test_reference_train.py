"""The training step of torch against the same step from the pieces by hand: gradient, clip, update."""

from typing import NamedTuple

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from numpy_impl import datasets, recipes  # noqa: E402 - torch may be missing
from numpy_impl.flat import Flat  # noqa: E402
from numpy_impl.model import loss_and_grads  # noqa: E402
from numpy_impl.train import numpy_step  # noqa: E402
from reference.train import torch_step  # noqa: E402

T, B, H, V = 9, 1, 5, 7
LR = 0.05
STEPS = 6
ROUNDING = {"float64": 1024 * 2.0**-53, "float32": 1024 * 2.0**-24}
"""A few steps of training, each of them rounding."""

PLAIN = {
    "nonlinearity": "tanh",
    "reduction": "sum",
    "bptt": "full",
    "k": None,
    "clip_method": "none",
    "clip_bound": 1.0,
}
PLAIN |= {"optimizer": "sgd", "momentum": 0.0, "dampening": 0.0, "zero_start": False}
PLAIN |= {"eps": 1e-10, "eps_inside": False, "initial_accumulator": 0.0, "hidden": H}
NAMES = PLAIN | {"clip_method": "value", "momentum": 0.9, "dampening": 0.9, "zero_start": True}
SENTENCES = PLAIN | {"bptt": "windowed", "k": 4}
CHARS = PLAIN | {"clip_method": "value", "optimizer": "adagrad", "eps": 1e-8, "eps_inside": True}
OTHERS = PLAIN | {"clip_method": "norm", "momentum": 0.9, "reduction": "mean", "nonlinearity": "relu"}
RECIPES = {"names": NAMES, "sentences": SENTENCES, "chars": CHARS, "others": OTHERS}


class Batch(NamedTuple):
    x: np.ndarray
    y: np.ndarray
    lengths: np.ndarray | None = None


def start(settings, dtype="float64"):
    rng = np.random.default_rng(0)
    shapes = {"W_xh": (H, V), "W_hh": (H, H), "b_h": (H,), "W_hy": (V, H), "b_y": (V,)}
    params = {name: rng.normal(size=shape).astype(dtype) for name, shape in shapes.items()}
    size = sum(w.size for w in params.values())
    if settings["optimizer"] == "adagrad":
        return params, {"m": np.full(size, settings["initial_accumulator"], dtype)}
    if settings["momentum"]:
        return params, {"v": np.zeros(size, dtype), "started": np.array(settings["zero_start"])}
    return params, {}


def batches():
    rng = np.random.default_rng(1)
    return [Batch(rng.integers(-1, V, (T, B)), rng.integers(0, V, (T, B))) for _ in range(STEPS)]


def hand_step(settings, params, state, batch, h0):
    """Do the step with numpy_impl's gradient; clipping and update in the words of their definitions."""
    options = {name: settings[name] for name in ("nonlinearity", "reduction", "bptt", "k")}
    step = loss_and_grads(params, batch.x, batch.y, h0, **options)
    g, w = step.grads.flat, np.concatenate([a.ravel() for a in params.values()])
    if settings["clip_method"] == "value":
        g = np.clip(g, -settings["clip_bound"], settings["clip_bound"])
    elif settings["clip_method"] == "norm":
        g = g * min(1.0, settings["clip_bound"] / (np.linalg.norm(g) + 1e-6))
    if settings["optimizer"] == "adagrad":
        state = {"m": state["m"] + g**2}
        w = w - LR * g / np.sqrt(state["m"] + settings["eps"])
    elif settings["momentum"]:
        v = settings["momentum"] * state["v"] + (1 - settings["dampening"]) * g if state["started"] else g
        state = {"v": v, "started": np.array(True)}
        w = w - LR * v
    else:
        w = w - LR * g
    ends = np.cumsum([a.size for a in params.values()])[:-1]
    parts = {n: part.reshape(params[n].shape) for n, part in zip(params, np.split(w, ends), strict=True)}
    return float(step.loss), parts, state, step.forward.h_T


def train(step, settings, carry=True):
    params, state = start(settings)
    h, losses = None, []
    for batch in batches():
        loss, params, state, h_T = step(settings, params, state, batch, h)
        h = h_T if carry else None
        losses.append(loss)
    return {**params, **state, "h": h_T, "losses": np.array(losses)}


def in_torch(settings, params, state, batch, h0):
    return torch_step(settings, params, state, LR, batch, h0)


def different(a, b, limit=ROUNDING["float64"]):
    assert list(a) == list(b)
    return [n for n in a if not np.abs(a[n] - 1.0 * b[n]).max() <= limit * np.abs(b[n]).max()]


@pytest.mark.parametrize("carry", [True, False])
@pytest.mark.parametrize("recipe", RECIPES)
def test_training_agrees_with_the_step_by_hand(recipe, carry):
    settings = RECIPES[recipe]
    assert different(train(in_torch, settings, carry), train(hand_step, settings, carry)) == []


@pytest.mark.parametrize("name", recipes.RECIPES)
def test_it_is_the_twin_of_the_numpy_step(name):
    """The recipe as it is trained, its settings handed over as plain values."""
    recipe = recipes.RECIPES[name]

    def in_numpy(settings, params, state, batch, h0):
        return numpy_step(recipe, Flat.pack(params), state, LR, datasets.Batch(batch.x, batch.y, h0 is None), h0)

    settings = recipe.settings()
    assert different(train(in_torch, settings), train(in_numpy, settings)) == []
    assert different(train(in_torch, settings | {"nonlinearity": "relu"}), train(in_numpy, settings))


FAULTS = {
    "clipped at another bound": {"clip_bound": 0.9},
    "not clipped": {"clip_method": "none"},
    "clipped by norm": {"clip_method": "norm"},
    "torch's start of momentum": {"zero_start": False},
    "dampening a tenth": {"dampening": 0.1},
    "Adagrad": {"optimizer": "adagrad"},
    "mean loss": {"reduction": "mean"},
    "windowed": {"bptt": "windowed", "k": 4},
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_seen(fault):
    wrong, right = train(in_torch, NAMES | FAULTS[fault]), train(hand_step, NAMES)
    shared = [name for name in right if name in wrong]
    assert different({n: wrong[n] for n in shared}, {n: right[n] for n in shared})


def test_a_lost_optimiser_state_is_seen():
    lost = train(lambda settings, params, state, *rest: in_torch(settings, params, start(settings)[1], *rest), CHARS)
    assert different(lost, train(hand_step, CHARS))


def test_a_state_carried_over_although_it_should_not_be_is_seen():
    assert different(train(in_torch, CHARS, carry=True), train(hand_step, CHARS, carry=False))


@pytest.mark.parametrize("recipe", RECIPES)
def test_float32_stays_float32_and_can_be_computed_in_float64(recipe):
    settings = RECIPES[recipe]
    params, state = start(settings, "float32")
    before = {name: a.copy() for name, a in {**params, **state}.items()}
    out = torch_step(settings, params, state, LR, batches()[0])
    floats = [*out.params.values(), out.h_T, *(a for n, a in out.opt_state.items() if n != "started")]
    assert {a.dtype for a in floats} == {np.dtype("float32")}
    assert all((before[name] == a).all() for name, a in {**params, **state}.items()), "what comes in stays"
    wide = torch_step(settings, params, state, LR, batches()[0], dtype=torch.float64)
    assert {a.dtype for a in wide.params.values()} == {np.dtype("float64")}
    assert different(out.params, wide.params, ROUNDING["float32"]) == []
    assert different(out.params, wide.params, 0.0), "float32 was computed in float64"


def test_a_step_lowers_the_loss_of_its_own_batch():
    params, state = start(PLAIN)
    batch = batches()[0]
    first = torch_step(PLAIN, params, state, 1e-4, batch)
    assert torch_step(PLAIN, first.params, first.opt_state, 1e-4, batch).loss < first.loss


def test_bad_ids_are_refused():
    params, state = start(PLAIN)
    with pytest.raises(ValueError, match="y holds the id -1: ids run from 0 to 6, besides only -100"):
        torch_step(PLAIN, params, state, LR, Batch(batches()[0].x, np.full((T, B), -1)))
