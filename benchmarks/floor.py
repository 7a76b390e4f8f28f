"""The floor: what no program on this BLAS can leave out, with every output made beforehand.

2T serial products, the matrix products for logits, dh, dW_hy and dW_hh, tanh over T B H and exp over T B V. No input
projection, no softmax, no sums, no bias, no optimiser: it is what remains of a step when everything else is free.
"""

import numpy as np
from problem import Problem

__all__ = ["Floor"]


class Floor:
    """Called like a peer; it has no gradients, for it multiplies what it is given."""

    name = "floor"

    def __init__(self, problem: Problem):
        H, V, T, B = problem.size
        rng = np.random.default_rng(0)

        def array(*shape: int) -> np.ndarray:
            return rng.uniform(-1, 1, shape).astype(problem.dtype)

        self.W_hh, self.W_hy = problem.params["W_hh"], problem.params["W_hy"]
        self.W_hh_T, self.W_hy_T = np.ascontiguousarray(self.W_hh.T), np.ascontiguousarray(self.W_hy.T)
        self.h, self.a, self.da, self.dh = (array(T, B, H) for _ in range(4))
        self.rows = {name: a.reshape(T * B, H) for name, a in vars(self).items() if name in ("h", "da", "dh")}
        self.logits, self.dlogits = array(T * B, V), array(T * B, V)
        self.dW_hy, self.dW_hh = array(V, H), array(H, H)

    def forward_backward(self) -> None:
        """Do the unavoidable."""
        h, a, da, W_hh, W_hh_T = self.h, self.a, self.da, self.W_hh, self.W_hh_T
        for t in range(len(h)):
            h[t].dot(W_hh_T, out=a[t])
        np.tanh(self.a, out=self.a)
        self.rows["h"].dot(self.W_hy_T, out=self.logits)
        np.exp(self.logits, out=self.logits)
        self.dlogits.dot(self.W_hy, out=self.rows["dh"])
        for t in reversed(range(len(h))):
            da[t].dot(W_hh, out=a[t])
        self.dlogits.T.dot(self.rows["h"], out=self.dW_hy)
        self.rows["da"].T.dot(self.rows["h"], out=self.dW_hh)
