# a script that cuts its text into pieces of L characters
import numpy as np

text = open("input.txt").read()
letters = sorted(set(text))
n = len(letters)
number = {c: i for i, c in enumerate(letters)}

hid = 32
eta = 0.05
L = 10

Wx = np.random.randn(hid, n) * 0.05
Wh = np.random.randn(hid, hid) * 0.05
Wo = np.random.randn(n, hid) * 0.05
bh = np.zeros(hid)
bo = np.zeros(n)

h_last = np.zeros(hid)
for epoch in range(30):
    for start in range(0, len(text) - L - 1, L):
        xs = [number[c] for c in text[start : start + L]]
        ys = [number[c] for c in text[start + 1 : start + L + 1]]
        h = [h_last]
        probs = []
        loss = 0
        for i in range(L):
            h.append(np.tanh(Wx[:, xs[i]] + Wh.dot(h[-1]) + bh))
            o = Wo.dot(h[-1]) + bo
            e = np.exp(o - o.max())
            probs.append(e / e.sum())
            loss -= np.log(probs[-1][ys[i]])
        dWx, dWh, dWo = np.zeros_like(Wx), np.zeros_like(Wh), np.zeros_like(Wo)
        dbh, dbo, back = np.zeros_like(bh), np.zeros_like(bo), np.zeros(hid)
        for i in reversed(range(L)):
            do = probs[i].copy()
            do[ys[i]] -= 1
            dWo += np.outer(do, h[i + 1])
            dbo += do
            da = (Wo.T.dot(do) + back) * (1 - h[i + 1] ** 2)
            dWx[:, xs[i]] += da
            dWh += np.outer(da, h[i])
            dbh += da
            back = Wh.T.dot(da)
        for w, dw in ((Wx, dWx), (Wh, dWh), (Wo, dWo), (bh, dbh), (bo, dbo)):
            w -= eta * np.clip(dw, -5, 5)
        h_last = h[-1]
    if epoch % 10 == 0:
        print(epoch, loss)
