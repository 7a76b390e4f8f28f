"""Optimisers by `torch.optim`, and the two variants that torch does not offer.

- `zero_start`: the momentum buffer starts at zero, so that v <- momentum v + (1 - dampening) g holds from the first
  step on; with dampening = momentum that is an exponential average. torch sets v = g at the first step, and would do
  so here, were the buffer not put in place before.
- `eps_inside`: Adagrad with sqrt(m + eps), as in A. Karpathy's min-char-rnn, 2015; torch's is sqrt(m) + eps
  (J. Duchi, E. Hazan and Y. Singer, JMLR 2011).
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from reference.edge import Number, leaf, to_numpy, to_torch

__all__ = ["OPTIMIZERS", "AdagradEpsInside", "load_state", "make_optimizer", "read_state", "run_optim"]

OPTIMIZERS = ("sgd", "adagrad")
STATE_NAMES = {"v": "momentum_buffer", "m": "sum"}
"""The arrays of an optimiser's state: our names, and torch's."""


class AdagradEpsInside(torch.optim.Adagrad):
    """Adagrad with epsilon inside the root: w <- w - lr g / sqrt(m + eps)."""

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Add g^2 to m, then step."""
        if closure is not None:
            raise TypeError("closure is given, but Adagrad never evaluates the loss again; leave it out")
        for group in self.param_groups:
            for w in group["params"]:
                m = self.state[w]["sum"]
                m += w.grad**2
                w -= group["lr"] * w.grad / torch.sqrt(m + group["eps"])


def make_optimizer(
    parameters: Iterable[Tensor],
    method: str,
    *,
    lr: Number,
    momentum: Number = 0.0,
    dampening: Number = 0.0,
    zero_start: bool = False,
    eps: Number = 1e-10,
    eps_inside: bool = False,
    initial_accumulator: Number = 0.0,
) -> torch.optim.Optimizer:
    """Return the optimiser `method` ("sgd" or "adagrad") with those of the options that are its own.

    Raises
    ------
    ValueError
        If the method is unknown, `zero_start` has no momentum to act on, or torch refuses an option.
    """
    parameters = list(parameters)
    if zero_start and momentum == 0:
        raise ValueError(
            "zero_start is True under momentum 0: there is no buffer to start; set momentum, or leave it out"
        )
    if method == "sgd":
        sgd = torch.optim.SGD(parameters, lr=lr, momentum=momentum, dampening=dampening)
        if zero_start:
            for w in parameters:
                sgd.state[w]["momentum_buffer"] = torch.zeros_like(w)
        return sgd
    if method == "adagrad":
        kind = AdagradEpsInside if eps_inside else torch.optim.Adagrad
        return kind(parameters, lr=lr, eps=eps, initial_accumulator_value=initial_accumulator)
    raise ValueError(f"method is {method!r}, expected one of {', '.join(OPTIMIZERS)}")


def run_optim(
    params: Mapping[str, np.ndarray],
    grads: Mapping[str, np.ndarray],
    method: str,
    *,
    buffer: Mapping[str, np.ndarray] | None = None,
    dtype: torch.dtype = torch.float64,
    **options: Any,
) -> dict[str, np.ndarray]:
    """Take one step per slice of `grads` (leading axis: steps); return the parameters after step 1 as `step1.W_hh` ...

    Gradients are named after their parameters, `dW_hh`. `buffer` holds for every parameter the momentum, or the sum
    of squares, that earlier steps have left. `options` are those of `make_optimizer`.
    """
    leaves = {name: leaf(array, dtype) for name, array in params.items()}
    optimizer = make_optimizer(leaves.values(), method, **options)
    for name, left in (buffer or {}).items():
        load_state(optimizer, leaves[name], {"v" if method == "sgd" else "m": left})
    found: dict[str, np.ndarray] = {}
    for s in range(len(next(iter(grads.values())))):
        for name, w in leaves.items():
            w.grad = to_torch(grads["d" + name][s], dtype)
        optimizer.step()
        found |= {f"step{s + 1}.{name}": to_numpy(w) for name, w in leaves.items()}
    return found


def load_state(optimizer: torch.optim.Optimizer, w: Tensor, state: Mapping[str, np.ndarray]) -> None:
    """Put a stored state in place: `v` (and whether it has `started`) for momentum, `m` for Adagrad."""
    for ours, theirs in STATE_NAMES.items():
        if ours in state and ("started" not in state or state["started"]):
            optimizer.state[w][theirs] = to_torch(state[ours], w.dtype)


def read_state(optimizer: torch.optim.Optimizer, w: Tensor) -> dict[str, np.ndarray]:
    """Return what `load_state` takes."""
    kept = optimizer.state[w]
    state = {ours: to_numpy(kept[theirs]) for ours, theirs in STATE_NAMES.items() if kept.get(theirs) is not None}
    return state | ({"started": np.array(True)} if "v" in state else {})
