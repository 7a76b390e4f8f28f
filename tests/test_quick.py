"""Writing quickly gives the tokens of the careful way, which is what `stream` goes."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from numpy_impl import quick
from numpy_impl.draw import distribution, draw
from numpy_impl.inputs import NO_TOKEN
from numpy_impl.sample import sample, stream

DTYPES = [np.float32, np.float64, np.longdouble]
SIZES = [(1, 2, 1), (1, 2, 30), (9, 5, 40), (50, 65, 200)]
"""H, V, T."""


def model(H, V, dtype=np.float64, seed=0, biases=True):
    rng = np.random.default_rng(seed)
    shapes = {"W_xh": (H, V), "W_hh": (H, H), "b_h": (H,), "W_hy": (V, H), "b_y": (V,)}
    return {n: (rng.standard_normal(s) / np.sqrt(H)).astype(dtype) for n, s in shapes.items() if biases or n[0] == "W"}


def as_the_careful_way(params, first, uniforms, h0=None, write=sample, **options):
    found = write(params, first, uniforms, h0, **options)
    careful = list(stream(params, first, uniforms, h0, **options))
    np.testing.assert_array_equal(found.tokens, [step.tokens for step in careful], strict=True)
    np.testing.assert_array_equal(found.p, [step.p for step in careful], strict=True)
    np.testing.assert_array_equal(found.h_T, careful[-1].h, strict=True)


@pytest.fixture
def asked(monkeypatch):
    """Count how often the careful way is asked."""
    calls = []
    monkeypatch.setattr(quick, "draw", lambda p, u: calls.append(u) or draw(p, u))
    return calls


@pytest.mark.parametrize("options", [{}, {"nonlinearity": "relu"}, {"temperature": 0.3}, {"temperature": 2}], ids=str)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_token_for_token(asked, size, dtype, options):
    H, V, T = size
    rng = np.random.default_rng(V)
    for first, biases in ((NO_TOKEN, True), (V - 1, False)):
        h0 = rng.standard_normal((1, H)).astype(dtype) if biases else None
        as_the_careful_way(model(H, V, dtype, biases=biases), np.array([first]), rng.random((T, 1)), h0, **options)
    assert len(asked) <= 0.05 * T


@given(st.integers(0, 2**32 - 1), st.integers(1, 8), st.integers(2, 30), st.sampled_from(DTYPES))
@settings(max_examples=40)
def test_any_model(seed, H, V, dtype):
    rng = np.random.default_rng(seed)
    params = model(H, V, dtype, seed)
    params["W_hy"] *= dtype(10.0 ** rng.integers(-2, 3))
    u = rng.random((20, 1)).astype(rng.choice([np.float32, np.float64]))
    as_the_careful_way(params, rng.integers(0, V, 1), u, temperature=float(rng.uniform(0.1, 3)))


def test_arrays_that_are_not_contiguous():
    spread = {n: np.asfortranarray(np.repeat(a, 2, axis=-1))[..., ::2] for n, a in model(9, 5).items()}
    as_the_careful_way(spread, np.array([3], np.uint8), np.random.default_rng(0).random((40, 2))[:, :1])


def test_the_state_that_came_in_is_left_alone():
    h0 = np.ones((1, 9))
    sample(model(9, 5), np.array([0]), np.full((4, 1), 0.5), h0)
    assert (h0 == 1).all()


def on_the_borders(dtype) -> None:
    """Draw with the very numbers at which one token gives way to the next, and with their neighbours."""
    wrong = 0
    for V, seed in [*product([65], range(4)), *product([3], range(20))]:
        params = model(3, V, dtype, seed)
        p = sample(params, np.array([0]), np.zeros((1, 1))).p[0]
        cdf = p[0].cumsum()
        cdf /= cdf[-1]
        for u in {*cdf[:-1], *np.nextafter(cdf, dtype(0)), *np.nextafter(cdf[:-1], dtype(1))}:
            found = sample(params, np.array([0]), np.array([[u]])).tokens[0, 0]
            wrong += found != draw(p, np.array([u]))[0]
    assert wrong == 0


@pytest.mark.parametrize("dtype", DTYPES)
def test_rounding_decides_nothing(dtype):
    on_the_borders(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_without_doubt_rounding_would_decide(monkeypatch, dtype):
    monkeypatch.setattr(quick, "doubt", lambda V, dtype: 0.0)
    with pytest.raises(AssertionError):
        on_the_borders(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("largest", [2e4, -2e4])
def test_logits_beyond_the_range_of_exp(dtype, largest):
    params = model(3, 5, dtype)
    params["b_y"] += dtype(largest)
    as_the_careful_way(params, np.array([0]), np.random.default_rng(0).random((30, 1)))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_logits_that_are_not_finite_are_refused_in_the_same_words(value):
    params, u = model(3, 5), np.full((3, 1), 0.5)
    params["b_y"][:] = value
    with pytest.raises(ValueError, match="the largest logit of stream 0 is") as careful:
        list(stream(params, np.array([0]), u))
    with pytest.raises(ValueError, match="the largest logit of stream 0 is") as found:
        sample(params, np.array([0]), u)
    assert str(found.value) == str(careful.value)


def test_a_token_that_cannot_come_is_no_hindrance(asked):
    params = model(3, 5)
    params["b_y"][1] = -np.inf
    as_the_careful_way(params, np.array([0]), np.random.default_rng(0).random((30, 1)))
    assert not asked


@pytest.mark.parametrize("V", [2, 65, 10_000])
@pytest.mark.parametrize("dtype", DTYPES)
def test_what_is_in_doubt_covers_the_rounding_of_two_cumulative_sums(V, dtype):
    """A sum of V terms above zero is off by V - 1 roundings at most, each of them half of eps."""
    eps = float(np.finfo(dtype).eps)
    assert quick.doubt(V, np.dtype(dtype)) > 2 * (V - 1) * eps / 2 + eps
    assert quick.doubt(V, np.dtype(dtype)) < 4 * V * eps + 256 * eps, "else the careful way is asked for nothing"


@pytest.mark.parametrize(("doubt", "seldom"), [(0.0049, True), (0.0051, False)])
def test_it_pays_where_few_draws_fall_beside_a_border(monkeypatch, doubt, seldom):
    """Each of ten tokens takes its borders' doubt on either side: a tenth of all draws is too much."""
    monkeypatch.setattr(quick, "doubt", lambda V, dtype: doubt)
    assert quick.pays(10, np.dtype(float)) is seldom


