"""The optimiser that is handed to code that wants one: plain gradient descent, so that its step shows the gradient."""

from dataclasses import dataclass
from typing import Any

__all__ = ["SGD"]


@dataclass
class SGD:
    """Subtract the gradient times the learning rate, under the names that layers call."""

    lr: float

    def update(self, w: Any, grad: Any, *_: Any) -> Any:
        """Return the weight one step down; an optimiser that remembers is given more arguments, which are ignored."""
        return w - self.lr * grad

    __call__ = step = apply = update
