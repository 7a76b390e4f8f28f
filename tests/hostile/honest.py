"""A small honest network, complete in itself: what the hostile targets of the tests are made from."""

import numpy as np


class Honest:
    """Tokens in, tanh, cross-entropy summed, full backpropagation through time."""

    def run(self, case):
        W_xh, W_hh, W_hy = (case.params[name] for name in ("W_xh", "W_hh", "W_hy"))
        T, B = case.x.shape
        x = np.zeros((T, B, W_xh.shape[1]))
        t, b = np.nonzero(case.x >= 0)
        x[t, b, case.x[t, b]] = 1
        states = [case.h0]
        for x_t in x:
            states.append(np.tanh(x_t @ W_xh.T + case.params["b_h"] + states[-1] @ W_hh.T))
        h = np.stack(states[1:])
        logits = h @ W_hy.T + case.params["b_y"]
        p = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
        onehot = np.eye(len(W_hy))[case.y]
        dlogits = p - onehot
        dh, da, carry = np.empty_like(h), np.empty_like(h), np.zeros_like(case.h0)
        for t in reversed(range(T)):
            dh[t] = dlogits[t] @ W_hy + carry
            da[t] = dh[t] * (1 - h[t] ** 2)
            carry = da[t] @ W_hh
        before = np.stack(states[:-1])
        return {
            "h": h,
            "logits": logits,
            "loss": -np.log((p * onehot).sum(-1)).sum(),
            "dlogits": dlogits,
            "dW_hy": np.einsum("tbv,tbh->vh", dlogits, h),
            "db_y": dlogits.sum((0, 1)),
            "dh": dh,
            "da": da,
            "dW_hh": np.einsum("tbi,tbj->ij", da, before),
            "dW_xh": np.einsum("tbi,tbj->ij", da, x),
            "db_h": da.sum((0, 1)),
            "dh0": carry,
        }


class Hostile(Honest):
    """Honest but for the second case, where `attack` is done instead; `told` is what the test has said."""

    def __init__(self, told):
        self.told = told
        self.calls = 0

    def run(self, case):
        self.calls += 1
        if self.told["case"] == self.calls:
            return self.attack(case, super().run(case))
        return super().run(case)
