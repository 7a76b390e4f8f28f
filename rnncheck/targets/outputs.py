"""Losses other than softmax with cross-entropy: real targets are chosen so that their gradient is that of the case.

Whatever the logits z are, there are targets y for which such a loss sends back the dlogits that the case has:

    values                   half the squared error of z               dz = z - y
    sigmoid values           half the squared error of o = sigma(z)    dz = (o - y) o (1 - o)
    sigmoid cross-entropy    -y log o - (1 - y) log(1 - o)             dz = o - y

So all gradients can be judged. The loss itself is another one: it tells the scale of the gradients, and a squared
error is judged by what it is more than the right one. The losses of a sigmoid are not: where it is flat, the targets
are so far away that rounding is larger than the loss of the case.
"""

import re
from collections.abc import Iterable

import numpy as np

__all__ = ["KINDS", "is_measure", "kinds_in", "loss_of", "targets_for"]

KINDS = {
    "values": "squared error of real targets",
    "sigmoid values": "squared error of sigmoid outputs",
    "sigmoid cross-entropy": "cross-entropy of sigmoid outputs",
}
FLATTEST = 1e-30
"""A sigmoid that is exactly 0 or 1 has no slope: nothing can be sent back through it, whatever the target."""
SIGMOID = re.compile(r"sigmoid|logistic|expit|1\.?0?\s*/\s*\(\s*1\.?0?\s*\+\s*(np\.)?exp", re.IGNORECASE)
ENTROPY = re.compile(r"entropy|bce|log\(", re.IGNORECASE)


def kinds_in(text: str) -> list[str]:
    """Return the kinds that a file may have: without a logarithm, o - y is a squared error whose slope is missing."""
    sigmoid = bool(SIGMOID.search(text))
    return (
        ["values"] + ["sigmoid values"] * sigmoid + ["sigmoid cross-entropy"] * (sigmoid and bool(ENTROPY.search(text)))
    )


def targets_for(kind: str, logits: np.ndarray, dlogits: np.ndarray) -> np.ndarray:
    """Return the targets with which the gradient of the loss at `logits` is `dlogits`."""
    if kind == "values":
        return logits - dlogits
    o = _sigmoid(logits)
    if kind == "sigmoid values":
        return o - dlogits / np.maximum(o * (1 - o), FLATTEST)
    return o - dlogits


def loss_of(kind: str, logits: np.ndarray, targets: np.ndarray) -> float:
    """Return the loss, summed."""
    if kind == "values":
        return float(((logits - targets) ** 2).sum() / 2)
    o = _sigmoid(logits)
    if kind == "sigmoid values":
        return float(((o - targets) ** 2).sum() / 2)
    return float(-(targets * np.log(o) + (1 - targets) * np.log(1 - o)).sum())


def is_measure(value: float, logits: np.ndarray, targets: np.ndarray, factors: Iterable[float]) -> bool:
    """Tell whether a number is the root of a squared error, or an absolute one: shown to a person, never derived."""
    d = logits - targets
    known = [(value**2, (d**2).sum()), (value, np.abs(d).sum())]
    return any(abs(own * f - right) <= 1e-6 * right for f in factors for own, right in known)


def _sigmoid(a: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-a))
