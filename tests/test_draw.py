"""From logits to a token: distributions computed by hand, the draw of np.random.choice."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from numpy_impl.draw import distribution, draw

PROPERTY = settings(max_examples=60)
EPS = float(np.finfo(float).eps)
A_FEW_ROUNDINGS = 16 * EPS
DTYPES = [np.float32, np.float64, np.longdouble]
logits = arrays(np.float64, st.tuples(st.integers(1, 3), st.integers(1, 9)), elements=st.floats(-30, 30))

# p = 1/2 1/4 1/8 1/8, in an order in which position and rank differ; the last two are equally likely
Z = np.log([[0.125, 0.5, 0.125, 0.25]])
BY_HAND = {
    "softmax": ({}, [1 / 8, 1 / 2, 1 / 8, 1 / 4]),
    "temperature 1/2 squares": ({"temperature": 0.5}, [1 / 22, 16 / 22, 1 / 22, 4 / 22]),
    "temperature 2 takes roots": (
        {"temperature": 2.0},
        np.sqrt([1 / 8, 1 / 2, 1 / 8, 1 / 4]) / (0.5**0.5 + 0.5 + 2 * 0.125**0.5),
    ),
    "top-k 1": ({"top_k": 1}, [0, 1, 0, 0]),
    "top-k 2": ({"top_k": 2}, [0, 2 / 3, 0, 1 / 3]),
    "top-k 3: the lower of two equal ids": ({"top_k": 3}, [1 / 7, 4 / 7, 0, 2 / 7]),
    "top-k 4 is all": ({"top_k": 4}, [1 / 8, 1 / 2, 1 / 8, 1 / 4]),
    "top-p 0.4: always one": ({"top_p": 0.4}, [0, 1, 0, 0]),
    "top-p 0.6": ({"top_p": 0.6}, [0, 2 / 3, 0, 1 / 3]),
    "top-p 0.8: the lower of two equal ids": ({"top_p": 0.8}, [1 / 7, 4 / 7, 0, 2 / 7]),
    "top-p 0.9": ({"top_p": 0.9}, [1 / 8, 1 / 2, 1 / 8, 1 / 4]),
    "top-p 1 is all": ({"top_p": 1.0}, [1 / 8, 1 / 2, 1 / 8, 1 / 4]),
    "top-p counts what top-k has left: 2/3 of it is enough": ({"top_k": 2, "top_p": 0.6}, [0, 1, 0, 0]),
    "top-p counts what top-k has left: 2/3 is not enough": ({"top_k": 2, "top_p": 0.7}, [0, 2 / 3, 0, 1 / 3]),
    "top-k and top-p after the temperature": ({"temperature": 0.5, "top_p": 0.7}, [0, 1, 0, 0]),
}


def assert_distributions(of):
    for name, (settings_, expected) in BY_HAND.items():
        p = of(Z.copy(), **settings_)
        np.testing.assert_allclose(p, [expected], rtol=A_FEW_ROUNDINGS, err_msg=name)


def test_distributions_match_hand_computed_values():
    assert_distributions(distribution)


def without_renormalising(z, temperature=1.0, top_k=None, top_p=None):
    kept = distribution(z, temperature, top_k, top_p) > 0
    return np.where(kept, distribution(z, temperature), 0)


def top_p_before_top_k(z, temperature=1.0, top_k=None, top_p=None):
    return distribution(np.where(distribution(z, temperature, None, top_p) > 0, z, -np.inf), temperature, top_k)


def higher_id_of_a_tie(z, temperature=1.0, top_k=None, top_p=None):
    return distribution(z[:, ::-1], temperature, top_k, top_p)[:, ::-1]


def always_two(z, temperature=1.0, top_k=None, top_p=None):
    return distribution(z, temperature, top_k, None if top_p is None else max(top_p, 0.6))


FAULTY = {
    "temperature ignored": lambda z, temperature=1.0, top_k=None, top_p=None: distribution(z, 1.0, top_k, top_p),
    "temperature multiplies": lambda z, temperature=1.0, top_k=None, top_p=None: distribution(
        z, 1 / temperature, top_k, top_p
    ),
    "top-k ignored": lambda z, temperature=1.0, top_k=None, top_p=None: distribution(z, temperature, None, top_p),
    "top-p ignored": lambda z, temperature=1.0, top_k=None, top_p=None: distribution(z, temperature, top_k),
    "temperature after the filters": lambda z, temperature=1.0, top_k=None, top_p=None: distribution(
        np.where(distribution(z, 1.0, top_k, top_p) > 0, z, -np.inf), temperature
    ),
    "not renormalised": without_renormalising,
    "top-p before top-k": top_p_before_top_k,
    "the higher id of a tie": higher_id_of_a_tie,
    "one token too many": always_two,
}


@pytest.mark.parametrize("fault", FAULTY)
def test_the_values_catch_a_faulty_distribution(fault):
    with pytest.raises(AssertionError):
        assert_distributions(FAULTY[fault])


@PROPERTY
@given(logits, st.floats(0.05, 20), st.data())
def test_filters_keep_the_likeliest_and_the_ratios_between_them(z, temperature, data):
    V = z.shape[1]
    top_k = data.draw(st.none() | st.integers(1, V))
    top_p = data.draw(st.none() | st.floats(0.01, 1))
    before = z.copy()
    p, full = distribution(z, temperature, top_k, top_p), distribution(z, temperature)
    np.testing.assert_array_equal(z, before)
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=A_FEW_ROUNDINGS)
    for b in range(len(z)):
        kept = p[b] > 0
        assert kept.any()
        assert kept.sum() <= (top_k or V)
        if not kept.all():
            assert z[b, kept].min() >= z[b, ~kept & (full[b] > 0)].max(initial=-np.inf)
        np.testing.assert_allclose(p[b, kept] * full[b, kept].sum(), full[b, kept], rtol=A_FEW_ROUNDINGS)


def test_among_many_equal_logits_the_lower_ids_stay():
    """So many, of two kinds, that a sort which is not stable shuffles them."""
    likely = np.random.default_rng(0).random(500) < 0.4
    kept = likely & (likely.cumsum() <= 60)
    z = np.where(likely, 1.0, 0.0)[None]
    mass = softmax_of_two_kinds(likely)
    for filters in ({"top_k": 60}, {"top_p": 59.5 * mass}):
        np.testing.assert_array_equal(distribution(z, **filters) > 0, [kept])


def softmax_of_two_kinds(likely):
    """Return the probability of each likely token, with logit 1 among the 0 of the others."""
    return math.e / (math.e * likely.sum() + (~likely).sum())


def test_top_p_stops_at_exactly_that_much_mass():
    """The smallest set with a mass of at least one half is two of four equal tokens, not three."""
    np.testing.assert_array_equal(distribution(np.zeros((1, 4)), top_p=0.5), [[0.5, 0.5, 0, 0]])


def test_top_p_1_keeps_tokens_that_rounding_loses_from_the_sum():
    p = distribution(np.array([[0.0, -40.0]]), top_p=1.0)
    assert p[0, 0] + p[0, 1] == 1
    assert p[0, 1] == pytest.approx(math.exp(-40), rel=A_FEW_ROUNDINGS, abs=0)


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_dtype_stays(dtype):
    p = distribution(Z.astype(dtype), np.float64(0.7), 3, np.float64(0.9))
    assert p.dtype == dtype
    assert draw(p, np.array([0.5])).dtype == np.int64


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_near_temperature_zero_only_the_largest_is_left_and_nothing_overflows(dtype):
    p = distribution(np.array([[-900.0, 3.0, 900.0, 1.0]], dtype), float(np.finfo(dtype).tiny))
    np.testing.assert_array_equal(p, [[0, 0, 1, 0]])


@pytest.mark.parametrize("shift", [-900.0, 900.0])
def test_a_large_shift_of_all_logits_changes_nothing(shift):
    z = np.array([[0.0, 1.0, 2.0]])
    np.testing.assert_array_equal(distribution(z + shift), distribution(z))


@pytest.mark.parametrize(
    ("row", "shown"), [([0.0, math.nan], "nan"), ([0.0, math.inf], "inf"), ([-math.inf, -math.inf], "-inf")]
)
def test_logits_that_leave_nothing_to_draw_from_are_refused(row, shown):
    with pytest.raises(ValueError, match=rf"^the largest logit of stream 1 is {shown}: the weights have diverged"):
        distribution(np.array([[0.0, 1.0], row]))


def assert_draws_as_choice(draw_):
    """Draw what np.random.choice draws from the same stream, which takes one uniform number for each token."""
    for seed in range(40):
        p = np.random.default_rng(seed).dirichlet(np.full(12, 0.3), size=3)
        legacy, ours = np.random.RandomState(seed), np.random.RandomState(seed)
        expected = [[legacy.choice(12, p=row) for row in p] for _ in range(5)]
        np.testing.assert_array_equal([draw_(p, ours.random_sample(3)) for _ in range(5)], expected)


def test_a_draw_is_that_of_np_random_choice():
    assert_draws_as_choice(draw)


@pytest.mark.parametrize(
    "faulty",
    [
        lambda p, u: draw(p, 1 - u),
        lambda p, u: draw(p, u**1.1),
        lambda p, u: np.maximum(draw(p, u) - 1, 0),
        lambda p, u: draw(p[:1].repeat(len(p), 0), u),
        lambda p, u: p.argmax(axis=-1),
    ],
    ids=["from above", "skewed", "off by one", "streams mixed", "greedy"],
)
def test_the_comparison_with_choice_catches_a_faulty_draw(faulty):
    with pytest.raises(AssertionError):
        assert_draws_as_choice(faulty)


def test_a_uniform_number_on_a_step_of_the_cdf_belongs_to_the_next_token():
    p = np.array([[0.25, 0.0, 0.25, 0.5]]).repeat(5, axis=0)
    u = np.array([0.0, 0.25, 0.5, np.nextafter(0.5, 0), np.nextafter(1, 0)])
    np.testing.assert_array_equal(draw(p, u), [0, 2, 3, 2, 3])


def test_probabilities_that_sum_to_less_than_1_by_rounding_leave_no_gap_at_the_end():
    p = np.full((1, 10), 0.1)
    below_1 = np.nextafter(1, 0)
    assert p[0].cumsum()[-1] == below_1
    np.testing.assert_array_equal(draw(p, np.array([below_1])), [9])


@pytest.mark.parametrize("u", [0.0, 0.5, np.nextafter(1, 0)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_token_without_probability_is_never_drawn(dtype, u):
    p = np.array([[0.0, 0.1, 0.0, 0.3, 0.6, 0.0]], dtype)
    assert p[0, draw(p, np.array([u]))[0]] > 0
