import numpy as np

def init_params(vocab_size, hidden_size):
    p = {}
    p['xh'] = np.random.randn(hidden_size, vocab_size) * 0.01
    p['hh'] = np.random.randn(hidden_size, hidden_size) * 0.01
    p['hy'] = np.random.randn(vocab_size, hidden_size) * 0.01
    p['h'] = np.zeros((hidden_size, 1))
    p['y'] = np.zeros((vocab_size, 1))
    return p

def loss_and_grad(p, inputs, targets, hprev):
    hs, ps, loss = {-1: hprev}, {}, 0.0
    V = p['y'].shape[0]
    for t, ix in enumerate(inputs):
        x = np.zeros((V, 1)); x[ix] = 1
        hs[t] = np.tanh(p['xh'] @ x + p['hh'] @ hs[t - 1] + p['h'])
        y = p['hy'] @ hs[t] + p['y']
        ps[t] = np.exp(y) / np.sum(np.exp(y))
        loss += -np.log(ps[t][targets[t], 0])
    g = {k: np.zeros_like(v) for k, v in p.items()}
    dnext = np.zeros_like(hprev)
    for t in reversed(range(len(inputs))):
        dy = np.copy(ps[t]); dy[targets[t]] -= 1
        g['hy'] += dy @ hs[t].T
        g['y'] += dy
        da = (p['hy'].T @ dy + dnext) * (1 - hs[t] ** 2)
        g['h'] += da
        g['xh'][:, [inputs[t]]] += da
        g['hh'] += da @ hs[t - 1].T
        dnext = p['hh'].T @ da
    return loss, g, hs[len(inputs) - 1]
