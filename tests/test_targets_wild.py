"""Networks in styles that were once misread, each right and with one mistake; and what must not be called wrong."""

import ast
from pathlib import Path

import numpy as np
import pytest

from rnncheck.check import check_rnn
from rnncheck.errors import NotJudgedError, UserError
from rnncheck.options import torch_available
from rnncheck.report.sentences import verdict
from rnncheck.target import load_target
from rnncheck.targets.describe import source_text
from rnncheck.targets.guards import guarded, unguard
from rnncheck.targets.trouble import misread

pytestmark = pytest.mark.slow

judged_by_torch = pytest.mark.skipif(
    not torch_available(), reason="of sigmoid states without biases no answers are stored: torch is the oracle"
)

LAST_STEP = """
import numpy as np
class Classifier:
    def __init__(self, n_inputs, n_hidden, n_classes):
        self.Wx, self.Wh = np.ones((n_inputs, n_hidden)), np.ones((n_hidden, n_hidden))
        self.Wy, self.bh, self.by = np.ones((n_hidden, n_classes)), np.zeros((1, n_hidden)), np.zeros((1, n_classes))
    def forward(self, X):
        self.X, self.h = X, [np.zeros((len(X), self.Wh.shape[0]))]
        for t in range(X.shape[1]):
            self.h.append(np.tanh(X[:, t] @ self.Wx + self.h[-1] @ self.Wh + self.bh))
        self.out = self.h[-1] @ self.Wy + self.by
        return OUTPUT
    def backward(self, y):
        d = GRADIENT
        g = {"Wy": self.h[-1].T @ d, "by": d.sum(0, keepdims=True)}
        g |= {n: np.zeros_like(getattr(self, n)) for n in ("Wx", "Wh", "bh")}
        dh = d @ self.Wy.T
        for t in reversed(range(self.X.shape[1])):
            da = dh * (1 - self.h[t + 1] ** 2)
            g["Wx"] += self.X[:, t].T @ da; g["Wh"] += self.h[t].T @ da; g["bh"] += da.sum(0, keepdims=True)
            dh = da @ self.Wh.T
        return g
"""
PROBABILITIES = "np.exp(self.out) / np.exp(self.out).sum(1, keepdims=True)"
CLASSES = LAST_STEP.replace("OUTPUT", PROBABILITIES).replace("GRADIENT", f"({PROBABILITIES} - y) / len(y)")
SQUARES = LAST_STEP.replace("OUTPUT", "self.out").replace("GRADIENT", "2 * (self.out - y) / len(y)")
EVERY_STEP = """
import argparse
import numpy as np
{head}
def run(x, y, h, {parameters}):
    hs, ps, loss = [h], [], 0
    for t in range(len(x)):
        hs.append(np.tanh({U}[:, [x[t]]] + {W} @ hs[-1] + {b}))
        e = np.exp({V} @ hs[-1] + {c})
        ps.append(e / e.sum()); loss -= np.log(ps[t][y[t], 0])
    {zeros}
    later = 0
    for t in reversed(range(len(x))):
        d = ps[t].copy(); d[y[t]] -= 1
        {dV} += d @ hs[t + 1].T; {dc} += d
        da = (1 - hs[t + 1] ** 2) * ({V}.T @ d + later)
        {dU}[:, [x[t]]] += da; {dW} += da @ hs[t].T; {db} += da
        later = {W}.T @ da
    return {results}
"""
ONE_LIST = EVERY_STEP.format(
    head="""
def init_weights(hidden_size, vocab_size):
    H, V = hidden_size, vocab_size
    return np.ones((H, V)), np.ones((H, H)), np.ones((V, H)), np.zeros((H, 1)), np.zeros((V, 1))
""",
    parameters="params",
    zeros="U, V, W, b, c = params; g = [np.zeros_like(p) for p in (U, V, W, b, c)]",
    **dict(zip(("U", "W", "V", "b", "c"), (f"params[{i}]" for i in range(5)), strict=True)),
    **dict(zip(("dU", "dW", "dV", "db", "dc"), (f"g[{i}]" for i in range(5)), strict=True)),
    results="loss, g",
)
TWO_TABLES = EVERY_STEP.format(
    head="""
parser = argparse.ArgumentParser()
parser.add_argument("--hidden", type=int, default=100)
args = parser.parse_args()
H, V = args.hidden, len(set(open("input.txt").read()))
W = {"xh": np.ones((H, V)), "hh": np.ones((H, H)), "hy": np.ones((V, H))}
b = {"h": np.zeros((H, 1)), "y": np.zeros((V, 1))}
""",
    parameters="unused=None",
    zeros="dW, db = ({k: np.zeros_like(v) for k, v in table.items()} for table in (W, b))",
    **{"U": 'W["xh"]', "W": 'W["hh"]', "V": 'W["hy"]', "b": 'b["h"]', "c": 'b["y"]'},
    **{"dU": 'dW["xh"]', "dW": 'dW["hh"]', "dV": 'dW["hy"]', "db": 'db["h"]', "dc": 'db["y"]'},
    results="loss, dW, db",
)
OBJECT = """
import numpy as np
class Weight:
    def __init__(self, *shape):
        self.VALUE, self.m = np.zeros(shape), np.zeros(shape)
        self.GRAD = np.zeros(shape)
class Net:
    def __init__(self, text, hidden_size):
        n = len(set(text))
        self.wx, self.wh, self.wy = Weight(hidden_size, n), Weight(hidden_size, hidden_size), Weight(n, hidden_size)
        self.bh, self.by = Weight(hidden_size), Weight(n)
    def forward(self, x):
        self.x, self.h, self.scores = x, np.zeros((len(x) + 1, len(self.bh.VALUE)), dtype="f"), []
        for t, i in enumerate(x):
            self.h[t] = np.tanh(self.wx.VALUE[:, i] + self.wh.VALUE @ self.h[t - 1] + self.bh.VALUE)
            self.scores.append(self.wy.VALUE @ self.h[t] + self.by.VALUE)
        return np.array(self.scores)
    def loss(self, targets):
        e = np.exp(self.scores)
        self.d = e / e.sum(1, keepdims=True)
        n = range(len(targets))
        loss = -np.log(self.d[n, targets]).mean()
        self.d[n, targets] -= 1
        self.d /= len(targets)
        return loss
    def backward(self):
        for w in vars(self).values():
            if isinstance(w, Weight):
                w.GRAD = np.zeros_like(w.VALUE)
        later = 0
        for t in reversed(range(len(self.x))):
            self.wy.GRAD += np.outer(self.d[t], self.h[t]); self.by.GRAD += self.d[t]
            da = (1 - self.h[t] ** 2) * (self.wy.VALUE.T @ self.d[t] + later)
            self.wx.GRAD[:, self.x[t]] += da; self.wh.GRAD += np.outer(da, self.h[t - 1]); self.bh.GRAD += da
            later = self.wh.VALUE.T @ da
"""
BOXED = """
import numpy as np
def steps(inputs, state, params):
    (H,) = state
    hs = [H]
    for X in inputs:
        hs.append(np.tanh(X @ params[0] + hs[-1] @ params[1] + params[2]))
    return hs
class Scratch:
    def __init__(self, vocab_size, num_hiddens):
        V, H = vocab_size, num_hiddens
        self.params = [np.ones((V, H)), np.ones((H, H)), np.zeros(H), np.ones((H, V)), np.zeros(V)]
    def loss_and_grads(self, X, Y, state):
        x, y = np.eye(len(self.params[4]))[X.T], Y.T
        hs = np.stack(steps(x, state, self.params))
        e = np.exp(hs[1:] @ self.params[3] + self.params[4])
        p = e / e.sum(-1, keepdims=True)
        d, loss = (p - np.eye(p.shape[-1])[y]) / y.size, -np.log(np.take_along_axis(p, y[..., None], -1)).mean()
        g, later = [np.zeros_like(w) for w in self.params], 0
        for t in reversed(range(len(x))):
            g[3] += hs[t + 1].T @ d[t]; g[4] += d[t].sum(axis=0)
            da = (d[t] @ self.params[3].T + later) * (1 - hs[t + 1] ** 2)
            g[0] += x[t].T @ da; g[1] += hs[t].T @ da; g[2] += da.sum(axis=0)
            later = da @ self.params[1].T
        return loss, g
"""
SOLO = OBJECT.replace("VALUE", "v").replace("GRAD", "d")
KEPT = "self.keep = (np.random.rand(len(x), len(self.bh.v)) > 0.5) * 2"
OBJECT_WITH_DROPOUT = (
    SOLO.replace("        for t, i in enumerate(x):", f"        {KEPT}\n        for t, i in enumerate(x):")
    .replace("self.wy.v @ self.h[t]", "self.wy.v @ (self.keep[t] * self.h[t])")
    .replace("np.outer(self.d[t], self.h[t])", "np.outer(self.d[t], self.keep[t] * self.h[t])")
    .replace("(self.wy.v.T @ self.d[t] + later)", "(self.keep[t] * (self.wy.v.T @ self.d[t]) + later)")
)
STYLES = {
    "one-hot target of the last step": (CLASSES, "self.h[t].T @ da", "self.h[t + 1].T @ da", "dW_hh"),
    "mean of squares, not halved": (SQUARES, "dh = da @ self.Wh.T", "dh = da @ self.Wh", "dW_hh"),  # T = 6, after 1
    "weights in one list": (ONE_LIST, "g[3] += da", "g[3] = da", "db_h"),
    "weights in two tables": (TWO_TABLES, 'db["y"] += d', 'db["y"] = d', "db_y"),
    "parameters with a value and a gradient": (SOLO, "self.bh.d += da", "self.bh.d = da", "db_h"),
    "parameters with data and grad": (
        OBJECT.replace("VALUE", "data").replace("GRAD", "grad"),
        "later = self.wh.data.T @ da",
        "later = self.wh.data @ da",
        "dW_xh",
    ),
    "a state in a tuple": (BOXED, "g[2] += da", "g[2] = da", "db_h"),
}


