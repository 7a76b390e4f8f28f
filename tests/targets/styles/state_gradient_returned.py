import numpy as np
class Layer:
    """many to many, mean over time"""
    def __init__(self, input_size, hidden_size, output_size):
        self.Wx = np.random.randn(hidden_size, input_size) * 0.1
        self.Wh = np.random.randn(hidden_size, hidden_size) * 0.1
        self.Wy = np.random.randn(output_size, hidden_size) * 0.1
        self.bh = np.zeros((hidden_size, 1))
        self.by = np.zeros((output_size, 1))
    def forward(self, xs, h0):
        self.xs, self.hs, self.ps = xs, [h0], []
        for x in xs:
            self.hs.append(np.tanh(self.Wx @ x + self.Wh @ self.hs[-1] + self.bh))
            z = self.Wy @ self.hs[-1] + self.by
            e = np.exp(z - z.max())
            self.ps.append(e / e.sum())
        return self.ps, self.hs[-1]
    def backward(self, ys):
        T = len(ys)
        self.dWx, self.dWh, self.dWy = np.zeros_like(self.Wx), np.zeros_like(self.Wh), np.zeros_like(self.Wy)
        self.dbh, self.dby = np.zeros_like(self.bh), np.zeros_like(self.by)
        dh = np.zeros_like(self.bh)
        for t in reversed(range(T)):
            dy = self.ps[t].copy()
            dy[ys[t]] -= 1
            self.dWy += dy @ self.hs[t + 1].T
            self.dby += dy
            da = (self.Wy.T @ dy + dh) * (1 - self.hs[t + 1] ** 2)
            self.dWx += da @ self.xs[t].T
            self.dWh += da @ self.hs[t].T
            self.dbh += da
            dh = self.Wh.T @ da
        for g in (self.dWx, self.dWh, self.dWy, self.dbh, self.dby):
            g /= T
        return dh / T
