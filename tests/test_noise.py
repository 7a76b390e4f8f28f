"""Monte Carlo arithmetic against theory: what rounds, how much, and what must never be perturbed."""

# ruff: noqa: E402 - without torch the module is skipped before anything is imported that needs it

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch.func import functional_call, vmap

from rnncheck.judging.montecarlo import MonteCarloRule
from rnncheck.judging.noise import SIZE, Noise, deviation

MANY = 4096
SPREAD = 5 / np.sqrt(2 * MANY)
"""Five standard deviations of a standard deviation estimated from MANY replicas."""


def sigma_of(function, *arrays, replicas=MANY):
    """Measure sigma of one result of one function."""
    inputs = {str(i): np.asarray(a, np.float64) for i, a in enumerate(arrays)}
    return deviation(lambda a: {"y": function(*a.values())}, inputs, replicas=replicas).sigma["y"]


def in_theory(terms):
    """Return sigma of a sum: Q (1 + n/6) + S^2 n/3."""
    n, S, Q = len(terms), terms.sum(), (terms**2).sum()
    return np.sqrt(Q * (1 + n / 6) + S**2 * n / 3)


@pytest.mark.parametrize("mean", [0.0, 1.0])
def test_formula_is_the_average_over_all_orders_of_summation(mean):
    rng = np.random.default_rng(1)
    terms = rng.normal(mean, 1.0, 60)
    partial_sums = [np.cumsum(rng.permutation(terms)) for _ in range(4000)]
    variance = np.mean([(s[1:] ** 2).sum() for s in partial_sums]) + (terms**2).sum()
    assert in_theory(terms) == pytest.approx(np.sqrt(variance), rel=3 / len(terms)), "up to O(1/n)"


@pytest.mark.parametrize("mean", [0.0, 1.0])
@pytest.mark.parametrize(
    "function",
    [
        lambda a, b: (a.unsqueeze(-2) @ b.unsqueeze(-1))[:, 0, 0],
        lambda a, b: torch.stack([torch.dot(x, y) for x, y in zip(a.detach(), b.detach(), strict=True)]),
    ],
    ids=["bmm", "dot"],
)
def test_dot_product_counts_products_and_partial_sums(function, mean):
    rng = np.random.default_rng(2)
    a, b = rng.normal(mean, 1.0, (2, 50))
    sigma = sigma_of(function, a, b)
    assert sigma == pytest.approx(in_theory(a * b), rel=SPREAD)
    assert sigma > (1 + SPREAD) * np.linalg.norm(a * b), "the products alone are less"


@pytest.mark.parametrize("mean", [0.0, 1.0])
def test_sum_counts_partial_sums_but_not_zeros(mean):
    terms = np.random.default_rng(3).normal(mean, 1.0, 40)
    padded = np.concatenate([terms, np.zeros(60)])
    for function in (lambda a: a.sum(-1), lambda a: a.mean(-1) * 100):
        assert sigma_of(function, padded) == pytest.approx(in_theory(terms), rel=SPREAD + 0.02)
    assert sigma_of(lambda a: a.sum(-1), [0.0, 7.0, 0.0]) == 0, "one term is a copy"


def test_sums_by_index_count_the_terms_of_each_place():
    rows = np.random.default_rng(4).normal(1.0, 1.0, (6, 1))
    where = torch.tensor([0, 2, 2, 2, 2, 2])
    sigma = sigma_of(lambda a: torch.zeros(len(a), 3, 1).double().index_add(1, where, a), rows)[:, 0]
    assert sigma[0] == 0
    assert sigma[1] == 0
    assert sigma[2] == pytest.approx(in_theory(rows[1:]), rel=SPREAD)


def test_elementwise_operations_round_once_and_transcendentals_twice():
    x = np.array([0.3, -2.0])
    np.testing.assert_allclose(sigma_of(lambda a: a * a, x), x**2, rtol=SPREAD)
    np.testing.assert_allclose(sigma_of(torch.tanh, x), np.sqrt(2) * abs(np.tanh(x)), rtol=SPREAD)
    np.testing.assert_allclose(sigma_of(torch.exp, x), np.sqrt(2) * np.exp(x), rtol=SPREAD)


def test_an_unknown_operation_is_noisy():
    x = np.array([0.3, 5.0])
    np.testing.assert_allclose(
        sigma_of(torch.special.bessel_j0, x), abs(torch.special.bessel_j0(torch.tensor(x))), rtol=SPREAD
    )


COPIES = {
    "transpose": lambda a: a.mT,
    "reshape of a transpose": lambda a: a.mT.reshape(len(a), -1),
    "stack": lambda a: torch.stack([a, a], 1),
    "cat": lambda a: torch.cat([a, torch.zeros_like(a)], 1),
    "index": lambda a: a[:, torch.tensor([1, 0, 1])],
    "gather": lambda a: a.gather(1, torch.zeros(len(a), 1, 4, dtype=torch.int64)),
    "write into a slice": lambda a: torch.zeros_like(a).index_copy(1, torch.tensor([1, 0]), a[:, :2]),
    "put": lambda a: torch.index_put(torch.zeros_like(a), (torch.arange(len(a)),), a),
    "copy into a view": lambda a: torch.zeros_like(a).copy_(a),
    "repeat": lambda a: a.repeat(1, 2, 1),
    "expand": lambda a: a[:, :1].expand(-1, 5, -1),
    "where": lambda a: torch.where(a > 0, a, 0),
    "relu": torch.relu,
    "negative": torch.neg,
    "maximum": lambda a: a.amax(-1),
    "flip": lambda a: a.flip(1),
    "backward of a slice": lambda a: torch.autograd.grad(a[:, 0], a, a[:, 1].detach())[0],
}


