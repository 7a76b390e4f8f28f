import numpy as np
def make_rnn(n_in, n_hidden, n_out, scale=0.1):
    rng = np.random.RandomState(0)
    params = {
        'Wx': rng.randn(n_hidden, n_in) * scale,
        'Wh': rng.randn(n_hidden, n_hidden) * scale,
        'Wy': rng.randn(n_out, n_hidden) * scale,
        'bh': np.zeros((n_hidden, 1)),
        'by': np.zeros((n_out, 1)),
    }
    def forward(xs, h):
        hs, ps = [h], []
        for x in xs:
            hs.append(np.tanh(params['Wx'] @ x + params['Wh'] @ hs[-1] + params['bh']))
            z = params['Wy'] @ hs[-1] + params['by']
            ps.append(np.exp(z) / np.exp(z).sum())
        return hs, ps
    def backward(xs, ys, hs, ps):
        grads = {k: np.zeros_like(v) for k, v in params.items()}
        dh = np.zeros_like(hs[0])
        for t in reversed(range(len(xs))):
            d = ps[t].copy()
            d[ys[t]] -= 1
            grads['Wy'] += d @ hs[t + 1].T
            grads['by'] += d
            da = (params['Wy'].T @ d + dh) * (1 - hs[t + 1] ** 2)
            grads['Wx'] += da @ xs[t].T
            grads['Wh'] += da @ hs[t].T
            grads['bh'] += da
            dh = params['Wh'].T @ da
        return grads
    return params, forward, backward
