"""Sampling over time: against the forward pass on the text written, and in the frequencies of what it writes."""

import itertools
import math

import numpy as np
import pytest

from numpy_impl import quick
from numpy_impl.init import init_params
from numpy_impl.inputs import NO_TOKEN
from numpy_impl.loss import softmax
from numpy_impl.model import forward
from numpy_impl.sample import prime, sample

T, B, H, V = 9, 3, 6, 5
ROUNDING = 200 * np.finfo(float).eps  # of T steps of H terms, summed in another order
RARE = 1e-9  # how often a G-test may fail a correct sampler


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


def assert_reads_what_it_writes(sample_, nonlinearity="tanh", biases=True, B=B):
    """The text written, read by the forward pass: its softmax is what each token was drawn from."""
    params, first, h0 = model(biases=biases), np.array([0, NO_TOKEN, 3])[:B], 0.3 * np.ones((B, H))
    u = uniforms(B=B)
    tokens, p, h_T = sample_(params, first, u, h0, nonlinearity=nonlinearity)
    read = forward(params, np.vstack([first[None], tokens[:-1]]), h0, nonlinearity=nonlinearity)
    np.testing.assert_allclose(p, softmax(read.logits), rtol=0, atol=ROUNDING)
    np.testing.assert_allclose(h_T, read.h_T, rtol=0, atol=ROUNDING)
    np.testing.assert_array_equal(tokens, (softmax(read.logits).cumsum(axis=-1) <= u[..., None]).sum(axis=-1))


@pytest.mark.parametrize("streams", [B, 1])
@pytest.mark.parametrize("nonlinearity", ["tanh", "relu"])
@pytest.mark.parametrize("biases", [True, False])
def test_each_token_is_drawn_from_the_forward_pass_on_all_before_it(nonlinearity, biases, streams):
    assert_reads_what_it_writes(sample, nonlinearity, biases, streams)


@pytest.mark.parametrize(
    "plain", [{}, {"temperature": 0.5}, {"nonlinearity": "relu"}, {"h0": np.ones((1, H))}], ids="-".join
)
def test_one_stream_that_is_drawn_plainly_is_written_quickly(monkeypatch, plain):
    monkeypatch.setattr(quick, "write", None)
    with pytest.raises(TypeError, match="not callable"):
        sample(model(), np.array([0]), uniforms(B=1), **plain)


@pytest.mark.parametrize("careful", [{"method": "greedy"}, {"top_k": 2}, {"top_p": 0.5}, {"stop": 1}], ids="-".join)
def test_any_other_is_written_carefully(monkeypatch, careful):
    monkeypatch.setattr(quick, "write", None)
    assert sample(model(), np.array([0]), uniforms(B=1), **careful).tokens.shape == (T, 1)
    assert sample(model(), np.array([0, 1]), uniforms(B=2)).tokens.shape == (T, 2)


def state_not_fed_back(params, first, u, h0, **settings):
    steps = [sample(params, first, u[:1], h0, **settings)]
    for row in u[1:]:
        steps.append(sample(params, steps[-1].tokens[0], row[None], h0, **settings))
    return np.vstack([s.tokens for s in steps]), np.vstack([s.p for s in steps]), steps[-1].h_T


def token_not_fed_back(params, first, u, h0, **settings):
    steps = [sample(params, first, u[:1], h0, **settings)]
    for row in u[1:]:
        steps.append(sample(params, first, row[None], steps[-1].h_T, **settings))
    return np.vstack([s.tokens for s in steps]), np.vstack([s.p for s in steps]), steps[-1].h_T


SAMPLING_FAULTS = {
    "the state is not fed back": state_not_fed_back,
    "the token is not fed back": token_not_fed_back,
    "h0 is ignored": lambda params, first, u, h0, **settings: sample(params, first, u, None, **settings),
    "no token is token 0": lambda params, first, u, h0, **settings: sample(
        params, np.maximum(first, 0), u, h0, **settings
    ),
    "greedy": lambda params, first, u, h0, **settings: sample(params, first, u, h0, method="greedy", **settings),
    "one uniform number for all streams": lambda params, first, u, h0, **settings: sample(
        params, first, u[:, :1].repeat(B, axis=1), h0, **settings
    ),
}


@pytest.mark.parametrize("fault", SAMPLING_FAULTS)
def test_reading_catches_a_faulty_sampler(fault):
    with pytest.raises(AssertionError):
        assert_reads_what_it_writes(SAMPLING_FAULTS[fault])


def test_greedy_takes_the_largest_logit_and_the_first_of_equals():
    params, first = model(), np.array([0, 1, 2])
    tokens, p, _ = sample(params, first, uniforms(), method="greedy", temperature=0.5)
    logits = forward(params, np.vstack([first[None], tokens[:-1]])).logits
    np.testing.assert_array_equal(tokens, logits.argmax(axis=-1))
    np.testing.assert_allclose(p, softmax(logits / 0.5), rtol=0, atol=ROUNDING)
    flat = {name: np.zeros_like(a) for name, a in params.items()}
    np.testing.assert_array_equal(sample(flat, first, uniforms(), method="greedy").tokens, 0)