@pytest.mark.parametrize("style", STYLES)
def test_a_style_is_read_right_and_wrong(style, tmp_path):
    body, right, wrong, array = STYLES[style]
    assert body.count(right) == 1
    report = checked(tmp_path, body)
    assert report.exit_code == 0, report.failures
    report = checked(tmp_path, body.replace(right, wrong))
    assert report.exit_code == 1
    assert report.failures[0][0].earliest.array == array


def test_float32_of_their_own_is_said_to_be_read_as_float64(tmp_path):
    adapter = load_target(str(written(tmp_path, SOLO)), isolated=False)
    assert "its float32 as float64" in adapter.assumed
    assert "read Net: " in adapter.assumed
    exact = load_target(str(written(tmp_path, SOLO.replace(', dtype="f"', ""))), isolated=False)
    assert "float32" not in exact.assumed


SIGMOID_OUTPUT = """
import numpy as np
def sigmoid(a):
    return 1 / (1 + np.exp(-a))
class Adder:
    def __init__(self, input_dim, hidden_dim, output_dim):
        self.A, self.B = np.ones((hidden_dim, input_dim)), np.ones((hidden_dim, hidden_dim))
        self.C = np.ones((output_dim, hidden_dim))
    def train_step(self, x, y, alpha):
        hs, out = [np.zeros(len(self.B))], []
        for x_t in x:
            hs.append(sigmoid(self.A @ x_t + self.B @ hs[-1])); out.append(sigmoid(self.C @ hs[-1]))
        dA, dB, dC, later = 0 * self.A, 0 * self.B, 0 * self.C, 0
        for t in reversed(range(len(x))):
            d = GRADIENT
            da = (self.C.T @ d + later) * hs[t + 1] * (1 - hs[t + 1])
            dA += np.outer(da, x[t]); dB += np.outer(da, hs[t]); dC += np.outer(d, hs[t + 1])
            later = self.B.T @ da
        self.A -= alpha * dA; self.B -= alpha * dB; self.C -= alpha * dC
"""


