"""Small cases at which faults show, and a look at everything that an implementation does with one of them.

What hides a fault is avoided: all sizes differ, B > 1, biases and h0 are non-zero, tokens repeat, W_hh is not
symmetric and its gain is above 1, the first input is no token, some targets are ignored, clipping acts and rests.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from rnncheck.case import Case, ClipCase, OptimCase, RNNCase, SampleCase
from rnncheck.cases.make import NO_TOKEN, Design, make_rnn_case, random_params
from rnncheck.implementation import Implementation

__all__ = ["observe", "probes"]

SIZES = {"B": 4, "H": 6, "V": 9, "gain": 1.2}
LONG_MEMORY = {"gain": 1.0, "orthogonal": True, "input_scale": 0.05, "biases": False, "h0": False}
"""States near zero and an orthogonal W_hh: the gradient of the last step is still large a hundred steps before."""
OPTIMIZERS: tuple[dict[str, Any], ...] = (
    {"method": "sgd", "lr": 0.1},
    {"method": "sgd", "lr": 0.1, "momentum": 0.9, "dampening": 0.8},
    {"method": "sgd", "lr": 0.1, "momentum": 0.9, "dampening": 0.8, "zero_start": True},
    {"method": "adagrad", "lr": 0.1},
    {"method": "adagrad", "lr": 0.1, "eps": 1e-8, "eps_inside": True},
    {"method": "adagrad", "lr": 0.1, "initial_accumulator": 0.1},
)
RESUMED = (1, 3)
"""Two of them are asked again, as if steps had come before."""
SAMPLERS: tuple[dict[str, Any], ...] = (
    {},
    {"method": "greedy", "temperature": 0.7},
    {"top_k": 3},
    {"top_p": 0.6, "temperature": 2.0},
    {"top_k": 4, "top_p": 0.7},
    {"stop": 0},
    {},
    {"h0": None},
)
LONG = 20
"""From this length on, only the case with a long memory: what shows so late is a truncation."""


def probes(T: int, dtype: str = "float64", seed: int = 12) -> list[Case]:
    """Return the probes of length T (steps of an optimiser, tokens of a sample)."""
    if T >= LONG:
        return [_long_memory(T, dtype, seed)]
    return [*_rnn(T, dtype, seed), *_clip(dtype, seed), *_optim(T, dtype, seed), *_sample(T, dtype, seed)]


def observe(implementation: Implementation, case: Case) -> dict[str, np.ndarray]:
    """Run a case twice and return all that can be seen.

    The Trace under its own names; that of the second, equal call as `second.h`; the arrays of the case after the
    first call as `inputs.x`; and as `shared.h` whether h shares memory with the case, with another array of its
    Trace, or with the h of the second call.
    """
    given = case.copy()
    first = implementation.run(given)
    inputs = given.arrays()
    found = {name: np.array(array) for name, array in first.items()}
    found |= {f"inputs.{name}": array.copy() for name, array in inputs.items()}
    second = implementation.run(case.copy())
    found |= {f"second.{name}": np.array(array) for name, array in second.items()}
    for name, array in first.items():
        others = [second[name], *inputs.values(), *(a for other, a in first.items() if other != name)]
        found[f"shared.{name}"] = np.array(any(np.may_share_memory(array, other) for other in others))
    return found


def _rnn(T: int, dtype: str, seed: int) -> Iterator[RNNCase]:
    base = Design(T, dtype=dtype, **SIZES)  # type: ignore[arg-type]
    dense = replace(base, inputs="dense")
    for number, design in enumerate((
        base,
        dense,
        replace(base, tokens="constant"),
        replace(base, h0=False),
        replace(base, nonlinearity="relu"),
        replace(base, logit_scale=1000.0),
        replace(base, bptt="windowed", k=2),
        replace(base, bptt="chunked", k=2),
    )):  # fmt: skip
        yield make_rnn_case(design, seed + number)
    for reduction in ("sum", "mean", "none"):
        yield _ignoring(make_rnn_case(replace(dense, reduction=reduction), seed))
    yield _with_large_gradients(make_rnn_case(base, seed))


def _long_memory(T: int, dtype: str, seed: int) -> RNNCase:
    return make_rnn_case(replace(Design(T, dtype=dtype, **SIZES), **LONG_MEMORY), seed)  # type: ignore[arg-type]


def _ignoring(case: RNNCase) -> RNNCase:
    y = case.y.copy()
    y[0, 1] = y[-1, 2] = case.ignore_index
    return replace(case, name=f"{case.name}-ignored", y=y)


def _with_large_gradients(case: RNNCase) -> RNNCase:
    return replace(case, name=f"{case.name}-large", dloss=np.array(60, case.dtype))


def _clip(dtype: str, seed: int) -> Iterator[ClipCase]:
    for method, bound, eps, scale in (
        ("value", 1.0, 0.0, 3.0),
        ("value", 1.0, 0.0, 0.01),
        ("norm", 2.0, 0.0, 3.0),
        ("norm", 2.0, 0.0, 0.01),
        ("norm", 1e-6, 1e-6, 1e-6),
    ):
        rng = np.random.default_rng([seed, 1])
        weights = random_params(_tensors(), 5, rng).items()
        grads = {f"d{n}": (scale * w * (5 if n.startswith("b") else 1)).astype(dtype) for n, w in weights}
        yield ClipCase(f"clip-{method}-{bound:g}-{scale:g}-{dtype}", seed, grads, method, bound, eps)


def _optim(T: int, dtype: str, seed: int) -> Iterator[OptimCase]:
    for number, options in enumerate(OPTIMIZERS):
        rng = np.random.default_rng([seed, 2])
        params = {n: w.astype(dtype) for n, w in random_params(_tensors(), 5, rng).items()}
        sizes = {f"d{n}": (T, *w.shape) for n, w in params.items()}
        grads = {n: (rng.normal(size=s) * 10 ** rng.uniform(-6, 1, s)).astype(dtype) for n, s in sizes.items()}
        case = OptimCase(f"optim-{number}-{dtype}", seed, params, grads, **options)
        yield case
        if number in RESUMED:
            buffer = {n: np.abs(rng.normal(size=w.shape)).astype(dtype) for n, w in params.items()}
            yield replace(case, name=f"{case.name}-resumed", buffer=buffer)


def _sample(T: int, dtype: str, seed: int) -> Iterator[SampleCase]:
    for number, options in enumerate(SAMPLERS):
        rng = np.random.default_rng([seed, 3])
        design = Design(T, logit_scale=1000.0 if number == 6 else 1.0, **SIZES)  # type: ignore[arg-type]
        params = {n: w.astype(dtype) for n, w in random_params(design, design.V, rng).items()}
        uniforms = rng.random((T, 4)).astype(dtype)
        uniforms[0, 1] = 0  # the first token of the second stream is token 0, the stop token of a probe
        h0 = rng.normal(size=(4, design.H)).astype(dtype)
        first = np.array([NO_TOKEN, 3, 3, 5])
        name = f"sample-{number}-scale={design.logit_scale:g}-{dtype}"
        settings = {"h0": h0, **options}
        yield SampleCase(name, seed, params, first, uniforms, **settings)


def _tensors() -> Design:
    return Design(1, H=4, V=3)
