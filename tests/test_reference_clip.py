"""Clipping by torch against its definition."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from reference.clip import run_clip  # noqa: E402 - torch may be missing

ROUNDING = 64 * 2.0**-53
NAMES = ("dW_hh", "db_h")


def gradients(scale=1.0):
    rng = np.random.default_rng(0)
    return {"dW_hh": scale * rng.normal(size=(3, 4)), "db_h": scale * rng.normal(size=4)}


def norm_of(grads):
    return np.sqrt(sum((g**2).sum() for g in grads.values()))


def close(found, expected):
    return all(np.abs(found[n] - expected[n]).max() <= ROUNDING * np.abs(expected[n]).max() for n in expected)


def by_norm(grads, bound, eps):
    factor = min(1.0, bound / (norm_of(grads) + eps))
    return {"total_norm": norm_of(grads)} | {name: factor * g for name, g in grads.items()}


def by_value(grads, bound):
    return {name: np.clip(g, -bound, bound) for name, g in grads.items()}


@pytest.mark.parametrize("eps", [1e-6, 0.0, 0.25])
@pytest.mark.parametrize("bound", [0.01, 1.0, 3.0])
def test_clips_all_gradients_to_one_norm(bound, eps):
    found = run_clip(gradients(), "norm", bound, eps)
    assert list(found) == ["total_norm", *NAMES]
    assert close(found, by_norm(gradients(), bound, eps))


@pytest.mark.parametrize("bound", [0.1, 0.5, 1.0])
def test_clips_every_element_to_a_range(bound):
    found = run_clip(gradients(), "value", bound)
    assert list(found) == list(NAMES)
    assert all((found[n] == by_value(gradients(), bound)[n]).all() for n in NAMES)


@pytest.mark.parametrize("eps", [1e-6, 0.0])
@pytest.mark.parametrize(("method", "bound"), [("norm", 100.0), ("value", 10.0), ("norm", np.inf), ("value", np.inf)])
def test_small_gradients_keep_every_bit(method, bound, eps):
    found = run_clip(gradients(), method, bound, eps)
    assert all((found[n] == gradients()[n]).all() for n in NAMES)


FAULTS = {
    "each array to its own norm": lambda g: {n: a * min(1.0, 1 / np.linalg.norm(a)) for n, a in g.items()},
    "always scaled to the bound": lambda g: {n: a / norm_of(g) for n, a in g.items()},
    "largest element for norm": lambda g: {n: a / max(np.abs(b).max() for b in g.values()) for n, a in g.items()},
    "value for norm": lambda g: by_value(g, 1.0),
    "another epsilon": lambda g: {n: a for n, a in by_norm(g, 1.0, 1e-6).items() if n in NAMES},
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_seen(fault):
    grads = gradients(0.1 if fault == "always scaled to the bound" else 1.0)
    assert close(run_clip(grads, "norm", 1.0, 0.0), by_norm(grads, 1.0, 0.0))
    assert not close(run_clip(grads, "norm", 1.0, 0.0), FAULTS[fault](grads))


def test_gradients_that_are_not_finite():
    """By norm one NaN spoils all, an infinity only itself and the rest go to 0; by value NaN stays NaN."""
    grads = {"g": np.array([1.0, np.nan, np.inf])}
    np.testing.assert_array_equal(run_clip(grads, "value", 0.5)["g"], [0.5, np.nan, 0.5])
    assert np.isnan(run_clip(grads, "norm", 0.5)["g"]).all()
    np.testing.assert_array_equal(run_clip({"g": np.array([1.0, np.inf])}, "norm", 0.5)["g"], [0.0, np.nan])


def test_inputs_are_not_modified():
    grads = gradients()
    run_clip(grads, "norm", 0.1)
    run_clip(grads, "value", 0.1)
    assert all((grads[n] == gradients()[n]).all() for n in NAMES)


@pytest.mark.parametrize(
    ("method", "bound", "eps", "sentence"),
    [
        ("length", 1.0, 0.0, "method is 'length', expected one of value, norm"),
        ("norm", 0.0, 0.0, "bound is 0.0 and eps 0.0: the bound must be positive, eps not negative"),
        ("norm", np.nan, 0.0, "bound is nan and eps 0.0: the bound must be positive, eps not negative"),
        ("value", -1.0, 0.0, "bound is -1.0 and eps 0.0: the bound must be positive, eps not negative"),
        ("norm", 1.0, -1.0, "bound is 1.0 and eps -1.0: the bound must be positive, eps not negative"),
    ],
)
def test_senseless_bounds_are_refused(method, bound, eps, sentence):
    with pytest.raises(ValueError, match=sentence):
        run_clip(gradients(), method, bound, eps)
