"""Optimisers of torch against the recursions written out, and the two places where programs differ from torch."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from reference.optim import load_state, make_optimizer, read_state, run_optim  # noqa: E402 - torch may be missing

LR = 0.1
ROUNDING = 64 * 2.0**-53
SIZES = 10.0 ** np.arange(-9, 3)


def problem(steps=5):
    """Make gradients from 1e-9 to 1e2 in size, with zeros, and parameters near 1."""
    rng = np.random.default_rng(0)
    shapes = {"W_hh": (3, 4), "b_h": (4,)}
    params = {name: 1 + 0.1 * rng.normal(size=s) for name, s in shapes.items()}
    grads = {"d" + name: rng.normal(size=(steps, *s)) * rng.choice(SIZES, (steps, *s)) for name, s in shapes.items()}
    grads["dW_hh"][:, 0, 0] = 0
    return params, grads


def sgd(w, grads, momentum=0.0, dampening=0.0, zero_start=False):
    v = np.zeros_like(w)
    for s, g in enumerate(grads):
        v = g if s == 0 and not zero_start else momentum * v + (1 - dampening) * g
        w = w - LR * v
        yield w


def adagrad(w, grads, eps=1e-10, eps_inside=False, initial_accumulator=0.0):
    m = np.full_like(w, initial_accumulator)
    for g in grads:
        m = m + g**2
        w = w - LR * g / (np.sqrt(m + eps) if eps_inside else np.sqrt(m) + eps)
        yield w


def unlike(method, options, recursion_options):
    """Return the first step whose parameters differ from the recursion, or None."""
    params, grads = problem()
    recursion = {"sgd": sgd, "adagrad": adagrad}[method]
    found = run_optim(params, grads, method, lr=LR, **options)
    assert list(found) == [f"step{s}.{name}" for s in range(1, 6) for name in params]
    expected = {name: list(recursion(w, grads["d" + name], **recursion_options)) for name, w in params.items()}
    for s in range(5):
        for name in params:
            a, b = found[f"step{s + 1}.{name}"], expected[name][s]
            scale = np.abs(b).max()
            if not np.abs(a - b).max() <= ROUNDING * scale:
                return s + 1
    return None


SGD_OPTIONS = [
    {},
    {"momentum": 0.9},
    {"momentum": 0.9, "dampening": 0.1},
    {"momentum": 0.9, "dampening": 0.9},
    {"momentum": 0.9, "dampening": 0.9, "zero_start": True},
]
ADAGRAD_OPTIONS = [
    {},
    {"eps": 1e-8},
    {"eps": 1e-8, "eps_inside": True},
    {"initial_accumulator": 0.1},
    {"initial_accumulator": 0.1, "eps": 1e-4, "eps_inside": True},
]


@pytest.mark.parametrize("options", SGD_OPTIONS, ids=str)
def test_sgd_follows_its_recursion(options):
    assert unlike("sgd", options, options) is None


@pytest.mark.parametrize("options", ADAGRAD_OPTIONS, ids=str)
def test_adagrad_follows_its_recursion(options):
    assert unlike("adagrad", options, options) is None


@pytest.mark.parametrize("wrong", [4, 3, 1, 0])
def test_torch_starts_its_momentum_at_the_first_gradient(wrong):
    """Of all the settings only dampening 0.9 is the rule of torch's SGD(momentum=0.9, dampening=0.9)."""
    first_wrong = {4: 1, 3: None, 1: 2, 0: 2}
    assert unlike("sgd", SGD_OPTIONS[3], SGD_OPTIONS[wrong]) == first_wrong[wrong]


def test_the_zero_start_makes_the_first_step_ten_times_smaller():
    w, g = np.zeros(3), np.array([[1.0, -2.0, 3.0]])
    options = {"lr": LR, "momentum": 0.9, "dampening": 0.9}
    torchs = run_optim({"w": w}, {"dw": g}, "sgd", **options)["step1.w"]
    averaged = run_optim({"w": w}, {"dw": g}, "sgd", zero_start=True, **options)["step1.w"]
    np.testing.assert_allclose(torchs, -LR * g[0], rtol=ROUNDING)
    np.testing.assert_allclose(averaged, -LR * 0.1 * g[0], rtol=ROUNDING)


def test_dampening_a_tenth_is_another_recursion_than_averaging():
    """The rule 0.9 v + 0.9 g grows to 9 times a constant gradient; 0.9 v + 0.1 g tends to the gradient itself."""
    w, g = np.zeros(1), np.ones((400, 1))
    last_step = {}
    for dampening in (0.1, 0.9):
        found = run_optim({"w": w}, {"dw": g}, "sgd", lr=LR, momentum=0.9, dampening=dampening, zero_start=True)
        last_step[dampening] = (found["step399.w"] - found["step400.w"]) / LR
    np.testing.assert_allclose(last_step[0.9], 1, rtol=1e-12)
    np.testing.assert_allclose(last_step[0.1], 9, rtol=1e-12)


def test_epsilon_inside_the_root_makes_a_step_a_hundred_times_smaller():
    """For g = 1e-6: lr g / (|g| + 1e-10) is 0.9999 lr, lr g / sqrt(g^2 + 1e-8) is 0.01 lr."""
    w, g = np.zeros(1), np.full((1, 1), 1e-6)
    outside = run_optim({"w": w}, {"dw": g}, "adagrad", lr=LR)["step1.w"]
    inside = run_optim({"w": w}, {"dw": g}, "adagrad", lr=LR, eps=1e-8, eps_inside=True)["step1.w"]
    np.testing.assert_allclose(outside, -LR * 1e-6 / (1e-6 + 1e-10), rtol=ROUNDING)
    np.testing.assert_allclose(inside, -LR * 1e-6 / np.sqrt(1e-12 + 1e-8), rtol=ROUNDING)
    assert outside[0] / inside[0] == pytest.approx(100, rel=2e-4)


