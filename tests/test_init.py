"""Initial weights: the draws and their order, the distributions, the seeds."""

import numpy as np
import pytest

from numpy_impl.init import SCHEMES, init_params

I, H, V = 7, 5, 6
GENERATORS = {"Generator": np.random.default_rng, "RandomState": np.random.RandomState}
GAUSSIAN, UNIFORM = (3, 105), (9 / 5, 9)  # fourth and eighth moment at variance 1
SIX_SIGMA = 6.0
ROUNDING_PER_TERM = 8 * np.finfo(float).eps  # of Q^T Q, per term of its sums


def drawn_by_hand(scheme, rng):
    """Draw what three-line programs draw, in their order."""
    if scheme == "names":
        W_hy, W_xh, W_hh = (rng.standard_normal(s) / np.sqrt(H) for s in ((V, H), (H, I), (H, H)))
    elif scheme == "chars":
        W_xh, W_hh, W_hy = (0.01 * rng.standard_normal(s) for s in ((H, I), (H, H), (V, H)))
    else:
        a, b = 1 / np.sqrt(I), 1 / np.sqrt(H)
        W_xh, W_hh, W_hy = rng.uniform(-a, a, (H, I)), rng.uniform(-b, b, (H, H)), rng.uniform(-b, b, (V, H))
    return {"W_xh": W_xh, "W_hh": W_hh, "W_hy": W_hy}


def assert_drawn_as_published(scheme, params, rng):
    for name, expected in drawn_by_hand(scheme, rng).items():
        np.testing.assert_array_equal(params[name], expected, err_msg=name)


@pytest.mark.parametrize("scheme", ["names", "sentences", "uniform", "chars"])
@pytest.mark.parametrize("make", GENERATORS)
def test_the_draws_and_their_order_are_those_of_the_published_programs(make, scheme):
    params = init_params(scheme, I, H, V, GENERATORS[make](1))
    assert_drawn_as_published(scheme, params, GENERATORS[make](1))


@pytest.mark.parametrize("scheme", ["names", "uniform", "chars"])
def test_another_order_of_draws_would_be_noticed(scheme, monkeypatch):
    monkeypatch.setitem(SCHEMES, scheme, dict(reversed(SCHEMES[scheme].items())))
    params = init_params(scheme, I, H, V, np.random.RandomState(1))
    with pytest.raises(AssertionError):
        assert_drawn_as_published(scheme, params, np.random.RandomState(1))


def test_the_legacy_stream_is_the_one_that_numpy_has_always_drawn():
    """The first three numbers of randn after seed(1), as printed in countless notebooks."""
    first = init_params("names", I, H, V, np.random.RandomState(1))["W_hy"][0, :3] * np.sqrt(H)
    np.testing.assert_allclose(first, [1.62434536, -0.61175641, -0.52817175], rtol=0, atol=5.1e-9)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("make", GENERATORS)
def test_a_seed_gives_one_network_and_another_seed_another(make, scheme):
    one, again, other = (init_params(scheme, I, H, V, GENERATORS[make](seed)) for seed in (3, 3, 4))
    np.testing.assert_array_equal(one.flat, again.flat)
    assert not np.array_equal(one["W_hh"], other["W_hh"])


@pytest.mark.parametrize("scheme", SCHEMES)
def test_names_shapes_and_biases(scheme):
    params = init_params(scheme, I, H, V, np.random.default_rng(0))
    shapes = {"W_xh": (H, I), "W_hh": (H, H), "b_h": (H,), "W_hy": (V, H), "b_y": (V,)}
    assert [(name, a.shape) for name, a in params.items()] == list(shapes.items())
    assert not params["b_h"].any()
    assert not params["b_y"].any()
    assert list(init_params(scheme, I, H, V, np.random.default_rng(0), biases=False)) == ["W_xh", "W_hh", "W_hy"]


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("dtype", [np.float32, np.longdouble])
def test_every_dtype_holds_the_same_network(dtype, scheme):
    params = init_params(scheme, I, H, V, np.random.default_rng(5), dtype=dtype)
    in_float64 = init_params(scheme, I, H, V, np.random.default_rng(5))
    assert params.flat.dtype == dtype
    np.testing.assert_array_equal(params.flat, in_float64.flat.astype(dtype))


