import math
import random

def zeros(n, m):
    return [[0.0] * m for _ in range(n)]

def rand(n, m):
    return [[random.uniform(-0.1, 0.1) for _ in range(m)] for _ in range(n)]

def matvec(A, v):
    return [sum(a * b for a, b in zip(row, v)) for row in A]

def softmax(z):
    m = max(z)
    e = [math.exp(a - m) for a in z]
    s = sum(e)
    return [a / s for a in e]

class RNN:
    def __init__(self, n_in, n_hidden, n_out):
        self.n_in, self.n_hidden, self.n_out = n_in, n_hidden, n_out
        self.Wxh = rand(n_hidden, n_in)
        self.Whh = rand(n_hidden, n_hidden)
        self.Why = rand(n_out, n_hidden)
        self.bh = [0.0] * n_hidden
        self.by = [0.0] * n_out

    def forward(self, xs):
        self.xs = xs
        self.hs = [[0.0] * self.n_hidden]
        self.ps = []
        for x in xs:
            a = matvec(self.Wxh, x)
            r = matvec(self.Whh, self.hs[-1])
            h = [math.tanh(a[i] + r[i] + self.bh[i]) for i in range(self.n_hidden)]
            z = matvec(self.Why, h)
            self.hs.append(h)
            self.ps.append(softmax([z[k] + self.by[k] for k in range(self.n_out)]))
        return self.ps

    def backward(self, targets):
        dWxh = zeros(self.n_hidden, self.n_in)
        dWhh = zeros(self.n_hidden, self.n_hidden)
        dWhy = zeros(self.n_out, self.n_hidden)
        dbh = [0.0] * self.n_hidden
        dby = [0.0] * self.n_out
        dhn = [0.0] * self.n_hidden
        for t in reversed(range(len(targets))):
            dy = list(self.ps[t])
            dy[targets[t]] -= 1.0
            h, prev = self.hs[t + 1], self.hs[t]
            dh = list(dhn)
            for k in range(self.n_out):
                dby[k] += dy[k]
                for i in range(self.n_hidden):
                    dWhy[k][i] += dy[k] * h[i]
                    dh[i] += self.Why[k][i] * dy[k]
            da = [dh[i] * (1 - h[i] * h[i]) for i in range(self.n_hidden)]
            dhn = [0.0] * self.n_hidden
            for i in range(self.n_hidden):
                dbh[i] += da[i]
                for j in range(self.n_in):
                    dWxh[i][j] += da[i] * self.xs[t][j]
                for j in range(self.n_hidden):
                    dWhh[i][j] += da[i] * prev[j]
                    dhn[j] += self.Whh[i][j] * da[i]
        return dWxh, dWhh, dWhy, dbh, dby
