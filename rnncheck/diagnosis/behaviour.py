"""Decoder, step f: what a call does besides computing, and under which conditions alone the result is wrong.

Crashes, changed inputs, results that share memory, a second equal call that answers differently; and for a program
that is right in the plain cases, the one thing in which those probes differ where it is wrong: no token, tokens that
repeat, large logits, large gradients, and so on.
"""

from collections.abc import Collection, Iterator, Sequence
from itertools import pairwise

import numpy as np

from rnncheck.diagnosis.formula import distance
from rnncheck.diagnosis.observation import Observation, Seen, agree, of_first_call, rank, right
from rnncheck.diagnosis.probes import IN_LONG, MIXED, PLAIN
from rnncheck.diagnosis.reading import Reading

__all__ = ["earliest", "read_behaviour", "read_conditions", "read_sums_that_grow", "wrong_steps"]


def read_behaviour(observed: Observation, kind: str) -> Iterator[Reading]:
    """Yield crashes, and what a call leaves behind."""
    seen = observed.of_kind(kind)
    yield from _crashes(seen)
    for call, what, change in (
        ("inputs", "the call changes the caller's {}", "work on a copy: never write into an argument"),
        ("shared", "{} shares memory with another array or with the next result", "return copies, or new arrays"),
    ):
        names = {n.removeprefix(f"{call}.") for s in seen for n in s.wrong if n.startswith(f"{call}.")}
        if names:
            listed = ", ".join(sorted(names, key=rank)[:5]) + (" and others" if len(names) > 5 else "")
            yield Reading(f"{call}.{min(names, key=rank)}", what.format(listed), change)
    yield from _forms(seen)
    second = _second(seen)
    if second is not None:
        yield second


def _crashes(seen: Sequence[Seen]) -> Iterator[Reading]:
    messages: dict[str, list[Seen]] = {}
    for s in seen:
        if s.raised:
            messages.setdefault(s.raised, []).append(s)
    for message, ended in list(messages.items())[:3]:
        where = "" if len(ended) == len(seen) else f" {_where(ended)}"
        yield Reading("", f"the call ends in {message}{where}", "make it run for every case that is offered")


def _forms(seen: Sequence[Seen]) -> Iterator[Reading]:
    """Say which arrays are of another dtype, of another shape, or not finite."""
    found: dict[str, list[str]] = {}
    strange: dict[str, str] = {}
    broken: dict[str, list[Seen]] = {}
    for s in seen:
        for name in filter(of_first_call, s.wrong):
            array, expected = s.arrays[name], right(s.probe)[name]
            if array.shape != expected.shape:
                strange.setdefault(name, f"{name} has shape {array.shape}, expected {expected.shape}")
            elif array.dtype != expected.dtype:
                found.setdefault(f"{array.dtype} where the case is {expected.dtype}", []).append(name)
            elif name not in s.numbers and expected.dtype.kind == "f":
                broken.setdefault(name, []).append(s)
    for words, names in found.items():
        listed = list(dict.fromkeys(names))
        what = f"{', '.join(listed)} {'is' if len(listed) == 1 else 'are'} {words}"
        yield Reading(listed[0], what, "keep the dtype of the parameters: np.zeros_like, no astype")
    for name, what in strange.items():
        yield Reading(name, what, f"return {name} in the shape that is expected")
    for name, where in list(broken.items())[:1]:
        yield Reading(name, f"{name} is not finite {_where(where)}", "", explained=False)


def _second(seen: Sequence[Seen]) -> Reading | None:
    """Say what a second equal call does differently from the first."""
    for s in seen:
        later = {n.removeprefix("second."): a for n, a in s.arrays.items() if n.startswith("second.")}
        changed = [n for n, a in later.items() if n in s.arrays and not agree(a, s.arrays[n])]
        if any(n.startswith("inputs.") for n in s.wrong) or not changed:
            continue
        first = min(changed, key=rank)
        if all(agree(later[n] - s.arrays[n], right(s.probe)[n]) for n in changed if n.startswith("d")):
            what, change = (
                "a second call adds its gradients to those of the first",
                "set the sums to zero in every call",
            )
        else:
            what, change = f"a second, equal call gives another {first}", "remember nothing between calls"
        return Reading(f"second.{first}", what, change)
    return None


