"""Decoder for optimisers: the update that was made, as a formula of the gradients and of the update before it."""

from collections.abc import Iterator

import numpy as np

from rnncheck.case import OptimCase
from rnncheck.diagnosis.formula import fit, say
from rnncheck.diagnosis.observation import Arrays, Observation
from rnncheck.diagnosis.reading import Reading

__all__ = ["read_updates"]

DIGITS = 1e-6
"""An update is a difference of parameters: the digits that they share are lost."""


def read_updates(observed: Observation) -> Iterator[Reading]:
    """Yield what the first update and the second are made of, for the first wrong case of each method."""
    done: set[str] = set()
    for s in observed.of_kind("optim"):
        case = s.probe.case
        wrong = [n for n in s.wrong if n.startswith("step")]
        if not isinstance(case, OptimCase) or case.method in done or not wrong:
            continue
        done.add(case.method)
        words = [_update(case, s.numbers, step) for step in (1, 2) if any(n.startswith(f"step{step}.") for n in wrong)]
        stuck = [n for n, w in case.params.items() if np.array_equal(s.numbers.get(f"step1.{n}", 0 * w), w)]
        change = _rule(case)
        if stuck and len(stuck) < len(case.params):
            yield Reading(
                wrong[0], f"{', '.join(stuck)} keep{'s' * (len(stuck) == 1)} its value", "update every parameter"
            )
        elif any(words):
            what = f"{case.method}: " + "; ".join(w for w in words if w)
            yield Reading(wrong[0], what, change, explained=all(words))


def _rule(case: OptimCase) -> str:
    if case.method == "sgd":
        return "v <- momentum v + (1 - dampening) g, w <- w - lr v"
    return "m <- m + g^2, w <- w - lr g / (sqrt(m) + eps)"


def _update(case: OptimCase, arrays: Arrays, step: int) -> str:
    """Write update number `step` as a formula, empty if there is none."""
    needed = {f"step{s}.{n}" for n in case.params for s in {1, max(1, step - 1), step}}
    if not needed <= set(arrays):
        return ""
    before = case.params if step == 1 else {n: arrays[f"step{step - 1}.{n}"] for n in case.params}
    u, terms = [], dict[str, list[np.ndarray]]()
    for name, start in case.params.items():
        g = case.grads[f"d{name}"][:step]
        u.append((before[name] - arrays[f"step{step}.{name}"]).ravel() / case.lr)
        earlier = (start - arrays[f"step1.{name}"]).ravel() / case.lr
        m = (case.buffer[name] if case.buffer else case.initial_accumulator) + (g**2).sum(axis=0)
        for term, value in _terms(case, g, m, earlier).items():
            terms.setdefault(term, []).append(np.ravel(value))
    update = np.concatenate(u)
    found = fit(update, {n: np.concatenate(v) for n, v in terms.items()}, 2, DIGITS)
    return f"update {step} = lr ({say(found[0], {})})" if found else ""


def _terms(case: OptimCase, g: np.ndarray, m: np.ndarray, earlier: np.ndarray) -> dict[str, np.ndarray]:
    s = len(g)
    names = {f"g_{i + 1}": g[i] for i in range(s)}
    if s > 1:
        names["update 1 / lr"] = earlier
    if case.method == "adagrad":
        with np.errstate(all="ignore"):
            names |= {
                "g / (sqrt(m) + eps)": g[-1] / (np.sqrt(m) + case.eps),
                "g / sqrt(m + eps)": g[-1] / np.sqrt(m + case.eps),
                "g / (m + eps)": g[-1] / (m + case.eps),
                "sign(g)": np.sign(g[-1]),
            }
    return names
