"""Name the catalogued fault, or the two, whose implementation equals the candidate on every probe.

The smallest explanation wins, and nothing is named that differs anywhere: a name is a program that was run. Of two
faults in one program the one that comes first in the flow of data is seen clearly, so most pairs are never run: either
one fault alone explains the first wrong array, and the second is looked for behind it, or both act on that array.
"""

from collections.abc import Collection, Iterator, Sequence
from inspect import isfunction
from itertools import combinations, product

from rnncheck.case import RNNCase
from rnncheck.diagnosis.observation import Observation, Seen, differ, rank, right, wrong_arrays
from rnncheck.diagnosis.probes import Probe
from rnncheck.diagnosis.replay import Replay, replay
from rnncheck.faults import FAULTS, Fault, Faulty, consequences

__all__ = ["Explanation", "explain", "fronts", "hidden"]

AFFORDABLE = 600
"""So many pairs may be run besides those that the flow of data suggests."""
SHORT = 30
"""Steps of the longest probe that is asked what could hide behind a fault."""
Explanation = tuple[str, ...]
"""Names of faults that together equal the candidate."""


def explain(observed: Observation, kind: str, names: Collection[str], base: Explanation = ()) -> list[Explanation]:
    """Return all smallest explanations of what was seen in cases of a kind; each contains `base`. None: unknown."""
    seen = [s for s in observed.of_kind(kind) if not s.raised]
    names = [name for name in names if kind in FAULTS[name].kinds and name not in base]
    if not seen:
        return []
    if _explains(base, seen):
        return [base]
    if not base:
        alone: list[Explanation] = [(name,) for name in names if _explains((name,), seen)]
        if alone:
            return alone
    found, known = list[Explanation](), set[frozenset[str]]()
    for pair in _pairs(names, seen, base):
        if frozenset(pair) not in known and _explains(pair, seen):
            found.append(pair)
            known.add(frozenset(pair))
    return found


def fronts(observed: Observation, kind: str, names: Collection[str]) -> tuple[str, list[Explanation]]:
    """Return the first wrong array, and the faults that agree with the candidate up to it, that array included.

    Whatever else is wrong lies behind it in the flow of data, and is another mistake; what such a fault makes wrong
    is wrong in the candidate too.
    """
    seen = [s for s in observed.of_kind(kind) if not s.raised]
    first = min((s.wrong[0] for s in seen if s.wrong), key=rank, default="")
    names = [n for n in names if first and kind in FAULTS[n].kinds]
    return first, [(n,) for n in names if _explains_up_to(n, first, seen) and _makes_wrong_what_is(n, seen)]


def _makes_wrong_what_is(name: str, seen: Sequence[Seen]) -> bool:
    run = replay((name,), tuple(s.probe for s in seen))
    for s in seen:
        arrays = run[s.probe]
        shown = {n: a for n, a in (arrays or {}).items() if n in s.arrays}
        if arrays is None or not set(wrong_arrays(shown, right(s.probe))) <= {*s.wrong}:
            return False
    return True


def hidden(observed: Observation, cause: str, names: Collection[str]) -> list[str]:
    """Name the faults that would change nothing beside `cause`: the program may have them too, nothing can tell."""
    kinds = set(FAULTS[cause].kinds)
    seen = [s for s in observed.seen if s.probe.case.kind in kinds and not s.raised and _short(s.probe)]
    kept = tuple(s.probe for s in seen)
    found = []
    for name in (n for n in names if n != cause and set(FAULTS[n].kinds) & kinds):
        runs = [replay(pair, kept) for pair in _orders(cause, name)]
        runs = [run for run in runs if _equals(run, seen[:1])]  # one probe tells nearly all of them apart
        if runs and _shows_somewhere(name, seen, kept) and any(_equals(run, seen) for run in runs):
            found.append(name)
    return found


def _short(probe: Probe) -> bool:
    """Tell whether a probe is cheap: the longest alone costs as much as all others together."""
    return not isinstance(probe.case, RNNCase) or len(probe.case.x) <= SHORT


