"""A script that trains as soon as it is run: it reads its sentences, builds a network, and goes on for a thousand rounds.

The network reads a sentence and decides at the end. Its weights change inside `backprop`, where nothing is returned.
"""

import numpy as np
import matplotlib.pyplot as plt

sentences = [line.strip().lower() for line in open("sentences.txt", encoding="utf-8")]
words = sorted({word for line in sentences for word in line.split()})
index = {word: i for i, word in enumerate(words)}


class Reader:
    def __init__(self, input_size, output_size, hidden_size=64):
        self.Whh = np.random.randn(hidden_size, hidden_size) / 1000
        self.Wxh = np.random.randn(hidden_size, input_size) / 1000
        self.Why = np.random.randn(output_size, hidden_size) / 1000
        self.bh = np.zeros((hidden_size, 1))
        self.by = np.zeros((output_size, 1))

    def forward(self, inputs):
        h = np.zeros((self.Whh.shape[0], 1))
        self.inputs = inputs
        self.states = {0: h}
        for i, x in enumerate(inputs):
            h = np.tanh(self.Wxh @ x + self.Whh @ h + self.bh)
            self.states[i + 1] = h
        return self.Why @ h + self.by, h

    def backprop(self, d_y, learn_rate=2e-2):
        n = len(self.inputs)
        d_Why = d_y @ self.states[n].T
        d_by = d_y
        d_Whh, d_Wxh, d_bh = np.zeros_like(self.Whh), np.zeros_like(self.Wxh), np.zeros_like(self.bh)
        d_h = self.Why.T @ d_y
        for t in reversed(range(n)):
            d_a = (1 - self.states[t + 1] ** 2) * d_h
            d_bh += d_a
            d_Whh += d_a @ self.states[t].T
            d_Wxh += d_a @ self.inputs[t].T
            d_h = self.Whh.T @ d_a
        for d in [d_Wxh, d_Whh, d_Why, d_bh, d_by]:
            np.clip(d, -1, 1, out=d)
        self.Whh -= learn_rate * d_Whh
        self.Wxh -= learn_rate * d_Wxh
        self.Why -= learn_rate * d_Why
        self.bh -= learn_rate * d_bh
        self.by -= learn_rate * d_by


def one_hots(text):
    vectors = []
    for word in text.split():
        v = np.zeros((len(words), 1))
        v[index[word]] = 1
        vectors.append(v)
    return vectors


reader = Reader(len(words), 2)
losses = []
for epoch in range(1000):
    for text in sentences:
        out, _ = reader.forward(one_hots(text))
        probs = np.exp(out) / np.sum(np.exp(out))
        losses.append(-np.log(probs[0, 0]))
        d_out = probs
        d_out[0] -= 1
        reader.backprop(d_out)
    if epoch % 100 == 99:
        print("loss", np.mean(losses[-100:]))
plt.plot(losses)
plt.show()
