"""A recurrent network by hand, forward and back through time.

    a_t = W_xh x_t + b_h + W_hh h_{t-1}      h_t = tanh(a_t)      logits_t = W_hy h_t + b_y

Inputs x and targets y are token ids of shape (T, B): T time steps of B sequences. The loss is the cross-entropy,
summed over all of them. Steps count from 0; `h[t]` is the state before step t and `h[t + 1]` the one after it.
"""

import numpy as np

NO_TOKEN = -1
"""The input that is no token: a vector of zeros."""


class MyRNN:
    """I input tokens, H hidden units, V output tokens."""

    def __init__(self, I: int, H: int, V: int, seed: int = 0):
        rng = np.random.default_rng(seed)
        self.W_xh = rng.normal(size=(H, I)) / 2
        self.W_hh = rng.normal(size=(H, H)) / np.sqrt(H)
        self.b_h = 0.1 * rng.normal(size=H)
        self.W_hy = rng.normal(size=(V, H)) / np.sqrt(H)
        self.b_y = 0.1 * rng.normal(size=V)

    def forward(self, x: np.ndarray, h0: np.ndarray | None = None) -> np.ndarray:
        """Keep all states, and return the logits (T, B, V)."""
        self.x = x
        T, B = x.shape
        self.h = np.zeros((T + 1, B, len(self.W_hh)), self.W_hh.dtype)
        self.logits = np.zeros((T, B, len(self.W_hy)), self.W_hh.dtype)
        if h0 is not None:
            self.h[0] = h0
        for t in range(T):
            a = self.embed(x[t]) + self.h[t] @ self.W_hh.T + self.b_h
            self.h[t + 1] = np.tanh(a)
            self.logits[t] = self.h[t + 1] @ self.W_hy.T + self.b_y
        return self.logits

    def embed(self, x: np.ndarray) -> np.ndarray:
        """Return W_xh x, which is a column of W_xh for every token."""
        return np.where(x[:, None] == NO_TOKEN, 0, self.W_xh.T[x])

    def loss(self, y: np.ndarray) -> np.ndarray:
        """Return log sum exp(z) - z_y, summed; the largest logit is subtracted first, or exp would overflow."""
        z = self.logits - self.logits.max(axis=-1, keepdims=True)
        z_y = np.take_along_axis(z, y[..., None], axis=-1)[..., 0]
        return np.asarray((np.log(np.exp(z).sum(axis=-1)) - z_y).sum())

    def loss_backward(self, y: np.ndarray) -> np.ndarray:
        """Return dlogits = p - onehot(y)."""
        e = np.exp(self.logits - self.logits.max(axis=-1, keepdims=True))
        p = e / e.sum(axis=-1, keepdims=True)
        onehot = (y[..., None] == np.arange(p.shape[-1])).astype(p.dtype)
        return p - onehot

    def backward(self, y: np.ndarray) -> dict[str, np.ndarray]:
        """Return the gradient of the loss with respect to every array, under `d` + its name."""
        T, h, dlogits = len(y), self.h, self.loss_backward(y)
        dW_xh, dW_hh, db_h = np.zeros_like(self.W_xh), np.zeros_like(self.W_hh), np.zeros_like(self.b_h)
        dW_hy, db_y = np.zeros_like(self.W_hy), np.zeros_like(self.b_y)
        dh, da = np.zeros_like(h[1:]), np.zeros_like(h[1:])
        dh_next = np.zeros_like(h[0])
        for t in reversed(range(T)):
            # through the readout
            dW_hy += dlogits[t].T @ h[t + 1]
            db_y += dlogits[t].sum(axis=0)
            dh[t] = dlogits[t] @ self.W_hy + dh_next
            # through tanh
            da[t] = dh[t] * (1 - h[t + 1] ** 2)
            # through a_t = W_xh x_t + b_h + W_hh h_{t-1}
            kept = self.x[t] != NO_TOKEN
            np.add.at(dW_xh.T, self.x[t][kept], da[t][kept])
            dW_hh += da[t].T @ h[t]
            db_h += da[t].sum(axis=0)
            dh_next = da[t] @ self.W_hh
        return {
            "dlogits": dlogits, "dW_hy": dW_hy, "db_y": db_y, "dh": dh, "da": da,
            "dW_hh": dW_hh, "dW_xh": dW_xh, "db_h": db_h, "dh0": dh_next,
        }  # fmt: skip
