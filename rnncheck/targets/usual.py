"""Functions that everybody writes alike, for files that take them from a helper which is not there.

`from rnn_utils import *` brings a softmax: without it nothing of the file could be called, and with the usual one all
that is the file's own can be judged.
"""

from collections.abc import Callable
from functools import partial
from importlib.util import find_spec

import numpy as np

__all__ = ["missing", "usual"]

Function = Callable[..., np.ndarray]


def missing(module: str) -> bool:
    """Tell whether a module is not installed, so that importing it when it is used cannot help."""
    try:
        return find_spec(module.partition(".")[0]) is None
    except (ImportError, ValueError):
        return True


def usual(V: int) -> dict[str, Function]:
    """Return the functions by name; a softmax is over the axis with V classes unless it is told another."""
    sigmoid, softmax = _sigmoid, partial(_softmax, V)
    return {"softmax": softmax, "sigmoid": sigmoid, "expit": sigmoid, "relu": _relu, "tanh": np.tanh}


def _softmax(V: int, z: np.ndarray, axis: int | None = None) -> np.ndarray:
    z = np.asarray(z)
    if axis is None:
        axis = z.shape.index(V) if V in z.shape else -1
    e = np.exp(z - z.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def _sigmoid(z: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-z))


def _relu(z: np.ndarray) -> np.ndarray:
    return np.maximum(z, 0)
