import numpy as np
class Param:
    def __init__(self, name, value):
        self.name = name
        self.v = value
        self.d = np.zeros_like(value)
        self.m = np.zeros_like(value)

class Parameters:
    def __init__(self):
        self.W_x = Param('W_x', np.random.randn(H_size, X_size) * 0.1)
        self.W_h = Param('W_h', np.random.randn(H_size, H_size) * 0.1)
        self.b_h = Param('b_h', np.zeros((H_size, 1)))
        self.W_v = Param('W_v', np.random.randn(X_size, H_size) * 0.1)
        self.b_v = Param('b_v', np.zeros((X_size, 1)))
    def all(self):
        return [self.W_x, self.W_h, self.b_h, self.W_v, self.b_v]

data = open('input.txt', 'r').read()
chars = list(set(data))
data_size, X_size = len(data), len(chars)
H_size = 100
parameters = Parameters()

def forward(x, h_prev, p=parameters):
    h = np.tanh(np.dot(p.W_x.v, x) + np.dot(p.W_h.v, h_prev) + p.b_h.v)
    v = np.dot(p.W_v.v, h) + p.b_v.v
    y = np.exp(v) / np.sum(np.exp(v))
    return h, v, y

def backward(target, dh_next, h, h_prev, x, y, p=parameters):
    dv = np.copy(y)
    dv[target] -= 1
    p.W_v.d += np.dot(dv, h.T)
    p.b_v.d += dv
    da = (np.dot(p.W_v.v.T, dv) + dh_next) * (1 - h * h)
    p.W_x.d += np.dot(da, x.T)
    p.W_h.d += np.dot(da, h_prev.T)
    p.b_h.d += da
    return np.dot(p.W_h.v.T, da)

def clear_gradients(params=parameters):
    for p in params.all():
        p.d.fill(0)

def forward_backward(inputs, targets, h_prev):
    x_s, h_s, v_s, y_s = {}, {}, {}, {}
    h_s[-1] = np.copy(h_prev)
    loss = 0
    for t in range(len(inputs)):
        x_s[t] = np.zeros((X_size, 1))
        x_s[t][inputs[t]] = 1
        h_s[t], v_s[t], y_s[t] = forward(x_s[t], h_s[t - 1])
        loss += -np.log(y_s[t][targets[t], 0])
    clear_gradients()
    dh_next = np.zeros_like(h_s[0])
    for t in reversed(range(len(inputs))):
        dh_next = backward(targets[t], dh_next, h_s[t], h_s[t - 1], x_s[t], y_s[t])
    return loss, h_s[len(inputs) - 1]
