"""Sampling over time: against the forward pass on the text written, at its stop, in its frequencies, and bad input."""

import itertools
import math

import jaxtyping
import numpy as np
import pytest

from numpy_impl.init import init_params
from numpy_impl.inputs import NO_TOKEN
from numpy_impl.loss import softmax
from numpy_impl.model import forward
from numpy_impl.sample import prime, sample, stream

T, B, H, V = 9, 3, 6, 5
ROUNDING = 200 * np.finfo(float).eps  # of T steps of H terms, summed in another order
RARE = 1e-9  # how often a G-test may fail a correct sampler


@pytest.fixture
def shapes_unchecked():
    """Let a wrong argument reach the function's own check, as it does outside the test run."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


def model(seed=0, biases=True, V=V, dtype=np.float64):
    """A model whose outputs depend strongly on its state and its input."""
    params = init_params("names", V, H, V, np.random.default_rng(seed), biases=biases, dtype=dtype)
    params.flat *= 2
    if biases:
        params["b_h"], params["b_y"] = np.linspace(-0.5, 0.5, H), np.linspace(0.3, -0.3, V)
    return params


def counting_model():
    """After token i, greedily write i + 1 (mod V), whatever the state was."""
    eye = np.eye(V)
    return {"W_xh": 3 * eye, "W_hh": 0.01 * np.ones((V, V)), "W_hy": 5 * np.roll(eye, 1, axis=0)}


def uniforms(T=T, B=B, seed=1, dtype=np.float64):
    return np.random.default_rng(seed).random((T, B)).astype(dtype)


def assert_reads_what_it_writes(sample_, nonlinearity="tanh", biases=True):
    """The text written, read by the forward pass: its softmax is what each token was drawn from."""
    params, first, h0 = model(biases=biases), np.array([0, NO_TOKEN, 3]), 0.3 * np.ones((B, H))
    u = uniforms()
    tokens, p, h_T = sample_(params, first, u, h0, nonlinearity=nonlinearity)
    read = forward(params, np.vstack([first[None], tokens[:-1]]), h0, nonlinearity=nonlinearity)
    np.testing.assert_allclose(p, softmax(read.logits), rtol=0, atol=ROUNDING)
    np.testing.assert_allclose(h_T, read.h_T, rtol=0, atol=ROUNDING)
    np.testing.assert_array_equal(tokens, (softmax(read.logits).cumsum(axis=-1) <= u[..., None]).sum(axis=-1))


@pytest.mark.parametrize("nonlinearity", ["tanh", "relu"])
@pytest.mark.parametrize("biases", [True, False])
def test_each_token_is_drawn_from_the_forward_pass_on_all_before_it(nonlinearity, biases):
    assert_reads_what_it_writes(sample, nonlinearity, biases)


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


def assert_primes(prime_):
    """After reading a text, the next token is drawn from what the forward pass says after the whole text."""
    params, h0 = model(), 0.2 * np.ones((2, H))
    for length in (1, 2, 7):
        text = np.random.default_rng(length).integers(0, V, (length, 2))
        first, h = prime_(params, text, h0)
        p = sample(params, first, uniforms(1, 2), h).p[0]
        np.testing.assert_allclose(p, softmax(forward(params, text, h0).logits[-1]), rtol=0, atol=ROUNDING)


def test_priming_reads_the_text_token_by_token():
    assert_primes(prime)


def multi_hot(params, x, h0):
    bag = np.zeros((1, x.shape[1], V))
    for row in x[:-1]:
        bag[0, np.arange(x.shape[1]), row] = 1
    return x[-1], forward(params, bag, h0).h_T


@pytest.mark.parametrize(
    "faulty",
    [multi_hot, lambda params, x, h0: prime(params, x), lambda params, x, h0: (x[-1], forward(params, x, h0).h_T)],
    ids=["multi-hot", "h0 ignored", "last token read twice"],
)
def test_the_priming_test_catches_a_faulty_priming(faulty):
    with pytest.raises(AssertionError):
        assert_primes(faulty)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.longdouble])
def test_every_dtype_runs_through_and_stays(dtype):
    params = model(dtype=dtype)
    first, h0 = prime(params, np.array([[0, 1, 2], [2, 3, 4]]))
    result = sample(params, first, uniforms(dtype=dtype), h0, temperature=0.8, top_k=4, top_p=0.9, stop=0)
    assert result.p.dtype == result.h_T.dtype == h0.dtype == dtype
    assert result.tokens.dtype == np.int64


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
    ({"uniforms": np.zeros(3)}, ValueError, "uniforms has shape (3,), expected (T, B) with T from 1 on"),
    ({"h0": np.zeros((2, H))}, ValueError, "h0 has shape (2, 6), expected (B, H) = (3, 6): one first state per"),
    ({"h0": np.zeros((3, H), np.float32)}, TypeError, "h0 is float32 but the parameters are float64: cast with"),
    ({"nonlinearity": "sigmoid"}, ValueError, "nonlinearity is 'sigmoid', expected one of tanh, relu"),
    ({"method": "beam"}, ValueError, "method is 'beam', expected one of draw, greedy"),
    ({"temperature": 0.0}, ValueError, "temperature is 0.0: it must be positive and finite; for the limit towards"),
    ({"temperature": -1.0}, ValueError, "temperature is -1.0: it must be positive and finite; for the limit"),
    ({"top_k": 0}, ValueError, "top_k is 0: it must lie in 1..5, at most the size of the vocabulary; use None"),
    ({"top_k": 6}, ValueError, "top_k is 6: it must lie in 1..5, at most the size of the vocabulary; use None"),
    ({"top_k": 2.0}, TypeError, "top_k is 2.0, a float: it must be a whole number, at most the size of"),
    ({"top_p": 0.0}, ValueError, "top_p is 0.0: it must be positive and finite; it is a probability, at most 1;"),
    ({"top_p": 1.1}, ValueError, "top_p is 1.1: it must lie in (0, 1], a probability; use None for all tokens"),
    ({"stop": 5}, ValueError, "stop is 5: it must lie in 0..4, a token id; use None for streams that go on"),
    ({"stop": -1}, ValueError, "stop is -1: it must lie in 0..4, a token id; use None for streams that go on"),
]


@pytest.mark.usefixtures("shapes_unchecked")
@pytest.mark.parametrize(("wrong", "error", "message"), WRONG)
def test_wrong_arguments_are_refused_in_one_sentence(wrong, error, message):
    arguments = {"params": model(), "first": np.array([0, 1, 2]), "uniforms": uniforms()} | wrong
    with pytest.raises(error) as caught:
        sample(**arguments)
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
        (np.zeros((3, 1, V)), TypeError, "x is float64 with shape (3, 1, 5), expected token ids (T, B): sampling"),
    ],
)
def test_a_priming_text_that_is_none_is_refused(x, error, message):
    with pytest.raises(error) as caught:
        prime(model(), x)
    assert str(caught.value).startswith(message)
