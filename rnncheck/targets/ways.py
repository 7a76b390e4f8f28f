"""The ways to read one candidate: how its object is made, and which arrays are which parameters."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from rnncheck.targets.adapter import NO_CLIPPING, Adapter
from rnncheck.targets.candidates import Candidate
from rnncheck.targets.conventions import FAMILIES, Family
from rnncheck.targets.flat import flat_options
from rnncheck.targets.kinds import GATES, other_kind
from rnncheck.targets.later import settled
from rnncheck.targets.layout import axes_of
from rnncheck.targets.patience import at_most
from rnncheck.targets.perform import Adapted, Names
from rnncheck.targets.places import (
    Place,
    arrays_in,
    attributes,
    fixed_sizes,
    parameter_options,
    unread,
    without_companions,
)
from rnncheck.targets.roles import parameter_role, remembered, size_role
from rnncheck.targets.survey import Survey
from rnncheck.targets.trial import probe, sizes_of

__all__ = ["NoWayError", "Way", "nonlinearities", "ways"]

SET_TO = {"lr": "lr", "k": "k", "clip": repr(NO_CLIPPING), "drop": "0.0", "keep": "1.0"}


class NoWayError(Exception):
    """A candidate's parameters were not recognised; its arguments are the arrays that it has, `kind` what they are."""

    kind = ""


@dataclass(frozen=True)
class Way:
    """An adapter that lacks layouts, with what else is known.

    `memory` is what an optimiser remembers. `unread` are weights that are left without a role. `free` says that the
    shapes of biases are ours to choose. `kind` says what else than a plain RNN it may be.
    """

    adapter: Adapter
    family: Family
    memory: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
    free: bool = False
    kind: str = ""


def ways(candidate: Candidate, base: Adapter, work: Adapted, survey: Survey) -> Iterator[Way]:
    """Yield all ways, the likeliest first.

    Raises
    ------
    NoWayError
        If no way to make the object leads to parameters that could be recognised.
    Exception
        Whatever making the object raises, if it raises every time.
    """
    trouble: Exception | None = None
    count = 0
    for make in candidate.makes:
        try:
            for way in _of_make(make, candidate, base, work, survey):
                count += 1
                yield way
        except Exception as error:
            trouble = trouble or error
        if count and "np.zeros" not in make:  # of objects made of weights, both kinds are to be tried
            return
    if not count and trouble is not None:
        raise trouble


def nonlinearities(text: str) -> list[str]:
    """Return the nonlinearities that a file speaks of; all of them if it speaks of none."""
    words = {"tanh": r"tanh", "relu": r"relu|maximum", "sigmoid": r"sigmoid|expit|logistic"}
    return [w for w in words if re.search(words[w], text, re.IGNORECASE)] or list(words)


def _of_make(make: str, candidate: Candidate, base: Adapter, work: Adapted, survey: Survey) -> Iterator[Way]:
    adapter = replace(base, make=make, calls=candidate.calls)
    if candidate.owner == "rnn":
        rnn = _made(adapter, work)["rnn"]
        rates = [setting for setting in _settings(rnn) if setting.endswith(" = lr")]  # anew each time: it may decay
        adapter = replace(adapter, make="; ".join([make, *(s for s in _settings(rnn) if s not in rates)]))
        adapter = replace(adapter, calls=("; ".join([*rates, adapter.calls[0]]), *adapter.calls[1:]))
        places, free = [Place(e, a.shape) for e, a in arrays_in(rnn, "rnn")], False
        if make == candidate.makes[-1] and len({parameter_role(p.expression) for p in places} - {None}) < 2:
            adapter = replace(adapter, make="; ".join([adapter.make, *settled(candidate.unset, rnn)]))
            virtual = [n for n in candidate.unset if getattr(rnn, n, None) is None and parameter_role(n)]
            places, free = places + [Place(f"rnn.{n}") for n in virtual], True
    else:
        places, free = _of_file(adapter, candidate, work, survey)
    places = without_companions(places)
    options = parameter_options(places, dict(zip("IHV", sizes_of(adapter), strict=True)))
    if all(unread(option, places) for option in options) and (fixed := fixed_sizes(places)):
        own = parameter_options(places, fixed)
        counted = _vocabulary(adapter, work, fixed)
        if counted:
            adapter, options = replace(adapter, sizes=dict(adapter.sizes) | counted), own
        elif not options or not all(unread(option, places) for option in own):
            adapter, options = replace(adapter, fixed=fixed), own
    options = options or flat_options(places, survey.trees, dict(zip("IHV", sizes_of(adapter), strict=True)))
    names = [p.expression for p in places]
    kind = other_kind(places, dict(zip("IHV", sizes_of(adapter), strict=True)))
    if not options or kind == GATES:
        error = NoWayError(*(f"{n.partition('.')[2] or n} {p.shape}" for n, p in zip(names, places, strict=True)))
        error.kind = kind
        raise error
    memory = tuple(n for n in names if remembered(n))
    families = [f for f in FAMILIES if f.lists == survey.plain]
    for option, family in product(options, families):
        if _suits(option, places, family):
            yield Way(replace(adapter, params=option), family, memory, tuple(unread(option, places)), free, kind)


