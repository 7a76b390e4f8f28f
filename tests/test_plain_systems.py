"""The three systems once more, as plainly as their articles have them: an independent program to hold ours against.

Column vectors, one step at a time, every window of truncated BPTT recomputed by its definition. `fault` plants a
mistake that people make, and the comparison must catch it.
"""

from collections.abc import Iterator

import numpy as np
import pytest

from numpy_impl.run import start
from numpy_impl.train import Record, train

from small_runs import FOUR_CHUNKS, dataset, records, small

DRIFT = 1e-10
"""Relative difference of two programs that sum in different orders, after dozens of steps (2e-14 was seen)."""

Weights = dict[str, np.ndarray]


def pass_over(p: Weights, xs: list[int], ys: list[int], h0: np.ndarray, k: int) -> tuple[float, Weights, np.ndarray]:
    """Return the summed loss, the gradients of BPTT k steps back from every step, and the last state."""
    columns = [np.zeros((p["W_xh"].shape[1], 1)) for _ in xs]
    for column, x in zip(columns, xs, strict=True):
        if x >= 0:
            column[x] = 1
    b_h, b_y = (p[name][:, None] if name in p else 0.0 for name in ("b_h", "b_y"))
    h, out = [h0], []
    for column in columns:
        h.append(np.tanh(p["W_xh"] @ column + p["W_hh"] @ h[-1] + b_h))
        z = np.exp(p["W_hy"] @ h[-1] + b_y)
        out.append(z / z.sum())
    d = {name: np.zeros_like(w) for name, w in p.items()}
    for t, y in enumerate(ys):
        dz = out[t].copy()
        dz[y] -= 1
        d["W_hy"] += dz @ h[t + 1].T
        da = (p["W_hy"].T @ dz) * (1 - h[t + 1] ** 2)
        if "b_y" in p:
            d["b_y"] += dz[:, 0]
        for s in range(t, max(0, t - k) - 1, -1):
            d["W_xh"] += da @ columns[s].T
            d["W_hh"] += da @ h[s].T
            if "b_h" in p:
                d["b_h"] += da[:, 0]
            da = (p["W_hh"].T @ da) * (1 - h[s] ** 2)
    return -sum(float(np.log(out[t][y, 0])) for t, y in enumerate(ys)), d, h[-1]


def names(p: Weights, examples: list[tuple[list[int], list[int]]], fault: str = "") -> Iterator[tuple[float, ...]]:
    """Yield the loss of every step, for ever."""
    v = {name: np.zeros_like(w) for name, w in p.items()}
    step = 0
    while True:
        xs, ys = examples[step % len(examples)]
        loss, d, _ = pass_over(p, xs, ys, np.zeros((len(p["W_hh"]), 1)), k=len(xs))
        yield (loss,)
        for name in p:
            g = d[name] if fault == "no clipping" else np.clip(d[name], -1, 1)
            v[name] = g if step == 0 and fault == "torch's first step" else 0.9 * v[name] + 0.1 * g
            p[name] = p[name] - 0.01 * v[name]
        step += 1


def sentences(
    p: Weights, examples: list[tuple[list[int], list[int]]], lr: float, fault: str = ""
) -> Iterator[tuple[float, ...]]:
    """Yield the mean loss of every step, with lr and the loss of the set as they were before it."""
    zero = np.zeros((len(p["W_hh"]), 1))
    previous = np.inf
    while True:
        means = [pass_over(p, xs, ys, zero, k=0)[0] / len(xs) for xs, ys in examples]
        set_loss = float(np.mean(means))
        lr = lr / 2 if set_loss > previous else lr
        previous = set_loss
        for xs, ys in examples:
            loss, d, _ = pass_over(p, xs, ys, zero, k=len(xs) if fault == "full BPTT" else 4)
            yield loss / len(xs), lr, set_loss
            scale = 1 / len(xs) if fault == "gradient of the mean" else 1.0
            for name in p:
                p[name] = p[name] - lr * scale * d[name]