SQUARED = "(out[t] - y[t]) * out[t] * (1 - out[t])"


@judged_by_torch
def test_the_squared_error_of_a_sigmoid_is_judged(tmp_path):
    report = checked(tmp_path, SIGMOID_OUTPUT.replace("GRADIENT", SQUARED))
    assert report.exit_code == 0, report.failures
    assert any("squared error of sigmoid outputs" in note for note in report.notes)


@judged_by_torch
def test_a_saturated_sigmoid_does_not_spoil_the_check_of_clipping(tmp_path):
    clipped = "        dA, dB, dC = (np.clip(g, -0.1, 0.1) for g in (dA, dB, dC))\n        self.A -="
    report = checked(tmp_path, SIGMOID_OUTPUT.replace("GRADIENT", SQUARED).replace("        self.A -=", clipped))
    assert "clipping" in report.families
    assert report.exit_code == 0, report.failures


@judged_by_torch
def test_the_slope_of_a_sigmoid_may_be_missing_only_beside_a_logarithm(tmp_path):
    """Without a loss that says so, o - y is not taken for the gradient of a cross-entropy."""
    text = SIGMOID_OUTPUT.replace("GRADIENT", "out[t] - y[t]")
    with pytest.raises(NotJudgedError, match="nothing that it computes is that of a plain RNN"):
        load_target(str(written(tmp_path, text)), isolated=False)
    shown = text + "        return -sum(np.sum(b * np.log(a) + (1 - b) * np.log(1 - a)) for a, b in zip(out, y))\n"
    report = checked(tmp_path, shown)
    assert report.exit_code == 0, report.failures
    squares = text + "        return sum(np.sum((a - b) ** 2) for a, b in zip(out, y))\n"
    assert checked(tmp_path, squares).exit_code == 1


