"""The standard cases: together they hide nothing (tested against the fault catalogue).

T = 1 hides half of the faults in time, B = 1 a mean in place of a sum, zero biases a swapped bias, h0 = 0 a dropped
h0, tiny weights a missing tanh', T <= k + 1 a truncation. So every length comes with several batch sizes, both
dtypes and all three kinds of BPTT, and a list of special cases holds the corners of floating-point arithmetic.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from rnncheck.case import Case, ClipCase, OptimCase, SampleCase
from rnncheck.cases.make import NO_TOKEN, Design, make_rnn_case, random_params

__all__ = [
    "DTYPES",
    "LADDER",
    "SEED",
    "clip_cases",
    "optim_cases",
    "rnn_designs",
    "sample_cases",
    "standard_cases",
]

DTYPES = ("float64", "float32")
LADDER = (1, 2, 3, 5, 7, 10, 25, 30, 50, 100, 130, 250, 500, 1000)
SEED = 1990  # Elman's year


def standard_cases() -> list[Case]:
    """All standard cases, each with a unique name."""
    cases: list[Case] = [make_rnn_case(r, SEED, name=r.id) for r in rnn_designs()]
    return cases + clip_cases() + optim_cases() + sample_cases()


def rnn_designs() -> list[Design]:
    """How the standard RNN cases are made: the ladder of lengths, then the corners."""
    return [replace(r, dtype=dtype) for dtype in DTYPES for r in [*_ladder(), *_corners()]]


def _ladder() -> Iterator[Design]:
    for T in LADDER:
        calm: dict[str, Any] = (
            {} if T <= 30 else {"gain": 1.0, "orthogonal": True}
        )  # long sequences of a larger gain are chaotic
        batches = (1, 2, 5 if T != 5 else 3) if T <= 10 else (1, 2) if T <= 30 else (2,)
        for B in batches:
            yield replace(Design(T, B), **calm)
        yield replace(Design(T, min(batches[-1], 3), bptt="windowed", k=4), **calm)
        yield replace(Design(T, min(batches[-1], 3), bptt="chunked", k=5), **calm)


def _corners() -> Iterator[Design]:
    yield Design(10, tokens="distinct", no_token=False)
    yield Design(10, tokens="distinct", no_token=False, bptt="windowed", k=3)
    yield Design(25, 2, tokens="constant")
    yield Design(100, 3, tokens="constant", gain=1.0, orthogonal=True)
    yield Design(7, 3, ignored=0.4)
    yield Design(7, 3, ignored=0.4, reduction="mean")
    yield Design(7, 3, ignored=0.4, reduction="none")
    yield Design(7, 3, reduction="mean", bptt="windowed", k=2)
    yield Design(7, 3, reduction="none", bptt="chunked", k=3)
    yield Design(7, 3, inputs="dense")
    yield Design(10, 2, inputs="dense", bptt="windowed", k=4)
    yield Design(10, 3, inputs="dense", bptt="chunked", k=4)
    yield Design(7, 3, inputs="one-hot")
    yield Design(7, 3, nonlinearity="relu")
    yield Design(10, 3, nonlinearity="relu", bptt="windowed", k=4)
    yield Design(7, 3, biases=False)
    yield Design(7, 3, h0=False)
    yield Design(7, 3, biases=False, h0=False, bptt="windowed", k=4)
    yield Design(1, 1, h0=False)
    yield Design(1, 3, h0=False)
    yield Design(5, 1, V=2)
    yield Design(7, 3, gain=0.25)
    yield Design(7, 3, gain=1.5)
    yield Design(7, 3, logit_scale=4.0)
    yield Design(7, 3, logit_scale=450.0)  # logits of ±900, whose exponentials overflow in float64 too
    yield Design(5, 6, V=2, logit_scale=900.0)  # both logits of one sequence 1000 below those of another
    yield Design(10, 2, input_scale=8.0)
    yield Design(50, 2, gain=0.02)  # gradients that underflow in float32 on their way back
    yield Design(1130, 2, gain=0.6)  # gradients that die out long before the beginning: long ones may be cut there
    # states near zero, an orthogonal W_hh: a hundred steps before the end as much of a gradient is left as at the end
    yield Design(130, 2, gain=1.0, orthogonal=True, input_scale=0.05, biases=False, h0=False)


def clip_cases() -> list[Case]:
    """Clipping by value and by norm, acting and not acting, with and without torch's 1e-6."""
    cases: list[Case] = []
    for dtype in DTYPES:
        for scale, effect in ((4.0, "acts"), (0.01, "rests")):
            for method, bound, eps in (("value", 1.0, 0.0), ("norm", 5.0, 0.0), ("norm", 5.0, 1e-6)):
                rng = np.random.default_rng([SEED, len(cases)])
                grads = {n: (scale * rng.normal(size=s)).astype(dtype) for n, s in _gradient_shapes().items()}
                name = f"clip-{method}-{effect}-eps={eps:g}-{dtype}"
                cases.append(ClipCase(name, SEED, grads, method, bound, eps))
        rng = np.random.default_rng([SEED, 77])
        tiny = {n: (1e-7 * rng.normal(size=s)).astype(dtype) for n, s in _gradient_shapes().items()}
        cases.append(ClipCase(f"clip-norm-small-eps=1e-06-{dtype}", SEED, tiny, "norm", 1e-7, 1e-6))
    return cases


