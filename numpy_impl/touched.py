"""Leave out of an update the columns of W_xh whose token does not occur in the batch.

Their gradient is zero, and plain SGD and Adagrad leave an element without gradient exactly as it was: w - lr 0 = w and
m + 0^2 = m, to the last bit. With 8,000 tokens and a batch of 20 that is half of the whole update. A momentum buffer
moves weights on without a gradient, so there nothing can be left out (`Optimizer.at_rest_without_gradient`).
"""

from typing import Protocol, runtime_checkable

import numpy as np

from numpy_impl.flat import Flat
from numpy_impl.optim import State
from numpy_impl.scalar import Scalar
from numpy_impl.shapes import Ids, Real

__all__ = ["step_touched"]

FEW = 8
"""It pays when there are so many times more tokens in the vocabulary than in the batch."""
LARGE = 50_000
"""And when W_xh has at least so many elements."""


@runtime_checkable
class Optimizer(Protocol):
    """What this asks of an optimiser (`numpy_impl.optim`)."""

    @property
    def at_rest_without_gradient(self) -> bool:
        """Whether an element whose gradient is zero stays as it is, and its state too."""

    def step(
        self, w: np.ndarray, g: np.ndarray, state: State, lr: Scalar, *, inplace: bool
    ) -> tuple[np.ndarray, State]:
        """Take one step."""


def step_touched(
    optimizer: Optimizer,
    params: Flat,
    g: Real[np.ndarray, "N"],
    state: State,
    lr: Scalar,
    x: Ids[np.ndarray, "T B"] | Real[np.ndarray, "T B I"],
) -> State:
    """Take a step in place along `g`, the gradient vector of a batch with inputs `x`; return the state.

    The result is that of `optimizer.step(params.flat, g, state, lr, inplace=True)`, which is what happens where
    nothing can be left out.
    """
    H, I = params["W_xh"].shape
    few = x.ndim == 2 and FEW * x.size <= I and H * I >= LARGE
    if not (few and optimizer.at_rest_without_gradient):
        return optimizer.step(params.flat, g, state, lr, inplace=True)[1]
    W_xh = params.layout.places["W_xh"]
    for part in (slice(W_xh.start), slice(W_xh.stop, None)):
        kept = {name: array[part] for name, array in state.items()}
        optimizer.step(params.flat[part], g[part], kept, lr, inplace=True)
    tokens = np.unique(x[x >= 0])
    columns = {name: array[W_xh].reshape(H, I) for name, array in {"w": params.flat, "g": g, **state}.items()}
    touched = {name: array[:, tokens] for name, array in columns.items()}
    w, step_g = touched.pop("w"), touched.pop("g")
    optimizer.step(w, step_g, touched, lr, inplace=True)
    for name, array in {"w": w, **touched}.items():
        columns[name][:, tokens] = array
    return state
