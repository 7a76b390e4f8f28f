"""A loss of its own beside forward and backward: `loss(ps, targets)`, or `loss, dlogits = cross_entropy(logits, y)`.

It is called between the two. What it returns is a loss only if it is proportional to the cross-entropy of the
outputs that the file has shown, or to that of some steps of it, on different data: then it may be called wrong.
Anything else (a penalty on the weights, a perplexity, smoothed targets) is left alone.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations, product
from typing import Any

import numpy as np

from rnncheck.case import RNNCase
from rnncheck.targets.adapter import Adapter
from rnncheck.targets.arguments import OUT
from rnncheck.targets.conventions import FAMILIES
from rnncheck.targets.handed import LOST, Lost, hand_on
from rnncheck.targets.patience import at_most
from rnncheck.targets.perform import Adapted
from rnncheck.targets.recognise import SCALES, close
from rnncheck.targets.survey import Function, Survey
from rnncheck.targets.trial import Trial, problem_for
from rnncheck.targets.upstream import softmax
from rnncheck.targets.words import LOSES, TELLS

__all__ = ["with_loss"]

USES = re.compile(r"numer|check|perplex|train|eval|valid|test", re.IGNORECASE)
"""What a function is called that calls a loss for something else."""
TARGET = re.compile(r"target|label|tru|gold|expect|desired|^[ty]s?$", re.IGNORECASE)
MOST = 40
"""So many calls are tried."""
UNITS = ("np.log(2)", "np.log(V)")
"""Bits, and a loss over that of knowing nothing: shown to a person."""


def with_loss(trial: Trial, work: Adapted, survey: Survey) -> Trial:
    """Return the trial with one more call, that of the file's own loss, if one is missing and can be judged."""
    adapter = trial.adapter
    one = len(trial.candidate.functions) != 2
    if one or not trial.forward or "loss" in adapter.trace or adapter.targets != "classes":
        return trial
    found = None
    for tried in _tries(trial, work, survey):
        if found is None or tried.scale:
            found = tried
        if tried.scale:
            break
    if found is None:
        return trial
    return replace(trial, adapter=hand_on(found, work, survey))


def _tries(trial: Trial, work: Adapted, survey: Survey) -> Iterator[Lost]:
    """Yield the calls of the file's losses that can be judged."""
    left = MOST
    for owner, f in _losses(trial, survey):
        for call, layout in product(_statements(owner, f, trial), _layouts(trial.adapter)):
            if not left:
                return
            left -= 1
            found = None
            try:
                with at_most():
                    found = _tried(call, layout, f, trial, work)
            except TimeoutError:
                return  # whoever hangs once would do so again
            except Exception:  # this is not the way to call it
                continue
            if found:
                yield found


def _losses(trial: Trial, survey: Survey) -> list[tuple[str, Function]]:
    """Return methods beside those that are called, then functions; those with a gradient first."""
    first = trial.candidate.functions[0]
    own = [c for c in survey.classes if c.methods.get(first.name) is first] if trial.candidate.owner == "rnn" else []
    pairs = [("rnn", f) for c in own for f in c.methods.values()] + [("file", f) for f in survey.functions.values()]
    named = [(o, f) for o, f in pairs if LOSES.search(f.name) and not (TELLS.search(f.name) or USES.search(f.name))]
    named = [(o, f) for o, f in named if "y" in f.takes and f not in trial.candidate.functions]
    return sorted(named, key=lambda pair: len(pair[1].returns) < 2)


def _statements(owner: str, f: Function, trial: Trial) -> Iterator[str]:
    """Yield the calls, with every argument that is no target one of the results of the forward pass."""
    first = trial.candidate.functions[0]
    targets = [n for n in f.required if f.roles[n] == "y"]
    if len(targets) > 1:  # `loss(output, target)`: both words are used of targets
        targets = [n for n in targets if TARGET.search(n)][:1] or targets[-1:]
    given = {"params": ["params"], "h0": ["h0"]}
    options = []
    for name in f.required:
        results = _results(name, first, trial.adapter) + ["x"] * (f.roles[name] == "x")  # or it runs forward itself
        options.append(["y"] if name in targets else results or given.get(f.roles[name] or "", []))
    for values in product(*options):
        yield f"{LOST} = {owner}.{f.name}({', '.join(values)})"


def _results(name: str, first: Function, adapter: Adapter) -> list[str]:
    """Return what may be meant: the result of this name, else outputs, which may be kept by time step."""
    if name in first.returns:
        return [OUT if len(first.returns) == 1 else f"{OUT}[{first.returns.index(name)}]"]
    if name in adapter.axes and name == "h0":
        return []
    shown = [adapter.trace[n] for n in ("p", "logits") if n in adapter.trace]
    if not shown and len(first.returns) <= 1:
        shown = [OUT]
    kept = [found[1] for e in shown if (found := re.match(r"\[(.+)\[t\] for t in ", e))]
    return list(dict.fromkeys([*kept, *shown]))


