"""Optimisers: parameters, gradient, state and learning rate in; parameters and state out.

    SGD       w <- w - lr g                                        H. Robbins and S. Monro, 1951
    momentum  v <- momentum v + (1 - dampening) g,  w <- w - lr v   B. Polyak, 1964; I. Sutskever et al., ICML 2013
    Adagrad   m <- m + g^2,  w <- w - lr g / (sqrt(m) + eps)        J. Duchi, E. Hazan and Y. Singer, JMLR 2011

Two details decide the first steps, and programs differ in both:

- **how momentum starts.** torch sets v = g at the first step; dampening acts from the second on. With `zero_start`, v
  starts at 0 and the rule holds from the first step on: momentum 0.9 with dampening 0.9 is then the exponential
  average 0.9 v + 0.1 g, and its first step is ten times smaller than torch's.
- **where epsilon stands.** Outside the root, as above and in torch, or inside, sqrt(m + eps), as in min-char-rnn
  (A. Karpathy, 2015, eps = 1e-8). The first step for g = 1e-6 is lr times 1 outside and lr times 0.01 inside.

An optimiser works on one array, normally the vector `Flat.flat` of all parameters, and keeps nothing: its state is a
dictionary of arrays, so a checkpoint that holds it continues bit for bit.
"""

import math
from dataclasses import dataclass

import numpy as np

from numpy_impl.scalar import Scalar, not_negative, positive
from numpy_impl.shapes import Real
from numpy_impl.validate import check_array

__all__ = ["SGD", "Adagrad", "State", "halve_lr_on_rise"]

State = dict[str, np.ndarray]
FLOAT64 = np.dtype(np.float64)
PIECE = 65_536
"""So many numbers of a long vector are updated at a time."""
EPSILON = "without it an element that never had a gradient would be 0 / 0"
ACCUMULATOR = "it stands for squared gradients"
"""What is said to whoever sets the one or the other out of range."""


@dataclass(frozen=True)
class SGD:
    """Stochastic gradient descent, plain or with momentum."""

    momentum: Scalar = 0.0
    dampening: Scalar = 0.0
    zero_start: bool = False

    def __post_init__(self) -> None:
        not_negative("momentum", self.momentum, FLOAT64, "0 is plain SGD, 0.9 is common")
        not_negative("dampening", self.dampening, FLOAT64, "0 adds the whole gradient to the momentum buffer")
        if self.dampening >= 1:
            raise ValueError(f"dampening is {self.dampening}: from 1 on no gradient gets in; give less than 1")
        if self.momentum == 0 and (self.dampening or self.zero_start):
            raise ValueError(
                f"dampening is {self.dampening} and zero_start {self.zero_start} under momentum 0: "
                "both act on the momentum buffer, and there is none; set momentum or leave them out"
            )

    @property
    def at_rest_without_gradient(self) -> bool:
        """Whether an element whose gradient is zero stays as it is, and its state too: not on momentum."""
        return self.momentum == 0

    def init(self, w: Real[np.ndarray, "*shape"]) -> State:
        """Return the state before the first step: nothing, or the buffer `v` and whether it has `started`."""
        check_array("w", w)
        if self.momentum == 0:
            return {}
        return {"v": np.zeros_like(w), "started": np.array(self.zero_start)}

    def step(
        self,
        w: Real[np.ndarray, "*shape"],
        g: Real[np.ndarray, "*shape"],
        state: State,
        lr: Scalar,
        *,
        inplace: bool = False,
    ) -> tuple[Real[np.ndarray, "*shape"], State]:
        """Take one step, into new arrays, or into `w` and `state` if `inplace`. `g` is never written to."""
        rate, w, state = _prepare(w, g, state, {"v", "started"} if self.momentum else set(), lr, inplace)
        if self.momentum == 0:
            w -= rate * g
            return w, state
        v = state["v"]
        if state["started"]:
            v *= w.dtype.type(self.momentum)
            v += w.dtype.type(1 - self.dampening) * g
        else:
            v[...] = g
            state["started"][...] = True
        w -= rate * v
        return w, state


