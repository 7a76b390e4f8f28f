"""Gates: the small functions a network is made of, each with its derivative right under it.

A gate knows two things: what it computes, and how a gradient that arrives at its output (`dout`) is passed on to its
inputs. It knows nothing of the network around it; `numpy_impl.unrolled` builds the network.

The chain rule in this local form: D. Rumelhart, G. Hinton and R. Williams, "Learning representations by
back-propagating errors", 1986. Rows are the sequences of a batch. Nothing here is taken from `rnn.py` or `loss.py`:
two derivations that agree are worth more than one.
"""

import numpy as np

from numpy_impl.shapes import Ids, Real

__all__ = [
    "add",
    "add_backward",
    "multiply",
    "multiply_backward",
    "one_hot",
    "relu",
    "relu_backward",
    "sigmoid",
    "sigmoid_backward",
    "softmax_output",
    "softmax_output_backward",
    "tanh",
    "tanh_backward",
]

Vector = Real[np.ndarray, "B N"]
Bias = Real[np.ndarray, "N"]


def multiply(W: Real[np.ndarray, "M N"], v: Real[np.ndarray, "B N"]) -> Real[np.ndarray, "B M"]:
    """Multiply every row by the matrix: W v."""
    return v @ W.T


def multiply_backward(
    dout: Real[np.ndarray, "B M"], W: Real[np.ndarray, "M N"], v: Real[np.ndarray, "B N"]
) -> tuple[Real[np.ndarray, "M N"], Real[np.ndarray, "B N"]]:
    """Return dW, a sum over the rows because they share W, and dv."""
    return dout.T @ v, dout @ W


def add(u: Vector, v: Vector | Bias) -> Vector:
    """Add row by row; a bias has one row, which all share."""
    return u + v


def add_backward(dout: Vector, v: Vector | Bias) -> tuple[Vector, Vector | Bias]:
    """Return du and dv: both receive the whole gradient, and a bias the sum over the rows that share it."""
    return dout, dout if v.ndim == 2 else dout.sum(axis=0)


def tanh(a: Vector) -> Vector:
    """Squash to (-1, 1)."""
    return np.tanh(a)


def tanh_backward(dout: Vector, out: Vector) -> Vector:
    """Return da. The slope is 1 - tanh(a)^2, and tanh(a) is at hand: it is what came out."""
    return dout * (1 - out * out)


def relu(a: Vector) -> Vector:
    """Cut off what is negative."""
    return np.where(a > 0, a, np.zeros_like(a))


def relu_backward(dout: Vector, out: Vector) -> Vector:
    """Return da. The slope at zero is taken to be zero."""
    return np.where(out > 0, dout, np.zeros_like(dout))


def sigmoid(a: Vector) -> Vector:
    """Squash to (0, 1): 1 / (1 + exp(-a)), written with tanh because exp(800) overflows."""
    return (1 + np.tanh(a / 2)) / 2


def sigmoid_backward(dout: Vector, out: Vector) -> Vector:
    """Return da."""
    return dout * out * (1 - out)


def softmax_output(
    logits: Real[np.ndarray, "B V"], y: Ids[np.ndarray, "B"]
) -> tuple[Real[np.ndarray, "B"], Real[np.ndarray, "B V"]]:
    """Return the loss -log p_y of every row and the probabilities p = softmax(logits)."""
    z = logits - logits.max(axis=1, keepdims=True)  # the same p, and exp cannot overflow
    log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
    return -log_p[np.arange(len(y)), y], np.exp(log_p)


def softmax_output_backward(
    dloss: Real[np.ndarray, "B"], p: Real[np.ndarray, "B V"], y: Ids[np.ndarray, "B"]
) -> Real[np.ndarray, "B V"]:
    """Return dlogits: p - onehot(y), times the gradient that arrives at the loss."""
    return dloss[:, None] * (p - one_hot(y, p.shape[1], p.dtype))


def one_hot(ids: Ids[np.ndarray, "*batch"], size: int, dtype: np.dtype) -> Real[np.ndarray, "*batch {size}"]:
    """Turn ids into rows with a single 1; an id outside 0..size-1, such as *no token*, gives a row of zeros."""
    return (ids[..., None] == np.arange(size)).astype(dtype)
