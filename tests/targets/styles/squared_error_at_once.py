import numpy as np
class Regressor:
    def __init__(self, n_in, n_hidden, n_out):
        self.U = np.random.randn(n_hidden, n_in) * 0.1
        self.W = np.random.randn(n_hidden, n_hidden) * 0.1
        self.V = np.random.randn(n_out, n_hidden) * 0.1
        self.b = np.zeros(n_hidden)
        self.c = np.zeros(n_out)
    def forward(self, x):
        self.x = x
        self.h = np.zeros((len(x) + 1, len(self.b)))
        self.o = np.zeros((len(x), len(self.c)))
        for t in range(len(x)):
            self.h[t + 1] = np.tanh(self.U @ x[t] + self.W @ self.h[t] + self.b)
            self.o[t] = self.V @ self.h[t + 1] + self.c
        return self.o
    def loss(self, y):
        return 0.5 * np.sum((self.o - y) ** 2)
    def bptt(self, x, y):
        self.forward(x)
        dU, dW, dV = np.zeros_like(self.U), np.zeros_like(self.W), np.zeros_like(self.V)
        db, dc = np.zeros_like(self.b), np.zeros_like(self.c)
        nxt = np.zeros_like(self.b)
        for t in range(len(y) - 1, -1, -1):
            do = self.o[t] - y[t]
            dV += np.outer(do, self.h[t + 1])
            dc += do
            da = (self.V.T @ do + nxt) * (1 - self.h[t + 1] ** 2)
            dU += np.outer(da, self.x[t])
            dW += np.outer(da, self.h[t])
            db += da
            nxt = self.W.T @ da
        return self.loss(y), dU, dW, dV, db, dc
