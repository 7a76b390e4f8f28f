"""The training step in torch: `nn.RNN` with all that torch does for it, and the loop that one writes by hand.

See `peers` for what a peer is.
"""

import numpy as np
import torch
from problem import CLIP, EPS, LR, Problem
from torch import Tensor, nn

__all__ = ["TorchLoop", "TorchRNN"]

torch.set_num_threads(1)


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
        self.loss().backward()

    def loss(self) -> Tensor:
        """Evaluate the loss."""
        logits = self.readout(self.states()).flatten(0, 1)
        return nn.functional.cross_entropy(logits, self.y, reduction="sum")

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