OPTIMIZERS = {
    "sgd": {"method": "sgd", "lr": 0.005},
    "sgd-momentum": {"method": "sgd", "lr": 0.01, "momentum": 0.9},
    "sgd-dampening": {"method": "sgd", "lr": 0.01, "momentum": 0.9, "dampening": 0.9},
    "sgd-average": {"method": "sgd", "lr": 0.01, "momentum": 0.9, "dampening": 0.9, "zero_start": True},
    "adagrad": {"method": "adagrad", "lr": 0.1},
    "adagrad-inside": {"method": "adagrad", "lr": 0.1, "eps": 1e-8, "eps_inside": True},
    "adagrad-accumulator": {"method": "adagrad", "lr": 0.1, "initial_accumulator": 0.1},
}


def optim_cases(steps: int = 6) -> list[Case]:
    """Several steps of every optimiser over gradients from 1e-9 to 1e2, and zeros.

    Half of the parameters start at zero: beside a weight of size 1, an update of 1e-10 would not be seen. In "still"
    all gradients of the first step, and of another, are zero: Adagrad divides 0 by 0 but for its epsilon, and a
    momentum that starts with the first gradient starts with nothing. "resumed" goes on from what steps before left.
    """
    cases: list[Case] = []
    for dtype in DTYPES:
        for name, options in OPTIMIZERS.items():
            rng = np.random.default_rng([SEED, len(cases)])
            params, grads = {}, {}
            for key, shape in _gradient_shapes().items():
                g = rng.choice([-1, 1], (steps, *shape)) * 10 ** rng.uniform(-9, 2, (steps, *shape))
                g[rng.random(g.shape) < 0.1] = 0
                grads[key] = g.astype(dtype)
                params[key[1:]] = (rng.normal(size=shape) * (rng.random(shape) < 0.5)).astype(dtype)
            cases.append(OptimCase(f"optim-{name}-{dtype}", SEED, params, grads, **options))  # type: ignore[arg-type]
    remembering = [c for c in cases if isinstance(c, OptimCase) and (c.method == "adagrad" or c.momentum)]
    return cases + [_still(c) for c in remembering] + [_resumed(c) for c in remembering]


def _still(case: OptimCase) -> OptimCase:
    grads = {name: g[:4].copy() for name, g in case.grads.items()}
    for g in grads.values():
        g[[0, 2]] = 0
    return replace(case, name=case.name.replace("optim-", "optim-still-"), grads=grads)


def _resumed(case: OptimCase) -> OptimCase:
    """Keep two steps; the others are the past that the buffer remembers: Adagrad's is a sum of squares."""
    past = {name[1:]: g[2:] for name, g in case.grads.items()}
    buffer = {name: (g**2).sum(axis=0) if case.method == "adagrad" else g[0] for name, g in past.items()}
    grads = {name: g[:2] for name, g in case.grads.items()}
    return replace(case, name=case.name.replace("optim-", "optim-resumed-"), grads=grads, buffer=buffer)


SAMPLERS: dict[str, dict[str, object]] = {
    "draw": {},
    "greedy": {"method": "greedy"},
    "cold": {"temperature": 0.5},
    "hot": {"temperature": 2.0},
    "top-k": {"top_k": 3},
    "top-p": {"top_p": 0.7},
    "top-k-top-p": {"top_k": 6, "top_p": 0.8, "temperature": 1.3},
    "stop": {"stop": 4},
    "bare": {"h0": None, "nonlinearity": "relu"},  # and no biases
    "alone": {"temperature": 0.8},  # one stream, of which a program may make less work
}


def sample_cases(T: int = 20, B: int = 3) -> list[Case]:
    """Every way of drawing tokens; streams begin with a token, another, and no token.

    Drawing is a decision, and a decision within rounding of its boundary is not comparable: the seeds here leave
    none undecided (tested by shifting the uniforms and the weights by far more than rounding does).
    """
    cases: list[Case] = []
    for dtype in DTYPES:
        for name, options in SAMPLERS.items():
            rng = np.random.default_rng([SEED, len(cases) % len(SAMPLERS)])
            design = Design(T, B)
            design = replace(design, biases=name != "bare")
            params = {n: a.astype(dtype) for n, a in random_params(design, design.V, rng).items()}
            first = np.array([3, 0, NO_TOKEN])
            uniforms = rng.random((T, B)).astype(dtype)
            if name == "top-k":  # the edges: no token of probability zero is drawn there, neither first nor last
                uniforms[T // 6], uniforms[T // 3] = 0, np.nextafter(uniforms.dtype.type(1), 0)
            h0 = (0.5 * rng.normal(size=(B, design.H))).astype(dtype)
            if name == "alone":
                first, uniforms, h0 = first[:1], uniforms[:, :1].copy(), h0[:1].copy()
            settings: dict[str, Any] = {"h0": h0, **options}
            cases.append(SampleCase(f"sample-{name}-{dtype}", SEED, params, first, uniforms, **settings))
    return cases


def _gradient_shapes() -> dict[str, tuple[int, ...]]:
    return {"dW_xh": (7, 5), "dW_hh": (7, 7), "db_h": (7,), "dW_hy": (6, 7), "db_y": (6,)}