@dataclass(frozen=True)
class Adagrad:
    """Divide each element's step by the root of the sum of its squared gradients so far, `m`."""

    eps: Scalar = 1e-10
    eps_inside: bool = False
    initial_accumulator: Scalar = 0.0

    def __post_init__(self) -> None:
        positive("eps", self.eps, FLOAT64, EPSILON)
        not_negative("initial_accumulator", self.initial_accumulator, FLOAT64, ACCUMULATOR)

    at_rest_without_gradient = True

    def init(self, w: Real[np.ndarray, "*shape"]) -> State:
        """Return the state before the first step: the accumulator `m`."""
        check_array("w", w)
        start = not_negative("initial_accumulator", self.initial_accumulator, w.dtype, ACCUMULATOR)
        return {"m": np.full_like(w, start)}

    def step(
        self,
        w: Real[np.ndarray, "*shape"],
        g: Real[np.ndarray, "*shape"],
        state: State,
        lr: Scalar,
        *,
        inplace: bool = False,
    ) -> tuple[Real[np.ndarray, "*shape"], State]:
        """Take one step, into new arrays, or into `w` and `state` if `inplace`. `g` is never written to."""
        lr_in_dtype, w, state = _prepare(w, g, state, {"m"}, lr, inplace)
        eps = np.asarray(positive("eps", self.eps, w.dtype, EPSILON))
        m, rate = state["m"], np.asarray(lr_in_dtype)  # arrays without axes: cheaper beside arrays than NumPy's numbers
        if w.ndim != 1 or w.size <= 4 * PIECE:
            self._update(w, g, m, rate, eps)
        else:  # in pieces whose intermediate results stay in the cache
            for start in range(0, w.size, PIECE):
                piece = slice(start, start + PIECE)
                self._update(w[piece], g[piece], m[piece], rate, eps)
        return w, state

    def _update(self, w: np.ndarray, g: np.ndarray, m: np.ndarray, rate: np.ndarray, eps: np.ndarray) -> None:
        """Write the next m and w; two arrays of their size serve all that comes between."""
        root = np.multiply(g, g)
        np.add(m, root, m)
        if self.eps_inside:
            np.sqrt(np.add(m, eps, root), root)
        else:
            np.add(np.sqrt(m, root), eps, root)
        update = np.multiply(g, rate)
        np.subtract(w, np.divide(update, root, update), w)


def halve_lr_on_rise(lr: float, previous_loss: float | None, loss: float) -> float:
    """Return half of `lr` if the loss has risen since the previous evaluation, else `lr`.

    Raises
    ------
    ValueError
        If the loss is not finite: halving does not mend weights that have diverged.
    """
    if not math.isfinite(loss):
        raise ValueError(f"loss is {loss}: training has diverged; go back to a checkpoint and give a smaller lr")
    return lr / 2 if previous_loss is not None and loss > previous_loss else lr


def _prepare(
    w: np.ndarray, g: np.ndarray, state: State, expected: set[str], lr: Scalar, inplace: bool
) -> tuple[np.floating, np.ndarray, State]:
    """Check what goes in; return lr in the dtype of w, and the arrays that the step may write to."""
    if not isinstance(state, dict):
        raise TypeError(f"state is a {type(state).__name__}, expected what init(w) or the step before returned")
    check_array("w", w)
    check_array("g", g)
    if w.dtype.kind != "f":
        raise TypeError(f"w is {w.dtype}, expected floating parameters; cast with .astype")
    if state.keys() != expected:
        raise ValueError(
            f"state holds {sorted(state) or 'nothing'}, expected {sorted(expected) or 'nothing'}: "
            "start with the init(w) of the same optimiser and hand on what each step returns"
        )
    _check_like(w, g, "g")
    for name, array in state.items():
        if not isinstance(array, np.ndarray):
            check_array(f"state[{name!r}]", array)
        if name != "started":
            _check_like(w, array, name)
    rate = positive("lr", lr, w.dtype, "descent steps against the gradient")
    if inplace:
        return rate, w, state
    return rate, w.copy(), {name: array.copy() for name, array in state.items()}


def _check_like(w: np.ndarray, array: np.ndarray, name: str) -> None:
    if array.shape == w.shape and array.dtype == w.dtype:
        return
    name = name if name == "g" else f"state[{name!r}]"
    if array.shape != w.shape:
        raise ValueError(f"{name} has shape {array.shape}, expected {w.shape} as w has: one element per parameter")
    raise TypeError(f"{name} is {array.dtype} but w is {w.dtype}: nothing is cast silently; use .astype")
