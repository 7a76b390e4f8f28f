"""A trial: call a candidate in one way on a small problem, see what comes back, count what is right."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from rnncheck.case import RNNCase
from rnncheck.cases.make import IGNORE_INDEX, Design, make_rnn_case
from rnncheck.targets.adapter import DIFFERENCE, Adapter
from rnncheck.targets.candidates import Candidate
from rnncheck.targets.inputs import find_inputs
from rnncheck.targets.observe import Seen, seen_after
from rnncheck.targets.outputs import is_measure, loss_of, targets_for
from rnncheck.targets.perform import Adapted
from rnncheck.targets.recognise import SCALES, Answers, Recognised, close, recognise_forward, recognise_gradients, tidy
from rnncheck.targets.shelf import locate, read
from rnncheck.textbook.rnn import RNNSteps

__all__ = ["PROBE", "Trial", "probe", "problem_for", "right_at_one_step", "sizes_of", "try_out"]

PROBE = {"T": 3, "B": 10, "H": 8, "I": 5, "V": 7}
"""Sizes of the trial problem: all different, and different from T + 1 and from their sums.

No two scales of a gradient are equal at these sizes either: a mean over two sequences, of a squared error that is not
halved, has the gradient of the sum.
"""

FORWARD = ("h", "logits", "p", "loss")
SAYS_LOSS = re.compile(r"loss|cost|^j$|entropy", re.IGNORECASE)
WORTH = {"h": 4.0, "logits": 4.0, "p": 4.0, "dlogits": 0.0, "loss": 3.0}


def sizes_of(adapter: Adapter) -> tuple[int, int, int]:
    """Return I, H and V of the trial problem; a file that knows one vocabulary only has I = V.

    Code that is given ids, and all its weights as arguments, may count the outputs to make an id a one-hot vector.
    """
    given = bool(adapter.params) and not any("." in p.removesuffix(".T") for p in adapter.params.values())
    counts = given and "x" in adapter.axes and adapter.takes_ids
    apart = adapter.mentions("I") or not (adapter.mentions("V") or counts)
    sizes = PROBE | {"I": PROBE["I" if apart else "V"]} | dict(adapter.fixed)
    return sizes["I"], sizes["H"], sizes["V"]


class Sigmoid(RNNSteps):
    """The textbook's RNN with sigmoid states."""

    def activate(self, a: np.ndarray) -> np.ndarray:
        """Return 1 / (1 + e^-a)."""
        return 1 / (1 + np.exp(-a))

    def derivative(self, t: int) -> np.ndarray:
        """Return h (1 - h)."""
        return self.h[t] * (1 - self.h[t])


@dataclass(frozen=True)
class Trial:
    """An adapter with what it was worth: points, and what was right and wrong."""

    adapter: Adapter
    candidate: Candidate
    points: float
    right: tuple[str, ...]
    wrong: tuple[str, ...]
    missing: tuple[str, ...]

    @property
    def perfect(self) -> bool:
        """Whether all that is shown is right, and all gradients are shown."""
        return not self.wrong and not self.missing and bool(self.right)

    @property
    def forward(self) -> bool:
        """Whether something of the forward pass is right, or dW_hy, which is made of its results alone."""
        return bool({"h", "logits", "p", "loss", "dW_hy"} & set(self.right))

    @property
    def gradients(self) -> bool:
        """Whether the gradient of some parameter is right."""
        return any(name.startswith(("dW", "db")) for name in self.right)

    @property
    def settled(self) -> bool:
        """Whether no other candidate need be tried: it runs forward rightly, and all gradients are shown."""
        return self.forward and not self.missing


@cache
def probe(
    inputs: str, nonlinearity: str, task: str, B: int, biases: tuple[str, ...], h0: bool, sizes: tuple[int, int, int]
) -> tuple[RNNCase, Answers]:
    """Return the trial problem, of `sizes` I, H and V, and its right answers.

    It is one for all files that are read in a process, so they are to be given copies.
    """
    I, H, V = sizes
    design = Design(PROBE["T"], B, H, V, I, inputs="dense" if inputs == "vectors" else "ids", no_token=False, h0=h0)
    case = make_rnn_case(design, seed=3)
    rng = np.random.default_rng(4)
    params = dict(case.params) | {"W_xh": rng.normal(size=(H, I)) / 2}
    params = {n: a for n, a in params.items() if n.startswith("W") or n in biases}
    x = case.x if case.x.ndim == 3 else rng.integers(0, I, case.x.shape)
    y = case.y.copy()
    if task == "last step":
        y[:-1] = IGNORE_INDEX
    case = replace(case, params=params, x=x, y=y, nonlinearity=nonlinearity)
    steps = Sigmoid() if nonlinearity == "sigmoid" else RNNSteps()
    return case, Answers(case.sizes, steps.run_rnn(case), task)


