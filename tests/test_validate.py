"""Every refusal, word for word: which array, what is wrong with both values, the rule, what to do.

The twin of each wrong call is the right call beside it, which must pass: a check that refuses everything, or that looks
at something else, fails there.
"""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from numpy_impl import validate
from numpy_impl.loss import cross_entropy, cross_entropy_and_gradient
from numpy_impl.validate import (
    check_bptt,
    check_dloss,
    check_inputs,
    check_logits,
    check_nonlinearity,
    check_params,
    check_targets,
)

I, H, V, T, B = 5, 4, 7, 6, 3
PARAMS = {
    "W_xh": np.ones((H, I)),
    "W_hh": np.ones((H, H)),
    "b_h": np.ones(H),
    "W_hy": np.ones((V, H)),
    "b_y": np.ones(V),
}
IDS = np.zeros((T, B), int)
DENSE = np.zeros((T, B, I))
H0 = np.zeros((B, H))


def params(**changed):
    return {name: a for name, a in (PARAMS | changed).items() if a is not None}


def ids(at=(0, 0), value=0, shape=(T, B)):
    found = np.zeros(shape, int)
    found[at] = value
    return found


WIDEST = np.dtype(np.longdouble)
FITTING = "W_xh (H, I) = (4, 5) and the rows of W_hy, V = 7, fix all the others"

