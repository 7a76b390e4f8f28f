import numpy as np
class Tensor:
    def __init__(self, *shape):
        self.data = np.random.randn(*shape) * 0.1
        self.grad = np.zeros(shape)
vocab_size = 30
hidden_size = 50
Wxh = Tensor(hidden_size, vocab_size)
Whh = Tensor(hidden_size, hidden_size)
Why = Tensor(vocab_size, hidden_size)
bh = Tensor(hidden_size, 1)
by = Tensor(vocab_size, 1)
params = [Wxh, Whh, Why, bh, by]

def forward(inputs, h):
    hs, ps = [h], []
    for i in inputs:
        hs.append(np.tanh(Wxh.data[:, [i]] + Whh.data @ hs[-1] + bh.data))
        y = Why.data @ hs[-1] + by.data
        e = np.exp(y - y.max())
        ps.append(e / e.sum())
    return hs, ps

def backward(inputs, targets, hs, ps):
    for p in params:
        p.grad[...] = 0
    dnext = np.zeros_like(hs[0])
    for t in reversed(range(len(inputs))):
        dy = ps[t].copy()
        dy[targets[t]] -= 1
        Why.grad += dy @ hs[t + 1].T
        by.grad += dy
        da = (1 - hs[t + 1] ** 2) * (Why.data.T @ dy + dnext)
        Wxh.grad[:, [inputs[t]]] += da
        Whh.grad += da @ hs[t].T
        bh.grad += da
        dnext = Whh.data.T @ da
