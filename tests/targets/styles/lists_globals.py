import math, random
random.seed(0)
data = open('names.txt').read().lower()
chars = sorted(list(set(data)))
V, H = len(chars), 32
lr = 0.1
U = [[random.gauss(0, 0.1) for _ in range(V)] for _ in range(H)]
W = [[random.gauss(0, 0.1) for _ in range(H)] for _ in range(H)]
O = [[random.gauss(0, 0.1) for _ in range(H)] for _ in range(V)]
bh = [0.0 for _ in range(H)]
bo = [0.0 for _ in range(V)]

def train_step(inputs, targets, h):
    hs, ps, loss = [h], [], 0.0
    for x, y in zip(inputs, targets):
        h = [math.tanh(U[i][x] + sum(W[i][j] * h[j] for j in range(H)) + bh[i]) for i in range(H)]
        z = [sum(O[k][i] * h[i] for i in range(H)) + bo[k] for k in range(V)]
        m = max(z)
        e = [math.exp(v - m) for v in z]
        p = [v / sum(e) for v in e]
        hs.append(h); ps.append(p)
        loss -= math.log(p[y])
    dU = [[0.0] * V for _ in range(H)]
    dW = [[0.0] * H for _ in range(H)]
    dO = [[0.0] * H for _ in range(V)]
    dbh, dbo = [0.0] * H, [0.0] * V
    nxt = [0.0] * H
    for t in range(len(inputs) - 1, -1, -1):
        dz = ps[t][:]
        dz[targets[t]] -= 1
        for k in range(V):
            dbo[k] += dz[k]
            for i in range(H):
                dO[k][i] += dz[k] * hs[t + 1][i]
        dh = [sum(O[k][i] * dz[k] for k in range(V)) + nxt[i] for i in range(H)]
        da = [dh[i] * (1 - hs[t + 1][i] ** 2) for i in range(H)]
        for i in range(H):
            dbh[i] += da[i]
            dU[i][inputs[t]] += da[i]
            for j in range(H):
                dW[i][j] += da[i] * hs[t][j]
        nxt = [sum(W[i][j] * da[i] for i in range(H)) for j in range(H)]
    for P, G in ((U, dU), (W, dW), (O, dO)):
        for i in range(len(P)):
            for j in range(len(P[i])):
                P[i][j] -= lr * G[i][j]
    for P, G in ((bh, dbh), (bo, dbo)):
        for i in range(len(P)):
            P[i] -= lr * G[i]
    return loss, hs[-1]
