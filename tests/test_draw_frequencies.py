"""How often each token is drawn, against the exact distribution."""

import math

import numpy as np
import pytest

from numpy_impl.draw import distribution, draw

RARE = 1e-9  # how often a G-test may fail a correct draw


def g_test(counts, p):
    """Return how probable it is that draws from `p` deviate at least so much (P. Hoel, 1954; chi-squared tail).

    For an even number of degrees of freedom 2m the tail is exp(-x/2) sum_{i<m} (x/2)^i / i!, without a table.
    """
    assert not counts[p == 0].any(), "a token without probability was drawn"
    seen, expected = counts[p > 0], counts.sum() * p[p > 0]
    half_g = math.fsum(o * math.log(o / e) for o, e in zip(seen, expected, strict=True) if o)
    m, odd = divmod(len(seen) - 1, 2)
    assert not odd, "choose an odd number of tokens"
    return math.exp(-half_g) * math.fsum(half_g**i / math.factorial(i) for i in range(m))


FREQUENCY_CASES = {
    "softmax": ({}, [0.1, 0.2, 0.05, 0.3, 0.25, 0.08, 0.02]),
    "temperature": ({"temperature": 0.5}, [0.1, 0.2, 0.05, 0.3, 0.25, 0.08, 0.02]),
    "top-k 5": ({"top_k": 5}, [0.1, 0.2, 0.05, 0.3, 0.25, 0.08, 0.02]),
    "top-p 0.6, three left": ({"top_p": 0.6}, [0.1, 0.2, 0.05, 0.3, 0.25, 0.08, 0.02]),
}


def exact(p, temperature=1.0, top_k=None, top_p=None):
    """Compute the distribution with a loop over tokens, the way it is explained on a blackboard."""
    weights = [x ** (1 / temperature) for x in p]
    by_rank = sorted(range(len(p)), key=lambda i: -weights[i])
    kept = by_rank[: top_k or len(p)]
    if top_p is not None:
        total, mass, n = sum(weights[i] for i in kept), 0.0, 0
        while mass < top_p * total:
            mass += weights[kept[n]]
            n += 1
        kept = kept[:n]
    total = sum(weights[i] for i in kept)
    return np.array([weights[i] / total if i in kept else 0.0 for i in range(len(p))])


def counted(settings_, p, draw_, n=20_000):
    z = np.log(np.array(p))[None].repeat(n, axis=0)
    tokens = draw_(distribution(z, **settings_), np.random.default_rng(11).random(n))
    return np.bincount(tokens, minlength=len(p))


@pytest.mark.parametrize("name", FREQUENCY_CASES)
def test_frequencies_are_those_of_the_exact_distribution(name):
    settings_, p = FREQUENCY_CASES[name]
    assert g_test(counted(settings_, p, draw), exact(p, **settings_)) > RARE


@pytest.mark.parametrize("name", FREQUENCY_CASES)
def test_the_g_test_catches_a_skewed_draw(name):
    settings_, p = FREQUENCY_CASES[name]
    assert g_test(counted(settings_, p, lambda p, u: draw(p, u**1.1)), exact(p, **settings_)) < RARE


@pytest.mark.parametrize("name", [name for name in FREQUENCY_CASES if name != "softmax"])
def test_the_g_test_catches_settings_that_are_ignored(name):
    settings_, p = FREQUENCY_CASES[name]
    counts = counted({}, p, draw)
    if "temperature" in settings_:
        assert g_test(counts, exact(p, **settings_)) < RARE
    else:
        with pytest.raises(AssertionError, match="without probability"):
            g_test(counts, exact(p, **settings_))
