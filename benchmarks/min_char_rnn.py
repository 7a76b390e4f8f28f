"""A training step as most people write it by hand, after A. Karpathy's min-char-rnn (2015).

One-hot columns, dictionaries of states by time, a gradient that grows by an outer product per step, `np.clip` and
Adagrad array by array. Sequences of a batch stand beside each other as columns.
"""

import numpy as np
from problem import CLIP, EPS, LR, Problem

__all__ = ["MinCharRNN"]


class MinCharRNN:
    """The peer; see `peers`."""

    name = "min-char-rnn"

    def __init__(self, problem: Problem):
        self.problem = problem
        columns = {name: a[:, None] if a.ndim == 1 else a for name, a in problem.params.items()}
        self.params = {name: a.copy() for name, a in columns.items()}
        self.memory = {name: np.zeros_like(a) for name, a in self.params.items()}

    def gradients(self) -> dict[str, np.ndarray]:
        """Return the gradients by name."""
        grads = self.forward_backward()
        return {"d" + name: g.reshape(self.problem.params[name].shape) for name, g in grads.items()}

    def forward_backward(self) -> dict[str, np.ndarray]:
        """Evaluate the loss and every gradient."""
        (H, V, T, B), p, dtype = self.problem.size, self.params, self.problem.dtype
        inputs, targets, batch = self.problem.x, self.problem.y, np.arange(B)
        xs, hs, ps = {}, {-1: self.problem.h0.T}, {}
        loss = 0.0
        for t in range(T):
            xs[t] = np.zeros((V, B), dtype)
            xs[t][inputs[t], batch] = 1
            hs[t] = np.tanh(np.dot(p["W_xh"], xs[t]) + np.dot(p["W_hh"], hs[t - 1]) + p["b_h"])
            ys = np.dot(p["W_hy"], hs[t]) + p["b_y"]
            ps[t] = np.exp(ys - ys.max(axis=0)) / np.sum(np.exp(ys - ys.max(axis=0)), axis=0)
            loss += -np.log(ps[t][targets[t], batch]).sum()
        grads = {name: np.zeros_like(a) for name, a in p.items()}
        dhnext = np.zeros((H, B), dtype)
        for t in reversed(range(T)):
            dy = np.copy(ps[t])
            dy[targets[t], batch] -= 1
            grads["W_hy"] += np.dot(dy, hs[t].T)
            grads["b_y"] += dy.sum(axis=1, keepdims=True)
            dh = np.dot(p["W_hy"].T, dy) + dhnext
            da = (1 - hs[t] * hs[t]) * dh
            grads["b_h"] += da.sum(axis=1, keepdims=True)
            grads["W_xh"] += np.dot(da, xs[t].T)
            grads["W_hh"] += np.dot(da, hs[t - 1].T)
            dhnext = np.dot(p["W_hh"].T, da)
        return grads

    def step(self) -> None:
        """Train on the batch."""
        grads = self.forward_backward()
        for g in grads.values():
            np.clip(g, -CLIP, CLIP, out=g)
        for name, g in grads.items():
            self.memory[name] += g * g
            self.params[name] += -LR * g / (np.sqrt(self.memory[name]) + EPS)