@pytest.mark.parametrize(
    ("options", "wrong"),
    [
        (ADAGRAD_OPTIONS[1], ADAGRAD_OPTIONS[2]),
        (ADAGRAD_OPTIONS[2], ADAGRAD_OPTIONS[1]),
        (ADAGRAD_OPTIONS[2], {"eps": 1e-10, "eps_inside": True}),
        (ADAGRAD_OPTIONS[3], ADAGRAD_OPTIONS[0]),
    ],
    ids=["inside for outside", "outside for inside", "another epsilon", "no initial accumulator"],
)
def test_adagrad_faults_are_seen_in_the_first_step(options, wrong):
    assert unlike("adagrad", options, wrong) == 1


def test_an_element_without_gradient_stays():
    params, grads = problem()
    for method in ("sgd", "adagrad"):
        found = run_optim(params, grads, method, lr=LR)
        assert found["step5.W_hh"][0, 0] == params["W_hh"][0, 0]


@pytest.mark.parametrize(
    ("method", "options"), [("sgd", o) for o in SGD_OPTIONS] + [("adagrad", o) for o in ADAGRAD_OPTIONS], ids=str
)
def test_a_stored_state_goes_on_bit_for_bit(method, options):
    params, grads = problem()
    whole = run_optim(params, grads, method, lr=LR, **options)["step5.W_hh"]
    w, state = params["W_hh"], {}
    for g in grads["dW_hh"]:
        t = torch.tensor(w, requires_grad=True)
        optimizer = make_optimizer([t], method, lr=LR, **options)
        load_state(optimizer, t, state)
        t.grad = torch.tensor(g)
        optimizer.step()
        w, state = t.detach().numpy(), read_state(optimizer, t)
        assert all(isinstance(array, np.ndarray) for array in state.values())
    assert (w == whole).all()


@pytest.mark.parametrize(
    ("method", "options", "buffer"),
    [
        ("sgd", {"momentum": 0.9}, lambda grads: grads[0]),
        ("sgd", SGD_OPTIONS[3], lambda grads: grads[0]),
        ("sgd", SGD_OPTIONS[4], lambda grads: (1 - 0.9) * grads[0]),
        ("adagrad", {}, lambda grads: grads[0] ** 2),
        ("adagrad", ADAGRAD_OPTIONS[2], lambda grads: grads[0] ** 2),
    ],
    ids=lambda value: "" if callable(value) else str(value),
)
def test_a_buffer_of_earlier_steps_is_taken_over(method, options, buffer):
    params, grads = problem()
    whole = run_optim(params, grads, method, lr=LR, **options)
    after_one = {name: whole[f"step1.{name}"] for name in params}
    buffers = {name: buffer(grads["d" + name]) for name in params}
    rest = {name: g[1:] for name, g in grads.items()}
    found = run_optim(after_one, rest, method, lr=LR, buffer=buffers, **options)
    fresh = run_optim(after_one, rest, method, lr=LR, **options)
    for name in params:
        expected = whole[f"step5.{name}"]
        np.testing.assert_allclose(found[f"step4.{name}"], expected, rtol=0, atol=ROUNDING * np.abs(expected).max())
        assert np.abs(fresh[f"step4.{name}"] - expected).max() > ROUNDING * np.abs(expected).max()


def test_a_forgotten_state_is_seen():
    params, grads = problem()
    whole = run_optim(params, grads, "adagrad", lr=LR)["step5.W_hh"]
    last = {"dW_hh": grads["dW_hh"][4:]}
    before = {"W_hh": run_optim(params, grads, "adagrad", lr=LR)["step4.W_hh"]}
    assert not (run_optim(before, last, "adagrad", lr=LR)["step1.W_hh"] == whole).all()


def test_a_buffer_that_has_not_started_is_not_used():
    params, grads = problem()
    w = torch.tensor(params["W_hh"], requires_grad=True)
    optimizer = make_optimizer([w], "sgd", lr=LR, momentum=0.9, dampening=0.9)
    load_state(optimizer, w, {"v": np.zeros((3, 4)), "started": np.array(False)})
    w.grad = torch.tensor(grads["dW_hh"][0])
    optimizer.step()
    np.testing.assert_allclose(w.detach().numpy(), params["W_hh"] - LR * grads["dW_hh"][0], rtol=ROUNDING)
    assert read_state(optimizer, w)["started"]


@pytest.mark.parametrize(
    ("method", "options", "sentence"),
    [
        ("adam", {}, "method is 'adam', expected one of sgd, adagrad"),
        ("sgd", {"zero_start": True}, "zero_start is True under momentum 0"),
        ("sgd", {"momentum": -1.0}, "Invalid momentum value: -1.0"),
        ("adagrad", {"eps": -1.0}, "Invalid epsilon value: -1.0"),
    ],
)
def test_senseless_settings_are_refused(method, options, sentence):
    params, grads = problem()
    with pytest.raises(ValueError, match=sentence):
        run_optim(params, grads, method, lr=LR, **options)