@judged_by_torch
def test_a_loss_of_squares_must_have_the_scale_of_its_gradient(tmp_path):
    loss = "        return np.mean((np.array(out) - y) ** 2)\n"
    right = SIGMOID_OUTPUT.replace("GRADIENT", f"2 / y.size * {SQUARED}") + loss
    assert checked(tmp_path, right).exit_code == 0
    assert checked(tmp_path, right.replace("2 / y.size", "1 / y.size")).exit_code == 1


@judged_by_torch
def test_what_is_returned_may_be_the_update(tmp_path):
    start = SIGMOID_OUTPUT.index("        self.A -=")
    ending = "        return {'A': -alpha * dA, 'B': -alpha * dB, 'C': -alpha * dC}\n"
    text = SIGMOID_OUTPUT[:start].replace("GRADIENT", SQUARED) + ending
    report = checked(tmp_path, text)
    assert report.exit_code == 0, report.failures
    assert any("returned as updates, negated" in note for note in report.notes)
    assert checked(tmp_path, text.replace("-alpha * dB", "-alpha * dB.T")).exit_code == 1


def test_a_loss_that_is_not_known_is_not_called_wrong(tmp_path):
    with pytest.raises(
        UserError, match="class Adder runs, but nothing that it computes is that of a plain RNN with so"
    ):
        load_target(
            str(written(tmp_path, SIGMOID_OUTPUT.replace("GRADIENT", "np.sign(out[t] - y[t])"))), isolated=False
        )


def test_a_forward_pass_that_is_wrong_without_a_softmax_is_still_called_wrong(tmp_path):
    """At one step without a state, the missing recurrence does not show: it is an RNN, and it is wrong."""
    dropped = SQUARES.replace("self.h[-1] @ self.Wh + self.bh", "self.bh")
    assert dropped != SQUARES
    assert checked(tmp_path, dropped).exit_code == 1


def test_a_call_that_was_not_theirs_is_no_crash_of_theirs(tmp_path):
    """It needs three axes of what it is given: what it raises for fewer says nothing about it."""
    text = BOXED.replace("(H,) = state", "H = state[0].reshape(2, 3, 4)")
    with pytest.raises(UserError, match="could not be called"):
        load_target(str(written(tmp_path, text)), isolated=False)
    later = SOLO.replace("def loss(", "def prepare_everything(")
    with pytest.raises(UserError, match="has no attribute 'd'"):
        load_target(str(written(tmp_path, later)), isolated=False)


def test_weights_named_after_gates_say_that_it_is_no_plain_rnn(tmp_path):
    text = """
import numpy as np
class Weights:
    def __init__(self, n):
        self.W_f, self.W_i, self.W_C, self.W_o = (np.ones((n, 2 * n)) for _ in range(4))
w = Weights(4)
def update(z):
    return w.W_f @ z, w.W_i @ z, w.W_o @ z
"""
    with pytest.raises(NotJudgedError, match="an LSTM or GRU is not judged yet"):
        load_target(str(written(tmp_path, text)), isolated=False)


GUARDED = ONE_LIST.replace("np.log(ps[t][y[t], 0])", "np.log(ps[t][y[t], 0] + 1e-12)")


def test_what_is_added_against_a_zero_is_a_convention_that_is_told(tmp_path):
    assert GUARDED != ONE_LIST
    report = checked(tmp_path, GUARDED)
    assert report.exit_code == 0, report.failures
    assert any("convention" in note and "1e-12" in note for note in report.notes)
    assert not any("convention" in note for note in checked(tmp_path, ONE_LIST).notes)


def test_what_changes_the_loss_is_none(tmp_path):
    report = checked(tmp_path, GUARDED.replace("1e-12", "1e-3"))
    assert report.exit_code == 1
    assert report.failures[0][0].earliest.array == "loss"


