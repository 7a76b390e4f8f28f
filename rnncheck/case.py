"""A Case: one problem, frozen, with every number that both sides need. Shared weights are simply the same Case.

Four kinds of problem, one protocol. Each is a flat set of named arrays plus settings that JSON can hold, so that one
reader and one writer serve all of them, in vectors, in a checkpoint of a failure and over a pipe:

    RNNCase      parameters, inputs, targets -> states, logits, loss and every gradient
    ClipCase     gradients                   -> clipped gradients and their norm
    OptimCase    parameters, gradients       -> the parameters after each step
    SampleCase   parameters, uniforms        -> tokens, and the probabilities they were drawn from
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np

__all__ = ["KINDS", "Case", "ClipCase", "OptimCase", "RNNCase", "SampleCase"]

Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class Case:
    """What all kinds share: a name that is unique in its set, and the seed it was made from."""

    kind: ClassVar[str]
    name: str
    seed: int

    def arrays(self) -> dict[str, np.ndarray]:
        """Return every array by its name; a dictionary of arrays (`params`) as `params.W_xh` and so on."""
        found: dict[str, np.ndarray] = {}
        for field, value in self._items():
            if isinstance(value, np.ndarray):
                found[field] = value
            elif isinstance(value, Mapping):
                found.update({f"{field}.{name}": array for name, array in value.items()})
        return found

    def settings(self) -> dict[str, Any]:
        """Return everything that is not an array, ready for JSON."""
        return {f: v for f, v in self._items() if not isinstance(v, np.ndarray | Mapping) and v is not None}

    @classmethod
    def from_parts(cls, arrays: Arrays, settings: Mapping[str, Any]) -> Self:
        """Rebuild what `arrays` and `settings` took apart."""
        parts: dict[str, Any] = dict(settings)
        for name, array in arrays.items():
            group, dot, member = name.partition(".")
            if dot:
                parts.setdefault(group, {})[member] = array
            else:
                parts[name] = array
        return cls(**parts)

    def copy(self) -> Self:
        """Copy every array: an implementation that writes into its inputs must not spoil the other side."""
        return type(self).from_parts({n: a.copy() for n, a in self.arrays().items()}, self.settings())

    @cached_property
    def dtype(self) -> np.dtype:
        """The floating dtype that every floating array of the case has, and its Trace must have."""
        return next(a.dtype for a in self.arrays().values() if a.dtype.kind == "f")

    def _items(self) -> Iterator[tuple[str, Any]]:
        return ((f.name, getattr(self, f.name)) for f in fields(self))


@dataclass(frozen=True, eq=False)
class RNNCase(Case):
    """A forward and backward pass. Sizes are those of the arrays: x is (T, B) ids or (T, B, I) dense vectors."""

    kind = "rnn"
    params: Arrays
    x: np.ndarray
    y: np.ndarray
    h0: np.ndarray | None = None
    dloss: np.ndarray | None = None
    nonlinearity: str = "tanh"
    reduction: str = "sum"
    ignore_index: int = -100
    bptt: str = "full"
    k: int | None = None

    @property
    def sizes(self) -> dict[str, int]:
        """T, B, I, H and V, by name."""
        (T, B), (H, I), V = self.x.shape[:2], self.params["W_xh"].shape, self.params["W_hy"].shape[0]
        return {"T": T, "B": B, "I": I, "H": H, "V": V}


@dataclass(frozen=True, eq=False)
class ClipCase(Case):
    """Clip `grads`: `method` "value" (each element to ±bound) or "norm" (all of them to one norm, plus eps)."""

    kind = "clip"
    grads: Arrays
    method: str
    bound: float
    eps: float = 0.0


@dataclass(frozen=True, eq=False)
class OptimCase(Case):
    """Apply S steps of an optimiser: `grads` have a leading axis S, one slice a step.

    `method` is "sgd" (options lr, momentum, dampening, zero_start) or "adagrad" (lr, eps, eps_inside,
    initial_accumulator). `zero_start` starts the momentum buffer at zero, an exponential average; torch starts it
    at the first gradient. `buffer`, one array per parameter, is the momentum or the sum of squares that earlier
    steps have left; None before the first step.
    """

    kind = "optim"
    params: Arrays
    grads: Arrays
    method: str
    lr: float
    momentum: float = 0.0
    dampening: float = 0.0
    zero_start: bool = False
    eps: float = 1e-10
    eps_inside: bool = False
    initial_accumulator: float = 0.0
    buffer: Arrays | None = None


@dataclass(frozen=True, eq=False)
class SampleCase(Case):
    """Draw tokens: B streams at once, `uniforms` (T, B) in [0, 1) decide; the same uniforms give the same tokens.

    `first` (B,) is the first input (NO_TOKEN for none). `method` is "greedy" or "draw"; `stop` ends a stream after
    the token `stop` has been drawn: from then on its tokens are NO_TOKEN and its state stands still.
    """

    kind = "sample"
    params: Arrays
    first: np.ndarray
    uniforms: np.ndarray
    h0: np.ndarray | None = None
    nonlinearity: str = "tanh"
    method: str = "draw"
    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    stop: int | None = None


KINDS: dict[str, type[Case]] = {c.kind: c for c in (RNNCase, ClipCase, OptimCase, SampleCase)}