WRONG_PARAMS = {
    "missing": (
        params(W_hh=None),
        "params: missing ['W_hh'], unknown none; a model has W_xh, W_hh, W_hy and optionally b_h, b_y",
    ),
    "unknown": (
        params(b_hh=np.ones(H)),
        "params: missing none, unknown ['b_hh']; a model has W_xh, W_hh, W_hy and optionally b_h, b_y",
    ),
    "axes of a matrix": (params(W_hh=np.ones(H)), "W_hh has shape (4,), expected 2 axes, none of length 0"),
    "axes of a bias": (params(b_y=np.ones((V, 1))), "b_y has shape (7, 1), expected 1 axis, none of length 0"),
    "nothing in it": (params(W_xh=np.ones((H, 0))), "W_xh has shape (4, 0), expected 2 axes, none of length 0"),
    "W_hy transposed": (
        params(W_hy=np.ones((H, V)), b_y=None),
        "W_hy has shape (4, 7), expected (4, 4): W_xh (H, I) = (4, 5) and the rows of W_hy, V = 4, fix all the others",
    ),
    "shape": (params(b_h=np.ones(H + 1)), f"b_h has shape (5,), expected (4,): {FITTING}"),
    "W_xh transposed": (
        params(W_xh=np.ones((I, H))),
        "W_hh has shape (4, 4), expected (5, 5): W_xh (H, I) = (5, 4) and the rows of W_hy, V = 7, fix all the others",
    ),
}
MISTYPED_PARAMS = {
    "a list": (params(b_h=[0.0] * H), "b_h is a list, expected a NumPy array; convert it with np.asarray(b_h)"),
    "two dtypes": (
        params(b_h=np.ones(H, np.float32)),
        "b_h is float32 beside W_xh float64: all parameters share one dtype; cast with b_h.astype",
    ),
    "integers": (
        {name: a.astype(np.int64) for name, a in PARAMS.items()},
        f"W_xh is int64: parameters are float32, float64, {WIDEST}; cast them with .astype",
    ),
    "half precision": (
        {name: a.astype(np.float16) for name, a in PARAMS.items()},
        f"W_xh is float16: parameters are float32, float64, {WIDEST}; cast them with .astype",
    ),
}
WRONG_INPUTS = {
    "one axis": (
        (np.zeros(T, int), None),
        "x has shape (6,), expected (T, B) for token ids: time comes first; use x[:, None] for a single sequence",
    ),
    "two dense axes": (
        (np.zeros((T, I)), None),
        "x has shape (6, 5), expected (T, B, I) with I = 5, the columns of W_xh: time comes first; "
        "use x[:, None, :] for a single sequence",
    ),
    "too wide": (
        (np.zeros((T, B, I + 1)), None),
        "x has shape (6, 3, 6), expected (T, B, I) with I = 5, the columns of W_xh: time comes first; "
        "use x[:, None, :] for a single sequence",
    ),
    "no steps": (
        (np.zeros((0, B), int), None),
        "x has shape (0, 3): T and B must be at least 1; leave empty sequences out",
    ),
    "no sequences": (
        (np.zeros((T, 0, I)), None),
        "x has shape (6, 0, 5): T and B must be at least 1; leave empty sequences out",
    ),
    "too large an id": (
        (ids((4, 1), I), None),
        "x[4, 1] is 5: ids run from 0 to 4, and only NO_TOKEN = -1 may lie outside; "
        "look the token up in the vocabulary again",
    ),
    "a negative id": (
        (ids((0, 2), -2), None),
        "x[0, 2] is -2: ids run from 0 to 4, and only NO_TOKEN = -1 may lie outside; "
        "look the token up in the vocabulary again",
    ),
    "the ignored id": (
        (ids((0, 2), -100), None),
        "x[0, 2] is -100: ids run from 0 to 4, and only NO_TOKEN = -1 may lie outside; "
        "look the token up in the vocabulary again",
    ),
    "shape of h0": (
        (IDS, np.zeros((H, B))),
        "h0 has shape (4, 3), expected (B, H) = (3, 4): one first state per sequence; leave h0 out for zeros",
    ),
}
MISTYPED_INPUTS = {
    "a list": (([[0, 1]], None), "x is a list, expected a NumPy array; convert it with np.asarray(x)"),
    "text": (
        (np.array([["a"]]), None),
        "x is <U1, expected token ids (integers) or dense vectors (float64); cast with x.astype",
    ),
    "single precision": (
        (DENSE.astype(np.float32), None),
        "x is float32 but the parameters are float64: nothing is cast silently; cast with x.astype(np.float64)",
    ),
    "h0 in single precision": (
        (IDS, H0.astype(np.float32)),
        "h0 is float32 but the parameters are float64: nothing is cast silently; cast with h0.astype(np.float64)",
    ),
    "h0 a number": ((IDS, 0.0), "h0 is a float, expected a NumPy array; convert it with np.asarray(h0)"),
}
WRONG_TARGETS = {
    "length": (
        (ids(shape=(T - 1, B)), "sum", -100),
        "y has shape (5, 3), expected (T, B) = (6, 3) as in x: one target per input, time first in both; "
        "cut x and y alike",
    ),
    "batch first": (
        (ids(shape=(B, T)), "sum", -100),
        "y has shape (3, 6), expected (T, B) = (6, 3) as in x: one target per input, time first in both; "
        "transpose the one that has the batch first",
    ),
    "no token": (
        (ids((5, 2), -1), "sum", -100),
        "y[5, 2] is -1: ids run from 0 to 6, and only ignore_index = -100 may lie outside; "
        "look the token up in the vocabulary again",
    ),
    "too large": (
        (ids((1, 0), V), "none", -1),
        "y[1, 0] is 7: ids run from 0 to 6, and only ignore_index = -1 may lie outside; "
        "look the token up in the vocabulary again",
    ),
    "reduction": ((IDS, "avg", -100), "reduction is 'avg', expected one of sum, mean, none"),
    "mean over nothing": (
        (IDS, "mean", 0),
        "y is ignore_index = 0 everywhere, and the mean over no targets is undefined; "
        'keep at least one target, or use reduction="sum"',
    ),
}
MISTYPED_TARGETS = {
    "floats": (
        (IDS.astype(float), "sum", -100),
        "y is float64, expected token ids (integers); cast with y.astype(np.int64)",
    ),
    "a tuple": (((0, 1), "sum", -100), "y is a tuple, expected a NumPy array; convert it with np.asarray(y)"),
    "nothing to ignore": (
        (IDS, "sum", None),
        "ignore_index is None, expected a whole number: the id that stands for a target which does not count; "
        "leave it out for -100",
    ),
    "half an id": (
        (IDS, "sum", 2.5),
        "ignore_index is 2.5, expected a whole number: the id that stands for a target which does not count; "
        "leave it out for -100",
    ),
}
WRONG_DLOSS = {
    "missing": (
        (None, IDS, np.dtype(float), "none"),
        'dloss is missing: under reduction="none" there is one loss per step, '
        "so give an upstream gradient of shape (T, B) = (6, 3)",
    ),
    "one number": (
        (np.ones(()), IDS, np.dtype(float), "none"),
        'dloss has shape (), expected (6, 3): under reduction="none" the loss has that shape, '
        "and its upstream gradient too",
    ),
    "too many": (
        (np.ones((T, B)), IDS, np.dtype(float), "mean"),
        'dloss has shape (6, 3), expected (): under reduction="mean" the loss has that shape, '
        "and its upstream gradient too",
    ),
    "reduction": ((None, IDS, np.dtype(float), "total"), "reduction is 'total', expected one of sum, mean, none"),
}
MISTYPED_DLOSS = {
    "single precision": (
        (np.ones((), np.float32), IDS, np.dtype(float), "sum"),
        "dloss is float32 but the parameters are float64: nothing is cast silently; cast with dloss.astype(np.float64)",
    ),
    "a number": (
        (2.0, IDS, np.dtype(float), "sum"),
        "dloss is a float, expected a NumPy array; convert it with np.asarray(dloss)",
    ),
}
WRONG_BPTT = {
    "word": (("truncated", 3), "bptt is 'truncated', expected one of full, windowed, chunked"),
    "length of full": (("full", 3), 'k is 3 under bptt="full", which goes back to the first step; leave k out'),
    "no length": (
        ("windowed", None),
        'k is None under bptt="windowed": it must be a whole number of steps, at least 0',
    ),
    "negative": (("windowed", -1), 'k is -1 under bptt="windowed": it must be a whole number of steps, at least 0'),
    "zero": (("chunked", 0), 'k is 0 under bptt="chunked": it must be a whole number of steps, at least 1'),
    "fraction": (("chunked", 2.5), 'k is 2.5 under bptt="chunked": it must be a whole number of steps, at least 1'),
}