@pytest.mark.parametrize("name", COPIES)
def test_views_and_copies_are_never_perturbed(name):
    x = np.random.default_rng(5).normal(size=(3, 4))
    assert not sigma_of(COPIES[name], x, replicas=4).any()
    assert sigma_of(lambda a: COPIES[name](a * a), x, replicas=4).any(), "noise from before passes through"


def test_in_place_results_are_perturbed_in_place():
    x = np.array([1.0, 3.0])

    def in_place(a):
        b = a.detach().clone()
        view = b[:, 1]
        b.mul_(b)
        assert torch.equal(view, b[:, 1])
        return b

    np.testing.assert_allclose(sigma_of(in_place, x), x**2, rtol=SPREAD)


@pytest.mark.parametrize("y", [0.1, 0.9999])
def test_fused_backward_of_tanh_is_split(y):
    sigma = sigma_of(lambda g, y: torch.ops.aten.tanh_backward(g, y), np.array(2.0), np.array(y))
    assert sigma == pytest.approx(2 * np.sqrt(y**4 + 2 * (1 - y * y) ** 2), rel=SPREAD)


def test_gradient_at_a_confident_target_carries_the_rounding_of_its_probability():
    def dlogits(z):
        picked = z.log_softmax(-1)[:, 0]
        return torch.autograd.grad(picked.sum(), z)[0]

    sigma = sigma_of(dlogits, np.array([20.0, 0.0, 0.0]))
    assert sigma[0] > 1, "1 - p cancels: its error is that of p, not of the difference"
    assert sigma[1] < 1e-6


def test_every_replica_has_noise_of_its_own():
    ones = torch.ones(64, 10, dtype=torch.float64)
    with Noise(SIZE):
        own = ones * 3
        shared = (ones[0] * 3).expand(64, 10)
    assert len(own.unique(dim=0)) == 64
    assert len(shared.unique(dim=0)) == 1, "the pitfall: what has no replica axis gives all replicas the same noise"


def test_groups_of_replicas_measure_the_same_and_the_same_seed_gives_the_same():
    x = np.random.default_rng(6).normal(size=(20, 20))
    run = lambda a: {"y": torch.tanh(a["x"] @ a["x"])}  # noqa: E731
    once, again, groups = (deviation(run, {"x": x}, at_once=n).sigma["y"] for n in (32, 32, 5))
    np.testing.assert_array_equal(once, again)
    assert np.sqrt(np.mean(groups**2) / np.mean(once**2)) == pytest.approx(1, abs=0.1)
    assert not np.array_equal(once, groups)


def gru(w, x):
    """Run a GRU (torch's equations and layout) step by step, with a leading replica axis."""
    h = torch.zeros(*x[:, 0].shape[:-1], w["weight_hh_l0"].shape[-1], dtype=x.dtype)
    for x_t in x.unbind(1):
        ri, zi, ni = (x_t @ w["weight_ih_l0"].mT + w["bias_ih_l0"].unsqueeze(-2)).chunk(3, -1)
        rh, zh, nh = (h @ w["weight_hh_l0"].mT + w["bias_hh_l0"].unsqueeze(-2)).chunk(3, -1)
        z, n = torch.sigmoid(zi + zh), torch.tanh(ni + torch.sigmoid(ri + rh) * nh)
        h = (1 - z) * n + z * h
    return h


def lstm(w, x):
    """Run an LSTM likewise."""
    h = c = torch.zeros(*x[:, 0].shape[:-1], w["weight_hh_l0"].shape[-1], dtype=x.dtype)
    for x_t in x.unbind(1):
        a = x_t @ w["weight_ih_l0"].mT + w["bias_ih_l0"].unsqueeze(-2)
        a = a + h @ w["weight_hh_l0"].mT + w["bias_hh_l0"].unsqueeze(-2)
        i, f, g, o = a.chunk(4, -1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
    return h


MLP = torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.LayerNorm(8), torch.nn.GELU(), torch.nn.Linear(8, 4)).double()

NETWORKS = {
    "gru": (gru, torch.nn.GRU(3, 5), lambda model, x: model(x)[0][-1]),
    "lstm": (lstm, torch.nn.LSTM(3, 5), lambda model, x: model(x)[0][-1]),
    "modules": (
        vmap(lambda w, x: functional_call(MLP, w, (x,))),
        torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.LayerNorm(8), torch.nn.GELU(), torch.nn.Linear(8, 4)),
        lambda model, x: model(x),
    ),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_the_same_noise_serves_every_network(name):
    function, single, run_single = NETWORKS[name]
    rng = np.random.default_rng(7)
    weights = {n: rng.normal(0, 0.5, p.shape).astype(np.float32) for n, p in single.named_parameters()}
    single.load_state_dict({n: torch.tensor(a) for n, a in weights.items()})
    x = rng.normal(size=(6, 2, 3)).astype(np.float32)

    def run(leaves):
        w = {n: leaf for n, leaf in leaves.items() if n != "x"}
        y = function(w, leaves["x"])
        return {"y": y} | dict(zip(w, torch.autograd.grad((y**3).sum(), list(w.values())), strict=True))

    clean, sigma = deviation(run, {**weights, "x": x})
    y = run_single(single, torch.tensor(x))
    found = {"y": y.detach()} | dict(zip(weights, torch.autograd.grad((y**3).sum(), single.parameters()), strict=True))
    for array, value in found.items():
        rule = MonteCarloRule(sigma[array], np.dtype(np.float32), terms=0 if array == "y" else 12)
        assert 0 < rule.judge(value.numpy(), clean[array]).margin <= 1, array
        assert rule.judge(value.numpy() * np.float32(1.001), clean[array]).margin > 1, array
