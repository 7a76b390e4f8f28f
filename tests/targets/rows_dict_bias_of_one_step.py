"""Batches of rows, (N, T, D); parameters in one dictionary, gradients in another under the same names."""

from somewhere_else import DataLoader  # not installed, and not needed for the gradients

import numpy as np


class SequenceModel:
    def __init__(self, input_dim, hidden_dim, output_dim):
        rng = np.random.default_rng(1)
        self.params = {
            "Wx": rng.normal(size=(input_dim, hidden_dim)) / np.sqrt(input_dim),
            "Wh": rng.normal(size=(hidden_dim, hidden_dim)) / np.sqrt(hidden_dim),
            "b": np.zeros(hidden_dim),
            "Wo": rng.normal(size=(hidden_dim, output_dim)) / np.sqrt(hidden_dim),
            "bo": np.zeros(output_dim),
        }

    def loss(self, X, y, h0):
        p = self.params
        N, T, D = X.shape
        h = np.zeros((N, T + 1, h0.shape[1]))
        h[:, 0] = h0
        for t in range(T):
            h[:, t + 1] = np.tanh(X[:, t] @ p["Wx"] + h[:, t] @ p["Wh"] + p["b"])
        scores = h[:, 1:] @ p["Wo"] + p["bo"]
        scores = scores - scores.max(axis=2, keepdims=True)
        probs = np.exp(scores)
        probs /= probs.sum(axis=2, keepdims=True)
        rows, steps = np.indices((N, T))
        loss = -np.log(probs[rows, steps, y]).sum() / (N * T)

        dscores = probs.copy()
        dscores[rows, steps, y] -= 1
        dscores /= N * T
        grads = {name: np.zeros_like(value) for name, value in p.items()}
        grads["Wo"] = np.einsum("nth,ntv->hv", h[:, 1:], dscores)
        grads["bo"] = dscores.sum(axis=(0, 1))
        dnext = np.zeros((N, h0.shape[1]))
        for t in range(T - 1, -1, -1):
            dh = dscores[:, t] @ p["Wo"].T + dnext
            da = dh * (1 - h[:, t + 1] ** 2)
            grads["Wx"] += X[:, t].T @ da
            grads["Wh"] += h[:, t].T @ da
            grads["b"] = da.sum(axis=0)
            dnext = da @ p["Wh"].T
        return loss, grads


def train(model, epochs):
    for X, y in DataLoader(epochs):
        loss, grads = model.loss(X, y, np.zeros((len(X), 64)))
        for name in grads:
            model.params[name] -= 0.1 * grads[name]
