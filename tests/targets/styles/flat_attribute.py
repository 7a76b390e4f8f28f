import numpy as np
class RNN:
    def __init__(self, n_in, n_hid, n_out):
        self.n_in, self.n_hid, self.n_out = n_in, n_hid, n_out
        self.theta = np.random.randn(n_hid * n_in + n_hid * n_hid + n_out * n_hid + n_hid + n_out) * 0.1
    def unpack(self, v):
        a = self.n_hid * self.n_in
        b = a + self.n_hid ** 2
        c = b + self.n_out * self.n_hid
        return (v[:a].reshape(self.n_hid, self.n_in), v[a:b].reshape(self.n_hid, self.n_hid),
                v[b:c].reshape(self.n_out, self.n_hid), v[c:c + self.n_hid], v[c + self.n_hid:])
    def loss_grad(self, x, y):
        Wx, Wh, Wy, bh, by = self.unpack(self.theta)
        grad = np.zeros_like(self.theta)
        dWx, dWh, dWy, dbh, dby = self.unpack(grad)
        h, p, loss = [np.zeros(self.n_hid)], [], 0
        for t in range(len(x)):
            h.append(np.tanh(Wx @ x[t] + Wh @ h[-1] + bh))
            e = np.exp(Wy @ h[-1] + by)
            p.append(e / e.sum())
            loss -= np.log(p[t][y[t]])
        dn = 0
        for t in reversed(range(len(x))):
            d = p[t].copy(); d[y[t]] -= 1
            dWy += np.outer(d, h[t + 1]); dby += d
            da = (Wy.T @ d + dn) * (1 - h[t + 1] ** 2)
            dWx += np.outer(da, x[t]); dWh += np.outer(da, h[t]); dbh += da
            dn = Wh.T @ da
        return loss, grad
