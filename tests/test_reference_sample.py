"""Sampling against its definition, token by token, and against `np.random.choice`."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from numpy_impl.model import forward  # noqa: E402 - torch may be missing
from reference import sample  # noqa: E402
from reference.loop import NO_TOKEN  # noqa: E402
from reference.sample import filtered, pick, run_sample  # noqa: E402

H, V, T, B = 5, 7, 12, 3
ROUNDING = 256 * 2.0**-53


def problem(seed=0, **settings):
    rng = np.random.default_rng(seed)
    shapes = {"W_xh": (H, V), "W_hh": (H, H), "b_h": (H,), "W_hy": (V, H), "b_y": (V,)}
    params = {name: rng.normal(size=shape) for name, shape in shapes.items()}
    first = np.array([NO_TOKEN, 0, 3])
    return {"params": params, "first": first, "uniforms": rng.random((T, B)), "h0": rng.normal(size=(B, H)), **settings}


def distribution(logits, temperature=1.0, top_k=None, top_p=None):
    """Take tokens from the likeliest on, one stream, with Python's own sort: at most k, until they hold the mass."""
    p = np.exp((logits - logits.max()) / temperature)
    p /= p.sum()
    ranked = sorted(range(len(p)), key=lambda i: (-logits[i], i))[:top_k]
    enough = (top_p or 2.0) * p[ranked].sum()
    kept, mass = [], 0.0
    while ranked and mass < enough:
        kept.append(ranked.pop(0))
        mass += p[kept[-1]]
    left = np.zeros_like(p)
    left[kept] = p[kept] / p[kept].sum()
    return left


def by_definition(params, first, uniforms, h0=None, *, nonlinearity="tanh", method="draw", stop=None, **filters):
    """Write one stream after the other, one token at a time."""
    tokens, p = np.full((T, B), NO_TOKEN), np.zeros((T, B, V))
    for b in range(B):
        token, h = first[b], None if h0 is None else h0[b : b + 1]
        for t in range(T):
            fwd = forward(params, np.array([[token]]), h, nonlinearity=nonlinearity)
            h, p[t, b] = fwd.h_T, distribution(fwd.logits[0, 0], **filters)
            cumulative = np.cumsum(p[t, b])
            token = int(np.searchsorted(cumulative / cumulative[-1], uniforms[t, b], side="right"))
            if method == "greedy":
                token = int(np.argmax(fwd.logits[0, 0]))
            tokens[t, b] = token
            if token == stop:
                break
    return {"p": p, "tokens": tokens}


def agree(a, b):
    return bool((a["tokens"] == b["tokens"]).all() and np.abs(a["p"] - b["p"]).max() <= ROUNDING)


SETTINGS = [
    {},
    {"temperature": 0.3},
    {"temperature": 3.0},
    {"top_k": 1},
    {"top_k": 3},
    {"top_k": V},
    {"top_p": 0.5},
    {"top_p": 1e-9},
    {"top_p": 1.0},
    {"temperature": 2.0, "top_k": 4, "top_p": 0.7},
    {"method": "greedy"},
    {"method": "greedy", "temperature": 2.0, "top_k": 2},
    {"stop": 2},
    {"stop": 2, "method": "greedy"},
    {"nonlinearity": "relu", "temperature": 2.0},
]


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_sampling_follows_its_definition(seed, settings):
    case = problem(seed, **settings)
    found = run_sample(**case)
    assert list(found) == ["p", "tokens"]
    assert found["tokens"].dtype == np.int64
    assert agree(found, by_definition(**case)), f"seed {seed}"


@pytest.mark.parametrize("settings", [{}, {"stop": 2}])
def test_sampling_without_state_and_biases(settings):
    case = problem(**settings) | {"h0": None}
    case["params"] = {n: a for n, a in case["params"].items() if n.startswith("W")}
    assert agree(run_sample(**case), by_definition(**case))


