"""Parameters, results and gradients as named tuples: nothing is kept between the calls."""

from collections import namedtuple

import numpy as np

Params = namedtuple("Params", ["U", "W", "V", "b", "c"])
Grads = namedtuple("Grads", Params._fields)
Tape = namedtuple("Tape", "tokens states probabilities")


def init_params(vocab, width, seed=0):
    rng = np.random.default_rng(seed)
    scaled = lambda *shape: rng.normal(size=shape) / np.sqrt(shape[-1])
    return Params(scaled(width, vocab), scaled(width, width), scaled(vocab, width), np.zeros(width), np.zeros(vocab))


def forward(params, tokens, targets, h_init):
    states, probabilities, loss = [h_init], [], 0.0
    for token, target in zip(tokens, targets):
        states.append(np.tanh(params.U[:, token] + params.W @ states[-1] + params.b))
        z = params.V @ states[-1] + params.c
        e = np.exp(z - z.max())
        probabilities.append(e / e.sum())
        loss -= np.log(probabilities[-1][target])
    return loss, Tape(tokens, states, probabilities)


def backward(params, tape, targets):
    dU, dW, dV, db, dc = (np.zeros_like(p) for p in params)
    carry = np.zeros_like(params.b)
    for t in reversed(range(len(targets))):
        dz = tape.probabilities[t].copy()
        dz[targets[t]] -= 1.0
        dV += np.outer(dz, tape.states[t + 1])
        dc += dz
        da = (params.V.T @ dz + carry) * (1.0 - tape.states[t + 1] ** 2)
        dU[:, targets[t]] += da
        dW += np.outer(da, tape.states[t])
        db += da
        carry = params.W.T @ da
    return Grads(dU, dW, dV, db, dc)
