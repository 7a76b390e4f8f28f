"""One object for interactive use: every step of training under the name it has in the articles.

    model = RNNModel(input_dim=27, output_dim=27, hidden_dim=50)
    for x, y in examples:
        model.forward(x)
        model.loss(y)
        model.backward()
        model.clip(1.0)
        model.optimize(lr=0.01)

It holds the parameters, the optimiser's state and what the last step computed; the mathematics is in the pure
functions that it calls, and those are what is tested, timed and judged.
"""

from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from numpy_impl.clip import clip_grad_norm, clip_grad_value
from numpy_impl.flat import Flat
from numpy_impl.init import Rng, init_params
from numpy_impl.inputs import NO_TOKEN, Input
from numpy_impl.loss import IGNORE_INDEX, CrossEntropy, cross_entropy, cross_entropy_backward, softmax
from numpy_impl.model import Forward, backward, forward
from numpy_impl.optim import SGD, Adagrad
from numpy_impl.sample import stream
from numpy_impl.scalar import Scalar
from numpy_impl.shapes import Ids, Real
from numpy_impl.validate import check_nonlinearity

__all__ = ["RNNModel"]

Found = TypeVar("Found")


@dataclass(frozen=True)
class _Loss:
    """What `loss` was asked for and found, kept for `backward`."""

    y: np.ndarray
    reduction: str
    ignore_index: int
    found: CrossEntropy


class RNNModel:
    """A recurrent network with its optimiser, one method per step."""

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        hidden_dim: int,
        *,
        init: str = "names",
        biases: bool = True,
        nonlinearity: str = "tanh",
        optimizer: SGD | Adagrad | None = None,
        dtype: np.dtype | type = np.float64,
        seed: int = 1,
    ):
        check_nonlinearity(nonlinearity)
        if not isinstance(optimizer, SGD | Adagrad | None):
            raise TypeError(
                f"optimizer is {optimizer!r}, expected SGD(...) or Adagrad(...); leave it out for that of names"
            )
        if not isinstance(seed, int | np.integer) or seed < 0:
            raise ValueError(f"seed is {seed!r}: it must be a whole number from 0 on")
        self.rng: Rng = np.random.default_rng(seed)
        self.params = init_params(init, input_dim, hidden_dim, output_dim, self.rng, biases=biases, dtype=dtype)
        self.nonlinearity = nonlinearity
        self.optimizer = optimizer or SGD(momentum=0.9, dampening=0.9, zero_start=True)
        self.opt_state = self.optimizer.init(self.params.flat)
        self.h_T: Real[np.ndarray, "B H"] | None = None
        """The last state of the last `forward`: the `h0` of the next chunk of running text."""
        self._forward: Forward | None = None
        self._loss: _Loss | None = None
        self.grads: Flat | None = None
        """The gradients of the last `backward`, under `dW_xh` and so on."""

    def forward(self, x: Input, h0: Real[np.ndarray, "B H"] | None = None) -> Real[np.ndarray, "T B V"]:
        """Return the probabilities of every output at every step, from the first state `h0` (zero if not given)."""
        fwd = forward(self.params, x, h0, nonlinearity=self.nonlinearity)
        self._forward = fwd._replace(x=x.copy())  # whoever fills the same array anew must not change the gradient
        self._loss, self.grads = None, None
        self.h_T = self._forward.h_T
        return softmax(self._forward.logits)

    def loss(self, y: Ids[np.ndarray, "T B"], reduction: str = "sum", ignore_index: int = IGNORE_INDEX) -> float:
        """Return the cross-entropy of the last `forward` with the targets `y`, summed or averaged over them."""
        fwd = _done(self._forward, "loss", "forward(x)")
        if reduction == "none":
            raise ValueError('reduction is "none", expected sum or mean: this object trains on one number')
        found = cross_entropy(fwd.logits, y, reduction, ignore_index)
        self._loss, self.grads = _Loss(y.copy(), reduction, ignore_index, found), None
        return float(found.loss)

    def backward(self, bptt: str = "full", k: int | None = None) -> Flat:
        """Return the gradient of the last `loss` with respect to every parameter. `bptt`: see `rnn_backward`."""
        fwd = _done(self._forward, "backward", "forward(x)")
        last = _done(self._loss, "backward", "loss(y)")
        dlogits = cross_entropy_backward(last.found.p, last.y, last.reduction, last.ignore_index)
        self.grads = backward(self.params, fwd, dlogits, bptt=bptt, k=k).grads
        return self.grads

    def clip(self, bound: Scalar, method: str = "value") -> None:
        """Clip the gradients in place: every element to plus or minus `bound`, or (method "norm") all to one norm."""
        g = _done(self.grads, "clip", "backward()").flat
        if method not in ("value", "norm"):
            raise ValueError(f"method is {method!r}, expected value or norm")
        if method == "value":
            clip_grad_value(g, bound, out=g)
        else:
            clip_grad_norm(g, bound, out=g)

    def optimize(self, lr: Scalar) -> None:
        """Take one step of the optimiser, and forget the gradients: the next step begins with `forward`."""
        grads = _done(self.grads, "optimize", "backward()")
        self.optimizer.step(self.params.flat, grads.flat, self.opt_state, lr, inplace=True)
        self._forward, self._loss, self.grads = None, None, None

    def sample(
        self,
        n: int,
        first: int = NO_TOKEN,
        stop: int | None = None,
        h0: Real[np.ndarray, "1 H"] | None = None,
        *,
        temperature: Scalar = 1.0,
        top_k: int | None = None,
        top_p: Scalar | None = None,
    ) -> list[int]:
        """Draw up to `n` tokens, feeding each back as the next input; `stop` is the last if it comes."""
        if not isinstance(n, int | np.integer) or n < 1:
            raise ValueError(f"n is {n!r}: at least one token is drawn; give a whole number from 1 on")
        drawn = stream(
            self.params,
            np.array([first]),
            (self.rng.random(1) for _ in range(n)),
            h0,
            nonlinearity=self.nonlinearity,
            stop=stop,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
        )
        return [int(d.tokens[0]) for d in drawn]

    def predict(self, x: Input, h0: Real[np.ndarray, "B H"] | None = None) -> Ids[np.ndarray, "T B"]:
        """Return the likeliest token at every step. The training step under way, if there is one, is not disturbed."""
        return forward(self.params, x, h0, nonlinearity=self.nonlinearity).logits.argmax(axis=-1)


def _done(found: Found | None, wanted: str, before: str) -> Found:
    """Return what an earlier call left; where it left nothing, say which call is missing."""
    if found is None:
        raise ValueError(
            f"{wanted} has nothing to work on: call {before} first; a step is forward, loss, backward, clip, optimize"
        )
    return found