def chars(p: Weights, ids: list[int], fault: str = "") -> Iterator[tuple[float, ...]]:
    """Yield loss and smoothed loss of every chunk, pass after pass."""
    memory = {name: np.zeros_like(w) for name, w in p.items()}
    smoothed = 25 * np.log(len(p["W_hy"]))
    h = np.zeros((len(p["W_hh"]), 1))
    while True:
        if fault != "no reset":
            h = np.zeros_like(h)
        for k in range((len(ids) - 1) // 25):
            xs, ys = ids[25 * k : 25 * k + 25], ids[25 * k + 1 : 25 * k + 26]
            loss, d, h = pass_over(p, xs, ys, np.zeros_like(h) if fault == "no carry" else h, k=25)
            smoothed = 0.999 * smoothed + 0.001 * loss
            yield loss, smoothed
            for name in p:
                g = np.clip(d[name], -5, 5)
                memory[name] += g * g
                root = np.sqrt(memory[name]) + 1e-8 if fault == "epsilon outside" else np.sqrt(memory[name] + 1e-8)
                p[name] = p[name] - 0.1 * g / root


def plain(name: str, fault: str = "", **changes: float) -> Iterator[tuple[float, ...]]:
    data = dataset(name)
    run = start(small(name), data, seed=3)
    p = {key: array.copy() for key, array in run.params.items()}
    order = range(len(data)) if run.order is None else run.order
    examples = [(data.inputs[i].tolist(), data.targets[i].tolist()) for i in order]
    if name == "chars":
        return chars(p, data.vocabulary.encode(FOUR_CHUNKS).tolist(), fault)
    return {"names": names, "sentences": sentences}[name](p, examples, fault=fault, **changes)


def told(record: Record, name: str, set_loss: float) -> tuple[float, ...]:
    if name == "sentences":
        return record.loss, record.lr, set_loss
    return (record.loss, record.smoothed)[: 2 if name == "chars" else 1]


def differences(name: str, steps: int, fault: str = "", **changes: float) -> np.ndarray:
    """Return the largest relative difference of every step, ours against the plain program."""
    found, set_loss = [], np.nan
    for ours, theirs in zip(records(name, steps, **changes)[1], plain(name, fault, **changes), strict=False):
        set_loss = set_loss if ours.set_loss is None else ours.set_loss
        a, b = np.array(told(ours, name, set_loss)), np.array(theirs)
        found.append(float((np.abs(a - b) / np.abs(b)).max()))
    assert len(found) == steps
    return np.array(found)


SYSTEMS = [("names", {}), ("sentences", {"lr": 0.005}), ("sentences", {"lr": 0.4}), ("chars", {})]


@pytest.mark.parametrize(("name", "changes"), SYSTEMS)
def test_training_follows_the_plain_program(name: str, changes: dict[str, float]) -> None:
    assert differences(name, 17, **changes).max() < DRIFT  # more than two passes over each data set


@pytest.mark.parametrize(
    ("name", "fault", "shows_at"),
    [
        ("names", "torch's first step", 1),
        ("names", "no clipping", 1),
        ("sentences", "full BPTT", 2),
        ("sentences", "gradient of the mean", 1),
        ("chars", "no carry", 1),
        ("chars", "no reset", 4),
        ("chars", "epsilon outside", 1),
    ],
)
def test_a_planted_fault_is_caught(name: str, fault: str, shows_at: int) -> None:
    found = differences(name, 10, fault, **({"lr": 0.4} if name == "sentences" else {}))
    assert found[:shows_at].max() < DRIFT
    assert found[shows_at] > 100 * DRIFT


@pytest.mark.parametrize(("reduction", "report"), [("sum", "mean"), ("mean", "mean"), ("sum", "sum"), ("mean", "sum")])
def test_the_reported_loss_and_the_differentiated_one_are_chosen_apart(reduction: str, report: str) -> None:
    data = dataset("sentences")
    run = start(small("sentences", reduction=reduction, report=report), data, seed=3)
    weights = run.params.copy()
    first = next(train(run, data, 1))
    T = len(data.targets[0])
    loss, d, _ = pass_over(dict(weights), data.inputs[0].tolist(), data.targets[0].tolist(), np.zeros((12, 1)), 4)
    assert first.loss == pytest.approx(loss / T if report == "mean" else loss, rel=DRIFT)
    step = (weights["W_hh"] - run.params["W_hh"]) / first.lr
    np.testing.assert_allclose(step, d["W_hh"] / (T if reduction == "mean" else 1), rtol=0, atol=DRIFT)