def plain(check):
    """Reach through the annotations, which in the test run would refuse a wrong type before the check sees it."""
    return getattr(check, "__wrapped__", check)


def refused(error, message, check, *arguments):
    with pytest.raises(error) as caught:
        plain(check)(*arguments)
    assert str(caught.value) == message
    assert "\n" not in message


@pytest.mark.parametrize(("wrong", "message"), WRONG_PARAMS.values(), ids=WRONG_PARAMS.keys())
def test_wrong_params(wrong, message):
    refused(ValueError, message, check_params, wrong)


@pytest.mark.parametrize(("wrong", "message"), MISTYPED_PARAMS.values(), ids=MISTYPED_PARAMS.keys())
def test_mistyped_params(wrong, message):
    refused(TypeError, message, check_params, wrong)


@pytest.mark.parametrize(("wrong", "message"), WRONG_INPUTS.values(), ids=WRONG_INPUTS.keys())
def test_wrong_inputs(wrong, message):
    refused(ValueError, message, check_inputs, PARAMS, *wrong)


@pytest.mark.parametrize(("wrong", "message"), MISTYPED_INPUTS.values(), ids=MISTYPED_INPUTS.keys())
def test_mistyped_inputs(wrong, message):
    refused(TypeError, message, check_inputs, PARAMS, *wrong)


def test_logits_without_a_softmax():
    whole = "expected floating numbers; cast with logits.astype(np.float64)"
    refused(TypeError, f"logits is int64, {whole}", check_logits, np.zeros((T, B, V), np.int64))
    listed = "logits is a list, expected a NumPy array; convert it with np.asarray(logits)"
    refused(TypeError, listed, check_logits, [[[0.0]]])
    empty = "logits has shape (0, 3, 5), expected (T, B, V), none of them 0; leave empty batches out"
    refused(ValueError, empty, check_logits, np.zeros((0, 3, 5)))
    for dtype in (np.float32, np.float64, np.longdouble):
        plain(check_logits)(np.zeros((T, B, V), dtype))


@pytest.mark.parametrize("loss", [cross_entropy, cross_entropy_and_gradient])
def test_the_loss_looks_at_its_logits(loss):
    with pytest.raises(ValueError, match=r"^logits has shape \(0, 3, 5\)"):
        loss(np.zeros((0, 3, 5)), np.zeros((0, 3), int))


@pytest.mark.parametrize(("wrong", "message"), WRONG_TARGETS.values(), ids=WRONG_TARGETS.keys())
def test_wrong_targets(wrong, message):
    y, reduction, ignore_index = wrong
    refused(ValueError, message, check_targets, y, (T, B, V), reduction, ignore_index)


@pytest.mark.parametrize(("wrong", "message"), MISTYPED_TARGETS.values(), ids=MISTYPED_TARGETS.keys())
def test_mistyped_targets(wrong, message):
    y, reduction, ignore_index = wrong
    refused(TypeError, message, check_targets, y, (T, B, V), reduction, ignore_index)


@pytest.mark.parametrize(("wrong", "message"), WRONG_DLOSS.values(), ids=WRONG_DLOSS.keys())
def test_wrong_dloss(wrong, message):
    refused(ValueError, message, check_dloss, *wrong)


@pytest.mark.parametrize(("wrong", "message"), MISTYPED_DLOSS.values(), ids=MISTYPED_DLOSS.keys())
def test_mistyped_dloss(wrong, message):
    refused(TypeError, message, check_dloss, *wrong)


