"""Where a fault of the catalogue goes in the exercise: pieces of the right program, and what stands there instead.

Each is tested to compute what the fault of that name computes. Faults that need a setting which the exercise lacks
(means, ignored targets, dense inputs, windows, ReLU), or that are no line of a network (optimisers, clipping, samples),
are not here; `rnncheck explain` shows all of them.
"""

from collections.abc import Mapping

__all__ = ["PLANTS"]

Plant = tuple[tuple[str, str], ...]

FORWARD = "self.embed(x[t]) + self.h[t] @ self.W_hh.T + self.b_h"
PRODUCT = "self.h[t] @ self.W_hh.T"
FIRST = "        if h0 is not None:\n            self.h[0] = h0\n"
READOUT = "self.logits[t] = self.h[t + 1] @ self.W_hy.T + self.b_y"
COLUMNS = "np.where(x[:, None] == NO_TOKEN, 0, self.W_xh.T[x])"
LOSS = "np.asarray((np.log(np.exp(z).sum(axis=-1)) - z_y).sum())"
OWN = "dlogits[t] @ self.W_hy"
DH = "dh[t] = dlogits[t] @ self.W_hy + dh_next"
TANH = "dh[t] * (1 - h[t + 1] ** 2)"
CARRY = "dh_next = da[t] @ self.W_hh"
ADD_W_HH = "dW_hh += da[t].T @ h[t]"
ADD_W_XH = "np.add.at(dW_xh.T, self.x[t][kept], da[t][kept])"
ADD_B_H = "db_h += da[t].sum(axis=0)"
ADD_W_HY = "dW_hy += dlogits[t].T @ h[t + 1]"
ADD_B_Y = "db_y += dlogits[t].sum(axis=0)"
BACK = "for t in reversed(range(T)):"
RETURN = "        return {\n"

SOFTMAX = """\
        e = np.exp(self.logits - self.logits.max(axis=-1, keepdims=True))
        p = e / e.sum(axis=-1, keepdims=True)
"""
IN_PLACE_SOFTMAX = """\
        p = self.logits
        p -= p.max(axis=-1, keepdims=True)
        np.exp(p, out=p)
        p /= p.sum(axis=-1, keepdims=True)
"""
DA = "            da[t] = dh[t] * (1 - h[t + 1] ** 2)\n"
IN_PLACE_DA = """\
            dh[t] *= 1 - h[t + 1] ** 2
            da[t] = dh[t]
"""

