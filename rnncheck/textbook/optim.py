"""Optimisers, one tensor at a time.

SGD with momentum: B. Polyak, 1964, in torch's form v <- momentum v + (1 - dampening) g, w <- w - lr v. Adagrad: J.
Duchi, E. Hazan, Y. Singer, 2011: m <- m + g^2, w <- w - lr g / (sqrt(m) + eps), or with eps inside the root.
"""

from collections.abc import Mapping

import numpy as np

from rnncheck.case import OptimCase
from rnncheck.textbook.loss import Array

__all__ = ["OptimSteps"]


class OptimSteps:
    """Apply the steps of an OptimCase, `self.rule`; the memory of a tensor is its momentum or its sum of squares."""

    rule: OptimCase

    def run_optim(self, case: OptimCase) -> dict[str, Array]:
        """Return the parameters after every step."""
        self.rule = case
        self.params = self.take_params(case.params)
        self.memory = {name: self.first_memory(w) for name, w in self.params.items()}
        self.memory |= {name: left.copy() for name, left in (case.buffer or {}).items()}
        recorded: dict[str, Array] = {}
        for s in range(len(next(iter(case.grads.values())))):
            self.step_all(s)
            recorded |= {f"step{s + 1}.{name}": self.record(w) for name, w in self.params.items()}
        return recorded

    def take_params(self, params: Mapping[str, Array]) -> dict[str, Array]:
        """Copy the parameters: the case is not ours to change."""
        return {name: w.copy() for name, w in params.items()}

    def record(self, w: Array) -> Array:
        """Copy a parameter as it is now."""
        return w.copy()

    def first_memory(self, w: Array) -> Array | None:
        """Start Adagrad's m at its initial value, the momentum at zero or (None) with the first gradient."""
        if self.rule.method == "adagrad":
            return np.full_like(w, self.rule.initial_accumulator)
        return np.zeros_like(w) if self.rule.zero_start else None

    def gradient(self, name: str, s: int) -> Array:
        """Return the gradient of step s."""
        return self.rule.grads[f"d{name}"][s]

    def step_all(self, s: int) -> None:
        """Update every tensor."""
        for name in self.params:
            self.step_one(name, s)

    def step_one(self, name: str, s: int) -> None:
        """Update the memory of one tensor, then the tensor."""
        w, g = self.params[name], self.gradient(name, s)
        if self.rule.method == "adagrad":
            before = self.memory[name]
            assert before is not None
            self.memory[name] = m = self.squares(before, g)
            update = self.adagrad_update(before, m, g)
        else:
            update = self.memory[name] = self.velocity(self.memory[name], g)
        self.params[name] = self.apply(w, update, self.learning_rate(s))

    def learning_rate(self, s: int) -> float:
        """Return the learning rate of step s."""
        return self.rule.lr

    def apply(self, w: Array, update: Array, lr: float) -> Array:
        """Go down the gradient."""
        return w - lr * update

    # SGD

    def velocity(self, v: Array | None, g: Array) -> Array:
        """Return the new momentum. The first is the gradient, and without momentum every one is."""
        if v is None or self.rule.momentum == 0:
            return g.copy()
        return self.rule.momentum * v + self.gradient_share() * g

    def gradient_share(self) -> float:
        """Return the share of the new gradient in the momentum."""
        return 1 - self.rule.dampening

    # Adagrad

    def squares(self, m: Array, g: Array) -> Array:
        """Add the squared gradient."""
        return m + g * g

    def adagrad_update(self, before: Array, m: Array, g: Array) -> Array:
        """Divide the gradient by the root of all squares so far, this one included."""
        return g / self.root(m)

    def root(self, m: Array) -> Array:
        """Return sqrt(m) with eps where the case wants it."""
        return np.sqrt(m + self.rule.eps) if self.rule.eps_inside else np.sqrt(m) + self.rule.eps