def _vocabulary(adapter: Adapter, work: Adapted, sizes: dict[str, int]) -> dict[str, str]:
    """Return the numbers of a file that are the V characters of the text which it opens, whatever it calls them."""
    I, H, V = sizes_of(adapter)
    if sizes != {"I": V, "H": H, "V": V}:
        return {}
    module = work.load({"T": 1, "B": 1, "k": 1, "I": I, "H": H, "V": V})
    return {n: "V" for n, value in vars(module).items() if type(value) is int and value == V}


def _made(adapter: Adapter, work: Adapted) -> Names:
    """Make the object or the parameters once, to look at them."""
    work.change(adapter)
    case, _ = probe("vectors", "tanh", "every step", 1, ("b_h", "b_y"), True, sizes_of(adapter))
    with at_most():
        return work.make(case.copy())[1]


def _settings(rnn: Any) -> list[str]:
    """Return statements for numbers that an object keeps: its learning rate, its truncation, its clipping bound."""
    numbers = [n for n, v in attributes(rnn).items() if type(v) in (int, float) and len(n) > 1]
    return [f"rnn.{n} = {SET_TO[role]}" for n in numbers if (role := size_role(n)) in SET_TO and role]


def _of_file(adapter: Adapter, candidate: Candidate, work: Adapted, survey: Survey) -> tuple[list[Place], bool]:
    """Return the arrays that functions are given or, if they are given none, that they read from the file."""
    if candidate.makes[0].startswith(("params = file.", "params = np.")):
        return [Place(e, a.shape) for e, a in arrays_in(_made(adapter, work)["params"], "params")], False
    module = work.load(dict(zip("IHV", sizes_of(work.adapter), strict=True)) | {"T": 1, "B": 1, "k": 1})
    globals_ = sorted(survey.globals_read(*candidate.functions))
    unknown = [f"file.{n}" for n in globals_ if n in module.skipped and parameter_role(n)]
    virtual = [Place(name) for name in (*candidate.weights, *unknown)]
    if candidate.weights:
        return virtual, True
    known = sorted((n for n in globals_ if n in vars(module)), key=lambda n: parameter_role(n) is None)
    seen: set[int] = set()  # what stands in `params = [W, U]` too is found under its own name
    arrays = [found for n in known for found in arrays_in(vars(module)[n], f"file.{n}", 1, seen)]
    return virtual + [Place(e, a.shape) for e, a in arrays], bool(virtual)


def _suits(option: dict[str, str], places: list[Place], family: Family) -> bool:
    """Whether the shape of the hidden bias is one of this family: one axis adds to rows, not to columns."""
    shapes = {p.expression: p.shape for p in places}
    shape = shapes.get(option.get("b_h", "").partition(" + ")[0].removesuffix(".T"))
    if shape is None:
        return True
    h = " ".join(axes_of(family.h))
    if len(shape) == 1:
        return h not in ("N 1", "N B")
    if shape[0] != 1 and option.get("W_hh", "").endswith(".T"):
        return True  # weights for rows with a column beside them: `x @ W + b.T`
    return h in (("1 N", "B N") if shape[0] == 1 else ("N 1", "N B"))
