from __future__ import annotations
from dataclasses import dataclass, field
import numpy as np
import numpy.typing as npt
Array = npt.NDArray[np.float64]

@dataclass
class Params:
    w_in: Array
    w_rec: Array
    w_out: Array
    b_rec: Array
    b_out: Array
    @classmethod
    def init(cls, n_in: int, n_hidden: int, n_out: int, rng: np.random.Generator) -> Params:
        return cls(rng.normal(size=(n_in, n_hidden)) * 0.1, rng.normal(size=(n_hidden, n_hidden)) * 0.1, rng.normal(size=(n_hidden, n_out)) * 0.1, np.zeros(n_hidden), np.zeros(n_out))

def forward(p: Params, x: Array) -> tuple[Array, Array]:
    b, t, _ = x.shape
    h = np.zeros((b, t + 1, p.w_rec.shape[0]))
    for i in range(t):
        h[:, i + 1] = np.tanh(np.einsum("bi,ih->bh", x[:, i], p.w_in) + np.einsum("bh,hk->bk", h[:, i], p.w_rec) + p.b_rec)
    z = np.einsum("bth,ho->bto", h[:, 1:], p.w_out) + p.b_out
    z -= z.max(axis=-1, keepdims=True)
    e = np.exp(z)
    return h, e / e.sum(axis=-1, keepdims=True)

def loss_and_grads(p: Params, x: Array, y: npt.NDArray[np.int64]) -> tuple[float, Params]:
    h, prob = forward(p, x)
    b, t, _ = x.shape
    idx = (np.arange(b)[:, None], np.arange(t)[None, :], y)
    loss = -np.log(prob[idx]).mean()
    d = prob.copy()
    d[idx] -= 1
    d /= b * t
    g = Params(*(np.zeros_like(v) for v in (p.w_in, p.w_rec, p.w_out, p.b_rec, p.b_out)))
    g.w_out = np.einsum("bth,bto->ho", h[:, 1:], d)
    g.b_out = d.sum(axis=(0, 1))
    carry = np.zeros_like(h[:, 0])
    for i in reversed(range(t)):
        da = (d[:, i] @ p.w_out.T + carry) * (1 - h[:, i + 1] ** 2)
        g.w_in += np.einsum("bi,bh->ih", x[:, i], da)
        g.w_rec += np.einsum("bh,bk->hk", h[:, i], da)
        g.b_rec += da.sum(axis=0)
        carry = da @ p.w_rec.T
    return float(loss), g
