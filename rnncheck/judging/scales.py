"""The Monte Carlo tolerance of a case: measured here and now with torch, or taken from a stored vector without it."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from rnncheck.case import Case, RNNCase
from rnncheck.judging.arithmetic import Arithmetic
from rnncheck.judging.lost_digits import lost_in_loss
from rnncheck.judging.montecarlo import MonteCarlo, gate
from rnncheck.judging.tolerance import Tolerance
from rnncheck.trace import TIMED, Trace

if TYPE_CHECKING:
    from torch import Tensor

    from rnncheck.judging.noise import Moved

__all__ = ["Scales", "noisy_tolerance", "rough_tolerance", "scales", "stored", "stored_tolerance"]

COARSE = 2.0**-40
FEW = 4
"""Noise runs of a rough tolerance."""
AT_ONCE = 1 << 25
"""So many numbers, about, may one array of all replicas hold; beyond that the replicas run in groups."""


class Scales(NamedTuple):
    """By array of the Trace: the reference (float64), sigma per unit of u, and its gate ("ok", or why not)."""

    reference: dict[str, np.ndarray]
    sigma: dict[str, np.ndarray]
    gates: dict[str, str]


def scales(case: RNNCase, seed: int = 0) -> Scales:
    """Measure the scale of every array of the case's Trace by noise over the reference, forward and back."""
    from rnncheck.judging.noise import REPLICAS, SIZE

    clean, sigma = _moved(case, SIZE, REPLICAS, seed)
    coarse = _moved(case, COARSE, REPLICAS, seed + 1).sigma
    return Scales(clean, sigma, {name: gate(sigma[name], coarse[name], clean[name], case.dtype) for name in sigma})


def _moved(case: RNNCase, size: float, replicas: int, seed: int) -> "Moved":
    from rnncheck.judging.noise import deviation

    inputs = dict(case.params)
    inputs |= {name: a for name, a in (("h0", case.h0), ("dloss", case.dloss)) if a is not None}
    if case.x.ndim == 3:
        inputs["x"] = case.x
    s = case.sizes
    numbers = s["T"] * s["B"] * (s["V"] + s["H"]) + s["H"] * (s["V"] + s["I"])
    at_once = min(replicas, max(1, AT_ONCE // numbers))
    return deviation(partial(_reference, case), inputs, size, replicas=replicas, at_once=at_once, seed=seed)


def _reference(case: RNNCase, leaves: dict[str, "Tensor"]) -> dict[str, "Tensor"]:
    """Run the oracle on replicas; in its time-major arrays their axis comes second."""
    import torch

    from reference.loop import backward, forward, loss

    params = {name: leaves[name] for name in case.params}
    x = leaves["x"].movedim(0, 1) if "x" in leaves else torch.as_tensor(case.x)
    nodes = forward(params, x, leaves.get("h0"), nonlinearity=case.nonlinearity, bptt=case.bptt, k=case.k)
    value = loss(nodes.logits, torch.as_tensor(case.y), case.reduction, case.ignore_index)
    dloss = leaves.get("dloss")
    if dloss is not None and case.reduction == "none":
        dloss = dloss.movedim(0, 1)
    found = {"h": nodes.h, "logits": nodes.logits, "loss": value, **backward(value, params, x, nodes, dloss)}
    timed = {*TIMED, "loss"} if case.reduction == "none" else set(TIMED)
    return {name: array.movedim(1, 0) if name in timed else array for name, array in found.items()}


def noisy_tolerance(case: RNNCase, trace: Trace) -> MonteCarlo:
    """Measure the tolerance of a fresh case."""
    _, sigma, gates = scales(case)
    return MonteCarlo(case, sigma, gates, _repeated(case, trace))


def rough_tolerance(case: RNNCase, trace: Trace) -> MonteCarlo:
    """Measure it by few runs of one size of noise: a sixteenth of the cost, good for what lies far beyond it."""
    from rnncheck.judging.noise import SIZE

    clean, sigma = _moved(case, SIZE, FEW, seed=0)
    gates = {name: gate(scale, scale, clean[name], case.dtype) for name, scale in sigma.items()}
    return MonteCarlo(case, sigma, gates, _repeated(case, trace), f" (of {FEW} noise runs)")


def _repeated(case: RNNCase, trace: Trace) -> dict[str, float]:
    return {} if case.reduction == "none" else {"loss": float(lost_in_loss(case, trace["logits"]).sum()) / 4}


def stored(sigma: np.ndarray) -> np.ndarray:
    """Round a scale to float32 for a vector, but never to zero: only a scale of zero demands exact zeros."""
    small = sigma.astype(np.float32)
    return np.where((small == 0) & (sigma > 0), np.finfo(np.float32).smallest_subnormal, small)


def stored_tolerance(
    rule: str, case: Case, scales: Mapping[str, np.ndarray], steps: Sequence[int] | None = None
) -> Tolerance:
    """Take the tolerance from a vector, by the name of its rule: "monte-carlo" or, without recurrence, "arithmetic".

    Vectors hold only arrays that passed their gate. Where one holds only the time steps `steps`, so do its scales.
    """
    if rule == "arithmetic":
        return Arithmetic(case, scales)
    if rule != "monte-carlo" or not isinstance(case, RNNCase):
        raise ValueError(f"case {case.name} ({case.kind}): rule is {rule!r}, expected monte-carlo (rnn) or arithmetic")
    return MonteCarlo(case, scales, dict.fromkeys(scales, "ok"))