@pytest.mark.parametrize(
    ("code", "without"),
    [
        ("np.log(p + 1e-12)", "np.log(p)"),
        ("np.log(eps + p)", "np.log(p)"),
        ("e / (e.sum() + self.epsilon)", "e / e.sum()"),
        ("y * 10 ** -8 + p", "y * 10 ** -8 + p"),
        ("g / np.sqrt(m + 1e-08)", "g / np.sqrt(m + 1e-08)"),
        ("g / (np.sqrt(m) + 1e-08)", "g / (np.sqrt(m) + 1e-08)"),
        ("g * bound / (total_norm + 1e-06)", "g * bound / (total_norm + 1e-06)"),
        ("h + 0.001", "h + 0.001"),
        ("dW * (1 + 1e-06)", "dW * (1 + 1e-06)"),
        ("dW *= 1 + 1e-06", "dW *= 1 + 1e-06"),
        ("np.log(1 + 1e-12 - p)", "np.log(1 - p)"),
    ],
)
def test_only_guards_are_left_out(code, without):
    tree = ast.parse(code)
    assert guarded(tree) == (code != without)
    unguard(tree)
    assert ast.unparse(tree) == ast.unparse(ast.parse(without))


STEPS = [
    "def f(w):\n    return (J(w + eps) - J(w - eps)) / (2 * eps)",
    "def f(w):\n    for w[0] in (kept + eps, kept - eps):\n        J(w)",
    "def f(w):\n    w[0] = kept + 1e-06\n    high = J(w)\n    w[0] = kept - 1e-06\n    return (high - J(w)) / 2e-06",
    "def f(w):\n    w[0] = kept + eps\n    return (J(w) - low) / eps",
    "w[0] = kept + 1e-06\nd = (J(w) - low) / 1e-06",
    "w[0] = eps + kept\nd = (J(w) - low) / (2 * eps)",
]
GUARDS = [
    "def f(p):\n    return np.log(p + eps)\ndef g(p):\n    return p - eps",
    "def f(p, n):\n    p[0] = kept + eps\n    return p / n",
    "def f(p):\n    p[0] = p[0] / (p.sum() + eps)\n    return np.clip(p, eps, 1 - eps)",
    "def f(p):\n    p[0] = e + eps\n    return p / (s + eps)",
]


@pytest.mark.parametrize("code", STEPS)
def test_the_step_of_a_numerical_gradient_is_no_guard(code):
    tree = ast.parse(code)
    assert not guarded(tree)
    unguard(tree)
    assert ast.dump(tree) == ast.dump(ast.parse(code))


@pytest.mark.parametrize("code", GUARDS)
def test_a_guard_beside_other_tiny_numbers_is_one(code):
    tree = ast.parse(code)
    assert guarded(tree)
    unguard(tree)
    assert "+" not in ast.unparse(tree)


def test_a_file_that_checks_itself_is_not_said_to_guard_its_loss(tmp_path):
    """Every exercise has a numerical gradient: the notes said that its loss was judged without tiny numbers."""
    own = "\ndef numerical(f, w, eps=1e-6):\n    return (f(w + eps) - f(w - eps)) / (2 * eps)\n"
    report = checked(tmp_path, ONE_LIST + own)
    assert report.exit_code == 0, report.failures
    assert not any("convention" in note or "log(0)" in note for note in report.notes)
    assert any("convention" in note for note in checked(tmp_path, GUARDED + own).notes)


TIED = """
import numpy as np
class Tied:
    def __init__(self, vocab_size, hidden_size):
        self.E, self.W = np.ones((vocab_size, hidden_size)), np.ones((hidden_size, hidden_size))
    def forward(self, ids):
        self.ids, self.h, self.p = ids, [np.zeros(len(self.W))], []
        for i in ids:
            self.h.append(np.tanh(self.E[i] + self.W @ self.h[-1]))
            e = np.exp(self.E @ self.h[-1])
            self.p.append(e / e.sum())
        return self.p
    def backward(self, targets):
        self.dE, self.dW, later = 0 * self.E, 0 * self.W, 0
        for t in reversed(range(len(targets))):
            d = self.p[t].copy(); d[targets[t]] -= 1
            self.dE += np.outer(d, self.h[t + 1])
            da = (self.E.T @ d + later) * (1 - self.h[t + 1] ** 2)
            self.dE[self.ids[t]] += da; self.dW += np.outer(da, self.h[t])
            later = self.W.T @ da
"""
EMBEDDED = """
import numpy as np
class Net:
    def __init__(self, vocab_size, embed_dim, hidden_size):
        self.E, self.Wx = np.ones((vocab_size, embed_dim)), np.ones((embed_dim, hidden_size))
        self.Wh, self.Wy = np.ones((hidden_size, hidden_size)), np.ones((hidden_size, vocab_size))
    def forward(self, ids):
        h, out = np.zeros(len(self.Wh)), []
        for i in ids:
            h = np.tanh(self.E[i] @ self.Wx + h @ self.Wh)
            out.append(h @ self.Wy)
        return np.array(out)
    def backward(self, dlogits):
        raise NotImplementedError
"""
DEEP = EMBEDDED.replace("self.E, self", "self.Wh2, self").replace(
    "(vocab_size, embed_dim)", "(hidden_size, hidden_size)"
)
FUSED = EMBEDDED.replace("(hidden_size, hidden_size)", "(hidden_size, 4 * hidden_size)")
NOT_YET = {
    "tied weights": (TIED, "weights that are shared with the input are not judged yet"),
    "dropout": (OBJECT_WITH_DROPOUT, "draws random numbers while it computes"),
    "an embedding": (EMBEDDED, r"an embedding \(E\) in front of the network is not judged yet"),
    "two layers": (DEEP, r"several layers or directions \(Wh2, Wh are 8 by 8\) are not judged yet"),
    "a single output": (SOLO.replace("Weight(n, hidden_size)", "Weight(1, hidden_size)"), "wy.v has a single output"),
    "fused gates": (FUSED, "an LSTM or GRU is not judged yet"),
}


