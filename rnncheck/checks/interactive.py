"""`RNNModel` as its user calls it: two steps of training, one after the other, then a prediction and a text.

Loss and gradients of single calls are compared with the stored vectors. Here is judged what lies between calls: that a
step leaves behind its parameters, its memory and its last state, and nothing else.
"""

from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from numpy_impl.inputs import NO_TOKEN
from numpy_impl.interactive import RNNModel
from numpy_impl.optim import SGD, Adagrad
from rnncheck.case import ClipCase, OptimCase, RNNCase, SampleCase
from rnncheck.cases.make import Design, make_rnn_case
from rnncheck.checks.check import Bench, Check, close_to, equal
from rnncheck.oracle import by_the_textbook
from rnncheck.result import Comparison
from rnncheck.textbook import Textbook
from rnncheck.trace import Trace

__all__ = ["OPTIMIZERS", "compare_session", "session_checks"]

OPTIMIZERS: dict[str, dict[str, Any]] = {
    "sgd": {"momentum": 0.9, "dampening": 0.9, "zero_start": True},
    "adagrad": {"eps": 0.01, "eps_inside": True},
}
LR, BOUND = 0.1, 0.03
METHODS = ("value", "norm")
"""How the gradients of the first step are clipped, and those of the second."""
PASSED_OVER = -7
WRITTEN = 12


def session_checks(seed: int) -> Iterator[Check]:
    """Plan one session with each optimiser."""
    for method in OPTIMIZERS:
        yield Check(f"interactive-session[{method}]", "interactive", partial(_ask, method, seed))


def _ask(method: str, seed: int, _bench: Bench) -> list[Comparison]:
    return compare_session(method, seed)


def compare_session(method: str, seed: int, model: Callable[..., RNNModel] = RNNModel) -> list[Comparison]:
    """Train two steps, each of them without a state before it, and let the textbook do the same."""
    cases = [_case(seed + number) for number in range(len(METHODS))]
    optimizer = SGD(**OPTIMIZERS[method]) if method == "sgd" else Adagrad(**OPTIMIZERS[method])
    sizes = (cases[0].sizes[name] for name in "IVH")
    own = model(*sizes, optimizer=optimizer, seed=seed)
    own.params.update(cases[0].params)
    params, found = dict(cases[0].params), []
    taken: list[Trace] = []
    for step, (case, clipping) in enumerate(zip(cases, METHODS, strict=True), start=1):
        right = by_the_textbook(replace(case, params=params))
        clipped = by_the_textbook(_clipping(right, case, clipping))
        taken.append(clipped)
        params = _updated(cases[0], taken, method, step)
        seen = _one_step(own, case, clipping)
        expected = {**clipped, **params, "p": _softmax(right["logits"]), "loss": right["loss"], "h_T": right["h"][-1]}
        found += [replace(close_to(n, a, expected[n]), array=f"{n} of step {step}") for n, a in seen.items()]
    return [*found, *_compare_use(own, cases[0], params)]


def _case(seed: int) -> RNNCase:
    case = make_rnn_case(Design(6, 2, H=5, V=7, h0=False, ignored=0.2, reduction="mean"), seed)
    return replace(case, y=np.where(case.y == case.ignore_index, PASSED_OVER, case.y), ignore_index=PASSED_OVER)


def _one_step(own: RNNModel, case: RNNCase, clipping: str) -> dict[str, np.ndarray]:
    """Return what a step shows: a prediction in the middle of it must disturb nothing."""
    x, y = case.x.copy(), case.y.copy()
    p = own.forward(x)
    h_T = own.h_T
    own.predict(case.x[::-1])
    x[...] = 0  # the user may fill his arrays anew
    loss = own.loss(y, case.reduction, case.ignore_index)
    y[...] = 0
    own.backward()
    own.clip(BOUND, clipping)
    grads = {name: g.copy() for name, g in (own.grads or {}).items()}
    own.optimize(LR)
    assert h_T is not None
    return {"p": p, "loss": np.asarray(loss), "h_T": h_T, **grads, **{n: w.copy() for n, w in own.params.items()}}


def _compare_use(own: RNNModel, case: RNNCase, params: dict[str, np.ndarray]) -> list[Comparison]:
    """Predict, and write a text, with what training has left."""
    forward = by_the_textbook(replace(case, params=params))
    rng = deepcopy(own.rng)
    uniforms = np.array([rng.random(1) for _ in range(WRITTEN)])
    text = by_the_textbook(SampleCase("text", 0, params, np.array([NO_TOKEN]), uniforms))["tokens"][:, 0]
    return [
        equal("prediction", own.predict(case.x), forward["logits"].argmax(axis=-1)),
        equal("text", np.array(own.sample(WRITTEN)), text),
    ]


def _clipping(trace: Trace, case: RNNCase, method: str) -> ClipCase:
    grads = {f"d{name}": trace[f"d{name}"] for name in case.params}
    return ClipCase("clip", 0, grads, method, BOUND, eps=1e-6)


def _updated(first: RNNCase, taken: list[Trace], method: str, step: int) -> dict[str, np.ndarray]:
    """Take all steps so far once more, from the first parameters on."""
    grads = {f"d{name}": np.stack([g[f"d{name}"] for g in taken]) for name in first.params}
    trace = by_the_textbook(OptimCase("update", 0, first.params, grads, method, LR, **OPTIMIZERS[method]))
    return {name: trace[f"step{step}.{name}"] for name in first.params}


def _softmax(logits: np.ndarray) -> np.ndarray:
    return Textbook().softmax(logits)