PLANTS: Mapping[str, Plant] = {
    # forward
    "recurrence-dropped": ((FORWARD, "self.embed(x[t]) + self.b_h"),),
    "first-state-ignored": ((FIRST, ""),),
    "recurrent-matrix-transposed": ((PRODUCT, "self.h[t] @ self.W_hh"),),
    "every-step-from-the-first-state": (
        (PRODUCT, "self.h[0] @ self.W_hh.T"),
        (ADD_W_HH, "dW_hh += da[t].T @ h[0]"),
    ),
    "state-two-steps-back": (
        (PRODUCT, "self.h[max(0, t - 1)] @ self.W_hh.T"),
        (ADD_W_HH, "dW_hh += da[t].T @ h[max(0, t - 1)]"),
    ),
    "hidden-bias-unused": ((FORWARD, f"self.embed(x[t]) + {PRODUCT}"),),
    "hidden-bias-added-twice": ((FORWARD, f"(self.embed(x[t]) + self.b_h) + ({PRODUCT} + self.b_h)"),),
    "output-bias-unused": ((READOUT, "self.logits[t] = self.h[t + 1] @ self.W_hy.T"),),
    "sigmoid-for-tanh": (("np.tanh(a)", "1 / (1 + np.exp(-a))"),),
    "one-state-for-the-whole-batch": ((PRODUCT, "self.h[t][0] @ self.W_hh.T"),),
    # inputs
    "no-token-reads-the-last-column": ((COLUMNS, "self.W_xh.T[x]"),),
    "inputs-read-backwards": (("self.embed(x[t])", "self.embed(x[T - 1 - t])"),),
    "duplicate-token-lost": ((ADD_W_XH, "dW_xh.T[self.x[t][kept]] += da[t][kept]"),),
    "target-for-input": ((ADD_W_XH, "np.add.at(dW_xh.T, y[t], da[t])"),),
    "no-token-updates-the-last-column": ((ADD_W_XH, "np.add.at(dW_xh.T, self.x[t], da[t])"),),
    # loss
    "softmax-over-the-batch": (("e.sum(axis=-1, keepdims=True)", "e.sum(axis=-2, keepdims=True)"),),
    "one-hot-not-subtracted": (("return p - onehot", "return p"),),
    "softmax-derivative-twice": (("return p - onehot", "return (p - onehot) * p * (1 - p)"),),
    "gradient-of-the-mean-for-the-sum": (("return p - onehot", "return (p - onehot) / y.size"),),
    "gradient-averaged-over-the-vocabulary": (("return p - onehot", "return (p - onehot) / p.shape[-1]"),),
    "gradient-against-the-previous-target": (("onehot = (y[", "onehot = (y[np.arange(len(y)) - 1]["),),
    "gradient-doubled": (("return p - onehot", "return 2 * (p - onehot)"),),
    "only-the-last-step-is-trained": (
        ("        return p - onehot", "        p[:-1] = onehot[:-1]\n        return p - onehot"),
    ),
    "loss-in-bits": ((LOSS, "np.asarray((np.log2(np.exp(z).sum(axis=-1)) - z_y / float(np.log(2))).sum())"),),
    "mean-for-sum": (
        (LOSS, "np.asarray((np.log(np.exp(z).sum(axis=-1)) - z_y).mean())"),
        ("return p - onehot", "return (p - onehot) / y.size"),
    ),
    # back through time
    "recurrent-gradient-dropped": ((DH, f"dh[t] = {OWN}"),),
    "carry-never-updated": ((CARRY, "dh_next = da[T - 1] @ self.W_hh"),),
    "carry-not-transposed": ((CARRY, "dh_next = da[t] @ self.W_hh.T"),),
    "carry-before-the-derivative": ((CARRY, "dh_next = dh[t] @ self.W_hh"),),
    "derivative-on-the-wrong-side": ((CARRY, "dh_next = (dh[t] @ self.W_hh) * (1 - h[t + 1] ** 2)"),),
    "carry-added-twice": ((DH, f"dh[t] = {OWN} + 2 * dh_next"),),
    "carry-damped": ((CARRY, "dh_next = 0.9 * (da[t] @ self.W_hh)"),),
    "clip-inside-the-loop": ((CARRY, "dh_next = np.clip(da[t] @ self.W_hh, -1, 1)"),),
    "backward-walks-forward": ((BACK, "for t in range(T):"),),
    "readout-gradient-one-step-late": ((DH, "dh[t] = dlogits[t - 1] @ self.W_hy + dh_next"),),
    "first-step-skipped": ((DH, f"if t == 0:\n                break\n            {DH}"),),
    "last-step-skipped": ((DH, f"if t == T - 1:\n                continue\n            {DH}"),),
    # the derivative of tanh
    "derivative-of-the-activated": ((TANH, "dh[t] * (1 - np.tanh(h[t + 1]) ** 2)"),),
    "derivative-missing": ((TANH, "dh[t]"),),
    "derivative-squared": ((TANH, "dh[t] * (1 - h[t + 1] ** 2) ** 2"),),
    "sigmoid-derivative": ((TANH, "dh[t] * h[t + 1] * (1 - h[t + 1])"),),
    "last-derivative-for-all-steps": ((TANH, "dh[t] * (1 - h[-1] ** 2)"),),
    "first-state-gradient-zero": (('"dh0": dh_next', '"dh0": np.zeros_like(h[0])'),),
    "first-state-gradient-without-the-matrix": (('"dh0": dh_next', '"dh0": da[0]'),),
    # sums over time
    "previous-state-wraps-around": ((ADD_W_HH, "dW_hh += da[t].T @ h[1:][t - 1]"),),
    "current-state-for-previous": ((ADD_W_HH, "dW_hh += da[t].T @ h[t + 1]"),),
    "state-before-the-previous": ((ADD_W_HH, "dW_hh += da[t].T @ h[max(0, t - 1)]"),),
    "first-state-missing-from-gradient": ((ADD_W_HH, "if t > 0:\n                dW_hh += da[t].T @ h[t]"),),
    "recurrent-gradient-transposed": ((ADD_W_HH, "dW_hh += h[t].T @ da[t]"),),
    "readout-gradient-from-previous-state": ((ADD_W_HY, "dW_hy += dlogits[t].T @ h[t]"),),
    "bias-gradient-before-the-derivative": ((ADD_B_H, "db_h += dh[t].sum(axis=0)"),),
    "recurrent-gradient-before-the-derivative": ((ADD_W_HH, "dW_hh += dh[t].T @ h[t]"),),
    "input-weight-gradient-before-the-derivative": ((ADD_W_XH, "np.add.at(dW_xh.T, self.x[t][kept], dh[t][kept])"),),
    "bias-gradient-summed-to-a-scalar": ((ADD_B_H, "db_h += da[t].sum()"),),
    "recurrent-gradient-assigned": ((ADD_W_HH, "dW_hh = da[t].T @ h[t]"),),
    "hidden-bias-gradient-assigned": ((ADD_B_H, "db_h = da[t].sum(axis=0)"),),
    "readout-gradient-assigned": ((ADD_W_HY, "dW_hy = dlogits[t].T @ h[t + 1]"),),
    "output-bias-gradient-assigned": ((ADD_B_Y, "db_y = dlogits[t].sum(axis=0)"),),
    "hidden-bias-gradient-missing": ((f"            {ADD_B_H}\n", ""),),
    "output-bias-gradient-missing": ((f"            {ADD_B_Y}\n", ""),),
    "hidden-gradients-divided-by-t": (
        (RETURN, f"        dW_hh, dW_xh, db_h = dW_hh / T, dW_xh / T, db_h / T\n{RETURN}"),
    ),
    "recurrent-gradient-averaged-over-the-batch": ((ADD_W_HH, "dW_hh += da[t].T @ h[t] / len(h[t])"),),
    "gradients-clipped-before-returned": (
        (RETURN, f"        for g in (dW_xh, dW_hh, dW_hy, db_h, db_y):\n            g.clip(-5, 5, out=g)\n{RETURN}"),
    ),
    # precision, memory
    "states-in-single-precision": (("np.tanh(a)", "np.tanh(a).astype(np.float32)"),),
    "state-gradient-overwritten": ((DA, IN_PLACE_DA),),
    "logits-overwritten": ((SOFTMAX, IN_PLACE_SOFTMAX),),
    "two-hidden-biases": ((ADD_B_H, "db_h += 2 * da[t].sum(axis=0)"),),
    "gradients-negated": (
        (RETURN, f"        dW_xh, dW_hh, dW_hy, db_h, db_y = -dW_xh, -dW_hh, -dW_hy, -db_h, -db_y\n{RETURN}"),
    ),
}
"""By the name of the fault: (piece of the template, what replaces it), each piece being there exactly once."""
