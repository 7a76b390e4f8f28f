"""Make one case from a seed: sizes, weights near the edge of chaos, inputs of every kind.

What hides a fault is avoided by default: sizes all different, W_hh without symmetry and with a gain near 1, biases
and h0 non-zero and distinct, tokens that repeat, a first input that is no token.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from rnncheck.case import RNNCase
from rnncheck.errors import UserError

__all__ = ["NO_TOKEN", "Design", "make_rnn_case", "random_params"]

NO_TOKEN = -1
IGNORE_INDEX = -100
UNDECIDED = 2.0**-16
"""A pre-activation so close to the corner of a ReLU, relative to the largest, could fall on either side in float32."""


@dataclass(frozen=True)
class Design:
    """How to make an RNN case; every field has a meaning a reader of a report can act on."""

    T: int
    B: int = 2
    H: int = 16
    V: int = 12
    I: int = 11  # used by dense inputs only: ids and one-hot vectors have I = V
    dtype: str = "float64"
    inputs: str = "ids"  # ids | one-hot | dense
    tokens: str = "random"  # random | distinct | constant
    no_token: bool = True
    biases: bool = True
    h0: bool = True
    nonlinearity: str = "tanh"
    reduction: str = "sum"
    ignored: float = 0.0  # the share of targets that are ignored
    bptt: str = "full"
    k: int | None = None
    gain: float = 1.1
    orthogonal: bool = False
    input_scale: float = 1.0
    logit_scale: float = 1.0

    @property
    def id(self) -> str:
        """Name the case by what distinguishes it, as a test id: `T=25-B=3-float32-windowed=4`."""
        words = [f"T={self.T}", f"B={self.B}", self.dtype]
        if self.bptt != "full":
            words.append(f"{self.bptt}={self.k}")
        defaults = Design(self.T)
        for field in ("H", "V", "gain", "logit_scale", "input_scale", "ignored"):
            if getattr(self, field) != getattr(defaults, field):
                words.append(f"{field}={getattr(self, field):g}")
        for field in ("inputs", "tokens", "nonlinearity", "reduction"):
            if getattr(self, field) != getattr(defaults, field):
                words.append(str(getattr(self, field)))
        words += [f"no-{field}" for field in ("biases", "h0") if not getattr(self, field)]
        return "-".join(words + (["orthogonal"] if self.orthogonal else []))


def make_rnn_case(design: Design, seed: int, name: str | None = None) -> RNNCase:
    """Draw the numbers that `design` leaves open from `seed`; the same pair gives the same case everywhere."""
    r = design
    rng = np.random.default_rng([seed, r.T, r.B, r.H, r.V])
    I = r.I if r.inputs == "dense" else r.V
    params, x, h0 = _draw_decided(r, I, rng)
    y = rng.integers(0, r.V, (r.T, r.B))
    if r.ignored:
        drop = rng.random((r.T, r.B)) < r.ignored
        drop.flat[rng.integers(drop.size)] = False  # a mean over nothing is undefined: one target always counts
        y[drop] = IGNORE_INDEX
    settings: dict[str, Any] = {name: getattr(r, name) for name in ("nonlinearity", "reduction", "bptt", "k")}
    return RNNCase(
        name=name or f"{r.id}-seed={seed}",
        seed=seed,
        params={key: value.astype(r.dtype) for key, value in params.items()},
        x=x.astype(r.dtype) if x.dtype.kind == "f" else x,
        y=y,
        h0=h0.astype(r.dtype) if r.h0 else None,
        dloss=rng.normal(size=(r.T, r.B)).astype(r.dtype) if r.reduction == "none" else None,
        **settings,
    )


def _draw_decided(r: Design, I: int, rng: np.random.Generator) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """Draw weights, inputs and h0 until no ReLU is within UNDECIDED of its corner, where its derivative jumps.

    On which side of zero a pre-activation falls would there be decided by rounding, and no verdict is possible.
    """
    for _ in range(1000):
        params, x = random_params(r, I, rng), _inputs(r, I, rng)
        h0 = 0.5 * rng.normal(size=(r.B, r.H)) * r.h0
        if r.nonlinearity == "tanh" or _smallest_preactivation(params, x, h0) > UNDECIDED:
            return params, x, h0
    raise UserError(f"case {r.id}: 1000 draws left a ReLU undecided; use a smaller T, B or H")


def _smallest_preactivation(params: dict[str, np.ndarray], x: np.ndarray, h: np.ndarray) -> float:
    """Return the smallest |a_t| of a ReLU network, relative to the largest."""
    W_xh = np.column_stack([params["W_xh"], np.zeros(len(h[0]))])  # the last column is that of *no token*
    smallest, largest = np.inf, 0.0
    for x_t in x:
        a = (W_xh.T[x_t] if x_t.ndim == 1 else x_t @ params["W_xh"].T) + params.get("b_h", 0) + h @ params["W_hh"].T
        smallest = min(smallest, np.abs(a).min(initial=np.inf, where=a != 0))  # an exact zero is one on both sides
        largest = max(largest, np.abs(a).max())
        h = np.maximum(a, 0)
    return float(smallest / largest) if largest > 0 else np.inf  # nothing goes in, and all are exact zeros


def random_params(r: Design, I: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Draw weights of the given gain; a W_hh of gain 1 keeps lengths on average, above it states turn chaotic."""
    W_hh = rng.normal(size=(r.H, r.H)) / np.sqrt(r.H)
    if r.orthogonal:
        W_hh, _ = np.linalg.qr(W_hh)
    params = {
        "W_xh": r.input_scale * rng.normal(size=(r.H, I)) / np.sqrt(I if r.inputs == "dense" else 4),
        "W_hh": r.gain * W_hh,
        "b_h": 0.2 * rng.normal(size=r.H),
        "W_hy": r.logit_scale * rng.normal(size=(r.V, r.H)) * np.sqrt(2 / r.H),
        "b_y": 0.3 * rng.normal(size=r.V),
    }
    return params if r.biases else {n: a for n, a in params.items() if n.startswith("W")}


def _inputs(r: Design, I: int, rng: np.random.Generator) -> np.ndarray:
    if r.inputs == "dense":
        return rng.normal(size=(r.T, r.B, I))
    if r.tokens == "distinct":
        ids = np.stack([rng.permutation(I)[: r.T] for _ in range(r.B)], axis=1)
    elif r.tokens == "constant":
        ids = np.full((r.T, r.B), rng.integers(I))
    else:
        ids = rng.integers(0, I, (r.T, r.B))
        if r.no_token and r.inputs == "ids":
            ids[0, 0] = NO_TOKEN
    return np.eye(I)[ids] if r.inputs == "one-hot" else ids
