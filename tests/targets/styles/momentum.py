import numpy as np
class RNN:
    def __init__(self, input_size, hidden_size, output_size, lr=0.01, momentum=0.9):
        self.hidden_size = hidden_size
        self.lr, self.momentum = lr, momentum
        self.W_ih = np.random.uniform(-0.1, 0.1, (hidden_size, input_size))
        self.W_hh = np.random.uniform(-0.1, 0.1, (hidden_size, hidden_size))
        self.W_ho = np.random.uniform(-0.1, 0.1, (output_size, hidden_size))
        self.b_h = np.zeros((hidden_size, 1))
        self.b_o = np.zeros((output_size, 1))
        self.velocity = {k: np.zeros_like(getattr(self, k)) for k in ("W_ih", "W_hh", "W_ho", "b_h", "b_o")}
    def train_on_sequence(self, xs, ys):
        hs = [np.zeros((self.hidden_size, 1))]
        probs, loss = [], 0
        for x, y in zip(xs, ys):
            hs.append(np.tanh(self.W_ih @ x + self.W_hh @ hs[-1] + self.b_h))
            o = self.W_ho @ hs[-1] + self.b_o
            p = np.exp(o - o.max()); p /= p.sum()
            probs.append(p)
            loss -= np.log(p[y, 0])
        grads = {k: np.zeros_like(v) for k, v in self.velocity.items()}
        dh = np.zeros_like(hs[0])
        for t in range(len(xs) - 1, -1, -1):
            do = probs[t].copy(); do[ys[t]] -= 1
            grads["W_ho"] += do @ hs[t + 1].T
            grads["b_o"] += do
            da = (self.W_ho.T @ do + dh) * (1 - hs[t + 1] ** 2)
            grads["W_ih"] += da @ xs[t].T
            grads["W_hh"] += da @ hs[t].T
            grads["b_h"] += da
            dh = self.W_hh.T @ da
        for k, g in grads.items():
            self.velocity[k] = self.momentum * self.velocity[k] - self.lr * g
            setattr(self, k, getattr(self, k) + self.velocity[k])
        return loss
