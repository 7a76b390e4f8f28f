"""A model in the manner of an estimator: nothing is known before `fit` has seen the text, and it makes the weights."""

import numpy as np


class CharModel:
    def __init__(self, hidden_size=64, lr=0.1):
        self.hidden_size = hidden_size
        self.lr = lr

    def fit(self, text, epochs=20, length=25):
        self.chars = sorted(set(text))
        self.n_chars = len(self.chars)
        n, m = self.n_chars, self.hidden_size
        self.Wx, self.Wh, self.Wy = np.random.randn(m, n) * 0.1, np.random.randn(m, m) * 0.1, np.random.randn(n, m) * 0.1
        self.bh, self.by = np.zeros((m, 1)), np.zeros((n, 1))
        ids = [self.chars.index(c) for c in text]
        for _ in range(epochs):
            for start in range(0, len(ids) - length, length):
                window = ids[start : start + length + 1]
                self.forward(window[:-1])
                self.backward(window[:-1], window[1:])
        return self

    def forward(self, ids):
        self.h, self.p = [np.zeros((self.hidden_size, 1))], []
        for i in ids:
            self.h.append(np.tanh(self.Wx[:, [i]] + self.Wh @ self.h[-1] + self.bh))
            scores = self.Wy @ self.h[-1] + self.by
            odds = np.exp(scores - scores.max())
            self.p.append(odds / odds.sum())
        return self.p

    def backward(self, ids, targets):
        gWx, gWh, gWy = np.zeros_like(self.Wx), np.zeros_like(self.Wh), np.zeros_like(self.Wy)
        gbh, gby = np.zeros_like(self.bh), np.zeros((self.n_chars, 1))
        carry = np.zeros_like(self.bh)
        for t in range(len(ids) - 1, -1, -1):
            error = self.p[t].copy()
            error[targets[t]] -= 1
            gWy += error @ self.h[t + 1].T
            gby = error
            da = (self.Wy.T @ error + carry) * (1 - self.h[t + 1] ** 2)
            gWx[:, [ids[t]]] += da
            gWh += da @ self.h[t].T
            gbh += da
            carry = self.Wh.T @ da
        for w, g in zip((self.Wx, self.Wh, self.Wy, self.bh, self.by), (gWx, gWh, gWy, gbh, gby)):
            w -= self.lr * np.clip(g, -5, 5)
