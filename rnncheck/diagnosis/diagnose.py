"""Diagnose an implementation: conventions first, then what can be read off, then the catalogue of faults."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

from rnncheck.diagnosis.alternatives import Alternative, true_of
from rnncheck.diagnosis.behaviour import earliest, wrong_steps
from rnncheck.diagnosis.catalogue import Explanation, explain, fronts, hidden
from rnncheck.diagnosis.conventions import conventions
from rnncheck.diagnosis.decoder import decode
from rnncheck.diagnosis.finding import Cause, Diagnosis, Verdict
from rnncheck.diagnosis.layout import undo_layout
from rnncheck.diagnosis.observation import Observation, Seen, observation, of_first_call, rank
from rnncheck.diagnosis.probes import PLAIN
from rnncheck.diagnosis.reading import Reading
from rnncheck.faults import FAULTS, consequences
from rnncheck.implementation import Implementation
from rnncheck.result import Report
from rnncheck.result import Verdict as Judged

__all__ = ["diagnose", "explain_failure"]

KINDS = ("rnn", "sample", "clip", "optim")


def diagnose(
    implementation: Implementation,
    catalogue: Collection[str] | None = None,
    *,
    look_behind: bool = True,
    leave_out: Collection[str] = (),
) -> Diagnosis:
    """Say what is wrong with an implementation; `catalogue` names the faults to consider, by default all.

    Probes with the features `leave_out` are not asked.

    With `look_behind` it also says which other faults could hide behind the one that was named: a program with each of
    them is run, which takes longer than all the rest.
    """
    names = list(FAULTS if catalogue is None else catalogue)
    seen = observation(implementation, leave_out)
    if not seen.seen:
        return Diagnosis(implementation.name, "unknown", located=("none of the probes can be asked of it",))
    if not seen.wrong:
        return Diagnosis(implementation.name, "correct")
    layouts, observed = undo_layout(seen)
    causes, unexplained, located = list(layouts), list[str](), list[str]()
    network: Explanation = ()
    for kind in KINDS:
        wrong = [s for s in observed.of_kind(kind) if s.wrong or s.raised]
        if not wrong and not (kind == "sample" and network):
            continue
        if kind == "sample" and not network and any(c.array in ("h", "logits") and not c.name for c in causes):
            continue  # samples go wrong with a forward pass that is wrong: no second cause is looked for
        base = tuple(n for n in network if kind in FAULTS[n].kinds)
        own = [n for n in names if kind == "rnn" or not unexplained or "rnn" not in FAULTS[n].kinds]
        found, explanation, whole = _of_kind(observed, kind, own, base)
        if not whole and layouts and kind == "rnn":
            again, explanation, whole = _of_kind(seen, kind, names, ())
            if whole:
                causes, found = [], again
        network = explanation if kind == "rnn" else network
        told = {cause.name or cause.what for cause in causes}  # what ends every call does so in every kind of case
        causes += [c for c in found if (c.name or c.what) not in told]
        if not whole:
            located += [] if unexplained and kind == "sample" else _located(observed, kind)
            unexplained += _arrays(wrong)
    return _diagnosis(implementation.name, seen, causes, unexplained, located, names if look_behind else ())


def explain_failure(
    implementation: Implementation, report: Report, leave_out: Collection[str] = ()
) -> Diagnosis | None:
    """Diagnose the implementation whose checks have failed in a run; None if none has.

    `leave_out` names features of probes that no check of the run has: what they show is not why it failed.

    A failed check stays failed whatever comes of this: a fault that the probes do not show is "unknown".
    """
    failed = [outcome for outcome in report.outcomes if outcome.verdict is Judged.FAILED]
    if not failed:
        return None
    try:
        found = diagnose(implementation, leave_out=leave_out)
    except Exception as error:  # a report must not be lost to what was to explain it
        why = f"the diagnosis could not be finished: {type(error).__name__}: {error}"
        return Diagnosis(implementation.name, "unknown", where=f"in {failed[0].check}", located=(why,))
    if found.verdict != "correct":
        return found
    first = failed[0].earliest
    steps = () if first is None or first.step is None else (first.step + 1,)
    why = "the probes of the diagnosis, short and of moderate size, do not show it"
    array = "" if first is None else first.array
    return Diagnosis(implementation.name, "unknown", (), array, steps, f"in {failed[0].check}", located=(why,))


def _of_kind(
    observed: Observation, kind: str, names: Sequence[str], base: Explanation
) -> tuple[list[Cause], Explanation, bool]:
    """Return the causes of what is wrong in cases of a kind, their names, and whether they explain all of it."""
    convention = true_of(observed, conventions(kind))
    explanations = explain(observed, kind, names, base)
    if not explanations and base:
        explanations = explain(observed, kind, names)
    if convention is not None and (not explanations or len(explanations[0]) == 1):
        return [_by_convention(observed, kind, convention, explanations)], explanations[0] if explanations else (), True
    readings = decode(observed, kind) if any(s.wrong or s.raised for s in observed.of_kind(kind)) else []
    if explanations:
        crashes = [_as_read(r) for r in readings if not r.array]
        return _by_catalogue(observed, kind, explanations, readings) + crashes, explanations[0], True
    causes = [_as_read(r) for r in readings if r.explained]
    if kind == "rnn" and causes and not all(r.explained for r in readings):
        in_front = _in_front(observed, kind, names, readings)
        return in_front + causes, (), bool(in_front)
    return causes, (), bool(readings) and all(r.explained for r in readings)


def _in_front(observed: Observation, kind: str, names: Sequence[str], readings: list[Reading]) -> list[Cause]:
    """Name the fault in the first wrong array, if that is the only one in which nothing could be read off."""
    if len({r.array for r in readings if not r.explained}) > 1:
        return []
    first, found = fronts(observed, kind, names)
    if not found or any(not r.explained and r.array != first for r in readings):
        return []
    known = _by_catalogue(observed, kind, found, [])
    return [replace(c, evidence=f"a program with just this equals yours in {first} and all before it") for c in known]


def _as_read(r: Reading) -> Cause:
    return Cause(r.what, r.array, r.change, r.evidence, steps=r.steps)


def _located(observed: Observation, kind: str) -> list[str]:
    """Say where something is wrong that was not explained."""
    return [r.what for r in decode(observed, kind) if not r.explained]


def _by_convention(observed: Observation, kind: str, convention: Alternative, explanations: list[Explanation]) -> Cause:
    """Report a convention, under the name it has in the catalogue if it has one."""
    first = next(s for s in observed.of_kind(kind) if s.wrong)
    name, *others = [e[0] for e in explanations] or [""]
    bug = bool(name) and not FAULTS[name].convention
    return Cause(
        convention.what, first.wrong[0], convention.change, _extent(observed, kind), name, tuple(others),
        convention=(convention.convention or bool(name)) and not bug,
    )  # fmt: skip


def _by_catalogue(
    observed: Observation, kind: str, explanations: list[Explanation], readings: list[Reading]
) -> list[Cause]:
    """Turn names into causes. What only some explanations contain cannot be told from what others have in its place."""
    first, *others = explanations
    causes = []
    for name in first:
        fault = FAULTS[name]
        rest = set(first) - {name}
        same = tuple(" + ".join(sorted(set(e) - rest)) for e in others if name not in e and rest <= set(e))
        if name not in (common := set(first).intersection(*map(set, others))) and not same:
            same = tuple(" + ".join(sorted(set(e) - common)) for e in others)
        array = _corrupted(observed, kind, fault.corrupts)
        read = [r for r in readings if r.explained and (r.array == array or _matches(r.array, fault.corrupts))]
        evidence = "; ".join([*(r.what for r in read[:1]), _extent(observed, kind, len(first))])
        steps = read[0].steps if read else ()
        causes.append(Cause(fault.title, array, fault.cure, evidence, name, same, steps, fault.convention))
    return sorted(causes, key=lambda c: rank(c.array))


def _corrupted(observed: Observation, kind: str, patterns: tuple[str, ...]) -> str:
    """Return the first array that a fault makes wrong, of those that are shown; else the first that follows."""
    shown = {n for s in observed.of_kind(kind) for n in s.arrays}
    first = [n for n in shown if _matches(n, patterns)]
    return min(first or consequences(patterns, shown), key=rank, default=patterns[0])


def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _extent(observed: Observation, kind: str, faults: int = 1) -> str:
    these = "this" if faults == 1 else f"these {faults}"
    seen = observed.of_kind(kind)
    arrays = sum(of_first_call(n) for s in seen for n in s.arrays)
    return f"a program with just {these} equals yours in all {arrays} arrays of {len(seen)} probes"


def _arrays(wrong: Sequence[Seen]) -> list[str]:
    return sorted({n for s in wrong for n in s.wrong}, key=rank)


def _place(s: Seen) -> tuple[int, tuple[int, int, str], bool]:
    """Order probes by where they are wrong; the same array is better looked at in a plain case."""
    return KINDS.index(s.probe.case.kind), rank(s.wrong[0]), s.probe.feature != PLAIN


def _diagnosis(
    name: str, seen: Observation, causes: list[Cause], unexplained: list[str], located: list[str], names: Sequence[str]
) -> Diagnosis:
    wrong = [s for s in seen.wrong if s.wrong]
    arrays = _arrays(wrong)
    first = min(wrong, key=_place, default=None)
    array = earliest(first) if first else ""
    verdict: Verdict = "named"
    if unexplained or not causes:
        verdict = "unknown"
    elif all(c.convention for c in causes):
        verdict = "different convention"
    own = {c.array for c in causes} | {array}
    follows = {n.removeprefix("second.") if n.removeprefix("second.") in arrays else n for n in arrays} - own
    one = causes[0].name if len(causes) == 1 and verdict == "named" else ""
    return Diagnosis(
        name,
        verdict,
        tuple(causes),
        array,
        wrong_steps(first, array) if first else (),
        (first.probe.feature or "in the plain cases") if first else "",
        tuple(sorted(follows, key=rank)),
        tuple(hidden(seen, one, names)) if one else (),
        tuple(unexplained),
        tuple(located),
    )