@pytest.mark.parametrize("kind", NOT_YET)
def test_what_is_not_judged_yet_says_why(kind, tmp_path):
    text, why = NOT_YET[kind]
    with pytest.raises(NotJudgedError, match=why):
        load_target(str(written(tmp_path, text)), isolated=False)


def test_dropout_that_has_an_argument_is_switched_off(tmp_path):
    text = OBJECT_WITH_DROPOUT.replace("text, hidden_size", "text, hidden_size, dropout=0.5")
    text = text.replace("> 0.5) * 2", "> self.dropout) / (1 - self.dropout)")
    text = text.replace("        n = len(", "        self.dropout = dropout\n        n = len(")
    assert checked(tmp_path, text).exit_code == 0


ONE_HOT_INSIDE = """
import numpy as np
class Recurrent:
    def __init__(self, n_in, n_hidden):
        self.Wx, self.Wh, self.b = np.ones((n_in, n_hidden)), np.ones((n_hidden, n_hidden)), np.zeros(n_hidden)
    def forward(self, x):
        self.x, self.h = x, [np.zeros(len(self.Wh))]
        for x_t in x:
            self.h.append(np.tanh(x_t @ self.Wx + self.h[-1] @ self.Wh + self.b))
        return np.array(self.h[1:])
    def backward(self, dh):
        self.dWx, self.dWh, self.db, later = 0 * self.Wx, 0 * self.Wh, 0 * self.b, 0
        for t in reversed(range(len(dh))):
            da = (dh[t] + later) * (1 - self.h[t + 1] ** 2)
            self.dWx += np.outer(self.x[t], da); self.dWh += np.outer(self.h[t], da); self.db += da
            later = self.Wh @ da
class Language:
    def __init__(self, vocab_size, hidden_size):
        self.n, self.rnn = vocab_size, Recurrent(vocab_size, hidden_size)
        self.Wy, self.by = np.ones((hidden_size, vocab_size)), np.zeros(vocab_size)
    def loss(self, x, y):
        h = self.rnn.forward(np.eye(self.n)[x])
        e = np.exp(h @ self.Wy + self.by)
        p = e / e.sum(1, keepdims=True)
        d = p - np.eye(self.n)[y]
        self.dWy, self.dby = h.T @ d, d.sum(0)
        self.rnn.backward(d @ self.Wy.T)
        return -np.log(p[np.arange(len(y)), y]).sum()
"""
LAST_OF_FUNCTIONS = """
import numpy as np
def rnn_forward(x, Wx, Wh, Wy, bh, by):
    h = [np.zeros_like(bh)]
    for x_t in x:
        h.append(np.tanh(Wx @ x_t.reshape(-1, 1) + Wh @ h[-1] + bh))
    y = Wy @ h[-1] + by
    return y, h
def rnn_backward(x, y, h, target, Wx, Wh, Wy, bh, by):
    dy = y - target.reshape(-1, 1)
    dWx, dWh, dbh, dh = np.zeros_like(Wx), np.zeros_like(Wh), np.zeros_like(bh), Wy.T @ dy
    for t in reversed(range(len(x))):
        dz = dh * (1 - h[t + 1] ** 2)
        dWx += dz @ x[t].reshape(1, -1); dWh += dz @ h[t].T; dbh += dz
        dh = Wh.T @ dz
    return dWx, dWh, dy @ h[-1].T, dbh, dy
"""
KEPT_IN_SLOTS = """
import numpy as np
class Recurrent:
    __slots__ = ("Wx", "Wh", "Wy", "bh", "by", "dWx", "dWh", "dWy", "dbh", "dby", "kept")
    def __init__(self, *, n_in=10, n_hidden=16, n_out=10):
        self.Wx, self.Wh, self.Wy = np.ones((n_in, n_hidden)), np.ones((n_hidden, n_hidden)), np.ones((n_hidden, n_out))
        self.bh, self.by = np.zeros((1, n_hidden)), np.zeros((1, n_out))
    def forward(self, x):
        H = [np.zeros((len(x), self.Wh.shape[0]))]
        for t in range(x.shape[1]):
            H.append(np.tanh(x[:, t, :] @ self.Wx + H[t] @ self.Wh + self.bh))
        P = [np.exp(h @ self.Wy + self.by) for h in H[1:]]
        self.kept = x, H, [p / p.sum(-1, keepdims=True) for p in P]
        return np.stack(self.kept[2], 1)
    def backward(self, y):
        x, H, P = self.kept
        D = [P[t] - y[:, t, :] for t in range(len(P))]
        A = [0] * len(D) + [np.zeros_like(H[0])]
        for t in reversed(range(len(D))):
            A[t] = (D[t] @ self.Wy.T + A[t + 1] @ self.Wh.T) * (1 - H[t + 1] ** 2)
        self.dWy, self.dby = sum(h.T @ d for h, d in zip(H[1:], D)), sum(d.sum(0, keepdims=True) for d in D)
        self.dWx, self.dWh = sum(x[:, t].T @ A[t] for t in range(len(D))), sum(h.T @ a for h, a in zip(H, A))
        self.dbh = sum(a.sum(0, keepdims=True) for a in A)
"""
V_IS_A_MATRIX = """
import numpy as np
vocab_size, hidden_size = 40, 32
U = np.random.randn(hidden_size, vocab_size) * 0.01
W = np.random.randn(hidden_size, hidden_size) * 0.01
V = np.random.randn(vocab_size, hidden_size) * 0.01
b, c = np.zeros((hidden_size, 1)), np.zeros((vocab_size, 1))
def loss_fun(inputs, targets, h):
    hs, ps, loss = {-1: h}, {}, 0
    for t, i in enumerate(inputs):
        hs[t] = np.tanh(U[:, [i]] + W @ hs[t - 1] + b)
        e = np.exp(V @ hs[t] + c); ps[t] = e / e.sum(); loss -= np.log(ps[t][targets[t], 0])
    dU, dW, dV, db, dc, later = 0 * U, 0 * W, 0 * V, 0 * b, 0 * c, 0
    for t in reversed(range(len(inputs))):
        dy = ps[t].copy(); dy[targets[t]] -= 1
        dV += dy @ hs[t].T; dc += dy
        da = (V.T @ dy + later) * (1 - hs[t] ** 2)
        dU[:, [inputs[t]]] += da; dW += da @ hs[t - 1].T; db += da
        later = W.T @ da
    return loss, dU, dW, dV, db, dc
"""
ONCE_CALLED_WRONG = {
    "gradients are kept in slots": (KEPT_IN_SLOTS, "A[t + 1] @ self.Wh.T", "A[t + 1] @ self.Wh"),
    "V is a matrix, and times a number": (V_IS_A_MATRIX, "later = W.T @ da", "later = W @ da"),
    "one-hot inputs are no probabilities": (ONE_HOT_INSIDE, "later = self.Wh @ da", "later = self.Wh.T @ da"),
    "y is what forward has returned": (LAST_OF_FUNCTIONS, "dh = Wh.T @ dz", "dh = Wh @ dz"),
}


