"""Optimisers against torch.optim over gradients from 1e-9 to 1e2 and zeros, and what torch has no setting for."""

import numpy as np
import pytest

from numpy_impl.optim import SGD, Adagrad

torch = pytest.importorskip("torch")

LR = 0.1
STEPS = 12
ROUNDINGS_PER_STEP = 4  # of the buffer, the product, the quotient and the difference, in units of eps
TORCH = {
    "plain": (SGD(), torch.optim.SGD, {}),
    "momentum": (SGD(momentum=0.9), torch.optim.SGD, {"momentum": 0.9}),
    "dampened": (SGD(momentum=0.9, dampening=0.5), torch.optim.SGD, {"momentum": 0.9, "dampening": 0.5}),
    "adagrad": (Adagrad(), torch.optim.Adagrad, {}),
    "adagrad, larger eps": (Adagrad(eps=1e-3), torch.optim.Adagrad, {"eps": 1e-3}),
    "adagrad, accumulator": (
        Adagrad(initial_accumulator=0.5),
        torch.optim.Adagrad,
        {"initial_accumulator_value": 0.5},
    ),
}
FAULTY = {
    "plain": SGD(momentum=0.01),
    "momentum": SGD(momentum=0.9, dampening=0.01),
    "dampened": SGD(momentum=0.9, dampening=0.5, zero_start=True),
    "adagrad": Adagrad(eps_inside=True),
    "adagrad, larger eps": Adagrad(),
    "adagrad, accumulator": Adagrad(),
}


def gradients(dtype):
    """Magnitudes 1e-9..1e2 with both signs, and an element that never has a gradient."""
    rng = np.random.default_rng(7)
    g = 10.0 ** rng.uniform(-9, 2, (STEPS, 40)) * rng.choice([-1, 1], (STEPS, 40))
    g[:, 0] = 0
    g[rng.random(g.shape) < 0.1] = 0
    return g.astype(dtype)


def by_numpy(optimiser, g):
    w = np.linspace(-2, 2, g.shape[1]).astype(g.dtype)
    state = optimiser.init(w)
    steps = []
    for each in g:
        w, state = optimiser.step(w, each, state, LR)
        steps.append(w)
    return np.array(steps)


def by_torch(kind, options, g, start_momentum_at_zero=False):
    w = torch.nn.Parameter(torch.from_numpy(np.linspace(-2, 2, g.shape[1]).astype(g.dtype)))
    optimiser = kind([w], lr=LR, **options)
    if start_momentum_at_zero:
        optimiser.state[w]["momentum_buffer"] = torch.zeros_like(w)
    steps = []
    for each in g:
        w.grad = torch.from_numpy(each.copy())
        optimiser.step()
        steps.append(w.detach().numpy().copy())
    return np.array(steps)


def assert_same_run(ours, theirs):
    """Compare per step; an error of one step stays in the parameters, so the allowance grows with the steps."""
    scale = np.maximum.accumulate(np.abs(theirs).max(axis=1))
    allowed = ROUNDINGS_PER_STEP * np.finfo(ours.dtype).eps * np.arange(1, len(ours) + 1) * scale
    error = np.abs(ours - theirs).max(axis=1)
    assert (error <= allowed).all(), f"largest error {np.max(error / allowed):.3g} times what is allowed"


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", TORCH)
def test_every_step_is_that_of_torch(name, dtype):
    optimiser, kind, options = TORCH[name]
    g = gradients(dtype)
    assert_same_run(by_numpy(optimiser, g), by_torch(kind, options, g))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", FAULTY)
def test_the_comparison_catches_another_optimiser(name, dtype):
    _, kind, options = TORCH[name]
    g = gradients(dtype)
    with pytest.raises(AssertionError, match="times what is allowed"):
        assert_same_run(by_numpy(FAULTY[name], g), by_torch(kind, options, g))


def test_the_average_start_needs_a_zero_buffer_in_torch():
    g = gradients(np.float64)
    options = {"momentum": 0.9, "dampening": 0.9}
    ours = by_numpy(SGD(momentum=0.9, dampening=0.9, zero_start=True), g)
    assert_same_run(ours, by_torch(torch.optim.SGD, options, g, start_momentum_at_zero=True))
    start = np.linspace(-2, 2, g.shape[1])
    moved = np.abs(g[0]) > 1e-3
    theirs = by_torch(torch.optim.SGD, options, g)
    our_move, their_move = (ours[0] - start)[moved], (theirs[0] - start)[moved]
    lost_in_subtracting = ROUNDINGS_PER_STEP * np.finfo(float).eps * 2 / np.abs(our_move).min()
    np.testing.assert_allclose(their_move / our_move, 10, rtol=lost_in_subtracting)


def test_dampening_of_one_tenth_is_another_recursion():
    g = gradients(np.float64)
    average = by_numpy(SGD(momentum=0.9, dampening=0.9, zero_start=True), g)
    with pytest.raises(AssertionError, match="times what is allowed"):
        assert_same_run(average, by_torch(torch.optim.SGD, {"momentum": 0.9, "dampening": 0.1}, g, True))


def test_epsilon_inside_the_root_is_a_factor_100_from_torch_at_the_first_step():
    g = np.full((1, 1), 1e-6)
    w = torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))
    w.grad = torch.from_numpy(g[0])
    torch.optim.Adagrad([w], lr=LR).step()
    ours, _ = Adagrad(eps=1e-8, eps_inside=True).step(np.zeros(1), g[0], {"m": np.zeros(1)}, LR)
    assert round(w.item() / ours[0]) == 100


def test_torch_ignores_dampening_without_momentum_and_we_refuse_it():
    g = gradients(np.float64)
    plain = by_torch(torch.optim.SGD, {}, g)
    np.testing.assert_array_equal(by_torch(torch.optim.SGD, {"dampening": 0.9}, g), plain)
    with pytest.raises(ValueError, match=r"^dampening is 0\.9 and zero_start False under momentum 0"):
        SGD(dampening=0.9)
