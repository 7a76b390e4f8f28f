"""The inner values of the plain cases, side by side: as shown, or read off from outside, or as they should be.

Where an implementation shows gradients of parameters only, its inner values can be read off all the same. Tokens are
distinct, so column x_t of dW_xh is da_t; states are independent, so dW_hy = sum_t dlogits_t h_t^T can be solved for
every dlogits_t. What is then still open is taken to be right: it is judged by what follows from it.
"""

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from rnncheck.case import RNNCase
from rnncheck.diagnosis.formula import distance
from rnncheck.diagnosis.observation import Seen, right

__all__ = ["Table"]

Array = np.ndarray
SAME = 1e-8


class Table:
    """Arrays of R plain cases, stacked: h, a, da and dh (R, T, B, H), logits and dlogits (R, T, B, V)."""

    def __init__(self, plain: Sequence[Seen]):
        self.cases = [s.probe.case for s in plain if isinstance(s.probe.case, RNNCase)]
        first = self.cases[0]
        self.sizes = {name: first.sizes[name] for name in "TBVH"}
        self.params = first.params
        self.nonlinearity = first.nonlinearity
        self.x = np.stack([c.x if c.x.ndim == 2 else c.x.argmax(axis=-1) for c in self.cases])
        self.kept = np.stack([c.y != c.ignore_index for c in self.cases])
        self.y = np.where(self.kept, np.stack([c.y for c in self.cases]), 0)
        empty = np.zeros((self.sizes["B"], self.sizes["H"]))
        self.h0 = np.stack([empty if c.h0 is None else c.h0 for c in self.cases])
        self.right = {name: np.stack([right(s.probe)[name] for s in plain]) for name in right(plain[0].probe)}
        self.shown = {
            name: np.stack([s.numbers[name] for s in plain])
            for name in self.right
            if all(name in s.numbers for s in plain)
        }

    def good(self, name: str) -> bool:
        """Tell whether an array is shown and right."""
        return name in self.shown and distance(self.shown[name], self.right[name]) <= SAME

    @cached_property
    def h(self) -> Array:
        """The states that were used: those shown, unless right logits prove others; else solved from wrong logits."""
        if self.good("logits") or not {"h", "logits"} & set(self.shown):
            return self.right["h"]
        if "h" in self.shown:
            return self.shown["h"]
        if "logits" in self.shown:
            return (self.shown["logits"] - self.bias("b_y")) @ np.linalg.pinv(self.params["W_hy"]).T
        return self.right["h"]

    @cached_property
    def logits(self) -> Array:
        """The logits: shown, or those of the states."""
        return self.shown.get("logits", self.h @ self.params["W_hy"].T + self.bias("b_y"))

    @cached_property
    def p(self) -> Array:
        """The probabilities. Where the loss is right, so were the logits, whatever was done to them afterwards."""
        recomputed = self.h @ self.params["W_hy"].T + self.bias("b_y")
        logits = recomputed if self.good("loss") and self.good("h") else self.logits
        e = np.exp(logits - logits.max(axis=-1, keepdims=True))
        return e / e.sum(axis=-1, keepdims=True)

    @cached_property
    def one_hot(self) -> Array:
        """A one at each target that counts."""
        return np.eye(self.sizes["V"])[self.y] * self.kept[..., None]

    @cached_property
    def error(self) -> Array:
        """The right gradient of the logits, p - onehot where there is a target."""
        return self.p * self.kept[..., None] - self.one_hot

    def bias(self, name: str) -> Array | float:
        """Return a bias, 0 if there is none."""
        return self.params.get(name, 0.0)

    @cached_property
    def dlogits(self) -> Array:
        """The gradients of the logits: shown, or p - onehot if what follows agrees, or solved from dW_hy."""
        if "dlogits" in self.shown:
            return self.shown["dlogits"]
        textbook = self.error
        if not self._deny({"dW_hy": np.einsum("rtbv,rtbh->rvh", textbook, self.h)}):
            return textbook
        hidden = self._hidden_sums(self._recurrence(textbook @ self.params["W_hy"]))
        if not self._deny({"db_y": textbook.sum(axis=(1, 2))}) and not self._deny(hidden):
            return textbook
        solved = self.shown["dW_hy"] @ np.linalg.pinv(self._flat(self.h))
        if self._deny({"db_y": solved.sum(axis=-1)}):
            return textbook
        return solved.swapaxes(1, 2).reshape(textbook.shape)

    @cached_property
    def own(self) -> Array:
        """What reaches each state from its own output."""
        return self.dlogits @ self.params["W_hy"]

    @cached_property
    def df(self) -> Array:
        """The derivative of the activation, 1 - h^2 for tanh."""
        return 1 - self.h**2 if self.nonlinearity == "tanh" else (self.h > 0).astype(self.h.dtype)

    @property
    def df_name(self) -> str:
        """How the derivative is written."""
        return "(1 - h_t^2)" if self.nonlinearity == "tanh" else "[h_t > 0]"

    def divided(self, da: Array) -> Array:
        """Return dh from da, where the derivative is not zero."""
        return da / np.where(self.df == 0, 1.0, self.df)

    @cached_property
    def da(self) -> Array:
        """The gradients of the pre-activations: shown, or the right ones if a sum agrees, or columns of dW_xh."""
        if "da" in self.shown:
            return self.shown["da"]
        if "dh" in self.shown:
            return self.shown["dh"] * self.df
        textbook = self._recurrence(self.own)
        if "dW_xh" not in self.shown or not self._deny(self._hidden_sums(textbook)):
            return textbook
        columns = np.stack([dW.T[x] for dW, x in zip(self.shown["dW_xh"], self.x, strict=True)])
        return textbook if self._deny(self._hidden_sums(columns)) else columns

    def _hidden_sums(self, da: Array) -> dict[str, Array]:
        """Return the sums that follow from da."""
        return {"db_h": da.sum(axis=(1, 2)), "dW_hh": np.einsum("rtbi,rtbj->rij", da, self.before)}

    @cached_property
    def dh(self) -> Array | None:
        """The gradients of the states, if they are shown."""
        return self.shown.get("dh")

    @property
    def before(self) -> Array:
        """The previous states h_{t-1}, h_0 first."""
        return np.concatenate([self.h0[:, None], self.h[:, :-1]], axis=1)

    @cached_property
    def forward_known(self) -> bool:
        """Whether states and logits are known: shown, or proved right by what follows from them."""
        return bool({"h", "logits"} & set(self.shown)) or any(self.good(name) for name in ("loss", "dW_hy", "db_y"))

    def _recurrence(self, own: Array) -> Array:
        """Go back through time as it should be done, from what reaches each state from its own output."""
        da = np.zeros_like(self.h)
        carry = np.zeros_like(self.h[:, 0])
        for t in reversed(range(self.sizes["T"])):
            da[:, t] = (own[:, t] + carry) * self.df[:, t]
            carry = da[:, t] @ self.params["W_hh"]
        return da

    def _deny(self, sums: dict[str, Array]) -> bool:
        """Tell whether sums are shown and none of them is as it would be."""
        shown = [name for name in sums if name in self.shown]
        return bool(shown) and all(distance(self.shown[name], sums[name]) > SAME for name in shown)

    def _flat(self, array: Array) -> Array:
        """Join time and batch: (R, T B, ...)."""
        return array.reshape(len(array), -1, array.shape[-1])
