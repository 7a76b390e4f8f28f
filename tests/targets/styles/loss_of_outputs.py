"""A character RNN whose loss is a method of its own, given the probabilities that forward has returned."""

import numpy as np


class CharRNN:
    def __init__(self, vocab_size, hidden_size, seed=0):
        rng = np.random.default_rng(seed)
        self.vocab_size = vocab_size
        self.U = rng.normal(0, 0.1, (hidden_size, vocab_size))
        self.W = rng.normal(0, 0.1, (hidden_size, hidden_size))
        self.V = rng.normal(0, 0.1, (vocab_size, hidden_size))
        self.b = np.zeros((hidden_size, 1))
        self.c = np.zeros((vocab_size, 1))

    def forward(self, inputs, hprev):
        xs, hs, ps = {}, {-1: hprev}, {}
        for t, i in enumerate(inputs):
            xs[t] = np.zeros((self.vocab_size, 1))
            xs[t][i] = 1
            hs[t] = np.tanh(self.U @ xs[t] + self.W @ hs[t - 1] + self.b)
            o = self.V @ hs[t] + self.c
            e = np.exp(o - o.max())
            ps[t] = e / e.sum()
        return xs, hs, ps

    def loss(self, ps, targets):
        return -sum(np.log(ps[t][targets[t], 0]) for t in range(len(targets)))

    def backward(self, xs, hs, ps, targets):
        dU, dW, dV = np.zeros_like(self.U), np.zeros_like(self.W), np.zeros_like(self.V)
        db, dc = np.zeros_like(self.b), np.zeros_like(self.c)
        dnext = np.zeros_like(hs[-1])
        for t in reversed(range(len(targets))):
            do = ps[t].copy()
            do[targets[t]] -= 1
            dV += do @ hs[t].T
            dc += do
            da = (self.V.T @ do + dnext) * (1 - hs[t] ** 2)
            dU += da @ xs[t].T
            dW += da @ hs[t - 1].T
            db += da
            dnext = self.W.T @ da
        return dU, dW, dV, db, dc

    def train(self, data, length, rate=0.1):
        hprev = np.zeros((len(self.W), 1))
        for p in range(0, len(data) - length - 1, length):
            targets = data[p + 1 : p + length + 1]
            xs, hs, ps = self.forward(data[p : p + length], hprev)
            print(self.loss(ps, targets))
            grads = self.backward(xs, hs, ps, targets)
            for weight, gradient in zip((self.U, self.W, self.V, self.b, self.c), grads):
                weight -= rate * np.clip(gradient, -5, 5)
            hprev = hs[length - 1]
