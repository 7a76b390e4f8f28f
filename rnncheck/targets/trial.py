"""A trial: call a candidate in one way on a small problem, see what comes back, count what is right."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from rnncheck.case import RNNCase
from rnncheck.make_case import IGNORE_INDEX, Design, make_rnn_case
from rnncheck.targets.adapter import DIFFERENCE, Adapter
from rnncheck.targets.candidates import Candidate
from rnncheck.targets.inputs import find_inputs
from rnncheck.targets.observe import seen_after
from rnncheck.targets.perform import Adapted
from rnncheck.targets.recognise import SCALES, Answers, Recognised, close, recognise_forward, recognise_gradients
from rnncheck.targets.shelf import locate, read
from rnncheck.textbook.rnn import RNNSteps

__all__ = ["PROBE", "Trial", "probe", "try_out"]

PROBE = {"T": 3, "H": 8, "I": 5, "V": 7}
"""Sizes of the trial problem: all different, and different from T + 1 and from their sums."""

WORTH = {"h": 4.0, "logits": 4.0, "p": 4.0, "dlogits": 0.0, "loss": 3.0}


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


@cache
def probe(
    inputs: str, nonlinearity: str, task: str, B: int, biases: tuple[str, ...], h0: bool, apart: bool, values: bool = False
) -> tuple[RNNCase, Answers]:
    """Make the trial problem and its right answers. `apart` has I and V differ."""
    I = PROBE["I"] if apart else PROBE["V"]
    design = Design(PROBE["T"], B, PROBE["H"], PROBE["V"], I, inputs="dense" if inputs == "vectors" else "ids", no_token=False, h0=h0)
    case = make_rnn_case(design, seed=3)
    rng = np.random.default_rng(4)
    params = dict(case.params) | {"W_xh": rng.normal(size=(PROBE["H"], I)) / 2}
    params = {n: a for n, a in params.items() if n.startswith("W") or n in biases}
    x = case.x if case.x.ndim == 3 else rng.integers(0, I, case.x.shape)
    y = case.y.copy()
    if task == "last step":
        y[:-1] = IGNORE_INDEX
    case = replace(case, params=params, x=x, y=y, nonlinearity=nonlinearity)
    steps = Sigmoid() if nonlinearity == "sigmoid" else RNNSteps()
    return case, Answers(case.sizes, steps.run_rnn(case), task)


def try_out(adapter: Adapter, candidate: Candidate, work: Adapted, B: int, apart: bool, globals_: set[str]) -> Trial | None:
    """Call, recognise, and count; None if nothing comes back that could be judged. What the calls raise is raised."""
    case, answers = probe(
        "ids" if adapter.takes_ids else "vectors",
        adapter.nonlinearity,
        adapter.task,
        B,
        tuple(b for b in ("b_h", "b_y") if b in adapter.roles or (b == "b_y" and "W_hy" not in adapter.roles)),
        adapter.takes_h0,
        apart,
    )
    work.change(adapter)
    if candidate.uses & {"dlogits", "dh"}:
        adapter = _see_forward(adapter, candidate, work, case, answers)
    work.change(adapter)
    names = work.observe(case)
    seen = seen_after(names, candidate.returns, globals_)
    found = recognise_forward(seen, answers)
    places = {key: read(locate(p)[0][0], names) for key, p in adapter.params.items()}
    if adapter.grads != DIFFERENCE:
        arrays = {k: np.asarray(v) for k, v in places.items() if v is not None}
        adapter = replace(adapter, grads=recognise_gradients(adapter, seen, arrays))
    adapter = replace(adapter, trace=found.trace, axes=dict(adapter.axes) | found.axes, loss_scale=found.loss_scale)
    trace, axes = find_inputs(adapter, seen, answers)
    adapter = replace(adapter, trace=dict(adapter.trace) | trace, axes=dict(adapter.axes) | axes)
    work.change(adapter)
    return _best_scale(adapter, candidate, work, case, answers, found)


def _see_forward(adapter: Adapter, candidate: Candidate, work: Adapted, case: RNNCase, answers: Answers) -> Adapter:
    """Look at the forward pass alone: the upstream gradient is taken at its own results."""
    first = [c for c in adapter.calls if "dlogits" not in c and "dh" not in c.replace("dh=", "")]
    work.change(replace(adapter, calls=tuple(first)))
    seen = seen_after(work.observe(case), candidate.returns, set())
    found = recognise_forward(seen, answers)
    return replace(adapter, trace=found.trace, axes=dict(adapter.axes) | found.axes)


def _best_scale(
    adapter: Adapter, candidate: Candidate, work: Adapted, case: RNNCase, answers: Answers, found: Recognised
) -> Trial | None:
    """Find the one scale of all gradients. Where the same call returns the loss, they must have the loss's scale."""
    loss_alone = "loss" in found.right and len(candidate.functions) > 1 and "y" in candidate.functions[0].takes
    tied = "loss" in found.right and (len(candidate.functions) == 1 or loss_alone)
    scales = (adapter.loss_scale, f"-({adapter.loss_scale})") if tied else (*SCALES, *(f"-({s})" for s in SCALES))
    trials = []
    unscaled = work.run(case)
    for scale in scales:
        factor = eval(scale, dict(answers.sizes))
        trace = {n: a * factor if n[0] == "d" and n != "dlogits" else a for n, a in unscaled.items()}
        final = replace(adapter, grad_scale=_tidy(scale))
        trials.append(_count(final, candidate, trace, answers))
    return max((t for t in trials if t is not None), key=lambda t: t.points, default=None)


def _tidy(scale: str) -> str:
    return {"-(1)": "-1", "-(T)": "-T"}.get(scale, scale)


def _count(adapter: Adapter, candidate: Candidate, trace: Mapping[str, np.ndarray], answers: Answers) -> Trial | None:
    right = [n for n, a in trace.items() if n in answers.arrays and close(np.asarray(a, float), answers.arrays[n])]
    if "p" in adapter.trace and "dlogits" in right:
        right.append("p")
    shown = [n for n in trace if n in answers.arrays]
    wrong = [n for n in shown if n not in right]
    keys = [r for key in adapter.params for r in key.split("|") if key != "h0"]
    missing = [f"d{r}" for r in keys if f"d{r}" not in trace and not (r in ("W_hy", "b_y") and "dh" in candidate.uses)]
    if not any(f"d{r}" in trace for r in keys):
        return None  # without gradients there is nothing to check
    points = sum(WORTH.get(n, 1.0) for n in right) + 0.1 * len(shown) + 0.05 * (adapter.grad_scale == "1")
    points += 2.0 * (adapter.batched and not wrong and not missing) - 3.0 * len(missing)
    return Trial(adapter, candidate, points, tuple(right), tuple(wrong), tuple(missing))