@pytest.mark.parametrize(("wrong", "message"), WRONG_BPTT.values(), ids=WRONG_BPTT.keys())
def test_wrong_bptt(wrong, message):
    refused(ValueError, message, check_bptt, *wrong)


def test_wrong_nonlinearity():
    refused(ValueError, "nonlinearity is 'Tanh', expected one of tanh, relu", check_nonlinearity, "Tanh")
    two = np.array(["tanh", "relu"])  # whether they are in a tuple, NumPy does not say
    refused(ValueError, f"nonlinearity is {two!r}, expected one of tanh, relu", check_nonlinearity, two)


# --- and what is right passes


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.longdouble])
@pytest.mark.parametrize("biases", [("b_h", "b_y"), ("b_h",), ("b_y",), ()])
def test_right_params(dtype, biases):
    check_params({n: a.astype(dtype) for n, a in PARAMS.items() if n[0] == "W" or n in biases})


@given(st.tuples(*(st.integers(1, 6) for _ in range(5))), st.booleans(), st.booleans())
@settings(max_examples=30)
def test_right_sizes(sizes, dense, state):
    T, B, I, H, V = sizes
    fitting = {"W_xh": np.ones((H, I)), "W_hh": np.ones((H, H)), "W_hy": np.ones((V, H))}
    check_params(fitting)
    x = np.zeros((T, B, I)) if dense else np.full((T, B), I - 1)
    check_inputs(fitting, x, np.zeros((B, H)) if state else None)
    check_targets(np.full((T, B), V - 1), (T, B, V), "mean", -100)


@pytest.mark.parametrize("value", [-1, 0, I - 1])
def test_right_ids(value):
    check_inputs(PARAMS, ids((2, 2), value), H0)


@pytest.mark.parametrize(("value", "ignore_index"), [(-100, -100), (-1, -1), (0, 0), (V - 1, -100), (99, 99)])
def test_right_targets(value, ignore_index):
    y = np.ones((T, B), int)
    y[3, 1] = value
    for reduction in ("sum", "mean", "none"):
        check_targets(y, (T, B, V), reduction, ignore_index)
    check_targets(np.full((T, B), ignore_index), (T, B, V), "sum", ignore_index)


def test_right_dloss():
    check_dloss(None, IDS, np.dtype(float), "sum")
    check_dloss(np.ones(()), IDS, np.dtype(float), "mean")
    check_dloss(np.ones((T, B), np.float32), IDS, np.dtype(np.float32), "none")


@pytest.mark.parametrize(("bptt", "k"), [("full", None), ("windowed", 0), ("windowed", 4), ("chunked", 1)])
def test_right_bptt(bptt, k):
    check_bptt(bptt, k)
    if k is not None:
        plain(check_bptt)(bptt, np.int64(k))


# --- and a user, who has no annotations checked, reads these sentences and no other


USER = """
import numpy as np
from numpy_impl.model import loss_and_grads
rng = np.random.default_rng(0)
p = {"W_xh": rng.random((4, 5)), "W_hh": rng.random((4, 4)), "W_hy": rng.random((7, 4))}
x = y = np.zeros((6, 3), int)
for call in (
    lambda: loss_and_grads(p, x[0], y),
    lambda: loss_and_grads(p, x.tolist(), y),
    lambda: loss_and_grads(p, x, y[:-1]),
    lambda: loss_and_grads(p, x, y - 1),
    lambda: loss_and_grads(p, x, y, h0=np.zeros((4, 3))),
    lambda: loss_and_grads(p, x, y, nonlinearity="sigmoid"),
    lambda: loss_and_grads(p, x, y, reduction="none"),
    lambda: loss_and_grads(p, x, y, bptt="windowed"),
    lambda: loss_and_grads(p, x, y, reduction="mean", ignore_index=0),
    lambda: loss_and_grads({**p, "W_hh": p["W_hh"].astype(np.float32)}, x, y),
    lambda: loss_and_grads(p, x, y),
):
    try:
        call()
        print("fine")
    except (ValueError, TypeError) as error:
        print(type(error).__name__, *str(error).split()[:3])
"""


def test_a_user_reads_one_sentence():
    env = os.environ | {"PYTHONPATH": str(Path(validate.__file__).parent.parent)}  # the copy under test
    done = subprocess.run([sys.executable, "-c", USER], env=env, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        "ValueError x has shape",
        "TypeError x is a",
        "ValueError y has shape",
        "ValueError y[0, 0] is",
        "ValueError h0 has shape",
        "ValueError nonlinearity is 'sigmoid',",
        "ValueError dloss is missing:",
        "ValueError k is None",
        "ValueError y is ignore_index",
        "TypeError W_hh is float32",
        "fine",
    ]
