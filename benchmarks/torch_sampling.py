"""Writing characters in torch: over `nn.RNN`, and by a lean loop without modules. For `sampling`."""

from collections.abc import Callable

import torch
from problem import Problem
from torch import nn

__all__ = ["LENGTH", "torch_loop", "torch_rnn"]

LENGTH = 200
"""Characters per stream and call, as in `sampling`."""

torch.set_num_threads(1)


def torch_rnn(problem: Problem) -> Callable[[], object]:
    """Return a loop over `torch.nn.RNN`, one step at a time."""
    H, V, _, B = problem.size
    dtype = getattr(torch, problem.dtype.name)
    rnn, readout = nn.RNN(V, H, dtype=dtype), nn.Linear(H, V, dtype=dtype)
    one_hot = torch.eye(V, dtype=dtype)

    @torch.inference_mode()
    def write() -> list[torch.Tensor]:
        h, ids, written = torch.from_numpy(problem.h0)[None], torch.zeros(B, dtype=torch.long), []
        for _ in range(LENGTH):
            out, h = rnn(one_hot[ids][None], h)
            ids = torch.multinomial(torch.softmax(readout(out[0]), -1), 1)[:, 0]
            written.append(ids)
        return written

    return write


def torch_loop(problem: Problem) -> Callable[[], object]:
    """Return a lean loop in torch: a row of W_xh^T per token, no modules."""
    p = {name: torch.from_numpy(a) for name, a in problem.params.items()}
    table = p["W_xh"].T + p["b_h"]

    @torch.inference_mode()
    def write() -> list[torch.Tensor]:
        h, ids, written = torch.from_numpy(problem.h0), torch.zeros(problem.size.B, dtype=torch.long), []
        for _ in range(LENGTH):
            h = torch.tanh(torch.addmm(table[ids], h, p["W_hh"].T))
            ids = torch.multinomial(torch.softmax(torch.addmm(p["b_y"], h, p["W_hy"].T), -1), 1)[:, 0]
            written.append(ids)
        return written

    return write
