"""The same training step by numpy_impl and by those one would take instead. Each peer is built once for a `Problem`.

A peer has `gradients()`, the arrays of one evaluation under our names; `forward_backward()`, loss and gradients; and
`step()`, which also clips and updates. Nothing that a program could prepare once is inside a timed call: one-hot
vectors and tensors are made beforehand.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from problem import CLIP, EPS, LR, Problem
from torch import Tensor, nn

from numpy_impl.clip import clip_grad_value
from numpy_impl.flat import Flat
from numpy_impl.lean import Lean, lean_loss_and_grads
from numpy_impl.loss import cross_entropy_and_gradient
from numpy_impl.model import backward, forward
from numpy_impl.optim import Adagrad
from numpy_impl.touched import step_touched
from numpy_impl.workspace import Workspace

__all__ = ["Ours", "TorchLoop", "TorchRNN"]


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


class _Torch(nn.Module):
    """What both torch peers share: everything but the way from the batch to the states."""

    names: dict[str, str]

    def _finish(self, problem: Problem) -> None:
        self.h0, self.y = torch.from_numpy(problem.h0), torch.from_numpy(problem.y).flatten()
        with torch.no_grad():
            for name, own in self.names.items():
                self.get_parameter(own).copy_(torch.from_numpy(problem.params[name]))
        self.trained = [p for p in self.parameters() if p.requires_grad]
        self.optimizer = torch.optim.Adagrad(self.trained, lr=LR, eps=EPS, fused=True)

    def states(self) -> Tensor:
        """Return the states h_1..h_T."""
        raise NotImplementedError

    def gradients(self) -> dict[str, np.ndarray]:
        """Return the gradients by name."""
        self.forward_backward()
        return {"d" + name: self.get_parameter(own).grad.numpy().copy() for name, own in self.names.items()}

    def forward_backward(self) -> None:
        """Evaluate the loss and every gradient."""
        self.optimizer.zero_grad(set_to_none=True)
        logits = self.readout(self.states()).flatten(0, 1)
        nn.functional.cross_entropy(logits, self.y, reduction="sum").backward()

    def step(self) -> None:
        """Train on the batch."""
        self.forward_backward()
        nn.utils.clip_grad_value_(self.trained, CLIP)
        self.optimizer.step()


class TorchRNN(_Torch):
    """`torch.nn.RNN` and `Linear`, one-hot vectors in, the fused Adagrad."""

    name = "torch.nn.RNN"

    def __init__(self, problem: Problem):
        super().__init__()
        H, V, _, _ = problem.size
        dtype = getattr(torch, problem.dtype.name)
        self.rnn, self.readout = nn.RNN(V, H, dtype=dtype), nn.Linear(H, V, dtype=dtype)
        nn.init.zeros_(self.rnn.bias_hh_l0).requires_grad_(False)  # one bias is enough
        own = ("rnn.weight_ih_l0", "rnn.weight_hh_l0", "rnn.bias_ih_l0", "readout.weight", "readout.bias")
        self.names = dict(zip(problem.params, own, strict=True))
        self.x = nn.functional.one_hot(torch.from_numpy(problem.x), V).to(dtype)
        self._finish(problem)

    def states(self) -> Tensor:
        """Let torch run over time."""
        h, _ = self.rnn(self.x, self.h0[None])
        return h


class TorchLoop(_Torch):
    """The recurrence step by step in torch: what one writes who does not take `nn.RNN`."""

    name = "torch loop"

    def __init__(self, problem: Problem):
        super().__init__()
        H, V, _, _ = problem.size
        dtype = getattr(torch, problem.dtype.name)
        self.embedding, self.recurrence = nn.Parameter(torch.empty(H, V, dtype=dtype)), nn.Linear(H, H, dtype=dtype)
        self.readout = nn.Linear(H, V, dtype=dtype)
        own = ("embedding", "recurrence.weight", "recurrence.bias", "readout.weight", "readout.bias")
        self.names = dict(zip(problem.params, own, strict=True))
        self.x = torch.from_numpy(problem.x)
        self._finish(problem)

    def states(self) -> Tensor:
        """Run over time; the inputs of all steps are looked up at once."""
        h, states = self.h0, []
        for xp in nn.functional.embedding(self.x, self.embedding.T).unbind(0):
            h = torch.tanh(xp + self.recurrence(h))
            states.append(h)
        return torch.stack(states)
