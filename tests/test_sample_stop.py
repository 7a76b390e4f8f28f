"""Where a text ends and where it begins: the stop token, the numbers used up until then, and priming."""

import numpy as np
import pytest

from numpy_impl.init import init_params
from numpy_impl.inputs import NO_TOKEN
from numpy_impl.loss import softmax
from numpy_impl.model import forward
from numpy_impl.sample import prime, sample, stream

B, H, V = 3, 6, 5
ROUNDING = 200 * np.finfo(float).eps  # of some steps of H terms, summed in another order


def model(seed=0, biases=True, V=V, dtype=np.float64):
    """A model whose outputs depend strongly on its state and its input."""
    params = init_params("names", V, H, V, np.random.default_rng(seed), biases=biases, dtype=dtype)
    params.flat *= 2
    if biases:
        params["b_h"] = np.linspace(-0.5, 0.5, H).astype(dtype)
        params["b_y"] = np.linspace(0.3, -0.3, V).astype(dtype)
    return params


def counting_model():
    """After token i, greedily write i + 1 (mod V), whatever the state was."""
    eye = np.eye(V)
    return {"W_xh": 3 * eye, "W_hh": 0.01 * np.ones((V, V)), "W_hy": 5 * np.roll(eye, 1, axis=0)}


def uniforms(T, B=B, seed=1, dtype=np.float64):
    return np.random.default_rng(seed).random((T, B)).astype(dtype)


def assert_stops(sample_):
    """The counting model writes 1 2 3 4 0 ...; each stream ends after its 3, in the state in which it wrote it."""
    params, first = counting_model(), np.array([0, 2, 3])
    tokens, p, h_T = sample_(params, first, np.zeros((6, 3)), method="greedy", stop=3)
    X = NO_TOKEN
    np.testing.assert_array_equal(tokens.T, [[1, 2, 3, X, X, X], [3, X, X, X, X, X], [4, 0, 1, 2, 3, X]])
    np.testing.assert_array_equal(p.sum(axis=-1) > 0, tokens != X)
    for b, length in enumerate((3, 1, 5)):
        until_then = sample(params, first, np.zeros((length, 3)), method="greedy").h_T
        np.testing.assert_array_equal(h_T[b], until_then[b])


def test_a_stream_is_over_after_its_stop_token_and_its_state_stands_still():
    assert_stops(sample)


def goes_on(params, first, u, **settings):
    tokens, p, _ = sample(params, first, u, **settings)
    p[:] = sample(params, first, u, method="greedy").p
    return tokens, p, sample(params, first, u, method="greedy").h_T


def state_moves_on(params, first, u, **settings):
    return *sample(params, first, u, **settings)[:2], sample(params, first, u, method="greedy").h_T


def stop_is_not_written(params, first, u, **settings):
    tokens, p, h_T = sample(params, first, u, **settings)
    return np.where(tokens == 3, NO_TOKEN, tokens), p, h_T


def all_stop_with_the_first(params, first, u, **settings):
    return sample(params, np.full_like(first, first[0]), u, **settings)


@pytest.mark.parametrize("faulty", [goes_on, state_moves_on, stop_is_not_written, all_stop_with_the_first])
def test_the_stop_test_catches_a_faulty_stop(faulty):
    with pytest.raises(AssertionError):
        assert_stops(faulty)


@pytest.mark.parametrize("stop", [None, 3])
def test_stream_yields_what_sample_returns(stop):
    params, first, u = model(), np.array([0, 4, 2]), uniforms(40)
    whole = sample(params, first, u, top_p=0.9, stop=stop)
    drawn = list(stream(params, first, u, top_p=0.9, stop=stop))
    n = len(drawn)
    assert n == (40 if stop is None else np.max(np.argmax(whole.tokens == stop, axis=0)) + 1)
    np.testing.assert_array_equal([d.tokens for d in drawn], whole.tokens[:n])
    np.testing.assert_array_equal([d.p for d in drawn], whole.p[:n])
    np.testing.assert_array_equal(drawn[-1].h, whole.h_T)
    assert (whole.tokens[n:] == NO_TOKEN).all()


