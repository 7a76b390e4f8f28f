import numpy as np
import random

text = open('input.txt').read()
letters = sorted(set(text))
N = len(letters)
n_hidden = 64
U = np.random.randn(n_hidden, N) * 0.05
W = np.random.randn(n_hidden, n_hidden) * 0.05
V = np.random.randn(N, n_hidden) * 0.05
b = np.zeros(n_hidden)
c = np.zeros(N)
states = []
outs = []

def forward(xs, h):
    global states, outs
    states = [h]
    outs = []
    for i in xs:
        h = np.tanh(U[:, i] + W.dot(h) + b)
        z = V.dot(h) + c
        e = np.exp(z - z.max())
        states.append(h)
        outs.append(e / e.sum())
    return outs

def backward(xs, ys):
    global gU, gW, gV, gb, gc
    gU = np.zeros_like(U)
    gW = np.zeros_like(W)
    gV = np.zeros_like(V)
    gb = np.zeros_like(b)
    gc = np.zeros_like(c)
    carry = np.zeros(n_hidden)
    for t in range(len(xs) - 1, -1, -1):
        err = outs[t].copy()
        err[ys[t]] -= 1
        gV += np.outer(err, states[t + 1])
        gc += err
        g = (V.T.dot(err) + carry) * (1 - states[t + 1] ** 2)
        gU[:, xs[t]] += g
        gW += np.outer(g, states[t])
        gb += g
        carry = W.T.dot(g)

def update(lr):
    global U, W, V, b, c
    U -= lr * gU
    W -= lr * gW
    V -= lr * gV
    b -= lr * gb
    c -= lr * gc
