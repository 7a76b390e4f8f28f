import numpy as np
from scipy.optimize import minimize

def unroll(params):
    return np.concatenate([p.ravel() for p in params])

def roll(theta, n_in, n_hid, n_out):
    i = 0
    Wxh = theta[i:i + n_hid * n_in].reshape(n_hid, n_in); i += n_hid * n_in
    Whh = theta[i:i + n_hid * n_hid].reshape(n_hid, n_hid); i += n_hid * n_hid
    Why = theta[i:i + n_out * n_hid].reshape(n_out, n_hid); i += n_out * n_hid
    bh = theta[i:i + n_hid]; i += n_hid
    by = theta[i:i + n_out]
    return Wxh, Whh, Why, bh, by

def rnn_cost(theta, n_in, n_hid, n_out, X, y):
    Wxh, Whh, Why, bh, by = roll(theta, n_in, n_hid, n_out)
    T = X.shape[0]
    h = np.zeros((T + 1, n_hid))
    J = 0
    p = np.zeros((T, n_out))
    for t in range(T):
        h[t + 1] = np.tanh(Wxh.dot(X[t]) + Whh.dot(h[t]) + bh)
        z = Why.dot(h[t + 1]) + by
        e = np.exp(z - z.max())
        p[t] = e / e.sum()
        J -= np.log(p[t, y[t]])
    Wxh_grad, Whh_grad, Why_grad = np.zeros_like(Wxh), np.zeros_like(Whh), np.zeros_like(Why)
    bh_grad, by_grad = np.zeros_like(bh), np.zeros_like(by)
    later = np.zeros(n_hid)
    for t in range(T - 1, -1, -1):
        d = p[t].copy()
        d[y[t]] -= 1
        Why_grad += np.outer(d, h[t + 1])
        by_grad += d
        da = (Why.T.dot(d) + later) * (1 - h[t + 1] ** 2)
        Wxh_grad += np.outer(da, X[t])
        Whh_grad += np.outer(da, h[t])
        bh_grad += da
        later = Whh.T.dot(da)
    grad = unroll([Wxh_grad, Whh_grad, Why_grad, bh_grad, by_grad])
    return J, grad

def train(X, y, n_in, n_hid, n_out):
    theta0 = np.random.randn(n_hid * n_in + n_hid * n_hid + n_out * n_hid + n_hid + n_out) * 0.1
    return minimize(rnn_cost, theta0, args=(n_in, n_hid, n_out, X, y), jac=True).x