@pytest.mark.parametrize(
    "settings",
    [
        {"nonlinearity": "relu"},
        {"method": "greedy"},
        {"temperature": 0.5},
        {"temperature": 2.0, "top_k": 2},
        {"top_p": 0.5},
        {"h0": np.full((B, H), 0.8)},
    ],
    ids="-".join,
)
def test_stream_heeds_every_setting_that_sample_heeds(settings):
    params, first, u = model(), np.array([0, 4, 2]), uniforms(40)
    whole, plain = sample(params, first, u, **settings), sample(params, first, u)
    assert (whole.tokens != plain.tokens).any(), "the setting makes a difference"
    drawn = list(stream(params, first, u, **settings))
    np.testing.assert_array_equal([d.tokens for d in drawn], whole.tokens)
    np.testing.assert_array_equal([d.p for d in drawn], whole.p)


def test_stream_takes_no_number_more_than_it_writes_tokens():
    params, legacy, ours = counting_model(), np.random.RandomState(1), np.random.RandomState(1)
    rows = (ours.random_sample(1) for _ in range(15))
    written = [int(d.tokens[0]) for d in stream(params, np.array([0]), rows, method="greedy", stop=3)]
    assert written == [1, 2, 3]
    legacy.random_sample(3)
    assert ours.random_sample() == legacy.random_sample()


def published_loop(params, rng, newline, longest):
    """Write one name as the published programs do: np.random.choice for every letter, none after the last."""
    h, x, letters = np.zeros(H), np.zeros(V), []
    while len(letters) < longest and (not letters or letters[-1] != newline):
        h = np.tanh(params["W_xh"] @ x + params["W_hh"] @ h + params["b_h"])
        e = np.exp(params["W_hy"] @ h + params["b_y"])
        letters.append(int(rng.choice(V, p=e / e.sum())))
        x = np.eye(V)[letters[-1]]
    return letters


def test_names_one_after_the_other_use_up_the_legacy_stream_as_published():
    params, theirs, ours = model(), np.random.RandomState(3), np.random.RandomState(3)
    for _ in range(30):
        rows = (ours.random_sample(1) for _ in range(15))
        name = [int(d.tokens[0]) for d in stream(params, np.array([NO_TOKEN]), rows, stop=0)]
        assert name == published_loop(params, theirs, newline=0, longest=15)


def assert_primes(prime_, nonlinearity="tanh"):
    """After reading a text, the next token is drawn from what the forward pass says after the whole text."""
    params, h0 = model(), 0.2 * np.ones((2, H))
    for length in (1, 2, 7):
        text = np.random.default_rng(length).integers(0, V, (length, 2))
        first, h = prime_(params, text, h0, nonlinearity=nonlinearity)
        p = sample(params, first, uniforms(1, 2), h, nonlinearity=nonlinearity).p[0]
        read = forward(params, text, h0, nonlinearity=nonlinearity)
        np.testing.assert_allclose(p, softmax(read.logits[-1]), rtol=0, atol=ROUNDING)


@pytest.mark.parametrize("nonlinearity", ["tanh", "relu"])
def test_priming_reads_the_text_token_by_token(nonlinearity):
    assert_primes(prime, nonlinearity)


@pytest.mark.parametrize("length", [1, 3])
def test_what_priming_returns_is_its_own(length):
    text, h0 = np.ones((length, 2), int), np.ones((2, H))
    first, h = prime(model(), text, h0)
    assert not np.shares_memory(first, text)
    assert not np.shares_memory(h, h0)


def multi_hot(params, x, h0, nonlinearity):
    bag = np.zeros((1, x.shape[1], V))
    for row in x[:-1]:
        bag[0, np.arange(x.shape[1]), row] = 1
    return x[-1], forward(params, bag, h0).h_T


@pytest.mark.parametrize(
    "faulty",
    [
        multi_hot,
        lambda params, x, h0, nonlinearity: prime(params, x),
        lambda params, x, h0, nonlinearity: (x[-1], forward(params, x, h0).h_T),
    ],
    ids=["multi-hot", "h0 ignored", "last token read twice"],
)
def test_the_priming_test_catches_a_faulty_priming(faulty):
    with pytest.raises(AssertionError):
        assert_primes(faulty)