def assert_has_spread(weights, std, moments):
    """Compare mean, variance and fourth moment with theory, within six standard errors of so many draws."""
    x, n = weights.ravel() / std, weights.size
    error = SIX_SIGMA / np.sqrt(n)
    fourth, eighth = moments
    assert abs(x.mean()) < error
    assert abs((x**2).mean() - 1) < error * np.sqrt(fourth - 1)
    assert abs((x**4).mean() - fourth) < error * np.sqrt(eighth - fourth**2)


@pytest.mark.parametrize(
    ("scheme", "stds", "moments"),
    [
        ("names", {"W_xh": 80**-0.5, "W_hh": 80**-0.5, "W_hy": 80**-0.5}, GAUSSIAN),
        ("chars", {"W_xh": 0.01, "W_hh": 0.01, "W_hy": 0.01}, GAUSSIAN),
        ("uniform", {"W_xh": 300**-0.5, "W_hh": 240**-0.5, "W_hy": 240**-0.5}, UNIFORM),
        ("orthogonal", {"W_xh": 300**-0.5, "W_hy": 240**-0.5}, UNIFORM),
    ],
)
def test_the_spread_is_that_of_the_source(scheme, stds, moments):
    params = init_params(scheme, 100, 80, 90, np.random.default_rng(2))
    for name, std in stds.items():
        assert_has_spread(params[name], std, moments)
        other = UNIFORM if moments is GAUSSIAN else GAUSSIAN
        for wrong_std, wrong_moments in ((std * 0.9, moments), (std * 1.1, moments), (std, other)):
            with pytest.raises(AssertionError):
                assert_has_spread(params[name], wrong_std, wrong_moments)


def test_an_orthogonal_W_hh_keeps_every_length():
    W_hh = init_params("orthogonal", I, 40, V, np.random.default_rng(3))["W_hh"]
    np.testing.assert_allclose(W_hh.T @ W_hh, np.eye(40), rtol=0, atol=40 * ROUNDING_PER_TERM)


def assert_no_preferred_direction(matrices):
    """The mean of an orthogonal matrix drawn uniformly is zero; each element has variance 1/H."""
    n, H = len(matrices), matrices[0].shape[0]
    assert np.abs(np.mean(matrices, axis=0)).max() < SIX_SIGMA / np.sqrt(n * H)


@pytest.mark.parametrize("size", [1, 3])
def test_orthogonal_matrices_prefer_no_direction(size):
    rng = np.random.default_rng(4)
    assert_no_preferred_direction([init_params("orthogonal", 2, size, 2, rng)["W_hh"] for _ in range(400)])


@pytest.mark.parametrize("size", [1, 3])
def test_qr_without_the_signs_would_be_noticed(size):
    rng = np.random.default_rng(4)
    with pytest.raises(AssertionError):
        assert_no_preferred_direction([np.linalg.qr(rng.standard_normal((size, size)))[0] for _ in range(400)])


@pytest.mark.usefixtures("shapes_unchecked")
@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        (
            {"scheme": "xavier"},
            ValueError,
            "scheme is 'xavier', expected one of names, sentences, uniform, chars, orthogonal",
        ),
        ({"H": 0}, ValueError, "H is 0: the sizes I, H and V are whole numbers from 1 on"),
        ({"V": 2.5}, ValueError, "V is 2.5: the sizes I, H and V are whole numbers from 1 on"),
        (
            {"rng": 1},
            TypeError,
            "rng is 1: give a generator, np.random.default_rng(seed) or np.random.RandomState(seed)",
        ),
        ({"I": True}, ValueError, "I is True: the sizes I, H and V are whole numbers from 1 on"),
        (
            {"dtype": np.int64},
            TypeError,
            "dtype is int64: weights are floating; give np.float64, np.float32 or np.longdouble",
        ),
        (
            {"dtype": np.float16},
            TypeError,
            "dtype is float16: weights are floating; give np.float64, np.float32 or np.longdouble",
        ),
    ],
)
def test_wrong_arguments_are_refused_in_one_sentence(wrong, error, message):
    arguments = {"scheme": "chars", "I": I, "H": H, "V": V, "rng": np.random.default_rng(0)} | wrong
    with pytest.raises(error) as caught:
        init_params(**arguments)
    assert str(caught.value) == message
