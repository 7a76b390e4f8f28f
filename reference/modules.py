"""The second oracle: `torch.nn.RNN`, `nn.Linear` and `cross_entropy`, nothing of our own between input and loss.

It shares no equation with `reference.loop`, so that an error in one of them shows. Torch's layers hide the inside of
the recurrence, hence no dh and da here; and they cannot be cut in the middle, hence no windowed BPTT.
"""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor
from torch.nn import Module
from torch.nn.functional import cross_entropy, one_hot

from reference.bptt import Segment, segments
from reference.edge import leaf, to_numpy, to_torch
from reference.params import TORCH_NAMES, to_torch_rnn
from reference.validate import check_case

__all__ = ["run_rnn_modules"]


def run_rnn_modules(
    params: Mapping[str, np.ndarray],
    x: np.ndarray,
    y: np.ndarray,
    h0: np.ndarray | None = None,
    *,
    nonlinearity: str = "tanh",
    reduction: str = "sum",
    ignore_index: int = -100,
    dloss: np.ndarray | None = None,
    bptt: str = "full",
    k: int | None = None,
    dtype: torch.dtype = torch.float64,
) -> dict[str, np.ndarray]:
    """Evaluate one problem as `loop.run_rnn` does; the result has the same names, without `dh` and `da`.

    Raises
    ------
    ValueError, TypeError
        As `loop.run_rnn`; and for windowed BPTT, which modules do not offer.
    """
    if bptt == "windowed":
        raise ValueError('bptt is "windowed", which torch\'s modules cannot show; use reference.loop.run_rnn')
    check_case(params, x, y, h0, nonlinearity, reduction, ignore_index, dloss)
    model = to_torch_rnn(params, nonlinearity=nonlinearity, dtype=dtype)
    tx = _one_hot(to_torch(x), params["W_xh"].shape[1], dtype) if x.ndim == 2 else leaf(x, dtype)
    first = np.zeros((x.shape[1], len(params["W_hh"]))) if h0 is None else h0
    th0 = leaf(first, dtype)

    h = _states(model, tx, th0, segments(len(x), bptt, k))
    logits = model.readout(h)
    value = cross_entropy(
        logits.flatten(0, 1), to_torch(y).flatten(), reduction=reduction, ignore_index=ignore_index
    ).reshape(y.shape if reduction == "none" else ())

    named = dict(model.named_parameters())
    wanted = {name: named[TORCH_NAMES[name]] for name in params} | {"logits": logits, "h0": th0}
    if x.ndim == 3:
        wanted["x"] = tx
    upstream = torch.ones_like(value) if dloss is None else to_torch(dloss, dtype)
    grads = dict(zip(wanted, torch.autograd.grad(value, list(wanted.values()), upstream), strict=True))
    order = ("logits", "W_hy", "b_y", "W_hh", "W_xh", "b_h", "x", "h0")
    shown = {"h": h, "logits": logits, "loss": value, **{"d" + name: grads[name] for name in order if name in grads}}
    return {name: to_numpy(tensor) for name, tensor in shown.items()}


def _states(model: Module, x: Tensor, h0: Tensor, pieces: list[Segment]) -> Tensor:
    """Run the layer piece by piece: the state goes over each cut, its gradient does not."""
    parts, state = [], h0
    for start, stop, _ in pieces:
        h, _ = model(x[start:stop], state)
        parts.append(h)
        state = h[-1].detach()
    return torch.cat(parts)


def _one_hot(ids: Tensor, I: int, dtype: torch.dtype) -> Tensor:
    """Turn ids into vectors; *no token* (-1) is the zero vector: class 0 of one class more, which is then dropped."""
    return one_hot(ids + 1, I + 1)[..., 1:].to(dtype)
