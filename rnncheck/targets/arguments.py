"""Write a call: for every argument the value that its name asks for."""

import ast
import re
from collections.abc import Iterator, Mapping
from itertools import permutations

from rnncheck.targets.adapter import NO_CLIPPING
from rnncheck.targets.roles import parameter_role, size_role
from rnncheck.targets.survey import Class, Function

__all__ = ["GRADS", "OUT", "write_calls", "write_makes", "write_params"]

OUT, GRADS = "out", "grads"
"""What the results of the first and of the last call are stored under."""

VALUES = {n: n for n in ("H", "V", "I", "T", "B", "k", "lr", "x", "y", "h0", "params")}
VALUES |= {"O": "V", "clip": repr(NO_CLIPPING), "layers": "[I, H, V]", "drop": "0.0", "keep": "1.0"}
TEXT = "''.join(chr(97 + i) for i in range(V))"
"""A text of V different characters."""
PARAMETERS = ("W_xh", "W_hh", "W_hy", "b_h", "b_y")


def write_calls(functions: tuple[Function, ...], owner: str, upstream: str) -> tuple[str, ...] | None:
    """Return the calls as statements; None if an argument is left without a value."""
    first, last = functions[0], functions[-1]
    statements = []
    for f in functions:
        after = first if f is not first else None
        values = _values(f, after, upstream)
        if values is None:
            return None
        result = GRADS if f is last else OUT
        statements.append(f"{result} = {owner}.{f.name}({_join(f, values)})")
    return tuple(statements)


def _values(f: Function, first: Function | None, upstream: str) -> dict[str, str] | None:
    """Return the value of every argument that gets one; `first` is the function that was called before."""
    results = _results(first)
    values = {name: _value(name, f, first, upstream) for name in f.arguments}
    if first is not None and set(results) - set(values.values()):
        for name in f.arguments:  # a state by another name than the first call's is one that that call has returned
            if values[name] == "h0" and name not in first.arguments:
                values[name] = None
    unused = [result for result in results if result not in values.values()]
    unused.sort(key=lambda result: "loss" in first.returns[results.index(result)].lower() if first else False)
    for name in f.required:
        if values[name] is None:  # what is left over goes to what is not understood, in order
            if not unused:
                return None
            values[name] = unused.pop(0)
    return {name: value for name, value in values.items() if value is not None}


def _value(name: str, f: Function, first: Function | None, upstream: str) -> str | None:
    """Return what to pass for an argument: a result of the first call by the same name, or by its role."""
    role = f.roles[name]
    if role in PARAMETERS:
        return name
    if role == "h0" and name in f.boxed:
        return "(h0,)"
    if first is None:
        return None if role == "cache" else VALUES.get(role or "")
    twice = [r for r in f.roles.values() if r == role]  # `backward(x, y, target)`: this y is what forward returned
    if name in first.returns and (name not in ("x", "y") or (name == "y" and len(twice) > 1)):
        return _results(first)[first.returns.index(name)]
    if role == "cache" or (role == "h0" and name not in f.required):
        return _cache(name, first)
    return upstream if role == "upstream" else VALUES.get(role or "")


def _results(first: Function | None) -> list[str]:
    """Return the expressions of what the first call returns."""
    count = len(first.returns) if first is not None else 0
    return [OUT] if count == 1 else [f"{OUT}[{i}]" for i in range(count)]


def _cache(name: str, first: Function) -> str:
    """Find the cache among the results of the first call: by name, or the last of them."""
    names = [r.lower() for r in first.returns]
    alike = [i for i, r in enumerate(names) if r.rstrip("s") == name.rstrip("s") or "cache" in r or "memory" in r]
    return OUT if len(names) == 1 else f"{OUT}[{alike[-1] if alike else -1}]"


def _join(f: Function, values: dict[str, str]) -> str:
    """Write the arguments: by position while they follow each other, by name after that."""
    words: list[str] = []
    for name, value in values.items():
        in_line = name in f.required and len(words) == f.arguments.index(name)
        words.append(value if in_line else f"{name}={value}")
    return ", ".join(words)


def write_makes(cls: Class) -> Iterator[str]:
    """Yield the statements that may make the object: arguments by name, unknown ones in every order."""
    init = cls.methods.get("__init__")
    if init is None:
        yield f"rnn = file.{cls.name}()"
        return
    if any(init.roles[name] in PARAMETERS for name in init.required):
        yield from _makes_of_weights(cls.name, init)
        return
    known = {name: TEXT for name in init.required if _counted(name, init)}
    known |= {name: "(T, I)" for name in init.arguments if name == "input_shape"}
    for name in (n for n in init.arguments if n not in known):
        role = size_role(name) or init.roles[name]
        if role in VALUES and (name in init.required or role not in ("x", "y", "h0", "params", "layers")):
            known[name] = VALUES[role]
    unknown = [name for name in init.required if name not in known]
    missing = [size for size in ("I", "H", "V") if size not in known.values()]
    for order in permutations(missing, len(unknown)):
        values = known | dict(zip(unknown, order, strict=True))
        outputs = [n for n in values if size_role(n) == "O"]
        versions = [values | dict.fromkeys(outputs, "H")] if outputs and "H" not in values.values() else []
        for version in (*versions, values):  # without a size of its own, a layer's outputs are its states
            made = f"file.{cls.name}({_join(init, {n: version[n] for n in init.arguments if n in version})})"
            yield f"rnn = named({' '.join(cls.parts)!r}, {made})" if cls.parts else f"rnn = {made}"


def _counted(name: str, init: Function) -> bool:
    """Tell whether an object is made of a text, or of a vocabulary, and counts it: `len(set(data))`, `len(chars)`."""
    counts = r"set" if size_role(name) != "V" and not re.search(r"char|word|_to_|2", name) else r"set|len"
    return re.search(rf"\b({counts})\((self\.)?{name}\)", ast.unparse(init.node)) is not None


def write_params(functions: Mapping[str, Function]) -> Iterator[str]:
    """Yield the statements that may make all parameters: the file's own initialisation, which is given sizes only."""
    for f in functions.values():
        values = {name: VALUES.get(size_role(name) or "") for name in f.required}
        sized = "H" in values.values() and set(values.values()) <= {"H", "I", "V", "B"}
        if sized and re.search(r"init|param|weight", f.name, re.IGNORECASE):
            made = f"file.{f.name}({_join(f, {n: v for n, v in values.items() if v})})"
            yield f"params = {made}; params = list(params) if isinstance(params, tuple) else params"


def _makes_of_weights(name: str, init: Function) -> Iterator[str]:
    """Yield the ways to make an object of its weights: kept for rows, for columns, and for plain vectors."""
    rows = {"W_xh": "(I, H)", "W_hh": "(H, H)", "W_hy": "(H, V)", "b_h": "H", "b_y": "V"}
    columns = {"W_xh": "(H, I)", "W_hh": "(H, H)", "W_hy": "(V, H)", "b_h": "(H, 1)", "b_y": "(V, 1)"}
    for shapes in (rows, columns, columns | {"b_h": "H", "b_y": "V"}):
        values = [shapes.get(init.roles[n] or "") or shapes.get(parameter_role(n) or "") for n in init.required]
        if all(values):
            yield f"rnn = file.{name}({', '.join(f'np.zeros({v})' for v in values)})"