@pytest.mark.parametrize("what", ONCE_CALLED_WRONG)
def test_what_was_called_wrong_is_right(what, tmp_path):
    text, right, wrong = ONCE_CALLED_WRONG[what]
    assert text.count(right) == 1
    report = checked(tmp_path, text)
    assert report.exit_code == 0, report.failures
    assert checked(tmp_path, text.replace(right, wrong)).exit_code == 1


def test_what_the_calls_do_not_reach_is_named(tmp_path):
    layer = ONE_HOT_INSIDE + "class Affine:\n    def backward(self, d):\n        return d @ self.W\n"
    assert (
        "not called, so not judged: Language.loss, Affine.backward"
        in load_target(str(written(tmp_path, layer))).assumed
    )
    whole = load_target(str(written(tmp_path, ONE_HOT_INSIDE))).assumed
    assert "not judged: Language.loss" in whole
    assert "Affine" not in whole


def test_a_target_with_too_few_axes_is_no_crash_of_theirs():
    """`y[:, t, :]` of class ids: they were to be one-hot. An index that is too large is another matter."""
    ids = np.zeros((2, 3), int)
    with pytest.raises(IndexError) as axes:
        ids[:, 0, :]
    assert misread(axes.value, "")
    with pytest.raises(IndexError) as bounds:
        ids[:, 3]
    assert not misread(bounds.value, "")