def _layouts(adapter: Adapter) -> list[str]:
    """Return the layouts that the targets may have beside these inputs."""
    if "y" in adapter.axes:
        return [adapter.axes["y"]]
    x, h0 = adapter.axes.get("x"), adapter.axes.get("h0")
    alike = [f for f in FAMILIES if x in f.x and h0 in (None, f.h)]
    return list(dict.fromkeys(y for f in alike for y in (f.y if adapter.task == "every step" else f.last)))


def _tried(call: str, layout: str, f: Function, trial: Trial, work: Adapted) -> Lost | None:
    """Make a call on different data of the same sizes; None if what comes back is no cross-entropy."""
    before = trial.adapter
    calls = [c for c in before.calls if f"{LOST} = {c}" != call]  # it may be called for what it leaves behind
    adapter = replace(before, calls=(*calls[:-1], call, calls[-1]), axes=dict(before.axes) | {"y": layout})
    work.change(adapter)
    width = 5 if adapter.batched else 1
    case, _ = problem_for(adapter, 10)
    data = [(slice(None), slice(0, width)), (slice(None), slice(width, 2 * width)), (slice(1, None), slice(0, width))]
    ratios, seen = [], []
    for at in data:
        own = replace(case, x=case.x[at], y=case.y[at], h0=None if case.h0 is None else case.h0[at[1]])
        names = work.observe(own.copy())
        where, value = _scalar(names[LOST], own.sizes["T"])
        ratios.append([value / total for total in _totals(own, names)])
        seen.append(names)
    constant = [np.isclose(one, two, rtol=1e-6, atol=0) and one != 0 for one, two in zip(*ratios[:2], strict=True)]
    if not any(constant):
        return None
    scale = _scale([(ratios[i][0], seen[i]) for i in (0, 2)]) if constant[0] else ""
    if scale is None:
        return None
    adapter = replace(adapter, trace=dict(before.trace) | {"loss": where})
    return Lost(adapter, f, seen[0][LOST], scale) if _harmless(adapter, before, work) else None


def _scalar(value: Any, T: int) -> tuple[str, float]:
    """Return where the number is, and what it is: a result, the first of several, or one of every step."""
    if isinstance(value, tuple):
        at = next(i for i, v in enumerate(value) if np.size(v) == 1)
        return f"{LOST}[{at}]", float(np.asarray(value[at]).sum())
    if np.shape(value) == (T,) and T > 1:
        return f"np.sum({LOST})", float(np.sum(value))
    return LOST, float(np.asarray(value).reshape(()))


def _totals(case: RNNCase, names: Mapping[str, Any]) -> list[float]:
    """Return the cross-entropy of what the file has shown; then with shifted targets, then that of some steps only."""
    shown = names["_trace"]
    p = shown["p"] if "p" in shown else softmax(shown["logits"])
    y = case.y[-len(p) :]
    steps = _of_steps(p, y)
    some = [list(c) for n in range(1, len(p)) for c in combinations(range(len(p)), n)]
    shifted = [_of_steps(p, np.roll(y, by, axis=0)).sum() for by in (1, -1)] if len(p) > 1 else []
    return [steps.sum(), *shifted, *(steps[c].sum() for c in some)]


def _of_steps(p: np.ndarray, y: np.ndarray) -> np.ndarray:
    return -np.log(np.take_along_axis(p, y[..., None], -1)).sum((1, 2))


def _scale(seen: Sequence[tuple[float, Mapping[str, Any]]]) -> str | None:
    """Return what to multiply the loss by at every T; "" if nothing known will do, None if it is another measure."""

    def fits(scale: str) -> bool:
        factors = [eval(scale, {n: names[n] for n in "TBV"} | {"np": np}) for _, names in seen]
        return all(np.isclose(r * f, 1, rtol=1e-6, atol=0) for (r, _), f in zip(seen, factors, strict=True))

    if right := next((s for s in SCALES[:4] if fits(s)), None):
        return right
    other = [s for s in SCALES if "V" in s and "0.5" not in s]
    return None if any(fits(s) for s in (*other, *(f"{s} * {u}" for s in SCALES[:4] for u in UNITS))) else ""


def _harmless(adapter: Adapter, before: Adapter, work: Adapted) -> bool:
    """Tell whether everything else is as it was without the call: many a loss writes into what it is given."""
    case, _ = problem_for(before, 10 if before.batched else 1)
    traces = []
    for version in (before, adapter):
        work.change(version)
        traces.append(work.run(case.copy()))
    return all(close(np.asarray(traces[1][n]), np.asarray(a)) for n, a in traces[0].items())