def _shows_somewhere(name: str, seen: Sequence[Seen], kept: tuple[Probe, ...]) -> bool:
    """Tell whether a fault shows in a probe when it is alone: what never does is not hidden by another."""
    alone, expected = replay((name,), kept), replay((), kept)
    return any(_shows(s, alone, expected) for s in seen)


def _shows(s: Seen, run: Replay, expected: Replay) -> bool:
    """Tell whether a program differs from the right one in what the candidate shows of a probe."""
    arrays, without = run[s.probe], expected[s.probe]
    assert without is not None
    return arrays is None or differ({n: a for n, a in arrays.items() if n in s.arrays}, without)


def _explains(names: Explanation, seen: Sequence[Seen], kept: tuple[Probe, ...] | None = None) -> bool:
    """Tell whether a program with these faults shows what was seen."""
    return _equals(replay(names, kept or tuple(s.probe for s in seen)), seen)


def _equals(run: Replay, seen: Sequence[Seen]) -> bool:
    """Tell whether a run shows what was seen of the candidate. It goes on until it does not."""
    for s in seen:
        arrays = run[s.probe]
        if arrays is None or differ(s.arrays, arrays):
            return False
    return True


def _mismatches(run: Replay, s: Seen) -> list[str]:
    """Name the arrays of one probe in which a run differs from the candidate; a run that crashes differs in all."""
    arrays = run[s.probe]
    return list(s.arrays) if arrays is None else wrong_arrays(s.arrays, arrays)


def _pairs(names: Sequence[str], seen: Sequence[Seen], base: Explanation) -> Iterator[Explanation]:
    """Yield the pairs worth running: one behind the other, both on one array, one changing another's result."""
    if len(base) > 1 or not any(s.wrong for s in seen):
        return
    first = min((s.wrong[0] for s in seen if s.wrong), key=rank)
    touching = [] if base else [n for n in names if _touches(n, first, seen)]
    front = base or [n for n in names if _explains_up_to(n, first, seen)]
    rest = product(touching, names) if len(touching) * len(names) <= AFFORDABLE else ()
    tried: set[frozenset[str]] = set()
    for one, two in (*product(front, names), *combinations(touching, 2), *rest):
        pair = frozenset((one, two))
        if len(pair) == 2 and pair not in tried:
            tried.add(pair)
            if _acts_where_needed(one, two, seen):
                yield from _orders(one, two)


def _explains_up_to(name: str, array: str, seen: Sequence[Seen]) -> bool:
    """Tell whether a fault agrees with the candidate, on all probes, in `array` and in all that comes before it."""
    run, last = replay((name,), tuple(s.probe for s in seen)), rank(array)
    return all(not wrong or rank(wrong[0]) > last for wrong in (_mismatches(run, s) for s in seen))


def _touches(name: str, first: str, seen: Sequence[Seen]) -> bool:
    """Tell whether the first array that a fault makes wrong is `first`; what an earlier call left may reach any."""
    if any(pattern.startswith("second.") for pattern in FAULTS[name].corrupts):
        return True
    wrong = _consequences(FAULTS[name], {array for s in seen for array in s.arrays})
    return bool(wrong) and min(wrong, key=rank) == first


def _consequences(fault: Fault, shown: set[str]) -> set[str]:
    return consequences(fault.corrupts, shown)


def _acts_where_needed(one: str, two: str, seen: Sequence[Seen]) -> bool:
    """Tell whether `two` has an effect on the first probe that `one` leaves unexplained."""
    kept = tuple(s.probe for s in seen)
    s = next((s for s in seen if not _explains((one,), [s], kept)), None)
    return s is None or _shows(s, replay((two,), kept), replay((), kept))


def _orders(one: str, two: str) -> Iterator[Explanation]:
    """Yield both orders where they differ: a carry that is clipped, then damped, is not one damped, then clipped."""
    yield one, two
    if _steps(FAULTS[one]) & _steps(FAULTS[two]):
        yield two, one


def _steps(fault: Fault) -> set[str]:
    """Name the steps of the textbook that a fault replaces."""
    classes = fault.implementation.__mro__[: fault.implementation.__mro__.index(Faulty)]
    return {name for c in classes for name, method in vars(c).items() if isfunction(method)}
