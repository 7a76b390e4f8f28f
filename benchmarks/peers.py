"""The same training step by numpy_impl and by those one would take instead. Each peer is built once for a `Problem`.

A peer has `gradients()`, the arrays of one evaluation under our names; `forward_backward()`, loss and gradients; and
`step()`, which also clips and updates. Nothing that a program could prepare once is inside a timed call: one-hot
vectors and tensors are made beforehand.
"""

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np
from min_char_rnn import MinCharRNN
from problem import CLIP, EPS, LR, Problem

from numpy_impl.clip import clip_grad_value
from numpy_impl.flat import Flat
from numpy_impl.lean import Lean, lean_loss_and_grads
from numpy_impl.loss import cross_entropy_and_gradient
from numpy_impl.model import backward, forward
from numpy_impl.optim import Adagrad
from numpy_impl.touched import step_touched
from numpy_impl.workspace import Workspace

__all__ = ["AGREEMENT", "Ours", "available", "disagreement"]

AGREEMENT = 256
"""Gradients may differ by so many units in the last place of the largest entry of the array."""


def available(*, loop: bool = True) -> list[Callable[[Problem], Any]]:
    """Return the peers whose libraries are installed; the `loop` in torch costs most and shows least."""
    found: list[Callable[[Problem], Any]] = []
    if find_spec("torch"):
        from torch_peers import TorchLoop, TorchRNN

        found += [TorchRNN, TorchLoop] if loop else [TorchRNN]
    found.append(MinCharRNN)
    if find_spec("jax"):
        from jax_scan import JaxScan

        found.append(JaxScan)
    return found


def disagreement(ours: dict[str, np.ndarray], theirs: dict[str, np.ndarray]) -> float:
    """Return the largest difference of any gradient, in units in the last place of the largest entry of its array."""
    found = 0.0
    for name, array in ours.items():
        unit = np.finfo(array.dtype).eps * np.abs(array).max()
        found = np.maximum(found, np.abs(array - theirs[name]).max() / unit)  # keeps what is not a number
    return float(found)


class Ours:
    """numpy_impl, called as its training loop calls it."""

    name = "numpy_impl"

    def __init__(self, problem: Problem):
        self.problem = problem
        self.params = Flat.pack(problem.params)
        self.optimizer = Adagrad(eps=EPS)
        self.state = self.optimizer.init(self.params.flat)
        self.workspace = Workspace()

    def gradients(self) -> dict[str, np.ndarray]:
        """Return the gradients by name."""
        return dict(self.forward_backward().grads.copy())

    def forward_backward(self) -> Lean:
        """Evaluate the loss and every gradient."""
        p = self.problem
        return lean_loss_and_grads(self.params, p.x, p.y, p.h0, workspace=self.workspace)

    def step(self) -> None:
        """Train on the batch."""
        self.update(self.forward_backward().grads.flat)

    def update(self, g: np.ndarray) -> None:
        """Clip and step."""
        clip_grad_value(g, CLIP, out=g)
        step_touched(self.optimizer, self.params, g, self.state, LR, self.problem.x)

    def parts(self) -> dict[str, Callable[[], Any]]:
        """Return the parts of the step, each to be called alone, as `model.loss_and_grads` puts them together."""
        p, workspace = self.problem, Workspace()
        fwd = forward(self.params, p.x, p.h0, workspace=Workspace())
        _, dlogits = cross_entropy_and_gradient(fwd.logits, p.y)
        out = np.empty_like(dlogits)
        g = backward(self.params, fwd, dlogits).grads.flat
        return {
            "forward": lambda: forward(self.params, p.x, p.h0, workspace=workspace),
            "loss and dlogits": lambda: cross_entropy_and_gradient(fwd.logits, p.y, out=out),
            "backward": lambda: backward(self.params, fwd, dlogits, workspace=workspace),
            "clip": lambda: clip_grad_value(g, CLIP, out=g),
            "Adagrad": lambda: step_touched(self.optimizer, self.params, g, self.state, LR, p.x),
        }
