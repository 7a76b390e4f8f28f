"""Decoder, step a: the first step whose outputs are wrong, in the hidden layer, the output layer or the loss.

The pre-activation is the inverse of the activation at the state that is shown; which terms it is the sum of is solved
for. So a bias added twice, an input of another step or a matrix on the wrong side is read off, not guessed.
"""

from collections.abc import Iterator

import numpy as np

from rnncheck.diagnosis.formula import SINGLE, distance
from rnncheck.diagnosis.reading import Reading, Relation, read
from rnncheck.diagnosis.table import Table

__all__ = ["read_forward"]

Array = np.ndarray


def read_forward(table: Table) -> Iterator[Reading]:
    """Yield what is wrong with states, logits, loss and the gradients of the logits."""
    for reading in (_states(table), _logits(table), _loss(table), _dlogits(table)):
        if reading is not None:
            yield reading


def _states(t: Table) -> Reading | None:
    if "h" not in t.shown and ("logits" not in t.shown or t.good("logits")):
        return None
    h = t.shown.get("h", t.h)
    right = {"W_xh x_t": 1.0, "W_hh h_{t-1}": 1.0, **({"b_h": 1.0} if "b_h" in t.params else {})}
    terms = _hidden_terms(t)
    f = t.nonlinearity
    whole = f"{f}({' + '.join(right)})"
    a = np.sum([terms[name] for name in right], axis=0)
    expected = np.tanh(a) if f == "tanh" else np.maximum(a, 0)
    if distance(h, expected) <= SINGLE:
        return read(Relation("h", "h_t", h, {whole: 1.0}, {whole: expected}, t.sizes))
    if distance(h, np.broadcast_to(h[:, -1:], h.shape)) == 0.0:
        return Reading("h", "all states are the last one: they share one buffer", "append copies")
    if distance(h[:, -1], h[:, -2]) == 0.0:
        return Reading("h", "the last state that is returned is that of the step before", "return h_T", (t.sizes["T"],))
    for name, a in _preactivations(h):
        left = "a_t" if name == "tanh" else f"h_t = {name}(a_t), a_t"
        found = read(Relation("h", left, a, right, terms, t.sizes, most=4))
        if found is None and name == f:
            return None
        if found is None:
            return Reading("h", f"h_t = {name}(a_t), the pre-activation a_t is right", f"h_t = {f}(a_t)")
        if found.explained:
            return found
    with np.errstate(all="ignore"):
        a = np.arctanh(h)
    return read(Relation("h", "a_t", np.where(np.isfinite(a), a, 0.0), right, terms, t.sizes, most=4))


def _preactivations(h: Array) -> Iterator[tuple[str, Array]]:
    """Yield the activations that can have led to these states, with the pre-activations they would come from."""
    with np.errstate(all="ignore"):
        if np.abs(h).max() < 1:
            yield "tanh", np.arctanh(h)
        if h.min() > 0 and h.max() < 1:
            yield "sigmoid", np.log(h / (1 - h))
        if np.abs(h).max() < 1:
            yield "sin", np.arcsin(h)
            yield "softsign", h / (1 - np.abs(h))
        yield "identity", h


def _hidden_terms(t: Table) -> dict[str, Array]:
    """Return the terms that pre-activations have been seen to be made of."""
    W_xh, W_hh, b_h = t.params["W_xh"], t.params["W_hh"], t.bias("b_h")
    x = W_xh.T[t.x]
    before = t.before
    older = np.concatenate([t.h0[:, None], before[:, :-1]], axis=1)
    first = np.broadcast_to(t.h0[:, None], before.shape)
    return {
        "W_xh x_t": x,
        "W_hh h_{t-1}": before @ W_hh.T,
        "b_h": np.broadcast_to(b_h, x.shape),
        "W_hh^T h_{t-1}": before @ W_hh,
        "W_hh h_{t-2}": older @ W_hh.T,
        "W_hh h_0": first @ W_hh.T,
        "W_hh h_{t-1} of the first sequence": np.broadcast_to(before[:, :, :1] @ W_hh.T, x.shape),
        "h_{t-1}": before,
        "W_xh x_{T+1-t}": x[:, ::-1],
        "W_xh x_{t-1}": np.roll(x, 1, axis=1),
        "W_xh x_{t+1}": np.roll(x, -1, axis=1),
        "W_xh (x_1 + ... + x_t)": x.cumsum(axis=1),
        "W_xh y_t": W_xh.T[t.y],
    }