def problem_for(adapter: Adapter, B: int, alike: bool = False) -> tuple[RNNCase, Answers]:
    """Return the trial problem that an adapter can express; `alike`, with as many inputs as outputs."""
    biases = tuple(b for b in ("b_h", "b_y") if b in adapter.roles or (b == "b_y" and "W_hy" not in adapter.roles))
    inputs = "ids" if adapter.takes_ids else "vectors"
    I, H, V = sizes_of(adapter)
    sizes = (V if alike else I, H, V)
    return probe(inputs, adapter.nonlinearity, adapter.task, B, biases, adapter.takes_h0, sizes)


def try_out(
    adapter: Adapter, candidate: Candidate, work: Adapted, B: int, globals_: set[str], alike: bool = False
) -> Trial | None:
    """Call, recognise, and count; None if nothing comes back that could be judged. What the calls raise is raised."""
    case, answers = problem_for(adapter, B, alike)
    work.change(adapter)
    if candidate.uses & {"dlogits", "dh"}:
        adapter = _see_forward(adapter, candidate, work, case, answers)[0]
        work.change(adapter)
    names = work.observe(case.copy())
    seen = seen_after(names, candidate.returns, globals_)
    found = _recognise(seen, answers, adapter)
    places = {key: read(locate(p)[0][0], names) for key, p in adapter.params.items()}
    if adapter.grads != DIFFERENCE:
        arrays = {k: np.asarray(v) for k, v in places.items() if v is not None}
        adapter = replace(adapter, grads=recognise_gradients(adapter, seen, arrays))
    adapter = replace(adapter, trace=found.trace, axes=dict(adapter.axes) | found.axes, loss_scale=found.loss_scale)
    trace, axes = find_inputs(adapter, seen, answers)
    adapter = replace(adapter, trace=dict(adapter.trace) | trace, axes=dict(adapter.axes) | axes)
    work.change(adapter)
    return _best_scale(adapter, candidate, work, case, answers, found)


def _recognise(seen: Sequence[Seen], answers: Answers, adapter: Adapter) -> Recognised:
    """Recognise the results of the forward pass. Outputs of a sigmoid are left out: the gradients will show more.

    So is a loss that is not judged: that of a sigmoid, which only tells the scale; what is shown to a person beside it.
    """
    if adapter.targets == "classes":
        return recognise_forward(seen, answers)
    steps = slice(None) if answers.task == "every step" else slice(-1, None)
    logits, dlogits = (answers.arrays[n][steps] for n in ("logits", "dlogits"))
    targets = targets_for(adapter.targets, logits, dlogits)
    loss = loss_of(adapter.targets, logits, targets)
    found = recognise_forward(seen, replace(answers, arrays={**answers.arrays, "loss": np.asarray(loss)}), SCALES)
    taken = [] if adapter.targets == "values" or "logits" in found.right else ["logits"]  # for logits, and are outputs
    for name in {"p", *taken} & set(found.trace):
        found.forget(name)
    said = next((s for s in seen if "loss" in found.wrong and s.expression in found.trace["loss"]), None)
    factors = [eval(scale, dict(answers.sizes)) for scale in SCALES]
    beside = said and (not SAYS_LOSS.search(said.name) or is_measure(float(said.array.sum()), logits, targets, factors))
    if adapter.targets != "values" or beside:
        found.trace.pop("loss", None)
    return found


def right_at_one_step(adapter: Adapter, work: Adapted, B: int) -> bool:
    """Tell whether something is right on the simplest problem: one step from a zero state, biases of zero.

    There most mistakes of a forward pass do not show; if nothing is right even so, it is something else than was read.
    """
    case, _ = problem_for(adapter, B)
    params = {n: a if n.startswith("W") else np.zeros_like(a) for n, a in case.params.items()}
    h0 = None if case.h0 is None else np.zeros_like(case.h0)
    case = replace(case, params=params, x=case.x[-1:], y=case.y[-1:], h0=h0)
    steps = Sigmoid() if adapter.nonlinearity == "sigmoid" else RNNSteps()
    answers = Answers(case.sizes, steps.run_rnn(case), adapter.task)
    work.change(adapter)
    trace = {n: a for n, a in work.run(case.copy()).items() if np.any(answers.arrays.get(n))}  # dW_hh is zero anyway
    factors = (eval(scale, dict(answers.sizes)) * sign for scale in SCALES for sign in (1, -1))
    return any(_right({n: np.asarray(a) * factor for n, a in trace.items()}, answers) for factor in factors)


