"""Every gradient against the definition of its truncation: central differences of the losses of the windows.

The definition in plain NumPy, O(T k) single steps: for every t the states from the start of its window to t are
recomputed from the state before the window, which is held constant, and only loss t is looked at. Every node can be
moved a little, so that gradients of nodes are judged as those of parameters are.
"""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from reference.bptt import BPTT_MODES, Segment, segments  # noqa: E402 - torch may be missing
from reference.loop import run_rnn  # noqa: E402

I, H, V = 6, 4, 8
PARAMS = ("W_xh", "W_hh", "b_h", "W_hy", "b_y")
STEP = 2.0**-16
ROUNDING = 64 * 2.0**-53 / STEP
"""What rounding adds to a difference quotient, in units of the largest loss."""
POWER = 1e-3
"""A quotient less exact than this, relative to the gradient, is no judge."""

FIRST_OF_WINDOW = {
    "full": lambda t, k: 0,
    "windowed": lambda t, k: max(0, t - k),
    "chunked": lambda t, k: t // k * k,
}
MODES = [("full", None), ("windowed", 0), ("windowed", 1), ("windowed", 4), ("windowed", 30), ("chunked", 3)]


class Problem:
    """Values of every node and parameter; nodes that are computed (a, h, logits) start with nothing added to them."""

    def __init__(self, T, B, nonlinearity="tanh"):
        rng = np.random.default_rng([T, B])
        shapes = {"W_xh": (H, I), "W_hh": (H, H), "b_h": (H,), "W_hy": (V, H), "b_y": (V,)}
        shapes |= {"x": (T, B, I), "h0": (B, H)}
        self.values = {name: rng.normal(size=shape) for name, shape in shapes.items()}
        self.values["W_hh"] *= 1.2 / np.sqrt(H)
        self.values |= {"a": np.zeros((T, B, H)), "h": np.zeros((T, B, H)), "logits": np.zeros((T, B, V))}
        self.y = rng.integers(0, V, (T, B))
        self.dloss = rng.normal(size=(T, B))
        self.nonlinearity = nonlinearity

    def state(self, values, t, before):
        a = values["x"][t] @ values["W_xh"].T + values["b_h"] + before @ values["W_hh"].T + values["a"][t]
        return (np.tanh(a) if self.nonlinearity == "tanh" else np.maximum(a, 0)) + values["h"][t]

    def defined_loss(self, name, nudge, bptt, k):
        """Sum the losses of all windows, `name` moved by `nudge` wherever it is not held constant."""
        T, moved = len(self.y), self.values | {name: self.values[name] + nudge}
        constant = [self.values["h0"]]
        for t in range(T):
            constant.append(self.state(self.values, t, constant[-1]))
        total = 0.0
        for t in range(T):
            first = FIRST_OF_WINDOW[bptt](t, k)
            h = moved["h0"] if first == 0 else constant[first]
            for s in range(first, t + 1):
                h = self.state(moved, s, h)
            z = h @ moved["W_hy"].T + moved["b_y"] + moved["logits"][t]
            log_p = z - np.log(np.exp(z).sum(-1, keepdims=True))
            total -= (self.dloss[t] * log_p[np.arange(len(z)), self.y[t]]).sum()
        return total

    def gradients(self, bptt, k):
        params = {name: self.values[name] for name in PARAMS}
        options = {"nonlinearity": self.nonlinearity, "reduction": "none", "dloss": self.dloss, "bptt": bptt, "k": k}
        return run_rnn(params, self.values["x"], self.y, self.values["h0"], **options)

    def disagreements(self, gradients, bptt, k):
        """Name the gradients that differ from the difference quotient along a random direction."""
        return [name for name in self.values if not self.agrees(name, gradients["d" + name], bptt, k)]

    def agrees(self, name, gradient, bptt, k):
        direction = np.random.default_rng(1).normal(size=gradient.shape)

        def quotient(step):
            up, down = (self.defined_loss(name, move * direction, bptt, k) for move in (step, -step))
            return (up - down) / (2 * step)

        coarse, fine = quotient(STEP), quotient(STEP / 2)
        allowed = abs(coarse - fine) + ROUNDING * self.y.size
        assert allowed < POWER * np.linalg.norm(gradient), f"d{name}: the difference quotient is too coarse"
        return abs((gradient * direction).sum() - fine) <= allowed


