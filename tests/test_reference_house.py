"""What the oracle refuses, and what it keeps its hands off."""

import subprocess
import sys

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from reference.loop import run_rnn  # noqa: E402 - torch may be missing
from reference.modules import run_rnn_modules  # noqa: E402

T, B, I, H, V = 4, 2, 5, 3, 6

REPORT = """
import sys, torch
before = torch.get_num_threads(), torch.get_default_dtype(), torch.is_grad_enabled(), torch.initial_seed()
import reference.loop, reference.modules, reference.optim, reference.clip, reference.sample, reference.train
after = torch.get_num_threads(), torch.get_default_dtype(), torch.is_grad_enabled(), torch.initial_seed()
print(before == after, [name for name in ("numpy_impl", "rnncheck") if name in sys.modules])
"""


def problem(**changes):
    rng = np.random.default_rng(0)
    shapes = {"W_xh": (H, I), "W_hh": (H, H), "b_h": (H,), "W_hy": (V, H), "b_y": (V,)}
    params = {name: rng.normal(size=shape) for name, shape in shapes.items()}
    x, y = rng.integers(0, I, (T, B)), rng.integers(0, V, (T, B))
    params |= changes.pop("params", {})
    return {"params": params, "x": x, "y": y} | changes


def test_importing_sets_no_global_state_and_sees_no_other_package():
    done = subprocess.run([sys.executable, "-c", REPORT], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True []", done.stdout


def test_calls_leave_torchs_random_numbers_alone():
    torch.manual_seed(0)
    expected = torch.random.get_rng_state()
    run_rnn(**problem())
    assert torch.equal(torch.random.get_rng_state(), expected)


@pytest.mark.parametrize("run", [run_rnn, run_rnn_modules])
@pytest.mark.parametrize(
    ("changes", "error", "sentence"),
    [
        ({"params": {"W_hx": np.zeros(3)}}, ValueError, "params hold W_xh, W_hh, b_h, W_hy, b_y, W_hx: expected"),
        ({"params": {"W_hh": np.zeros((H, 4))}}, ValueError, r"W_hh has shape \(3, 4\), expected \(3, 3\)"),
        ({"params": {"b_y": np.zeros(H)}}, ValueError, r"b_y has shape \(3,\), expected \(6,\)"),
        ({"x": np.zeros((T, B, I + 1))}, ValueError, r"x has shape \(4, 2, 6\), expected \(T, B\) ids or \(T, B, 5\)"),
        ({"x": np.zeros((0, B), int)}, ValueError, r"x has shape \(0, 2\), .*T and B at least 1"),
        ({"x": np.full((T, B), -2)}, ValueError, "x holds the id -2: ids run from 0 to 4, besides only -1"),
        ({"x": np.full((T, B), I)}, ValueError, "x holds the id 5: ids run from 0 to 4, besides only -1"),
        ({"x": np.zeros((T, B))}, TypeError, r"x is float64, expected token ids \(integers\)"),
        ({"x": np.zeros((T, B, I), int)}, TypeError, r"x is int64, expected floating vectors, or \(T, B\) token ids"),
        ({"y": np.zeros((B, T), int)}, ValueError, r"y has shape \(2, 4\), expected \(T, B\) = \(4, 2\)"),
        ({"y": np.full((T, B), V)}, ValueError, "y holds the id 6: ids run from 0 to 5, besides only -100"),
        ({"y": np.full((T, B), -100), "reduction": "mean"}, ValueError, "y: every target is ignore_index"),
        ({"h0": np.zeros((1, H))}, ValueError, r"h0 has shape \(1, 3\), expected \(B, H\) = \(2, 3\)"),
        ({"nonlinearity": "softplus"}, ValueError, "nonlinearity is 'softplus', expected tanh, relu or sigmoid"),
        ({"reduction": "max"}, ValueError, "reduction is 'max', expected one of sum, mean, none"),
        ({"reduction": "none"}, ValueError, 'dloss is missing: reduction="none" needs an upstream gradient'),
        ({"dloss": np.ones(3)}, ValueError, r"dloss has shape \(3,\), expected \(\), the shape of the loss \(sum\)"),
    ],
)
def test_what_does_not_fit_is_refused(run, changes, error, sentence):
    with pytest.raises(error, match=sentence):
        run(**problem(**changes))


def test_modules_say_that_they_have_no_windows():
    with pytest.raises(ValueError, match=r'^bptt is "windowed", which torch.s modules cannot show'):
        run_rnn_modules(**problem(), bptt="windowed", k=2)