def _logits(t: Table) -> Reading | None:
    if "logits" not in t.shown or t.good("logits") or "h" not in t.shown:
        return None
    W_hy, b_y = t.params["W_hy"], t.bias("b_y")
    z = t.h @ W_hy.T
    right = {"W_hy h_t": 1.0, **({"b_y": 1.0} if "b_y" in t.params else {})}
    e = np.exp(z + b_y - (z + b_y).max(axis=-1, keepdims=True))
    p = e / e.sum(axis=-1, keepdims=True)
    terms = {
        "W_hy h_t": z,
        "b_y": np.broadcast_to(b_y, z.shape),
        "W_hy h_{t-1}": t.before @ W_hy.T,
        "softmax(W_hy h_t + b_y)": p,
        "log softmax(W_hy h_t + b_y)": np.log(p),
        "W_hy tanh(h_t)": np.tanh(t.h) @ W_hy.T,
    }
    return read(Relation("logits", "logits_t", t.logits, right, terms, t.sizes))


def _loss(t: Table) -> Reading | None:
    if "loss" not in t.shown or t.shown["loss"].ndim != 1:
        return None
    p_y = np.take_along_axis(t.p, t.y[..., None], axis=-1)[..., 0]
    p_y = np.where(t.kept, p_y, 1.0)
    losses = -np.log(p_y)
    terms = {
        "sum_t -log p_t[y_t]": losses.sum(axis=(1, 2)),
        "-log p_T[y_T]": losses[:, -1].sum(axis=-1),
        "sum_t -log p_t[y_t] of the first sequence": losses[:, :, 0].sum(axis=1),
        "sum_t -p_t[y_t]": -p_y.sum(axis=(1, 2)),
        "sum_t |p_t - onehot(y_t)|^2": (t.error**2).sum(axis=(1, 2, 3)),
        "sum_t -onehot(y_t) log p_t - (1 - onehot(y_t)) log(1 - p_t)": (
            losses.sum(axis=(1, 2)) - (np.log(1 - t.p) * (1 - t.one_hot)).sum(axis=(1, 2, 3))
        ),
    }
    guarded = {}
    for digits in (5, 6, 7, 8, 9, 10, 12):
        guarded[f"sum_t -log(p_t[y_t] + 1e-{digits})"] = -np.log(p_y + 10.0**-digits).sum(axis=(1, 2))
    right = {"sum_t -log p_t[y_t]": 1.0}
    loss = t.shown["loss"]
    close = [name for name, term in (terms | guarded).items() if distance(loss, term) <= 1e-13]
    if close and distance(loss, terms["sum_t -log p_t[y_t]"]) > 1e-12:
        return Reading("loss", f"loss = {close[0]}", "loss = sum_t -log p_t[y_t], from the logits")
    return read(Relation("loss", "loss", loss, right, terms, t.sizes, timed=False, most=1))


def _dlogits(t: Table) -> Reading | None:
    error, kept = t.error, t.kept[..., None]
    right = {"(p_t - onehot(y_t))": 1.0}
    e = np.exp(t.logits - t.logits.max(axis=-1, keepdims=True))
    terms = {
        "(p_t - onehot(y_t))": error,
        "p_t": t.p * kept,
        "p_t at every step": t.p,
        "onehot(y_t)": t.one_hot,
        "onehot(y_{t-1})": np.roll(t.one_hot, 1, axis=1),
        "onehot(y_{t+1})": np.roll(t.one_hot, -1, axis=1),
        "onehot(x_t)": np.eye(t.sizes["V"])[t.x],
        "p_t (1 - p_t) (p_t - onehot(y_t))": t.p * (1 - t.p) * error,
        "p_t (p_t - onehot(y_t))": t.p * error,
        "softmax over the batch": kept * e / e.sum(axis=2, keepdims=True),
        "logits_t": t.logits,
        "1": np.ones_like(t.p),
    }
    return read(Relation("dlogits", "dlogits_t", t.dlogits, right, terms, t.sizes))