def read_sums_that_grow(observed: Observation) -> Reading | None:
    """Recognise a program that is right but for gradients that every call adds to those of all calls before."""
    seen = [s for s in observed.of_kind("rnn") if not s.raised]
    wrong = {n.removeprefix("second.") for s in seen for n in s.wrong}
    if not wrong or not all(n.startswith(("dW_", "db_")) for n in wrong):
        return None
    compared = 0
    for before, after in pairwise(seen):
        for name in wrong & set(before.numbers) & set(after.numbers):
            last = before.arrays.get(f"second.{name}", before.arrays[name])
            if last.shape == after.arrays[name].shape and last.dtype == after.arrays[name].dtype == np.float64:
                compared += 1
                if distance(after.arrays[name] - last, right(after.probe)[name]) > 1e-9:
                    return None
    if not compared:
        return None
    first = min(wrong, key=rank)
    return Reading(
        first, "every call adds its gradients to those of all calls before", "set the sums to zero in every call"
    )


def read_conditions(observed: Observation, kind: str, known: Collection[str]) -> Iterator[Reading]:
    """Yield the conditions under which other arrays than those `known` are wrong, if the plain cases are right."""
    seen = observed.of_kind(kind)
    if any(s.wrong for s in seen if s.probe.feature == PLAIN):
        return
    found: dict[str, list[Seen]] = {}
    for s in seen:
        arrays = [n for n in s.wrong if of_first_call(n)]
        if arrays and arrays[0] not in known:
            found.setdefault(arrays[0], []).append(s)
    for array, wrong in found.items():
        single = [s for s in wrong if s.probe.feature != MIXED]
        single = [s for s in single if not s.probe.feature.startswith(IN_LONG)] or single
        if single or len(found) == 1:
            where = _where(single or wrong)
            what = f"{array} is wrong {where}" + ("" if len(wrong) == len(seen) else ", and there only")
            yield Reading(array, what, "", wrong_steps((single or wrong)[0], array), explained=False)


def _where(seen: Sequence[Seen]) -> str:
    features = list(dict.fromkeys(s.probe.feature or "in the plain cases" for s in seen))
    named = [f if " " in f else f"in {f} cases" for f in features]
    return ", ".join(named[:4]) + (f" and in {len(named) - 4} other ways" if len(named) > 4 else "")


def earliest(s: Seen) -> str:
    """Return the wrong array that was computed first.

    Names alone do not tell where arrays take turns over time: da_T comes before dh_{T-1}, a token before the next p.
    """
    first = s.wrong[0]
    if (
        first == "dh"
        and "da" in s.wrong
        and max(wrong_steps(s, "da"), default=0) > max(wrong_steps(s, "dh"), default=0)
    ):
        return "da"
    if first == "p" and "tokens" in s.wrong and s.arrays["tokens"].shape == right(s.probe)["tokens"].shape:
        other = (s.arrays["tokens"] != right(s.probe)["tokens"]).any(axis=1)
        if int(other.argmax()) + 1 < min(wrong_steps(s, "p"), default=0):
            return "tokens"
    return first


def wrong_steps(s: Seen, array: str) -> tuple[int, ...]:
    """Return the time steps, from 1, at which an array with a time axis is wrong."""
    candidate, expected = s.arrays[array], right(s.probe)[array]
    if candidate.ndim < 2 or candidate.shape != expected.shape or candidate.dtype.kind != "f" or array[0] == "s":
        return ()
    if candidate.shape[0] != len(getattr(s.probe.case, "x", getattr(s.probe.case, "uniforms", ()))):
        return ()
    with np.errstate(all="ignore"):
        off = np.abs(candidate - expected).max(axis=tuple(range(1, candidate.ndim)))
    limit = 1e-10 * np.abs(np.where(np.isfinite(expected), expected, 0)).max()
    return tuple(int(t) + 1 for t in np.flatnonzero(~(off <= limit)))
