"""An RNN that keeps its outputs: loss and backward are given the targets only, and the loss is the mean over time."""

import numpy as np


class MyRNN:
    def __init__(self, n_in, n_hidden, n_out):
        self.Wx = np.random.randn(n_hidden, n_in) * 0.1
        self.Wh = np.random.randn(n_hidden, n_hidden) * 0.1
        self.Wy = np.random.randn(n_out, n_hidden) * 0.1
        self.bh = np.zeros(n_hidden)
        self.by = np.zeros(n_out)

    def forward(self, x):
        self.x = x
        self.h = [np.zeros(len(self.bh))]
        self.logits = []
        for x_t in x:
            self.h.append(np.tanh(self.Wx @ x_t + self.Wh @ self.h[-1] + self.bh))
            self.logits.append(self.Wy @ self.h[-1] + self.by)
        return self.logits

    def probs(self, t):
        z = self.logits[t] - np.max(self.logits[t])
        return np.exp(z) / np.sum(np.exp(z))

    def loss(self, y):
        total = 0.0
        for t in range(len(y)):
            z = self.logits[t] - np.max(self.logits[t])
            total += np.log(np.sum(np.exp(z))) - z[y[t]]
        return total / len(y)

    def backward(self, y):
        grads = {k: np.zeros_like(getattr(self, k)) for k in ("Wx", "Wh", "Wy", "bh", "by")}
        dh_next = np.zeros(len(self.bh))
        for t in range(len(y) - 1, -1, -1):
            dz = self.probs(t)
            dz[y[t]] -= 1
            dz /= len(y)
            grads["Wy"] += np.outer(dz, self.h[t + 1])
            grads["by"] += dz
            da = (self.Wy.T @ dz + dh_next) * (1 - self.h[t + 1] ** 2)
            grads["Wx"] += np.outer(da, self.x[t])
            grads["Wh"] += np.outer(da, self.h[t])
            grads["bh"] += da
            dh_next = self.Wh.T @ da
        return grads
