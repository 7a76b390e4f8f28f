"""A character model as a class: one sequence at a time, every vector a column, gradients left in attributes."""

import numpy as np


class CharModel:
    def __init__(self, vocab_size, hidden_size, seed=0):
        rng = np.random.RandomState(seed)
        self.vocab_size = vocab_size
        self.hidden_size = hidden_size
        self.Wxh = rng.randn(hidden_size, vocab_size) * 0.01
        self.Whh = rng.randn(hidden_size, hidden_size) * 0.01
        self.Why = rng.randn(vocab_size, hidden_size) * 0.01
        self.bh = np.zeros((hidden_size, 1))
        self.by = np.zeros((vocab_size, 1))

    def one_hot(self, index):
        column = np.zeros((self.vocab_size, 1))
        column[index] = 1
        return column

    def forward(self, inputs, targets, hprev):
        self.inputs, self.targets = inputs, targets
        self.hs = {-1: np.copy(hprev)}
        self.ps = {}
        loss = 0.0
        for t in range(len(inputs)):
            drive = self.Wxh @ self.one_hot(inputs[t]) + self.Whh @ self.hs[t - 1] + self.bh
            self.hs[t] = np.tanh(drive)
            scores = self.Why @ self.hs[t] + self.by
            scores = np.exp(scores - np.max(scores))
            self.ps[t] = scores / np.sum(scores)
            loss -= np.log(self.ps[t][targets[t], 0])
        return loss, self.hs[len(inputs) - 1]

    def backward(self):
        self.dWxh, self.dWhh = np.zeros_like(self.Wxh), np.zeros_like(self.Whh)
        self.dWhy = np.zeros_like(self.Why)
        self.dbh, self.dby = np.zeros_like(self.bh), np.zeros_like(self.by)
        from_later = np.zeros((self.hidden_size, 1))
        for t in reversed(range(len(self.inputs))):
            dscores = self.ps[t].copy()
            dscores[self.targets[t]] -= 1
            self.dWhy += dscores @ self.hs[t].T
            self.dby += dscores
            dh = self.Why.T @ dscores
            dz = (1 - self.hs[t] ** 2) * dh
            self.dbh += dz
            self.dWxh += dz @ self.one_hot(self.inputs[t]).T
            self.dWhh += dz @ self.hs[t - 1].T
            from_later = self.Whh.T @ dz

    def sample(self, start, length):
        h = np.zeros((self.hidden_size, 1))
        chosen = []
        for _ in range(length):
            h = np.tanh(self.Wxh @ self.one_hot(start) + self.Whh @ h + self.bh)
            start = int(np.argmax(self.Why @ h + self.by))
            chosen.append(start)
        return chosen


if __name__ == "__main__":
    model = CharModel(27, 50)
    state = np.zeros((50, 1))
    while True:
        loss, state = model.forward([1, 2, 3], [2, 3, 4], state)
        model.backward()
        model.Wxh -= 0.1 * model.dWxh
