"""A script without a function: the training loop at its top does everything, and never ends."""

import numpy as np

text = open("input.txt").read()
letters = sorted(set(text))
vocab_size, hidden_size, seq_length, learning_rate = len(letters), 100, 25, 0.1
number = {c: i for i, c in enumerate(letters)}

Wxh = np.random.randn(hidden_size, vocab_size) * 0.01
Whh = np.random.randn(hidden_size, hidden_size) * 0.01
Why = np.random.randn(vocab_size, hidden_size) * 0.01
bh, by = np.zeros((hidden_size, 1)), np.zeros((vocab_size, 1))
memories = [np.zeros_like(w) for w in (Wxh, Whh, Why, bh, by)]

position, rounds = 0, 0
while True:
    if rounds == 0 or position + seq_length + 1 > len(text):
        position, hprev = 0, np.zeros((hidden_size, 1))
    inputs = [number[c] for c in text[position : position + seq_length]]
    targets = [number[c] for c in text[position + 1 : position + seq_length + 1]]

    xs, hs, ps, loss = {}, {-1: np.copy(hprev)}, {}, 0
    for t in range(len(inputs)):
        xs[t] = np.zeros((vocab_size, 1))
        xs[t][inputs[t]] = 1
        hs[t] = np.tanh(Wxh @ xs[t] + Whh @ hs[t - 1] + bh)
        scores = Why @ hs[t] + by
        ps[t] = np.exp(scores) / np.exp(scores).sum()
        loss -= np.log(ps[t][targets[t], 0])

    dWxh, dWhh, dWhy = np.zeros_like(Wxh), np.zeros_like(Whh), np.zeros_like(Why)
    dbh, dby, dhnext = np.zeros_like(bh), np.zeros_like(by), np.zeros_like(bh)
    for t in reversed(range(len(inputs))):
        dy = ps[t].copy()
        dy[targets[t]] -= 1
        dWhy += dy @ hs[t].T
        dby += dy
        dh = Why.T @ dy + dhnext
        draw = (1 - hs[t] ** 2) * dh
        dWxh += draw @ xs[t].T
        dWhh = draw @ hs[t - 1].T
        dbh += draw
        dhnext = Whh.T @ draw

    for weight, grad, memory in zip((Wxh, Whh, Why, bh, by), (dWxh, dWhh, dWhy, dbh, dby), memories):
        np.clip(grad, -5, 5, out=grad)
        memory += grad * grad
        weight -= learning_rate * grad / np.sqrt(memory + 1e-8)
    hprev = hs[len(inputs) - 1]
    if rounds % 100 == 0:
        print(f"after {rounds} rounds the loss is {loss:.3f}")
    position += seq_length
    rounds += 1
