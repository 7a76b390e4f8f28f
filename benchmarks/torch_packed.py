"""Loss and gradients of sequences of different length by torch's `PackedSequence`. For `packed`."""

from collections.abc import Callable

import numpy as np
import torch
from problem import Problem
from torch.nn.utils.rnn import pack_padded_sequence
from torch_peers import TorchRNN

__all__ = ["torch_packed"]


def torch_packed(problem: Problem, lengths: np.ndarray) -> Callable[[], dict[str, np.ndarray]]:
    """Return a call of `nn.RNN` on packed inputs; packing is done beforehand, as ours is not."""
    model = TorchRNN(problem)
    counts = torch.from_numpy(lengths)
    x = pack_padded_sequence(model.x, counts, enforce_sorted=False)
    y = pack_padded_sequence(torch.from_numpy(problem.y), counts, enforce_sorted=False).data

    def evaluate() -> dict[str, np.ndarray]:
        model.optimizer.zero_grad(set_to_none=True)
        h, _ = model.rnn(x, model.h0[None])
        torch.nn.functional.cross_entropy(model.readout(h.data), y, reduction="sum").backward()
        return {"d" + name: model.get_parameter(own).grad.numpy() for name, own in model.names.items()}

    return evaluate
