"""What sampling refuses: one sentence that names the argument, the value, the rule and what to do."""

import math

import numpy as np
import pytest

from numpy_impl.init import init_params
from numpy_impl.sample import prime, sample, stream

T, B, H, V = 9, 3, 6, 5


def model(seed=0, biases=True, V=V, dtype=np.float64):
    """A model whose outputs depend strongly on its state and its input."""
    params = init_params("names", V, H, V, np.random.default_rng(seed), biases=biases, dtype=dtype)
    params.flat *= 2
    if biases:
        params["b_h"] = np.linspace(-0.5, 0.5, H).astype(dtype)
        params["b_y"] = np.linspace(0.3, -0.3, V).astype(dtype)
    return params


def uniforms(T=T, B=B, seed=1, dtype=np.float64):
    return np.random.default_rng(seed).random((T, B)).astype(dtype)


WRONG = [
    ({"first": np.array([0.0, 1.0, 2.0])}, TypeError, "first is float64, expected token ids (integers)"),
    (
        {"first": np.array([[0, 1, 2]])},
        ValueError,
        "first has shape (1, 3), expected (B,) with B from 1 on: one first input per stream",
    ),
    (
        {"first": np.array([0, 5, 1])},
        ValueError,
        "first[1] is 5: ids run from 0 to 4, and only NO_TOKEN = -1 may lie outside; "
        "look the token up in the vocabulary again",
    ),
    ({"uniforms": np.full((2, 3), 1.0)}, ValueError, "uniforms[0, 0] is 1.0: uniform numbers lie in [0, 1);"),
    ({"uniforms": np.array([[0.5, 0.5, -0.1]])}, ValueError, "uniforms[0, 2] is -0.1: uniform numbers lie in"),
    ({"uniforms": np.full((1, 3), np.nan)}, ValueError, "uniforms[0, 0] is nan: uniform numbers lie in"),
    ({"uniforms": np.zeros((2, 3), int)}, TypeError, "uniforms is int64, expected floating numbers in [0, 1)"),
    (
        {"uniforms": np.zeros((2, 4))},
        ValueError,
        "uniforms has shape (2, 4), but first has B = 3 tokens: one column per stream",
    ),
    (
        {"uniforms": np.zeros((0, 3))},
        ValueError,
        "uniforms has shape (0, 3), expected (T, B) with T from 1 on: one number per token to write",
    ),
    ({"uniforms": np.zeros(3)}, ValueError, "uniforms has shape (3,), expected (T, B) with T from 1 on: one"),
    ({"first": [0, 1, 2]}, TypeError, "first is a list, expected a NumPy array; convert it"),
    (
        {"uniforms": [[0.5] * 3]},
        TypeError,
        "uniforms is a list, expected a NumPy array; convert it",
    ),
    ({"h0": [[0.0] * H] * 3}, TypeError, "h0 is a list, expected a NumPy array; convert it with np.asarray(h0)"),
    ({"h0": np.zeros((2, H))}, ValueError, "h0 has shape (2, 6), expected (B, H) = (3, 6): one first state per"),
    ({"h0": np.zeros((3, H), np.float32)}, TypeError, "h0 is float32 but the parameters are float64: cast with"),
    ({"nonlinearity": "sigmoid"}, ValueError, "nonlinearity is 'sigmoid', expected one of tanh, relu"),
    ({"method": "beam"}, ValueError, "method is 'beam', expected one of draw, greedy"),
    ({"temperature": 0.0}, ValueError, "temperature is 0.0: it must be positive and finite; for the limit towards"),
    ({"temperature": -1.0}, ValueError, "temperature is -1.0: it must be positive and finite; for the limit"),
    ({"top_k": 0}, ValueError, "top_k is 0: it must lie in 1..5, at most the size of the vocabulary; leave"),
    ({"top_k": 6}, ValueError, "top_k is 6: it must lie in 1..5, at most the size of the vocabulary; leave"),
    ({"top_k": 2.0}, TypeError, "top_k is 2.0, a float: it must be a whole number, at most the size of"),
    ({"top_p": 0.0}, ValueError, "top_p is 0.0: it must be positive and finite; it is a probability, at most 1;"),
    ({"top_p": 1.1}, ValueError, "top_p is 1.1: it must lie in (0, 1], a probability; leave it out for all tokens"),
    ({"stop": 5}, ValueError, "stop is 5: it must lie in 0..4, a token id; leave it out for streams that go"),
    ({"stop": -1}, ValueError, "stop is -1: it must lie in 0..4, a token id; leave it out for streams that go"),
]


