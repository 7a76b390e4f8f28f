"""The manner in which an implementation can be asked: not every code takes ids, a first state, biases or batches.

The probes are the same problems in every manner. One-hot vectors in place of ids leave even the columns of dW_xh as
readable as before.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from rnncheck.case import RNNCase
from rnncheck.cases.make import NO_TOKEN

__all__ = ["Manner", "manners"]


@dataclass(frozen=True)
class Manner:
    """How to put a case: batch size, inputs as ids or as vectors, h0 or none, which biases, the task, f.

    H and V are those that the code fixes itself, such as the number of characters of its own text; 0 if it does not.
    """

    B: int = 3
    vectors: bool = False
    h0: bool = True
    biases: tuple[str, ...] = ("b_h", "b_y")
    last_step: bool = False
    nonlinearity: str = "tanh"
    H: int = 0
    V: int = 0

    def put(self, case: RNNCase) -> RNNCase:
        """Put a case of ids, biases, h0 and tanh in this manner."""
        y = case.y.copy()
        if self.last_step:
            y[:-1] = case.ignore_index
        params = {n: w for n, w in case.params.items() if n.startswith("W") or n in self.biases}
        return replace(
            case,
            params=params,
            x=_one_hot(case) if self.vectors and case.x.ndim == 2 else case.x,
            y=y,
            h0=case.h0 if self.h0 else None,
            nonlinearity=self.nonlinearity if case.nonlinearity == "tanh" else case.nonlinearity,
        )


def _one_hot(case: RNNCase) -> np.ndarray:
    return np.eye(case.sizes["I"], dtype=case.dtype)[case.x] * (case.x != NO_TOKEN)[..., None]


def manners(H: int = 0, V: int = 0) -> Iterator[Manner]:
    """Yield every manner, what most code can do first; `H` and `V` where the code fixes them."""
    biases = (("b_h", "b_y"), (), ("b_h",), ("b_y",))
    for parts in product((3, 1), ("tanh", "relu"), (False, True), biases, (False, True), (True, False)):
        B, nonlinearity, last_step, kept, vectors, h0 = parts
        yield Manner(B, vectors, h0, kept, last_step, nonlinearity, H, V)
