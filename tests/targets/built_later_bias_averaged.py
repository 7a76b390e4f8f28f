"""A layer object whose weights are made when it is first told the width of its input, as in libraries of layers."""

import numpy as np


class Recurrent:
    def __init__(self, units):
        self.units = units
        self.built = False
        self.kernel = None
        self.recurrent_kernel = None
        self.bias = None

    def build(self, input_dim):
        self.kernel = np.random.randn(input_dim, self.units) / np.sqrt(input_dim)
        self.recurrent_kernel = np.random.randn(self.units, self.units) / np.sqrt(self.units)
        self.bias = np.zeros(self.units)
        self.built = True

    def forward(self, inputs):
        if not self.built:
            self.build(inputs.shape[-1])
        batch, steps, _ = inputs.shape
        self.inputs = inputs
        self.states = np.zeros((batch, steps + 1, self.units))
        for t in range(steps):
            z = inputs[:, t] @ self.kernel + self.states[:, t] @ self.recurrent_kernel + self.bias
            self.states[:, t + 1] = np.tanh(z)
        return self.states[:, 1:]

    def backward(self, upstream):
        self.grads = {
            "kernel": np.zeros_like(self.kernel),
            "recurrent_kernel": np.zeros_like(self.recurrent_kernel),
            "bias": np.zeros_like(self.bias),
        }
        d_inputs = np.zeros_like(self.inputs)
        from_later = 0.0
        for t in reversed(range(upstream.shape[1])):
            dz = (upstream[:, t] + from_later) * (1 - self.states[:, t + 1] ** 2)
            self.grads["kernel"] += self.inputs[:, t].T @ dz
            self.grads["recurrent_kernel"] += self.states[:, t].T @ dz
            self.grads["bias"] += dz.mean(axis=0)
            d_inputs[:, t] = dz @ self.kernel.T
            from_later = dz @ self.recurrent_kernel.T
        return d_inputs
