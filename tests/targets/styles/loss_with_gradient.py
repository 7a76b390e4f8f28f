"""Functions: the loss returns its gradient as well, which the backward pass is given."""

import numpy as np


def init_params(n_in, n_hidden, n_out, rng):
    return {
        "Wxh": rng.standard_normal((n_in, n_hidden)) * 0.1,
        "Whh": rng.standard_normal((n_hidden, n_hidden)) * 0.1,
        "Why": rng.standard_normal((n_hidden, n_out)) * 0.1,
        "bh": np.zeros(n_hidden),
        "by": np.zeros(n_out),
    }


def forward(params, X, h0):
    """X: (batch, time, features)"""
    hs = []
    h = h0
    for t in range(X.shape[1]):
        h = np.tanh(X[:, t] @ params["Wxh"] + h @ params["Whh"] + params["bh"])
        hs.append(h)
    hs = np.stack(hs, axis=1)
    return hs @ params["Why"] + params["by"], (X, hs, h0)


def cross_entropy(logits, y):
    z = logits - logits.max(axis=-1, keepdims=True)
    log_p = z - np.log(np.exp(z).sum(axis=-1, keepdims=True))
    b, t = np.indices(y.shape)
    dlogits = np.exp(log_p)
    dlogits[b, t, y] -= 1
    return -log_p[b, t, y].mean(), dlogits / y.size


def backward(params, cache, dlogits):
    X, hs, h0 = cache
    grads = {k: np.zeros_like(v) for k, v in params.items()}
    later = np.zeros_like(h0)
    for t in range(X.shape[1] - 1, -1, -1):
        grads["Why"] += hs[:, t].T @ dlogits[:, t]
        grads["by"] += dlogits[:, t].sum(axis=0)
        da = (dlogits[:, t] @ params["Why"].T + later) * (1 - hs[:, t] ** 2)
        grads["Wxh"] += X[:, t].T @ da
        grads["Whh"] += (hs[:, t - 1] if t > 0 else h0).T @ da
        grads["bh"] += da.sum(axis=0)
        later = da @ params["Whh"].T
    return grads


if __name__ == "__main__":
    rng = np.random.default_rng(0)
    params = init_params(5, 8, 5, rng)
    X, y = rng.standard_normal((3, 6, 5)), rng.integers(0, 5, (3, 6))
    for _ in range(100):
        logits, cache = forward(params, X, np.zeros((3, 8)))
        loss, dlogits = cross_entropy(logits, y)
        for name, gradient in backward(params, cache, dlogits).items():
            params[name] -= 0.1 * gradient