LOSS_BESIDE = """
import numpy as np
class Layer:
    def __init__(self, I, H):
        self.Wx, self.Wh, self.b = np.ones((I, H)), np.ones((H, H)), np.zeros(H)
    def forward(self, x, h0):
        self.x, self.h = x, [h0]
        for x_t in x:
            self.h.append(np.tanh(x_t @ self.Wx + self.h[-1] @ self.Wh + self.b))
        return np.stack(self.h[1:])
    def backward(self, dh):
        self.dWx, self.dWh, self.db, later = 0, 0, 0, 0
        for t in reversed(range(len(dh))):
            da = (dh[t] + later) * (1 - self.h[t + 1] ** 2)
            self.dWx += self.x[t].T @ da; self.dWh += self.h[t].T @ da; self.db += da.sum(0)
            later = da @ self.Wh.T
"""
ITS_LOSS = """
def cross_entropy(logits, y):
    p = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    return -(y * np.log(p)).sum() / len(y), (p - y) / 2
"""


def test_a_loss_is_named_where_the_gradient_comes_from_above(tmp_path):
    """Its gradient, wrong here, is not looked at; a loss that is called needs no word."""
    assumed = load_target(str(written(tmp_path, LOSS_BESIDE + ITS_LOSS))).assumed
    assert "from an upstream gradient; not called, so not judged: cross_entropy" in assumed
    assert "not judged" not in load_target(str(written(tmp_path, LOSS_BESIDE))).assumed
    evaluated = ONE_LIST + ITS_LOSS
    assert "not judged" not in load_target(str(written(tmp_path, evaluated))).assumed


ITS_SIBLING = V_IS_A_MATRIX[V_IS_A_MATRIX.index("def loss_fun") :].replace("loss_fun", "learn")
SIBLINGS = {
    "a second network": (ITS_SIBLING, " (loss_fun judged; learn not judged: see the notes)"),
    "what checks gradients": (ITS_SIBLING.replace("def learn", "def grad_check"), ""),
    "what turns a text around": ("def mirrored(text):\n    return [c for c in reversed(text)]\n", ""),
    "nothing": ("", ""),
}


@pytest.mark.parametrize("beside", SIBLINGS)
def test_the_verdict_names_a_second_network_whatever_it_is_called(beside, tmp_path):
    """The second one may be wrong, as it is here: the verdict on the first must not be read as one on both."""
    more, words = SIBLINGS[beside]
    report = checked(tmp_path, V_IS_A_MATRIX + more.replace("later = W.T @ da", "later = W @ da"))
    assert report.exit_code == 0
    assert verdict(report).endswith(f"differ by rounding only{words}")
    assert ("learn" in " ".join(report.notes)) is bool(words)


def test_a_saved_adapter_tells_the_same(tmp_path):
    found = load_target(str(written(tmp_path, V_IS_A_MATRIX + ITS_SIBLING)), isolated=False)
    saved = tmp_path / "adapter.py"
    saved.write_text(source_text(found.adapter, saved.name, ""), "utf-8")
    report = check_rnn(load_target(str(saved), isolated=False), select="T=3")
    assert verdict(report).endswith("(loss_fun judged; learn not judged: see the notes)")
    assert "not called, so not judged: learn" in report.notes


def test_a_memory_that_once_was_nan_is_made_anew(tmp_path):
    """Logits of several hundred are tried first: what Adagrad remembers of them would spoil everything after."""
    report = check_rnn(load_target(str(Path(__file__).parent / "targets" / "loop_at_the_top.py"), isolated=False))
    assert any("several hundred" in note for note in report.notes)
    assert report.exit_code == 0, report.failures


def written(folder, text) -> Path:
    path = folder / "network.py"
    path.write_text(text, "utf-8")
    return path


def checked(folder, text):
    return check_rnn(load_target(str(written(folder, text)), isolated=False), select="not T=40")