FAULTS = {
    "another temperature": {"temperature": 1.0},
    "one token more": {"top_k": 4},
    "less mass": {"top_p": 0.6},
    "no filter": {"top_k": None, "top_p": None},
    "greedy": {"method": "greedy"},
    "state forgotten": {"h0": None},
    "no token read as token 0": {"first": np.array([0, 0, 3])},
    "another stop": {"stop": 1},
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_seen(fault):
    case = problem(temperature=2.0, top_k=3, top_p=0.85)
    assert agree(run_sample(**case), by_definition(**case))
    assert not agree(run_sample(**case | FAULTS[fault]), by_definition(**case))


def test_a_draw_from_the_wrong_side_is_seen(monkeypatch):
    case = problem()
    monkeypatch.setattr(sample, "pick", lambda p, u: pick(p, 1 - u))
    assert not agree(run_sample(**case), by_definition(**case))


def test_a_stopped_stream_stands_still():
    found = run_sample(**problem(stop=2))
    tokens, p = found["tokens"], found["p"]
    stopped = [b for b in range(B) if 2 in tokens[:-1, b]]
    assert stopped, "no stream stopped early: the test says nothing"
    for b in stopped:
        end = list(tokens[:, b]).index(2)
        assert p[end, b].sum() == pytest.approx(1)
        assert (tokens[end + 1 :, b] == NO_TOKEN).all()
        assert not p[end + 1 :, b].any()


def test_of_equal_logits_the_lower_id_is_likelier():
    z = torch.tensor([[1.0, 2.0, 2.0, 2.0, 0.0]])
    assert (filtered(z, top_k=2) > 0).tolist() == [[False, True, True, False, False]]
    assert (filtered(z, top_p=0.3) > 0).tolist() == [[False, True, True, False, False]]
    assert filtered(torch.zeros(1, 4), top_k=2).tolist() == [[0.5, 0.5, 0.0, 0.0]]


def test_top_p_counts_the_mass_that_top_k_has_left():
    z = torch.log(torch.tensor([[0.4, 0.2, 0.2, 0.2]], dtype=torch.float64))
    assert (filtered(z, top_p=0.65) > 0).tolist() == [[True, True, True, False]]
    assert (filtered(z, top_k=3, top_p=0.65) > 0).tolist() == [[True, True, False, False]]


def test_top_p_one_keeps_even_the_unlikeliest():
    z = torch.tensor([[0.0, -30.0, -60.0]], dtype=torch.float64)
    assert (filtered(z, top_p=1.0) > 0).all()
    assert (filtered(z, top_p=0.999) > 0).tolist() == [[True, False, False]]


def test_a_tiny_temperature_is_greedy_and_finite():
    p = filtered(torch.tensor([[-800.0, 900.0, 899.0]], dtype=torch.float64), temperature=1e-300)
    assert p.tolist() == [[0.0, 1.0, 0.0]]


def test_tokens_are_those_of_numpys_choice():
    p = np.array([0.0, 0.2, 0.0, 0.5, 0.3, 0.0])
    drawn = [np.random.RandomState(seed).choice(6, p=p) for seed in range(200)]
    u = np.array([np.random.RandomState(seed).random_sample() for seed in range(200)])
    rows = torch.tensor(p).expand(200, 6)
    assert pick(rows, torch.tensor(u)).tolist() == drawn
    assert pick(rows, torch.tensor(1 - u)).tolist() != drawn
    assert pick(rows[:3], torch.tensor([0.0, 0.2, 1 - 2.0**-53], dtype=torch.float64)).tolist() == [1, 3, 4]


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"temperature": 0.0}, "temperature is 0.0, and must be positive; for the most likely token use greedy"),
        ({"top_k": 0}, "top_k is 0, and must lie in 1..7; None keeps all tokens"),
        ({"top_p": 1.5}, r"top_p is 1.5, and must lie in \(0, 1\]; None keeps all tokens"),
        ({"stop": 7}, "stop is 7, and must be a token id from 0 to 6; None lets the streams go on"),
        ({"method": "beam"}, r"method 'beam' \(draw, greedy\)"),
        ({"uniforms": np.ones((T, B))}, r"uniforms hold a number outside \[0, 1\); draw them with rng.random"),
        ({"uniforms": np.zeros((T, B + 1))}, r"first has shape \(3,\), uniforms \(12, 4\): expected \(B,\) and"),
        ({"first": np.array([0, 1, -2])}, "first holds the id -2: ids run from 0 to 6, besides only -1"),
        ({"h0": np.zeros((1, H))}, r"h0 has shape \(1, 5\), expected \(B, H\) = \(3, 5\)"),
    ],
)
def test_senseless_settings_are_refused(settings, sentence):
    with pytest.raises(ValueError, match=sentence):
        run_sample(**problem() | settings)
