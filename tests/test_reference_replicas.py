"""Many networks at once, in leading axes: each replica is the network that runs alone."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from reference import loop  # noqa: E402 - torch may be missing
from reference.edge import leaf, to_torch  # noqa: E402
from reference.loop import run_rnn  # noqa: E402
from reference.many import run_many  # noqa: E402

T, B, I, H, V = 6, 2, 5, 4, 7
FALLBACK = 256 * 2.0**-53
SHAPES = {"W_xh": (H, I), "W_hh": (H, H), "b_h": (H,), "W_hy": (V, H), "b_y": (V,)}
TIMED = ("h", "logits", "dlogits", "dh", "da", "dx")


def stacked(lead, inputs, reduction, bptt, k, *, shared=True):
    """Run all replicas in one graph; return what went in and every array that came out."""
    rng = np.random.default_rng(3)
    params = {name: rng.normal(size=(*lead, *shape)) for name, shape in SHAPES.items()}
    h0 = rng.normal(size=(*lead, B, H))
    time_batch = (T, B) if shared else (T, *lead, B)
    x = rng.normal(size=(T, *lead, B, I)) if inputs == "dense" else rng.integers(-1, I, time_batch)
    y = rng.integers(0, V, time_batch)
    y.flat[0] = loop.IGNORE_INDEX
    dloss = rng.normal(size=(T, B)) if reduction == "none" else None

    leaves = {name: leaf(array, torch.float64) for name, array in params.items()}
    tx = leaf(x, torch.float64) if inputs == "dense" else to_torch(x)
    nodes = loop.forward(leaves, tx, leaf(h0, torch.float64), bptt=bptt, k=k)
    value = loop.loss(nodes.logits, to_torch(y), reduction)
    grads = loop.backward(value, leaves, tx, nodes, None if dloss is None else to_torch(dloss, torch.float64))
    found = {"h": nodes.h, "logits": nodes.logits, "loss": value, **grads}
    return (params, x, y, h0, dloss), {name: tensor.detach().numpy() for name, tensor in found.items()}


def replica(array, at, lead, timed):
    """Take one replica out of an array that may be shared by all."""
    if timed:
        return array[(slice(None), *at)] if array.shape[1 : 1 + len(lead)] == lead else array
    return array[at]


def unlike(lead, inputs, reduction, bptt, k, shared=True, spoil=lambda found: None):
    """Name the arrays in which a replica differs from the same network alone."""
    (params, x, y, h0, dloss), found = stacked(lead, inputs, reduction, bptt, k, shared=shared)
    spoil(found)
    wrong = set()
    for at in np.ndindex(lead):
        alone = run_rnn(
            {name: array[at] for name, array in params.items()},
            replica(x, at, lead, timed=True),
            replica(y, at, lead, timed=True),
            h0[at],
            **{"reduction": reduction, "bptt": bptt, "k": k, "dloss": dloss},
        )
        assert list(alone) == list(found)
        for name, expected in alone.items():
            one = replica(found[name], at, lead, timed=name in TIMED or (name, reduction) == ("loss", "none"))
            assert one.shape == expected.shape
            if not np.abs(one - expected).max() <= FALLBACK * np.abs(expected).max():
                wrong.add(name)
    return wrong


@pytest.mark.parametrize("reduction", ["sum", "mean", "none"])
@pytest.mark.parametrize("inputs", ["ids", "dense"])
@pytest.mark.parametrize(("bptt", "k"), [("full", None), ("windowed", 2), ("chunked", 4)])
@pytest.mark.parametrize("lead", [(3,), (1,), (3, 4)])
def test_a_replica_is_the_network_alone(lead, bptt, k, inputs, reduction):
    assert unlike(lead, inputs, reduction, bptt, k) == set()


@pytest.mark.parametrize("reduction", ["sum", "mean", "none"])
def test_replicas_may_read_different_texts(reduction):
    assert unlike((3,), "ids", reduction, "full", None, shared=False) == set()


@pytest.mark.parametrize("name", ["h", "loss", "dh", "da", "dW_xh", "dh0"])
def test_replicas_that_leak_into_each_other_are_seen(name):
    def leak(found):
        found[name] = found[name] + 1e-9 * found[name].mean()

    assert unlike((3,), "ids", "sum", "full", None, spoil=leak) == {name}


def problems(inputs, reduction, h0, count=3):
    rng = np.random.default_rng(4)
    for _ in range(count):
        yield {
            "params": {name: rng.normal(size=shape) for name, shape in SHAPES.items()},
            "x": rng.normal(size=(T, B, I)) if inputs == "dense" else rng.integers(-1, I, (T, B)),
            "y": rng.integers(0, V, (T, B)),
            "h0": rng.normal(size=(B, H)) if h0 else None,
            "dloss": {"none": rng.normal(size=(T, B)), "sum": np.array(rng.normal()), "mean": None}[reduction],
        }


@pytest.mark.parametrize("h0", [True, False])
@pytest.mark.parametrize("reduction", ["sum", "mean", "none"])
@pytest.mark.parametrize("inputs", ["ids", "dense"])
@pytest.mark.parametrize(("bptt", "k"), [("full", None), ("windowed", 2)])
@pytest.mark.parametrize("count", [1, 2, 6])
def test_many_problems_together_are_each_of_them_alone(count, bptt, k, inputs, reduction, h0):
    given = list(problems(inputs, reduction, h0, count))
    settings = {"reduction": reduction, "bptt": bptt, "k": k}
    together = run_many(given, **settings)
    assert len(together) == count
    for one, problem in zip(together, given, strict=True):
        alone = run_rnn(**problem, **settings)
        assert list(one) == list(alone)
        for name, expected in alone.items():
            assert one[name].shape == expected.shape
            assert np.abs(one[name] - expected).max() <= FALLBACK * np.abs(expected).max(), name
    if count > 1:
        assert (together[0]["h"] != together[1]["h"]).all()


def test_problems_of_different_shapes_are_refused():
    first, second = problems("ids", "sum", True, 2)
    second["h0"] = None
    with pytest.raises(ValueError, match=r"^h0 has shape None beside \(2, 4\) in the first problem: "):
        run_many([first, second])
