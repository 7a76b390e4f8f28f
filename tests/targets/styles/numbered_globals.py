import numpy as np
n_in, n_hid, n_out = 10, 20, 10
W1 = np.random.uniform(-0.1, 0.1, (n_hid, n_in))
W2 = np.random.uniform(-0.1, 0.1, (n_hid, n_hid))
W3 = np.random.uniform(-0.1, 0.1, (n_out, n_hid))
B1 = np.zeros((n_hid, 1))
B2 = np.zeros((n_out, 1))
G1, G2, G3 = np.zeros_like(W1), np.zeros_like(W2), np.zeros_like(W3)
GB1, GB2 = np.zeros_like(B1), np.zeros_like(B2)

def softmax(z):
    e = np.exp(z - np.max(z))
    return e / np.sum(e)

def run(inputs, targets):
    """one pass forward and back; gradients are left in G1..G3, GB1, GB2"""
    global G1, G2, G3, GB1, GB2
    hs = [np.zeros((n_hid, 1))]
    ps = []
    loss = 0.0
    for t in range(len(inputs)):
        hs.append(np.tanh(W1 @ inputs[t] + W2 @ hs[-1] + B1))
        ps.append(softmax(W3 @ hs[-1] + B2))
        loss += -np.sum(targets[t] * np.log(ps[t]))
    G1, G2, G3 = np.zeros_like(W1), np.zeros_like(W2), np.zeros_like(W3)
    GB1, GB2 = np.zeros_like(B1), np.zeros_like(B2)
    back = np.zeros((n_hid, 1))
    for t in reversed(range(len(inputs))):
        d = ps[t] - targets[t]
        G3 += d @ hs[t + 1].T
        GB2 += d
        d = (W3.T @ d + back) * (1 - hs[t + 1] * hs[t + 1])
        G1 += d @ inputs[t].T
        G2 += d @ hs[t].T
        GB1 += d
        back = W2.T @ d
    return loss

def train(data, lr=0.1):
    for inputs, targets in data:
        loss = run(inputs, targets)
        for p, g in ((W1, G1), (W2, G2), (W3, G3), (B1, GB1), (B2, GB2)):
            p -= lr * g
