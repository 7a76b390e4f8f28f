"""The ways in which a file might be called: which class or functions, with which arguments, in which order."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import permutations

from rnncheck.targets.adapter import NO_CLIPPING
from rnncheck.targets.roles import size_role
from rnncheck.targets.survey import Class, Function, Survey

__all__ = ["OTHER_CELLS", "Candidate", "candidates"]

FORWARD = ((r"forward|fprop|feed", 0), (r"^(__call__|call|run|predict|process|compute)", 2), (r"", 3))
BACKWARD = ((r"back|bptt|bprop", 0), (r"grad", 1), (r"loss|cost", 2), (r"", 3))
ALONE = ((r"loss.*(fun|grad)|grad", 0), (r"bptt|back", 1), (r"loss|cost|forward", 2), (r"step|update|learn|optimi", 3), (r"train|fit", 4), (r"", 4))
NEVER = re.compile(r"zero|reset|clear|sampl|predict|generat|evaluat|accura|check|numer|plot|load|save|read|test|perplex|__init__|_init|init_|initial|softmax", re.I)
OTHER_CELLS = re.compile(r"lstm|gru(?![a-z])|gated", re.I)
VALUES = {"H": "H", "V": "V", "I": "I", "O": "V", "T": "T", "B": "B", "k": "k", "lr": "lr", "clip": repr(NO_CLIPPING)}
VALUES |= {"x": "x", "y": "y", "h0": "h0", "layers": "[I, H, V]", "params": "params"}
MOST = 10


@dataclass(frozen=True)
class Candidate:
    """One way to call: statements that make the object, then the calls. `owner` is where its arrays are."""

    label: str
    makes: tuple[str, ...]
    calls: tuple[str, ...]
    functions: tuple[Function, ...]
    owner: str
    rank: float
    returns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    weights: tuple[str, ...] = ()

    @property
    def uses(self) -> set[str]:
        """The roles of all arguments that it passes."""
        text = " ".join((*self.makes[:1], *self.calls))
        return {n for n in ("x", "y", "h0", "dlogits", "dh", "lr", "k", "T") if re.search(rf"(?<![\w.'\"]){n}(?!\w|\s*=[^=])", text)}


def candidates(survey: Survey, name: str | None) -> list[Candidate]:
    """Return all candidates, the likeliest first; only those of class or function `name` if it is given."""
    plain = [cls for cls in survey.classes if not OTHER_CELLS.search(cls.name)]
    found = [c for cls in plain if name in (None, cls.name) for c in _of_class(cls)]
    functions = {n: f for n, f in survey.functions.items() if not NEVER.search(n) and not OTHER_CELLS.search(n)}
    found += [c for c in _of_functions(functions, survey) if name is None or name in {f.name for f in c.functions}]
    return sorted(found, key=lambda c: c.rank)


def _of_class(cls: Class) -> Iterator[Candidate]:
    methods = {n: f for n, f in cls.methods.items() if not NEVER.search(n)}
    makes = tuple(_makes(cls))
    penalty = 1.0 * bool(re.search(r"cell|layer|unit", cls.name, re.I))
    found = []
    for functions, rank in _pairs(methods):
        for upstream in _upstreams(functions):
            calls = _calls(functions, "rnn", upstream)
            if calls is None:
                continue
            resets = [f"rnn.{n}()" for n, f in cls.methods.items() if re.search(r"zero_?grad|(reset|clear)_?(grad|delta)", n, re.I) and not f.required]
            returns = {f"{'out' if i == 0 and len(functions) > 1 else 'grads'}": f.returns for i, f in enumerate(functions)}
            label = f"class {cls.name}"
            found.append(Candidate(label, makes, (*calls[:-1], *resets, calls[-1]), functions, "rnn", rank + penalty + 0.1 * (upstream == "dh"), returns))
    yield from sorted(found, key=lambda c: c.rank)[:MOST]


def _of_functions(functions: Mapping[str, Function], survey: Survey) -> Iterator[Candidate]:
    found = []
    for pair, rank in _pairs(functions):
        for upstream in _upstreams(pair):
            calls = _calls(pair, "file", upstream)
            if calls is None:
                continue
            weights = tuple(dict.fromkeys(a for f in pair for a, r in f.roles.items() if r and (r[:2] in ("W_", "b_"))))
            keyed = any("params" in f.takes for f in pair)
            penalty = 3.0 * any(re.search(r"cell|step", f.name) for f in pair)
            penalty += 2.0 * (len(pair) == 2 and len({_stem(f.name) for f in pair}) == 2)
            returns = {f"{'out' if i == 0 and len(pair) > 1 else 'grads'}": f.returns for i, f in enumerate(pair)}
            label = "function " + " and ".join(f.name for f in pair)
            makes = ("params = {}",) if keyed else ("",)
            places = tuple(f"params[{k!r}]" for k in survey.keys_of_params()) if keyed else weights
            found.append(Candidate(label, makes, calls, pair, "file", rank + penalty + 0.1 * (upstream == "dh"), returns, places))
    yield from sorted(found, key=lambda c: c.rank)[:MOST]


def _stem(name: str) -> str:
    return re.sub(r"forward|backward|back|prop(agation)?|bptt|feed|_", "", name.lower())


def _pairs(functions: Mapping[str, Function]) -> Iterator[tuple[tuple[Function, ...], float]]:
    """Yield forward with backward, and single functions that do both, each with its rank (small is likely)."""
    forward = [f for f in functions.values() if "x" in f.takes and "upstream" not in f.takes and _rank(f, FORWARD) < 3]
    backward = [f for f in functions.values() if _goes_back(f)]
    for f in forward:
        for b in backward:
            if f is not b:
                yield (f, b), _rank(f, FORWARD) + _rank(b, BACKWARD)
    for f in functions.values():
        if {"x", "y"} <= f.takes:
            yield (f,), 2.5 + _rank(f, ALONE)


def _goes_back(f: Function) -> bool:
    named = bool(re.search(r"back|bptt|grad|bprop", f.name, re.I))
    return bool({"upstream", "cache"} & f.takes) or (named and (not f.required or bool({"y", "x"} & f.takes)))


def _rank(function: Function, table: tuple[tuple[str, int], ...]) -> int:
    return next(rank for pattern, rank in table if re.search(pattern, function.name, re.I))


def _upstreams(functions: tuple[Function, ...]) -> tuple[str, ...]:
    """An upstream gradient is that of the logits or that of the states: the trial will tell."""
    return ("dlogits", "dh") if any("upstream" in f.takes for f in functions) else ("",)


def _calls(functions: tuple[Function, ...], owner: str, upstream: str) -> tuple[str, ...] | None:
    """Write the calls; None if an argument is left without a value. Results of the first are named `out`."""
    statements = []
    for i, f in enumerate(functions):
        result = "out" if i == 0 and len(functions) > 1 else "grads"
        earlier = functions[0].returns if i else ()
        values = {name: _value(name, f, earlier, upstream, bool(i)) for name in f.arguments}
        if i:  # a state by another name than the first call's is one that the first call has returned
            others = {n for n in f.arguments if f.roles[n] == "h0" and values[n] == "h0" and n not in functions[0].arguments}
            values |= dict.fromkeys(others, None) if set(_results(earlier)) - set(values.values()) else {}
        unused = [v for v in _results(earlier) if v not in values.values()]
        arguments = []
        for name, value in values.items():
            if value is None and name in f.required:  # what is left over goes to what is not understood, in order
                value = unused.pop(0) if unused else None
                if value is None:
                    return None
            if value is not None:
                arguments.append(value if name in f.required and len(arguments) == f.arguments.index(name) else f"{name}={value}")
        statements.append(f"{result} = {owner}.{f.name}({', '.join(arguments)})")
    return tuple(statements)


def _results(names: tuple[str, ...]) -> list[str]:
    """Return the expressions of what the first call returns."""
    return ["out"] if len(names) == 1 else [f"out[{i}]" for i in range(len(names))]


def _value(name: str, f: Function, earlier: tuple[str, ...], upstream: str, second: bool) -> str | None:
    """Return what to pass for an argument: a result of the first call by the same name, or by its role."""
    role = f.roles[name]
    if role in ("W_xh", "W_hh", "W_hy", "b_h", "b_y"):
        return name
    if second and name in earlier and name not in ("x", "y"):
        return "out" if len(earlier) == 1 else f"out[{earlier.index(name)}]"
    if role == "cache" or (second and role == "h0" and name not in f.required):
        return _cache(name, earlier) if second else None
    if second and role == "upstream":
        return upstream
    if role == "k" and f.name != "__init__" and name not in f.required:
        return "k"
    return VALUES.get(role or "")


def _cache(name: str, earlier: tuple[str, ...]) -> str:
    """Find the cache among the results of the first call: by name, or the last of them."""
    alike = [i for i, r in enumerate(earlier) if r.rstrip("s") == name.rstrip("s") or "cache" in r.lower() or "memory" in r.lower()]
    return "out" if len(earlier) == 1 else f"out[{alike[-1] if alike else -1}]"


def _makes(cls: Class) -> Iterator[str]:
    """Yield the statements that may make the object: arguments by name, unknown ones in every order."""
    init = cls.methods.get("__init__")
    if init is None:
        yield f"rnn = file.{cls.name}()"
        return
    if any((init.roles[name] or "")[:2] in ("W_", "b_") for name in init.required):
        yield from _makes_of_weights(cls.name, init)
        return
    known: dict[str, str] = {}
    for name in init.arguments:
        role = size_role(name) or init.roles[name]
        if role in VALUES and (name in init.required or role not in ("x", "y", "h0", "params", "layers")):
            known[name] = VALUES[role]
    unknown = [name for name in init.required if name not in known]
    missing = [v for v in ("I", "H", "V") if v not in known.values()]
    orders = permutations(missing, len(unknown)) if len(unknown) <= len(missing) else ()
    for order in orders:
        values = known | dict(zip(unknown, order, strict=True))
        arguments = [values[n] if n in init.required else f"{n}={values[n]}" for n in init.arguments if n in values]
        yield f"rnn = file.{cls.name}({', '.join(arguments)})"


def _makes_of_weights(name: str, init: Function) -> Iterator[str]:
    """Yield the two ways to make an object of its weights: kept for rows, and kept for columns."""
    rows = {"W_xh": "(I, H)", "W_hh": "(H, H)", "W_hy": "(H, V)", "b_h": "H", "b_y": "V"}
    columns = {"W_xh": "(H, I)", "W_hh": "(H, H)", "W_hy": "(V, H)", "b_h": "(H, 1)", "b_y": "(V, 1)"}
    for shapes in (rows, columns):
        values = [shapes.get(init.roles[n] or "") for n in init.required]
        if all(values):
            yield f"rnn = file.{name}({', '.join(f'np.zeros({v})' for v in values)})"
