"""The RNN of the textbooks, one step at a time, forward and back.

    a_t = W_xh x_t + b_h + W_hh h_{t-1},    h_t = f(a_t),    logits_t = W_hy h_t + b_y

Forward: J. Elman, "Finding structure in time", 1990. Backward: backpropagation through time, P. Werbos, 1990. Every
step of the derivation is a method, sums over time grow one step at a time, and no arithmetic is shared with
`numpy_impl`. Steps count from 0. Arrays of one step: x (B,) ids or (B, I); h, a, dh, da (B, H); logits (B, V).
"""

from collections.abc import Mapping

import numpy as np

from rnncheck.case import RNNCase
from rnncheck.textbook.loss import Array, LossSteps
from rnncheck.trace import expected_arrays

__all__ = ["NO_TOKEN", "RNNSteps"]

NO_TOKEN = -1
"""The id of *no token*: the zero vector as input."""


class RNNSteps(LossSteps):
    """Forward and backward pass, written as one small method for each step of the derivation."""

    T: int
    k: int
    bptt: str
    nonlinearity: str
    W_xh: Array
    W_hh: Array
    W_hy: Array
    b_h: Array | int
    b_y: Array | int
    h: list[Array]
    a: list[Array]
    grads: dict[str, Array]

    def run_rnn(self, case: RNNCase) -> dict[str, Array]:
        """Run the steps forward, then back, and return what they computed."""
        self.begin(case)
        for t in range(self.T):
            self.forward_step(t)
        self.total_loss = self.loss()
        for t in reversed(range(self.T)):
            self.readout_backward(t)
        for last, first in self.walks():
            self.walk_back(last, first)
        return self.trace()

    def begin(self, case: RNNCase) -> None:
        """Read the case and set every sum to zero."""
        self.use(case.params, case.nonlinearity)
        self.case, self.x, self.y, self.bptt, self.k = case, case.x, case.y, case.bptt, case.k or 0
        self.kept = case.y != case.ignore_index
        self.T, B = case.x.shape[:2]
        self.h0 = self.first_state(case.h0, B)
        self.h, self.a, self.logits = [], [], []
        self.dlogits, self.own, self.dh, self.da = ([np.zeros(())] * self.T for _ in range(4))
        for t in range(self.T):
            self.dh[t], self.da[t] = np.zeros_like(self.h0), np.zeros_like(self.h0)
        self.dx, self.dh0 = np.zeros_like(self.x), np.zeros_like(self.h0)
        self.grads = self.zero_grads(case.params)

    def use(self, params: Mapping[str, Array], nonlinearity: str) -> None:
        """Take the parameters; a bias that is absent adds 0."""
        self.W_xh, self.W_hh, self.W_hy = params["W_xh"], params["W_hh"], params["W_hy"]
        self.b_h, self.b_y = params.get("b_h", 0), params.get("b_y", 0)
        self.nonlinearity, self.dtype = nonlinearity, self.W_hh.dtype

    def zero_grads(self, params: Mapping[str, Array]) -> dict[str, Array]:
        """Start the gradient of every parameter at zero."""
        return {f"d{name}": np.zeros_like(array) for name, array in params.items()}

    # Forward

    def first_state(self, h0: Array | None, B: int) -> Array:
        """Return h0, zero if it is not given."""
        return np.zeros((B, len(self.W_hh)), self.dtype) if h0 is None else h0

    def previous_state(self, t: int) -> Array:
        """Return h_{t-1}; before the first step that is h0."""
        return self.h[t - 1] if t > 0 else self.h0

    def input_at(self, t: int) -> Array:
        """Return what the input adds at step t."""
        return self.input_term(self.x[t])

    def input_term(self, x: Array) -> Array:
        """Return W_xh x: for an id that is a column of W_xh, for *no token* zero."""
        if x.ndim == 2:
            return x @ self.W_xh.T
        return np.where(x[:, None] == NO_TOKEN, 0, self.W_xh.T[x])

    def recurrent_term(self, h: Array) -> Array:
        """Return W_hh h."""
        return h @ self.W_hh.T

    def hidden_bias(self) -> Array | int:
        """Return b_h."""
        return self.b_h

    def activate(self, a: Array) -> Array:
        """Return f(a)."""
        return np.tanh(a) if self.nonlinearity == "tanh" else np.maximum(a, 0)

    def readout(self, h: Array) -> Array:
        """Return the logits W_hy h + b_y."""
        return h @ self.W_hy.T + self.b_y

    def forward_step(self, t: int) -> None:
        """Compute a_t, h_t and the logits of step t."""
        self.a.append(self.input_at(t) + self.recurrent_term(self.previous_state(t)) + self.hidden_bias())
        self.h.append(self.activate(self.a[t]))
        self.logits.append(self.readout(self.h[t]))

    # Backward

    def readout_backward(self, t: int) -> None:
        """Go back through the loss and the readout of step t."""
        self.dlogits[t] = self.logits_gradient(t)
        self.accumulate_W_hy(t)
        if "db_y" in self.grads:
            self.accumulate_b_y(t)
        self.own[t] = self.own_gradient(t)

    def own_gradient(self, t: int) -> Array:
        """Return what reaches h_t from its own output."""
        return self.dlogits[t] @ self.W_hy

    def walks(self) -> list[tuple[int, int]]:
        """Return the (last, first) step of every walk back through time."""
        if self.bptt == "windowed":
            return [(t, max(0, t - self.k)) for t in reversed(range(self.T))]
        length = self.k if self.bptt == "chunked" else self.T
        return [(min(first + length, self.T) - 1, first) for first in reversed(range(0, self.T, length))]

    def steps_back(self, last: int, first: int) -> range:
        """Return the steps of one walk in the order in which they are visited."""
        return range(last, first - 1, -1)

    def walk_back(self, last: int, first: int) -> None:
        """Carry the gradient from step `last` to step `first`; in a window only the loss of its last step counts."""
        carry = np.zeros_like(self.h0)
        for t in self.steps_back(last, first):
            own = self.own[t] if t == last or self.bptt != "windowed" else np.zeros_like(carry)
            dh = self.total_gradient(own, carry)
            da = self.through_activation(dh, t)
            self.dh[t] += dh
            self.da[t] += da
            self.accumulate(t, dh, da)
            carry = self.carry(t, dh, da)
        if first == 0:
            self.dh0 += self.first_state_gradient(carry)

    def total_gradient(self, own: Array, carry: Array) -> Array:
        """Add what reaches h_t from its own output and what comes back from step t + 1."""
        return own + carry

    def derivative(self, t: int) -> Array:
        """Return f'(a_t), written with h_t = f(a_t): 1 - h^2 for tanh."""
        return 1 - self.h[t] ** 2 if self.nonlinearity == "tanh" else (self.h[t] > 0).astype(self.dtype)

    def through_activation(self, dh: Array, t: int) -> Array:
        """Return da_t from dh_t."""
        return dh * self.derivative(t)

    def carry(self, t: int, dh: Array, da: Array) -> Array:
        """Return what step t sends back to h_{t-1}: through W_hh, as `a` depends on h_{t-1} through it."""
        return da @ self.W_hh

    def first_state_gradient(self, carry: Array) -> Array:
        """Return what reaches h0: all that the first step sends back."""
        return carry

    # The gradients of the parameters, summed step by step

    def accumulate(self, t: int, dh: Array, da: Array) -> None:
        """Add the share of step t to the gradient of everything that a_t depends on."""
        self.accumulate_W_hh(t, dh, da)
        self.accumulate_W_xh(t, dh, da)
        if "db_h" in self.grads:
            self.accumulate_b_h(t, dh, da)
        if self.x.ndim == 3:
            self.accumulate_x(t, dh, da)

    def accumulate_W_hy(self, t: int) -> None:
        """Add dlogits_t h_t^T, summed over the batch by the product."""
        self.grads["dW_hy"] += self.dlogits[t].T @ self.h[t]

    def accumulate_b_y(self, t: int) -> None:
        """Add dlogits_t, summed over the batch."""
        self.grads["db_y"] += self.dlogits[t].sum(axis=0)

    def accumulate_W_hh(self, t: int, dh: Array, da: Array) -> None:
        """Add da_t h_{t-1}^T."""
        self.grads["dW_hh"] += da.T @ self.previous_state(t)

    def accumulate_W_xh(self, t: int, dh: Array, da: Array) -> None:
        """Add da_t x_t^T: for an id, da_t goes to the column of its token, and *no token* has none."""
        if self.x.ndim == 3:
            self.grads["dW_xh"] += da.T @ self.x[t]
            return
        for token, da_b in zip(self.x[t], da, strict=True):
            if token != NO_TOKEN:
                self.grads["dW_xh"][:, token] += da_b

    def accumulate_b_h(self, t: int, dh: Array, da: Array) -> None:
        """Add da_t, summed over the batch."""
        self.grads["db_h"] += da.sum(axis=0)

    def accumulate_x(self, t: int, dh: Array, da: Array) -> None:
        """Add W_xh^T da_t."""
        self.dx[t] += da @ self.W_xh

    def trace(self) -> dict[str, Array]:
        """Gather every array under its name, in dataflow order."""
        stacked = {name: np.stack(getattr(self, name)) for name in ("h", "logits", "dlogits", "dh", "da")}
        found = {**stacked, **self.grads, "loss": self.total_loss, "dx": self.dx, "dh0": self.dh0}
        return {name: found[name] for name in expected_arrays(self.case)}