@pytest.mark.parametrize("nonlinearity", ["tanh", "relu"])
@pytest.mark.parametrize(("bptt", "k"), MODES)
@pytest.mark.parametrize(("T", "B"), [(1, 2), (2, 1), (3, 2), (7, 5)])
def test_gradients_follow_the_definition(T, B, bptt, k, nonlinearity):
    problem = Problem(T, B, nonlinearity)
    assert problem.disagreements(problem.gradients(bptt, k), bptt, k) == []


@pytest.mark.parametrize(("bptt", "k"), [("full", None), ("windowed", 4), ("chunked", 3)])
def test_gradients_follow_the_definition_over_25_steps(bptt, k):
    problem = Problem(25, 2)
    assert problem.disagreements(problem.gradients(bptt, k), bptt, k) == []


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        (("full", None), ("windowed", 2)),
        (("windowed", 1), ("windowed", 2)),
        (("windowed", 3), ("windowed", 2)),
        (("windowed", 2), ("chunked", 3)),
        (("chunked", 3), ("full", None)),
        (("chunked", 6), ("chunked", 3)),
    ],
)
def test_another_truncation_is_refused(wrong, right):
    problem = Problem(7, 2)
    found = set(problem.disagreements(problem.gradients(*wrong), *right))
    assert {"h", "a", "W_hh", "W_xh", "b_h", "x"} <= found
    assert not found & {"logits", "W_hy", "b_y"}, "a truncation touches nothing between the states and the loss"


@pytest.mark.parametrize("name", ["logits", "W_hy", "b_y", "h", "a", "W_hh", "W_xh", "b_h", "x", "h0"])
def test_one_per_cent_in_one_gradient_is_refused(name):
    problem = Problem(7, 2)
    gradients = problem.gradients("windowed", 2)
    gradients["d" + name] *= 1.01
    assert problem.disagreements(gradients, "windowed", 2) == [name]


def test_long_windows_are_full_backpropagation():
    problem = Problem(7, 2)
    full, windowed = problem.gradients("full", None), problem.gradients("windowed", 6)
    for name in full:
        np.testing.assert_allclose(windowed[name], full[name], rtol=0, atol=256 * 2.0**-53 * np.abs(full[name]).max())


def test_segments_by_example():
    assert segments(5) == [Segment(0, 5, 0)]
    assert segments(5, "chunked", 2) == [Segment(0, 2, 0), Segment(2, 4, 2), Segment(4, 5, 4)]
    assert segments(4, "windowed", 1) == [Segment(0, 1, 0), Segment(0, 2, 1), Segment(1, 3, 2), Segment(2, 4, 3)]


@pytest.mark.parametrize("bptt", BPTT_MODES)
@pytest.mark.parametrize("T", [1, 2, 7])
def test_every_loss_is_read_once(T, bptt):
    cut = segments(T, bptt, None if bptt == "full" else 3)
    assert [t for s in cut for t in range(s.read, s.stop)] == list(range(T))


@pytest.mark.parametrize(
    ("bptt", "k", "sentence"),
    [
        ("truncated", 3, "bptt is 'truncated', expected one of full, windowed, chunked"),
        ("full", 3, 'k is 3 under bptt="full", which goes back to the first step; leave k out'),
        ("windowed", None, 'k is None under bptt="windowed": give the number of steps, at least 0'),
        ("windowed", -1, 'k is -1 under bptt="windowed": give the number of steps, at least 0'),
        ("chunked", 0, 'k is 0 under bptt="chunked": give the number of steps, at least 1'),
    ],
)
def test_senseless_truncations_are_refused(bptt, k, sentence):
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the whole sentence is compared below
        segments(5, bptt, k)
    assert str(caught.value) == sentence
