"""Gates that know their own gradients, one layer object for every step; U, W and V without biases."""

import numpy as np


class Multiply:
    def forward(self, W, x):
        return W @ x

    def backward(self, W, x, dz):
        return np.outer(dz, x), W.T @ dz


class Add:
    def forward(self, a, b):
        return a + b

    def backward(self, a, b, dz):
        return dz * np.ones_like(a), dz * np.ones_like(b)


class Tanh:
    def forward(self, a):
        return np.tanh(a)

    def backward(self, a, dout):
        return (1.0 - self.forward(a) ** 2) * dout


class Softmax:
    def probabilities(self, z):
        e = np.exp(z - z.max())
        return e / e.sum()

    def loss(self, z, y):
        return -np.log(self.probabilities(z)[y])

    def diff(self, z, y):
        d = self.probabilities(z)
        d[y] -= 1.0
        return d


multiply, add, tanh, softmax = Multiply(), Add(), Tanh(), Softmax()


class Step:
    def forward(self, x, s_prev, U, W, V):
        self.ux = multiply.forward(U, x)
        self.ws = multiply.forward(W, s_prev)
        self.a = add.forward(self.ux, self.ws)
        self.s = tanh.forward(self.a)
        self.vs = multiply.forward(V, self.s)

    def backward(self, x, s_prev, U, W, V, ds_next, dvs):
        dV, ds_own = multiply.backward(V, self.s, dvs)
        da = tanh.backward(self.a, ds_own + ds_next)
        dux, dws = add.backward(self.ux, self.ws, da)
        dW, _ = multiply.backward(W, s_prev, dws)
        ds_prev = W @ dws
        dU, _ = multiply.backward(U, x, dux)
        return ds_prev, dU, dW, dV


class GateRNN:
    def __init__(self, word_dim, hidden_dim=100):
        self.word_dim, self.hidden_dim = word_dim, hidden_dim
        self.U = np.random.uniform(-0.1, 0.1, (hidden_dim, word_dim))
        self.W = np.random.uniform(-0.1, 0.1, (hidden_dim, hidden_dim))
        self.V = np.random.uniform(-0.1, 0.1, (word_dim, hidden_dim))

    def one_hot(self, index):
        return np.eye(self.word_dim)[index]

    def forward_propagation(self, x):
        steps, s = [], np.zeros(self.hidden_dim)
        for word in x:
            step = Step()
            step.forward(self.one_hot(word), s, self.U, self.W, self.V)
            s = step.s
            steps.append(step)
        return steps

    def calculate_loss(self, x, y):
        return sum(softmax.loss(step.vs, y[t]) for t, step in enumerate(self.forward_propagation(x))) / len(y)

    def bptt(self, x, y):
        steps = self.forward_propagation(x)
        dU, dW, dV = np.zeros_like(self.U), np.zeros_like(self.W), np.zeros_like(self.V)
        ds = np.zeros(self.hidden_dim)
        for t in reversed(range(len(y))):
            s_prev = steps[t - 1].s if t > 0 else np.zeros(self.hidden_dim)
            dvs = softmax.diff(steps[t].vs, y[t])
            ds, dU_t, dW_t, dV_t = steps[t].backward(self.one_hot(x[t]), s_prev, self.U, self.W, self.V, ds, dvs)
            dU += dU_t
            dW += dW_t
            dV += dV_t
        return dU, dW, dV

    def sgd_step(self, x, y, learning_rate):
        dU, dW, dV = self.bptt(x, y)
        self.U -= learning_rate * dU
        self.W -= learning_rate * dW
        self.V -= learning_rate * dV
