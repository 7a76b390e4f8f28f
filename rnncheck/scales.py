"""The scales of a case: Monte Carlo noise over the reference's forward and backward pass, and which arrays it can judge."""

from typing import NamedTuple


import numpy as np

from rnncheck.case import RNNCase
from rnncheck.montecarlo import gate
from rnncheck.trace import TIMED

__all__ = ["Scales", "scales"]

COARSE = 2.0**-40
MEMORY = 1 << 25
"""Numbers that one array of all replicas may hold, about: beyond that the replicas run in groups."""


class Scales(NamedTuple):
    """By array of the Trace: the reference (float64), sigma per unit of u, and its gate."""

    reference: dict[str, np.ndarray]
    sigma: dict[str, np.ndarray]
    gates: dict[str, str]


def scales(case: RNNCase, seed: int = 0) -> Scales:
    """Measure the scale of every array of the case's Trace, and tell "ok" from "no power" and "nonlinear"."""
    import torch
    from torch import Tensor

    from rnncheck.noise import REPLICAS, deviation
    from reference.loop import backward, forward, loss

    ids, targets = case.x.ndim == 2, torch.as_tensor(case.y)
    inputs = dict(case.params)
    inputs |= {name: a for name, a in (("h0", case.h0), ("dloss", case.dloss)) if a is not None}
    if not ids:
        inputs["x"] = case.x

    def run(leaves: dict[str, Tensor]) -> dict[str, Tensor]:
        params = {name: leaves[name] for name in case.params}
        x = torch.as_tensor(case.x) if ids else leaves["x"].movedim(0, 1)
        nodes = forward(params, x, leaves.get("h0"), nonlinearity=case.nonlinearity, bptt=case.bptt, k=case.k)
        value = loss(nodes.logits, targets, case.reduction, case.ignore_index)
        dloss = leaves.get("dloss")
        if dloss is not None and dloss.ndim == 3:
            dloss = dloss.movedim(0, 1)
        grads = backward(value, params, x, nodes, dloss)
        found = {"h": nodes.h, "logits": nodes.logits, "loss": value, **grads}
        per_step = {*TIMED, "loss"} if case.reduction == "none" else set(TIMED)
        return {name: a.movedim(1, 0) if name in per_step else a for name, a in found.items()}

    s = case.sizes
    numbers = s["T"] * s["B"] * (s["V"] + s["H"]) + s["H"] * (s["V"] + s["I"])
    at_once = min(REPLICAS, max(1, MEMORY // numbers))
    clean, sigma = deviation(run, inputs, at_once=at_once, seed=seed)
    coarse = deviation(run, inputs, COARSE, at_once=at_once, seed=seed + 1).sigma
    return Scales(clean, sigma, {name: gate(sigma[name], coarse[name], clean[name], case.dtype) for name in sigma})
