"""One step of training, as training does it: loss, gradients, clipping, update, and the state that is handed on.

The passes are judged by themselves, and so are clipping and the optimisers. Here is judged what puts them together,
for settings that no recipe has but that every recipe may be given; and what those passes return beside gradients.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from numpy_impl.datasets import Dataset
from numpy_impl.flat import Flat
from numpy_impl.lean import lean_loss_and_grads
from numpy_impl.packed import packed_loss_and_grads
from numpy_impl.recipes import RECIPES, Recipe
from numpy_impl.run import start
from numpy_impl.train import advance, next_batch, numpy_step
from numpy_impl.workspace import Workspace
from rnncheck.case import Case, RNNCase
from rnncheck.cases.make import Design, make_rnn_case
from rnncheck.checks.check import Bench, Check, close_to, failed, passed
from rnncheck.lockstep import next_stage, step_cases
from rnncheck.oracle import by_the_textbook
from rnncheck.result import Comparison

__all__ = ["VARIED", "compare_lean", "compare_packed", "compare_step", "step_checks"]

TAME = {"eps": 0.01}
"""Where Adagrad divides by next to nothing, it makes of the rounding of a small gradient a large one of a weight."""
VARIED: dict[str, tuple[str, dict[str, Any]]] = {
    "names": ("names", {"clip_bound": 0.05}),
    "names, several": (
        "names",
        {"batch": 3, "reduction": "mean", "nonlinearity": "relu", "zero_start": False, "clip_bound": 0.01},
    ),
    "names, mean": ("names", {"reduction": "mean", "nonlinearity": "relu", "biases": False, "init": "orthogonal"}),
    "sentences, several": ("sentences", {"batch": 3, "clip_method": "norm", "clip_bound": 0.5}),
    "sentences, adagrad": (
        "sentences",
        {"optimizer": "adagrad", "bptt": "chunked", "k": 3, "reduction": "mean", **TAME},
    ),
    "chars": ("chars", {"clip_bound": 0.05, **TAME}),
    "chars, float32": ("chars", {"dtype": "float32", "clip_method": "norm", "eps_inside": False, **TAME}),
}
LENGTHS = (3, 7, 1, 5)
"""So long are sequences of different length; to sort them and to sort them back are two different things."""
PACKED: dict[str, dict[str, Any]] = {"ids": {}, "dense": {"inputs": "dense"}, "windowed": {"bptt": "windowed", "k": 2}}
NOWHERE = 10**6
"""Stands where nobody looks: beyond the end of a sequence."""


def step_checks(loaders: Mapping[str, Callable[[Recipe], Dataset]], seed: int) -> Iterator[Check]:
    """Plan the steps of the recipes that can be loaded, and the states of every form that training runs."""
    for words, (name, settings) in VARIED.items():
        if name in loaders:
            recipe = replace(RECIPES[name], examples=8, sample_every=0, hidden=20, **settings)
            yield _check(words, partial(_ask_step, recipe, loaders[name], seed))
    for B in (1, 3):
        yield _check(f"call after call, B={B}", partial(_ask_lean, B, seed))
    for words, design in PACKED.items():
        yield _check(f"different lengths, {words}", partial(_ask_packed, design, seed))


def _check(words: str, ask: Callable[[Bench], list[Comparison]]) -> Check:
    return Check(f"training-step[{words}]", "training-step", ask)


def _ask_step(recipe: Recipe, load: Callable[[Recipe], Dataset], seed: int, _bench: Bench) -> list[Comparison]:
    return compare_step(recipe, load(recipe), seed)


def _ask_lean(B: int, seed: int, _bench: Bench) -> list[Comparison]:
    return compare_lean(B, seed)


def _ask_packed(design: dict[str, Any], seed: int, _bench: Bench) -> list[Comparison]:
    return compare_packed(design, seed)


def compare_step(recipe: Recipe, data: Dataset, seed: int, step: Callable[..., Any] = numpy_step) -> list[Comparison]:
    """Take the second step of a run, when the optimiser has something to remember, and let the textbook take it."""
    run = start(recipe, data, seed)
    advance(run, data)
    expected: dict[str, np.ndarray] = {}
    case: Case | None = step_cases(run, data)
    while case is not None:
        trace = by_the_textbook(case)
        expected |= trace
        case = next_stage(run, case, trace)
    batch = next_batch(run, data)
    h0 = None if batch.reset else run.h
    arrays, memory = {"params": run.params.flat, **run.opt_state}, Workspace()
    before = {name: array.copy() for name, array in arrays.items()}
    out = step(recipe, run.params, run.opt_state, run.lr, batch, h0, workspace=memory)
    untouched = all(np.array_equal(array, before[name]) for name, array in arrays.items())
    inplace = step(recipe, run.params, run.opt_state, run.lr, batch, h0, inplace=True, workspace=memory)
    lengths = np.full(batch.x.shape[1], len(batch.x)) if batch.lengths is None else batch.lengths
    return [
        close_to("loss", np.asarray(out.loss, recipe.dtype), expected["loss"]),
        *(close_to(name, w, expected[f"step1.{name}"]) for name, w in out.params.items()),
        close_to("h_T", out.h_T, expected["h"][lengths - 1, np.arange(len(lengths))]),
        passed("inputs", "unmodified") if untouched else failed("inputs", "unmodified", "were updated in place"),
        passed("in place", "bit for bit")
        if np.array_equal(inplace.params.flat, out.params.flat) and inplace.params.flat is run.params.flat
        else failed("in place", "bit for bit", "is another update, or not in place"),
    ]


def compare_lean(B: int, seed: int, run: Callable[..., Any] = lean_loss_and_grads) -> list[Comparison]:
    """Call three times with the same memory and the same parameters, which change meanwhile, as training does.

    The second sequence begins at zero, the third from a state again. What the first call returned is a copy or lost.
    """
    cases = [make_rnn_case(Design(6, B, h0=h0), seed + i) for i, h0 in enumerate((True, False, True))]
    params, workspace = Flat.pack(cases[0].params), Workspace()
    found: list[Comparison] = []
    first: Any = None
    for number, case in enumerate(cases, start=1):
        expected = by_the_textbook(replace(case, params={name: w.copy() for name, w in params.items()}))
        last = run(params, case.x, case.y, case.h0, workspace=workspace)
        first = first or (last, expected["h"][-1])
        arrays = {"loss": np.asarray(last.loss), **last.grads, "h_T": last.h_T}
        right = {**expected, "h_T": expected["h"][-1]}
        found += [replace(close_to(n, a, right[n]), array=f"{n} of call {number}") for n, a in arrays.items()]
        params.flat[...] *= 1.1
    kept, expected_h_T = first
    return [*found, replace(close_to("h_T", kept.h_T, expected_h_T), array="h_T after other calls")]


def compare_packed(
    design: Mapping[str, Any], seed: int, run: Callable[..., Any] = packed_loss_and_grads
) -> list[Comparison]:
    """Cut sequences short, and ask for what they give; beyond their ends stands what may not be looked at."""
    case = make_rnn_case(Design(max(LENGTHS), len(LENGTHS), **design), seed)
    lengths = np.array(LENGTHS)
    within = np.arange(len(case.x))[:, None] < lengths
    given: RNNCase = replace(case, y=np.where(within, case.y, case.ignore_index))
    expected = by_the_textbook(given)
    x, y = case.x.copy(), np.where(within, case.y, NOWHERE)
    x[~within] = NOWHERE
    settings = {"bptt": case.bptt, "k": case.k}
    found = run(Flat.pack(case.params), x, y, lengths, case.h0, **settings)
    last = expected["h"][lengths - 1, np.arange(len(lengths))]
    return [
        close_to("h", found.h, expected["h"] * within[..., None]),
        close_to("h_T", found.h_T, last),
        close_to("loss", np.asarray(found.loss), expected["loss"]),
        *(close_to(name, array, expected[name]) for name, array in found.grads.items()),
        close_to("dh0", found.dh0, expected["dh0"]),
        *([] if found.dx is None else [close_to("dx", found.dx, expected["dx"])]),
    ]
