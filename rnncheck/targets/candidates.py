"""The ways in which a file might be called: which class or functions, one or two of them, in which order."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from rnncheck.targets.arguments import GRADS, OUT, write_calls, write_makes, write_params
from rnncheck.targets.flat import LENGTH
from rnncheck.targets.later import builders, unset
from rnncheck.targets.survey import Class, Function, Survey

__all__ = ["NEVER", "OTHER_CELLS", "Candidate", "candidates"]

Ranks = tuple[tuple[str, int], ...]

FORWARD: Ranks = ((r"forward|fprop|feed", 0), (r"^(__call__|call|run|process|compute|rnn|unroll)", 2), (r"", 3))
BACKWARD: Ranks = ((r"back|bptt|bprop", 0), (r"grad", 1), (r"loss|cost", 2), (r"", 3))
ALONE: Ranks = (
    *((r"loss.*(fun|grad)|grad", 0), (r"bptt|back", 1), (r"loss|cost|forward", 2)),
    *((r"step|update|learn|optimi", 3), (r"", 4)),
)
"""What a name says about a function, the likeliest first, that it goes forward, back, or does both alone."""
NEVER = re.compile(
    r"zero|reset|clear|flush|sampl|predict|generat|evaluat|accura|check|numer|plot|load|save|read|test|perplex|init|softmax",
    re.IGNORECASE,
)
RESETS = re.compile(r"(zero|reset|clear)_?(grad|delta)", re.IGNORECASE)
FLUSHES = re.compile(r"flush_?(grad|cache|state)", re.IGNORECASE)
"""What forgets the states as well belongs before the forward pass."""
OTHER_CELLS = re.compile(r"[Ll][Ss][Tt][Mm]|GRU|[Gg]ru(?![a-z])|[Gg]ated")
MOST = 10


@dataclass(frozen=True)
class Candidate:
    """One way to call: statements that may make the object, then the calls.

    `owner` is what holds the parameters, "rnn" or "file". `returns` names what the calls return; `weights` are
    parameters that are passed as arguments, alone or in a dictionary; `unset` the attributes that nothing has set
    when the object is made.
    """

    label: str
    functions: tuple[Function, ...]
    makes: tuple[str, ...]
    calls: tuple[str, ...]
    owner: str
    rank: float
    weights: tuple[str, ...] = ()
    unset: tuple[str, ...] = ()

    @property
    def returns(self) -> dict[str, tuple[str, ...]]:
        """The names of the results, by the name they are stored under."""
        return dict(zip((OUT, GRADS)[-len(self.functions) :], (f.returns for f in self.functions), strict=True))

    @property
    def uses(self) -> set[str]:
        """The data and upstream gradients that are passed."""
        text = " ".join((*self.makes[:1], *self.calls))
        return {n for n in ("x", "y", "h0", "dlogits", "dh") if re.search(rf"(?<![\w.'\"]){n}(?!\w|\s*=[^=])", text)}


def candidates(survey: Survey, name: str | None) -> list[Candidate]:
    """Return all candidates, the likeliest first; only those of class or function `name` if it is given."""
    classes = [c for c in survey.classes if name in (None, c.name) and not OTHER_CELLS.search(c.name)]
    functions = {n: f for n, f in survey.functions.items() if not NEVER.search(n) and not OTHER_CELLS.search(n)}
    found = [candidate for cls in classes for candidate in _likeliest(_of_class(cls))]
    found += [c for c in _likeliest(_of_functions(functions, survey)) if name in (None, *(f.name for f in c.functions))]
    return sorted(found, key=lambda c: c.rank)


def _likeliest(found: Iterator[Candidate]) -> list[Candidate]:
    return sorted(found, key=lambda c: c.rank)[:MOST]


def _of_class(cls: Class) -> Iterator[Candidate]:
    methods = {n: f for n, f in cls.methods.items() if not NEVER.search(n)}
    makes = tuple(write_makes(cls))
    makes += tuple(f"{make}; {call}" for call in builders(cls) for make in makes)
    later = unset(cls)
    resets = [f"rnn.{n}()" for n, f in cls.methods.items() if RESETS.search(n) and not f.required]
    flushes = [f"rnn.{n}()" for n, f in cls.methods.items() if FLUSHES.search(n) and not f.required]
    part = bool(re.search(r"cell|layer|unit", cls.name, re.IGNORECASE))
    for functions, calls, rank in _written(methods, "rnn"):
        calls = ("; ".join([*flushes, calls[0]]), *calls[1:])
        calls = (*calls[:-1], *resets, *_losses(cls, functions), calls[-1])
        label = f"{'function' if cls.parts else 'class'} {cls.name}"
        yield Candidate(label, functions, makes, calls, "rnn", rank + part, unset=later)


def _losses(cls: Class, functions: tuple[Function, ...]) -> Iterator[str]:
    """Yield the call that a backward pass without targets waits for: `rnn.loss(y)` after forward."""
    if len(functions) > 1 and not any({"y", "upstream"} & f.takes for f in functions):
        for f in cls.methods.values():
            values = {"y": "y", None: OUT, "x": OUT, "h0": OUT}
            if re.search(r"loss|cost|criterion", f.name, re.IGNORECASE) and "y" in f.takes and len(f.required) <= 2:
                yield f"rnn.{f.name}({', '.join(values.get(f.roles[n], OUT) for n in f.required)})"
                return


def _of_functions(functions: Mapping[str, Function], survey: Survey) -> Iterator[Candidate]:
    steps = survey.steps()
    for pair, calls, rank in _written(functions, "file"):
        weights = [a for f in pair for a, role in f.roles.items() if role and role[:2] in ("W_", "b_")]
        keyed = any("params" in f.takes for f in pair)
        if keyed:  # by name; a list of arrays is to be made by the file's own function
            weights = [f"params[{key!r}]" for key in survey.keys_of_params()]
        makes = ["params = {}" if keyed else ""]
        if not weights and keyed:
            made = [make for cls in survey.classes_of_params(*pair) for make in write_makes(cls)]
            makes = [m.replace("rnn = ", "params = ", 1) for m in made] or [
                next(write_params(survey.functions), f"params = np.zeros({LENGTH})")
            ]
        one_step = 4 if any(f.name in steps for f in pair) else 3 * any(re.search(r"cell|step", f.name) for f in pair)
        strangers = len({_stem(f.name) for f in pair}) > 1
        label = "function " + " and ".join(f.name for f in pair)
        yield Candidate(
            label, pair, tuple(makes), calls, "file", rank + one_step + 2 * strangers, tuple(dict.fromkeys(weights))
        )


def _written(
    functions: Mapping[str, Function], owner: str
) -> Iterator[tuple[tuple[Function, ...], tuple[str, ...], float]]:
    """Yield functions to call with their calls written out, and a rank, small for what is likely."""
    for pair, rank in _pairs(functions):
        upstreams = ("dlogits", "dh") if any("upstream" in f.takes for f in pair) else ("",)
        for later, upstream in enumerate(upstreams):
            calls = write_calls(pair, owner, upstream)
            if calls is not None:
                yield pair, calls, rank + 0.1 * later


def _pairs(functions: Mapping[str, Function]) -> Iterator[tuple[tuple[Function, ...], float]]:
    """Yield forward with backward, and single functions that do both."""
    forward = [f for f in functions.values() if "x" in f.takes and "upstream" not in f.takes and _rank(f, FORWARD) < 3]
    backward = [f for f in functions.values() if _goes_back(f)]
    alone = [b for b in backward if not {"x", "y", "upstream", "cache"} & b.takes]
    told = [f for f in functions.values() if {"x", "y"} <= f.takes and re.search(r"loss|cost", f.name, re.IGNORECASE)]
    yield from (((f, b), 1.0 + _rank(b, BACKWARD)) for f in told for b in alone if b is not f)
    for f in forward:
        yield from (((f, b), _rank(f, FORWARD) + _rank(b, BACKWARD)) for b in backward if b is not f)
    yield from (((f,), 2.5 + _rank(f, ALONE)) for f in functions.values() if {"x", "y"} <= f.takes)


def _goes_back(f: Function) -> bool:
    named = bool(re.search(r"back|bptt|grad|bprop", f.name, re.IGNORECASE))
    return bool({"upstream", "cache"} & f.takes) or (named and (not f.required or bool({"y", "x"} & f.takes)))


def _rank(function: Function, ranks: Ranks) -> int:
    return next(rank for pattern, rank in ranks if re.search(pattern, function.name, re.IGNORECASE))


def _stem(name: str) -> str:
    return re.sub(r"forward|backward|back|prop(agation)?|bptt|feed|_", "", name.lower())