@pytest.mark.usefixtures("shapes_unchecked")
@pytest.mark.parametrize(("wrong", "error", "message"), WRONG)
def test_wrong_arguments_are_refused_in_one_sentence(wrong, error, message):
    arguments = {"params": model(), "first": np.array([0, 1, 2]), "uniforms": uniforms()} | wrong
    with pytest.raises(error) as caught:
        sample(**arguments)
    assert str(caught.value).startswith(message)


@pytest.mark.usefixtures("shapes_unchecked")
@pytest.mark.parametrize(("wrong", "error", "message"), [case for case in WRONG if "uniforms" not in case[0]])
def test_stream_refuses_the_same_in_the_same_words_before_it_is_asked_for_a_token(wrong, error, message):
    arguments = {"params": model(), "first": np.array([0, 1, 2]), "uniforms": uniforms()} | wrong
    with pytest.raises(error) as caught:
        stream(**arguments)
    assert str(caught.value).startswith(message)


def test_outputs_that_are_no_legal_inputs_are_refused():
    params = init_params("chars", V - 1, H, V, np.random.default_rng(0))
    with pytest.raises(ValueError, match=r"^W_hy has V = 5 rows but W_xh I = 4 columns: a drawn token must be a legal"):
        sample(params, np.array([0]), uniforms(B=1))


def test_more_inputs_than_outputs_are_legal():
    params = init_params("chars", V + 1, H, V, np.random.default_rng(0))
    assert sample(params, np.array([V]), uniforms(B=1)).tokens.max() < V


@pytest.mark.usefixtures("shapes_unchecked")
def test_stream_refuses_at_once_and_judges_its_rows_when_they_come():
    params, first = model(), np.array([0])
    with pytest.raises(ValueError, match=r"^temperature is 0"):
        stream(params, first, uniforms(B=1), temperature=0)
    rows = stream(params, first, [np.array([0.5]), np.array([1.0])])
    next(rows)
    with pytest.raises(ValueError, match=r"^a row of uniforms\[0\] is 1.0: uniform numbers lie in \[0, 1\)"):
        next(rows)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_weights_that_have_diverged_are_named(bad):
    params = model()
    params["b_y"][2] = bad
    with pytest.raises(ValueError, match=rf"^the largest logit of stream 0 is {bad}: the weights have diverged"):
        sample(params, np.array([0]), uniforms(B=1))


@pytest.mark.usefixtures("shapes_unchecked")
@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        (np.zeros((0, 2), int), ValueError, "x has shape (0, 2): T and B must be at least 1"),
        (np.array([[0], [7]]), ValueError, "x[1, 0] is 7: ids run from 0 to 4"),
        (
            np.zeros((3, 1, V)),
            TypeError,
            "x is float64 with shape (3, 1, 5), expected token ids (T, B): sampling feeds back ids",
        ),
    ],
)
def test_a_priming_text_that_is_none_is_refused(x, error, message):
    with pytest.raises(error) as caught:
        prime(model(), x)
    assert str(caught.value).startswith(message)


@pytest.mark.usefixtures("shapes_unchecked")
def test_priming_refuses_wrong_parameters_states_and_nonlinearities():
    params, x = model(), np.array([[0], [1]])
    with pytest.raises(ValueError, match=r"^h0 has shape \(2, 6\), expected \(B, H\) = \(1, 6\)"):
        prime(params, x, np.zeros((2, H)))
    with pytest.raises(ValueError, match=r"^nonlinearity is 'sigmoid', expected one of tanh, relu"):
        prime(params, x, nonlinearity="sigmoid")
    del params["W_hh"]
    with pytest.raises(ValueError, match=r"W_hh"):
        prime(params, x)