def test_where_it_does_not_pay_the_careful_way_is_gone(monkeypatch):
    assert quick.pays(65, np.dtype(np.float32))
    assert quick.pays(8000, np.dtype(np.float64))
    assert not quick.pays(8000, np.dtype(np.float32))
    monkeypatch.setattr(quick, "pays", lambda V, dtype: False)
    monkeypatch.setattr(quick, "write", None)
    as_the_careful_way(model(3, 5), np.array([0]), np.full((3, 1), 0.5))


# --- the twins


def one_token_on(params, first, uniforms, h0=None, **options):
    found = sample(params, first, uniforms, h0, **options)
    return found._replace(tokens=(found.tokens + 1) % found.p.shape[-1])


def without_temperature(params, first, uniforms, h0=None, *, temperature=1.0, **options):
    return sample(params, first, uniforms, h0, **options)


def probabilities_of_another_step(params, first, uniforms, h0=None, **options):
    found = sample(params, first, uniforms, h0, **options)
    return found._replace(p=np.roll(found.p, 1, axis=0))


@pytest.mark.parametrize("wrong", [one_token_on, without_temperature, probabilities_of_another_step])
def test_a_wrong_text_is_caught(wrong):
    with pytest.raises(AssertionError):
        as_the_careful_way(model(9, 5), np.array([0]), np.full((9, 1), 0.5), write=wrong, temperature=0.5)


def test_careful_probabilities_are_those_of_the_softmax():
    z = np.random.default_rng(0).standard_normal((4, 5))
    np.testing.assert_allclose(distribution(z), np.exp(z) / np.exp(z).sum(-1, keepdims=True), rtol=1e-14)