def forward_only(adapter: Adapter, candidate: Candidate, work: Adapted, B: int) -> Trial | None:
    """Return a trial of code whose backward pass raises, if its forward pass is right."""
    adapter, found = _see_forward(adapter, candidate, work, *problem_for(adapter, B))
    return Trial(adapter, candidate, 0.0, tuple(found.right), (), ()) if found.right else None


def _see_forward(
    adapter: Adapter, candidate: Candidate, work: Adapted, case: RNNCase, answers: Answers
) -> tuple[Adapter, Recognised]:
    """Look at the first call alone: an upstream gradient is taken at its own results."""
    work.change(replace(adapter, calls=adapter.calls[:1]))
    found = recognise_forward(seen_after(work.observe(case.copy()), candidate.returns, set()), answers)
    return replace(adapter, trace=found.trace, axes=dict(adapter.axes) | found.axes), found


def _best_scale(
    adapter: Adapter, candidate: Candidate, work: Adapted, case: RNNCase, answers: Answers, found: Recognised
) -> Trial | None:
    """Find the one scale of all gradients. Where the same call returns the loss, they must have the loss's scale."""
    loss_alone = "loss" in found.right and len(candidate.functions) > 1 and "y" in candidate.functions[0].takes
    at_once = len(candidate.functions) == 1 or found.trace.get("loss", "").startswith(("grads", "np.sum(grads"))
    tied = "loss" in found.right and (at_once or loss_alone)
    scales = (adapter.loss_scale, f"-({adapter.loss_scale})") if tied else (*SCALES, *(f"-({s})" for s in SCALES))
    unscaled = work.run(case.copy())
    traces = {}
    for scale in scales:
        factor = eval(scale, dict(answers.sizes))
        traces[scale] = {n: a * factor if n[0] == "d" and n != "dlogits" else a for n, a in unscaled.items()}
    right = {scale: _right(trace, answers) for scale, trace in traces.items()}
    best = max(scales, key=lambda scale: len(right[scale]))
    other_loss = ["loss"] if "loss" in found.right and "loss" not in adapter.trace else []
    return _count(replace(adapter, grad_scale=tidy(best)), candidate, unscaled, right[best] + other_loss)


def _right(trace: Mapping[str, np.ndarray], answers: Answers) -> list[str]:
    known = answers.arrays
    return [n for n, a in trace.items() if n in known and close(np.asarray(a, float), known[n])]


def _count(adapter: Adapter, candidate: Candidate, trace: Mapping[str, np.ndarray], right: list[str]) -> Trial | None:
    """Add up what a trial is worth; None without gradients: there is nothing to check."""
    right = right + (["p"] if "p" in adapter.trace and "dlogits" in right else [])
    wrong = [n for n in trace if n not in right]
    keys = [r for key in adapter.params for r in key.split("|") if key != "h0"]
    if not any(f"d{r}" in trace for r in keys):
        return None
    missing = [f"d{r}" for r in keys if f"d{r}" not in trace and not (r in ("W_hy", "b_y") and "dh" in candidate.uses)]
    points = sum(WORTH.get(n, 1.0) for n in right) + 0.1 * len(trace) + 0.05 * (adapter.grad_scale == "1")
    points += _worth_of_batch(adapter, trace, right, wrong) * (not missing) - 3.0 * len(missing)
    return Trial(adapter, candidate, points, tuple(right), tuple(wrong), tuple(missing))


def _worth_of_batch(adapter: Adapter, trace: Mapping[str, np.ndarray], right: list[str], wrong: list[str]) -> float:
    """Return what it is worth that a batch can be given: more than the few gradients that are wrong of a batch only.

    Code for single sequences may let a batch through by accident; then a gradient has not the shape of its weight.
    """
    if not adapter.batched or not wrong:
        return 2.0 * adapter.batched
    forward = bool(set(FORWARD) & set(right)) and not set(FORWARD) & set(wrong)
    shaped = all(np.ndim(trace[n]) == (2 if n.startswith("dW") else 1) for n in wrong if n[:2] in ("dW", "db"))
    mostly = sum(n[:2] in ("dW", "db") for n in right) >= sum(n[:2] in ("dW", "db") for n in wrong)
    return 4.0 * (forward and shaped and mostly)
