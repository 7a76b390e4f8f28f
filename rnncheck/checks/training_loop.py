"""What the training loop does around a step: which example comes next, and what is handed on.

Both sides of a training run share one loop, so no comparison of them can see a mistake in it. Here the step is put in
place of: it writes down what it is given, and returns numbers drawn at random. What it is given next must be just
those, every example must come in its turn, and the learning rate must follow the loss of the whole set, which the
textbook computes as well. The loss that is told must be that of the step, in the unit that the recipe asks for. And an
update that leaves out what no gradient touches must be the whole update, bit for bit.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

from numpy_impl.datasets import Batch, Dataset
from numpy_impl.flat import Flat
from numpy_impl.inputs import NO_TOKEN
from numpy_impl.loss import IGNORE_INDEX
from numpy_impl.optim import SGD, Adagrad, State
from numpy_impl.recipes import RECIPES, Recipe
from numpy_impl.run import Run, start
from numpy_impl.touched import step_touched
from numpy_impl.train import Record, StepFunction, StepOut, advance
from rnncheck.case import RNNCase
from rnncheck.checks.check import Bench, Check, failed, passed
from rnncheck.result import Comparison
from rnncheck.textbook import Textbook

__all__ = ["compare_loop", "compare_touched", "training_checks"]

EXAMPLES, PASSES = 4, 3
BATCHES: dict[int, dict[str, str]] = {1: {}, 3: {"reduction": "mean", "nonlinearity": "relu"}}
"""Four examples one by one, as the recipe says; and three and one, as no recipe does."""
KEPT = 0.999
"""How much of the smoothed loss each step keeps."""
CLOSE = 1e-10
"""Relative difference of two means of losses in float64, each summed in its own order."""
OPTIMIZERS = (SGD(), SGD(momentum=0.9), Adagrad(), Adagrad(eps=1e-8, eps_inside=True))
WIDE = {"H": 8, "I": 9_000, "T": 6, "B": 3}
"""A vocabulary so large beside the batch that leaving out pays."""

Advance = Callable[[Run, Dataset, StepFunction | None], Record]


@dataclass(frozen=True)
class Seen:
    """One step: what it was given, and what it returned."""

    batch: Batch
    h0: np.ndarray | None
    lr: float
    given: dict[str, np.ndarray]
    returned: dict[str, np.ndarray]
    h_T: np.ndarray  # noqa: N815 - a name of the field
    loss: float
    right_loss: float
    record: Record


def training_checks(loaders: Mapping[str, Callable[[Recipe], Dataset]], seed: int) -> Iterator[Check]:
    """Plan the questions about the loop of every recipe that can be loaded, and those about every update."""
    for name, load in loaders.items():
        yield from _loop_checks(RECIPES[name], load, seed)
    for optimizer in OPTIMIZERS:
        options = ", ".join(f"{n}={v}" for n, v in vars(optimizer).items() if v)
        name = f"training-update[{type(optimizer).__name__}: {options}]"
        yield Check(name, "training-loop", partial(_ask_touched, optimizer, seed))


def _loop_checks(recipe: Recipe, load: Callable[[Recipe], Dataset], seed: int) -> Iterator[Check]:
    """Plan the questions about one recipe, on a few of its examples: one a step, and several where that can be."""
    for batch in (1,) if recipe.name == "chars" else BATCHES:
        settings: dict[str, Any] = {"examples": EXAMPLES, "sample_every": 0, "evaluate_every": 1, **BATCHES[batch]}
        short = replace(recipe, batch=batch, **settings)
        yield Check(
            f"training-loop-{recipe.name}[batch={batch}]", "training-loop", partial(_ask_loop, short, load, seed)
        )


def compare_loop(recipe: Recipe, data: Dataset, seed: int, advance: Advance = advance) -> list[Comparison]:
    """Train with a step that is none, and hold what each step is given against what it should be."""
    run = start(recipe, data, seed)
    order = np.arange(len(data)) if run.order is None else run.order.copy()
    a_pass = -(-len(data) // recipe.batch)
    seen = [_watch(run, data, advance) for _ in range(a_pass * PASSES)]
    turns = np.tile(order, PASSES)
    wrong = {
        "x": _first(_in_turn([s.batch.x for s in seen], [data.inputs[i] for i in turns], NO_TOKEN)),
        "y": _first(_in_turn([s.batch.y for s in seen], [data.targets[i] for i in turns], IGNORE_INDEX)),
        "h0": _first(_carried(data, seen, step) for step in range(len(seen))),
        "params": _first(_same_arrays(a.returned, b.given) for a, b in pairwise(seen)),
        "loss": _first(_close(s.record.set_loss, s.right_loss) for s in seen if s.record.set_loss is not None),
        "lr": _first(lr == s.lr for lr, s in zip(_rates(recipe, a_pass, seen), seen, strict=True)),
        "told": _first(_close(s.record.loss, _told(recipe, s)) for s in seen),
        "smoothed": _first(
            _close(s.record.smoothed, right) for s, right in zip(seen, _smoothed(recipe, data, seen), strict=True)
        ),
    }
    why = {
        "x": "is not that of the example whose turn it is",
        "y": "is not that of the example whose turn it is",
        "h0": "is not the last state of the step before, or zero where a sequence begins",
        "params": "or the state of the optimiser are not what the step before returned",
        "loss": "of the whole set is not that of the textbook",
        "lr": "does not follow the loss of the whole set",
        "told": "is not the loss of the step, of one token or of one example as the recipe reports it",
        "smoothed": "is not what the losses so far, each a thousandth, make of the one before",
    }
    rule = "handed on"
    return [
        passed(name, rule) if at is None else failed(name, rule, f"{why[name]} (time {at + 1} it was looked at)")
        for name, at in wrong.items()
    ]


def compare_touched(
    optimizer: SGD | Adagrad, seed: int, update: Callable[..., State] = step_touched
) -> list[Comparison]:
    """Take steps with what is left out, and without, from one gradient each."""
    rng = np.random.default_rng([seed, 5])
    H, I, T, B = (WIDE[n] for n in "HITB")
    shapes = {"W_xh": (H, I), "W_hh": (H, H), "b_h": (H,)}
    params = Flat.pack({name: rng.normal(size=shape) for name, shape in shapes.items()})
    whole, state, rest = params.flat.copy(), optimizer.init(params.flat), optimizer.init(params.flat)
    for _ in range(3):
        x = rng.integers(-1, I, (T, B))
        x[:3, 0] = NO_TOKEN, 0, I - 1  # the ends of the alphabet, and what is none of it
        g = Flat.pack({name: rng.normal(size=shape) for name, shape in shapes.items()})
        g["W_xh"][:, np.setdiff1d(np.arange(I), x)] = 0
        whole, state = optimizer.step(whole, g.flat, state, 0.1)
        rest = update(optimizer, params, g.flat, rest, 0.1, x)
    arrays = {"params": (params.flat, whole), **{n: (rest[n], a) for n, a in state.items()}}
    return [
        passed(name, "bit for bit")
        if one.tobytes() == other.tobytes()
        else failed(name, "bit for bit", "differs between the update of what was touched and that of everything")
        for name, (one, other) in arrays.items()
    ]


def _ask_loop(recipe: Recipe, load: Callable[[Recipe], Dataset], seed: int, _bench: Bench) -> list[Comparison]:
    return compare_loop(recipe, load(recipe), seed)


def _ask_touched(optimizer: SGD | Adagrad, seed: int, _bench: Bench) -> list[Comparison]:
    return compare_touched(optimizer, seed)


def _watch(run: Run, data: Dataset, advance: Advance) -> Seen:
    """Do one step of the loop, with a step in it that returns random numbers."""
    rng = np.random.default_rng([run.seed, run.step])
    right_loss = _loss_of_the_set(run, data)
    noted: dict[str, Any] = {}

    def step(recipe: Recipe, params: Flat, opt_state: State, lr: float, batch: Batch, h0: np.ndarray | None) -> StepOut:
        given = {"params": params.flat.copy(), **{n: a.copy() for n, a in opt_state.items()}}
        moved = Flat.pack({n: a + 0.05 * rng.normal(size=a.shape).astype(a.dtype) for n, a in params.items()})
        state = {n: a + rng.random(a.shape).astype(a.dtype) if a.dtype.kind == "f" else a for n, a in opt_state.items()}
        h_T = rng.normal(size=(batch.x.shape[1], recipe.hidden)).astype(moved.flat.dtype)
        noted.update(batch=batch, lr=lr, given=given, h0=None if h0 is None else h0.copy(), h_T=h_T.copy())
        noted["returned"] = {"params": moved.flat.copy(), **{n: a.copy() for n, a in state.items()}}
        noted["loss"] = float(rng.random())
        return StepOut(noted["loss"], moved, state, h_T)

    record = advance(run, data, step)
    return Seen(**noted, right_loss=right_loss, record=record)


def _loss_of_the_set(run: Run, data: Dataset) -> float:
    """Let the textbook evaluate the mean loss of the examples; the state goes on from one to the next if it should."""
    total, h = 0.0, None
    for x, y in zip(data.inputs, data.targets, strict=True):
        case = RNNCase("set", 0, dict(run.params), x[:, None], y[:, None], h, reduction=run.recipe.report)
        trace = Textbook().run(replace(case, nonlinearity=run.recipe.nonlinearity))
        total, h = total + float(trace["loss"]), trace["h"][-1] if data.carried else None
    return total / len(data)


def _rates(recipe: Recipe, a_pass: int, seen: list[Seen]) -> Iterator[float]:
    """Yield the learning rate of every step: half of it from where the loss of the set has risen."""
    lr, before = recipe.lr, None
    for step, s in enumerate(seen):
        if recipe.evaluate_every is not None and step % (a_pass * recipe.evaluate_every) == 0:
            lr = lr / 2 if before is not None and s.right_loss > before else lr
            before = s.right_loss
        yield lr


def _told(recipe: Recipe, s: Seen) -> float:
    """Return the loss of a step as it is to be told: what was differentiated is a sum or a mean over the targets."""
    targets, examples = np.count_nonzero(s.batch.y != IGNORE_INDEX), s.batch.y.shape[1]
    total = s.loss * (targets if recipe.reduction == "mean" else 1)
    return float(total / (targets if recipe.report == "mean" else examples))


def _smoothed(recipe: Recipe, data: Dataset, seen: list[Seen]) -> Iterator[float]:
    """Yield the smoothed loss after every step; before the first, all tokens are equally likely."""
    smoothed = float(np.log(len(data.vocabulary)))
    if recipe.report == "sum":
        smoothed *= float(np.mean([len(y) for y in data.targets]))
    for s in seen:
        smoothed = KEPT * smoothed + (1 - KEPT) * s.record.loss
        yield smoothed


def _in_turn(batches: list[np.ndarray], examples: list[np.ndarray], filling: int) -> Iterator[bool]:
    """Hold the columns of all batches, one after the other, against the examples in their order, and what fills up."""
    columns = [column for batch in batches for column in batch.T]
    for number in range(max(len(columns), len(examples))):
        column, example = columns[number : number + 1], examples[number : number + 1]
        whole = bool(column and example) and len(column[0]) >= len(example[0])
        yield whole and _same(
            column[0], np.pad(example[0], (0, len(column[0]) - len(example[0])), constant_values=filling)
        )


def _carried(data: Dataset, seen: list[Seen], step: int) -> bool:
    h0, begins = seen[step].h0, not data.carried or step % len(data) == 0
    return h0 is None if begins else h0 is not None and _same(h0, seen[step - 1].h_T)


def _same(one: np.ndarray, two: np.ndarray) -> bool:
    return np.array_equal(one, two)


def _same_arrays(one: dict[str, np.ndarray], two: dict[str, np.ndarray]) -> bool:
    return one.keys() == two.keys() and all(_same(one[name], two[name]) for name in one)


def _close(one: float | None, two: float) -> bool:
    return one is not None and abs(one - two) <= CLOSE * abs(two)


def _first(right: Iterable[bool]) -> int | None:
    """Return the number of the first that is wrong."""
    return next((number for number, is_right in enumerate(right) if not is_right), None)