@pytest.mark.parametrize(
    ("settings", "kept"),
    [({"top_k": 2}, 2), ({"top_k": 1}, 1), ({"temperature": 0.5, "top_k": 3}, 3), ({"temperature": 2.0}, V)],
    ids=str,
)
def test_p_is_the_softmax_at_the_temperature_over_the_kept_tokens(settings, kept):
    params, first = model(), np.array([0, 1, 2])
    tokens, p, _ = sample(params, first, uniforms(), **settings)
    logits = forward(params, np.vstack([first[None], tokens[:-1]])).logits / settings.get("temperature", 1.0)
    least = np.sort(logits, axis=-1)[..., -kept, None]
    np.testing.assert_allclose(p, softmax(np.where(logits >= least, logits, -np.inf)), rtol=0, atol=ROUNDING)


@pytest.mark.parametrize(
    "settings", [{}, {"temperature": 0.6}, {"top_k": 2}, {"top_p": 0.7}, {"stop": 1}, {"method": "greedy"}]
)
def test_streams_do_not_touch_each_other(settings):
    params, first, u = model(), np.array([0, 4, 2]), uniforms()
    together = sample(params, first, u, **settings)
    for b in range(B):
        alone = sample(params, first[b : b + 1], u[:, b : b + 1], **settings)
        np.testing.assert_array_equal(alone.tokens[:, 0], together.tokens[:, b])
        np.testing.assert_allclose(alone.p[:, 0], together.p[:, b], rtol=0, atol=ROUNDING)


def test_the_same_numbers_give_the_same_text_and_nothing_given_is_changed():
    params, first, u, h0 = model(), np.array([0, 1, 2]), uniforms(), np.ones((B, H))
    given = [params.flat, first, u, h0]
    before = [a.copy() for a in given]
    one, again = (sample(params, first, u, h0, top_k=3, stop=1) for _ in range(2))
    for a, b in zip(one, again, strict=True):
        np.testing.assert_array_equal(a, b)
        assert not any(np.shares_memory(a, other) for other in (*given, b))
    for a, b in zip(given, before, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("cut", [1, 4, 8])
def test_writing_on_from_the_last_token_and_state_is_one_long_text(cut):
    params, first, u = model(), np.array([0, 1, NO_TOKEN]), uniforms()
    whole = sample(params, first, u)
    start = sample(params, first, u[:cut])
    rest = sample(params, start.tokens[-1], u[cut:], start.h_T)
    np.testing.assert_array_equal(np.vstack([start.tokens, rest.tokens]), whole.tokens)
    np.testing.assert_array_equal(np.vstack([start.p, rest.p]), whole.p)
    np.testing.assert_array_equal(rest.h_T, whole.h_T)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.longdouble])
def test_every_dtype_runs_through_and_stays(dtype):
    params = model(dtype=dtype)
    first, h0 = prime(params, np.array([[0, 1, 2], [2, 3, 4]]))
    result = sample(params, first, uniforms(dtype=dtype), h0, temperature=0.8, top_k=4, top_p=0.9, stop=0)
    assert result.p.dtype == result.h_T.dtype == h0.dtype == dtype
    assert result.tokens.dtype == np.int64
    assert sample(params, first, uniforms(dtype=dtype)).h_T.dtype == dtype


def pairs_g_test(sample_):
    """Return the probability of a deviation as large in the frequencies of the first two tokens (25 pairs)."""
    params, n = model(), 30_000
    p1 = softmax(forward(params, np.array([[2]])).logits)[0, 0]
    p2 = [softmax(forward(params, np.array([[2], [a]])).logits)[1, 0] for a in range(V)]
    tokens = sample_(params, np.full(n, 2), uniforms(2, n, seed=5), None)[0]
    half_g = 0.0
    for a, b in itertools.product(range(V), repeat=2):
        seen, expected = np.sum((tokens[0] == a) & (tokens[1] == b)), n * p1[a] * p2[a][b]
        half_g += seen * math.log(seen / expected) if seen else 0.0
    m = (V * V - 1) // 2  # half the degrees of freedom, a whole number: the tail of chi-squared is then a finite sum
    return math.exp(-half_g) * math.fsum(half_g**i / math.factorial(i) for i in range(m))


def test_frequencies_of_pairs_are_exact():
    assert pairs_g_test(sample) > RARE


@pytest.mark.parametrize(
    "faulty",
    [
        token_not_fed_back,
        lambda params, first, u, h0: state_not_fed_back(params, first, u, np.zeros((len(first), H))),
        lambda params, first, u, h0: sample(params, first, u[:1].repeat(2, axis=0), h0),
        lambda params, first, u, h0: sample(params, first, u, h0, temperature=1.1),
        lambda params, first, u, h0: sample(params, first, u, h0, top_p=0.95),
    ],
    ids=["token not fed back", "state not fed back", "seed inside the loop", "temperature", "top-p"],
)
def test_the_pair_test_catches_a_faulty_sampler(faulty):
    assert pairs_g_test(faulty) < RARE
