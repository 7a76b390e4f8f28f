"""What a file offers, read from its syntax tree: classes and functions, their arguments, the names of their results."""

import ast
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import FunctionType

from rnncheck.targets.load import Loaded
from rnncheck.targets.roles import argument_role, parameter_role
from rnncheck.targets.source import Source, read_source
from rnncheck.targets.syntax import attributes, boxed, free_names, imported, keys, own_nodes

__all__ = ["Class", "Function", "Survey", "survey"]


FORWARD = re.compile(r"forward|fprop|feed", re.IGNORECASE)
TRAINS = re.compile(r"train|fit|main|epoch|optimi|update|learn|sgd|run", re.IGNORECASE)
LOSS = re.compile(r"loss|cost|bptt|train", re.IGNORECASE)


@dataclass(frozen=True)
class Function:
    """A function or method. `required` are the arguments without default, `returns` the names of its results.

    `boxed` are arguments that are tuples of one array: somewhere in the file `H, = state` opens them.
    """

    name: str
    arguments: tuple[str, ...]
    required: tuple[str, ...]
    returns: tuple[str, ...]
    node: ast.FunctionDef
    boxed: frozenset[str] = frozenset()

    @property
    def roles(self) -> dict[str, str | None]:
        """The role of each argument, by its name. Beside other weights, `V` is a weight and no size."""
        found = {name: argument_role(name) for name in self.arguments}
        found |= {name: "params" for name in self.arguments if found[name] != "cache" and self._keeps_weights(name)}
        if "V" in found and {"U", "W"} & set(found):
            found["V"] = "W_hy"
        if "T" in self.required and {"X", "Y"} & set(self.required):
            found["T"] = "y"  # beside capitals that are data, it is the targets
        unknown = [name for name in self.required if found[name] is None]
        if unknown and "x" not in found.values() and ("y" in found.values() or FORWARD.search(self.name)):
            found[unknown.pop(0)] = "x"  # `forward(bits)`: what else could it be
        if len(unknown) == 1 and "x" in found.values() and not {"y", "upstream"} & set(found.values()):
            found |= {unknown[0]: "y"} if LOSS.search(self.name) else {}
        return found

    def _keeps_weights(self, name: str) -> bool:
        """Tell whether weights are looked up in an argument: `p["Wxh"]` and `p["Whh"]`, or `p.Wxh` and `p.Whh`."""
        looked_up = [f"params[{key!r}]" for owner, key in keys(self.node) if owner == name]
        looked_up += [attribute for owner, attribute in attributes(self.node) if owner == name]
        roles = {parameter_role(place) for place in looked_up}
        return len(roles & {"W_xh", "W_hh", "W_hy"}) >= 2

    @property
    def takes(self) -> set[str | None]:
        """The roles of all arguments."""
        return set(self.roles.values())


@dataclass(frozen=True)
class Class:
    """A class with all methods, inherited ones included; or a function that returns `parts`, functions among them."""

    name: str
    methods: Mapping[str, Function]
    parts: tuple[str, ...] = ()

    @property
    def attributes(self) -> set[str]:
        """The names of what `__init__` is given, and of what it sets."""
        init = self.methods.get("__init__")
        return set() if init is None else {*init.arguments, *(name for _, name in attributes(init.node))}


@dataclass(frozen=True)
class Survey:
    """All that was found. `plain` says that nothing but Python is imported: all arrays are lists then."""

    classes: tuple[Class, ...]
    functions: Mapping[str, Function]
    trees: tuple[ast.Module, ...]
    plain: bool = False

    def globals_read(self, *functions: Function) -> set[str]:
        """Return the global names that these functions, and those they call, read."""
        found: set[str] = set()
        waiting = list(functions)
        while waiting:
            names = free_names(waiting.pop().node)
            waiting += [self.functions[n] for n in names - found if n in self.functions]
            found |= names
        return found

    def steps(self) -> set[str]:
        """Return the functions of one step: one of inputs and targets calls them in its loop, and is no training."""
        callers = [f for f in self.functions.values() if {"x", "y"} <= f.takes and not TRAINS.search(f.name)]
        loops = [n for f in callers for n in ast.walk(f.node) if isinstance(n, ast.For | ast.While)]
        calls = [n.func for loop in loops for n in ast.walk(loop) if isinstance(n, ast.Call)]
        return {f.id for f in calls if isinstance(f, ast.Name)} & set(self.functions)

    def weights_named(self) -> list[str]:
        """Return every name, attribute and key in the file that has the form of a weight's or bias's: `W_f`, `bi`."""
        nodes = [node for tree in self.trees for node in ast.walk(tree)]
        names = [n.id for n in nodes if isinstance(n, ast.Name)] + [
            n.attr for n in nodes if isinstance(n, ast.Attribute)
        ]
        names += [n.value for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str)]
        return [n for n in dict.fromkeys(names) if re.fullmatch(r"[WUb]_?[a-zA-Z]{1,2}|[A-Za-z]\w*_?gate\w*", n)]

    def keys_of_params(self) -> list[str]:
        """Return the keys under which the file looks for parameters in a dictionary argument: `params["Wxh"]`."""
        owners = {name for f in self.functions.values() for name, role in f.roles.items() if role == "params"}
        pairs = [pair for tree in self.trees for pair in keys(tree)]
        return list(dict.fromkeys(key for owner, key in pairs if owner in owners or argument_role(owner) == "params"))

    def classes_of_params(self, *functions: Function) -> list[Class]:
        """Return the classes that keep the weights which these functions read off an argument: `params.Wxh`."""
        owners = {(f.name, name) for f in functions for name, role in f.roles.items() if role == "params"}
        read = {a for f in functions for owner, a in attributes(f.node) if (f.name, owner) in owners}
        weights = {name for name in read if parameter_role(name)}
        return [c for c in self.classes if len(weights) >= 2 and weights <= c.attributes]


def survey(module: Loaded, source: Source) -> Survey:
    """Look through a loaded file, and what it imports from files beside it."""
    trees = (source.tree, *(read_source(p).tree for p in module.siblings if p != source.path))
    functions, classes = _definitions(trees)
    offered = [n for n, v in vars(module).items() if getattr(v, "__module__", "").startswith("target_")]
    opened = frozenset(name for tree in trees for name in boxed(tree))
    kept = {n: _function(functions[n]) for n in offered if n in functions and isinstance(vars(module)[n], FunctionType)}
    kept = {n: replace(f, boxed=opened) for n, f in kept.items()}
    found = {n: _methods(n, classes) for n in offered if n in classes and isinstance(vars(module)[n], type)}
    methods = {n: {m: replace(f, boxed=opened) for m, f in own.items()} for n, own in found.items()}
    for name, cls in ((n, vars(module)[n]) for n in offered):
        if isinstance(cls, type) and issubclass(cls, tuple) and hasattr(cls, "_fields"):
            methods[name] = {"__init__": _init_with(cls._fields)} | methods.get(name, {})
    plain = imported(trees) <= sys.stdlib_module_names | {"", *(p.stem for p in module.siblings)}
    classes_ = [*(Class(n, own) for n, own in methods.items()), *_factories(kept)]
    return Survey(tuple(classes_), kept, trees, plain)


def _factories(functions: Mapping[str, Function]) -> Iterator[Class]:
    """Yield the functions that return two or more of the functions which they define."""
    for f in functions.values():
        inner = {n.name: _function(n) for n in f.node.body if isinstance(n, ast.FunctionDef)}
        parts = f.returns if len(f.returns) > 1 else tuple(_keys_of_result(f.node))
        if len(set(parts) & set(inner)) >= 2:
            yield Class(f.name, {n: g for n, g in inner.items() if n in parts} | {"__init__": f}, parts)


def _keys_of_result(node: ast.FunctionDef) -> Iterator[str]:
    """Yield the keys of a dictionary that a function returns."""
    for returned in (n.value for n in own_nodes(node) if isinstance(n, ast.Return)):
        if isinstance(returned, ast.Dict):
            yield from (str(key.value) for key in returned.keys if isinstance(key, ast.Constant))
        elif isinstance(returned, ast.Call) and ast.unparse(returned.func) == "dict":
            yield from (word.arg for word in returned.keywords if word.arg)


def _definitions(trees: tuple[ast.Module, ...]) -> tuple[dict[str, ast.FunctionDef], dict[str, ast.ClassDef]]:
    """Return functions and classes by name, those that lie under `if` or `try` included."""
    functions: dict[str, ast.FunctionDef] = {}
    classes: dict[str, ast.ClassDef] = {}
    for tree in trees:
        waiting: list[ast.stmt] = list(tree.body)
        while waiting:
            node = waiting.pop(0)
            if isinstance(node, ast.FunctionDef):
                functions[node.name] = node
            elif isinstance(node, ast.ClassDef):
                classes[node.name] = node
            elif isinstance(node, ast.If | ast.Try | ast.With):
                waiting += [*node.body, *getattr(node, "orelse", [])]
    return functions, classes


def _methods(name: str, classes: Mapping[str, ast.ClassDef]) -> dict[str, Function]:
    node = classes[name]
    found: dict[str, Function] = {}
    for base in node.bases:
        if isinstance(base, ast.Name) and base.id in classes and base.id != name:
            found |= _methods(base.id, classes)
    own = {m.name: _function(m, method=True) for m in node.body if isinstance(m, ast.FunctionDef)}
    return found | _written_by_dataclass(node) | own


def _written_by_dataclass(node: ast.ClassDef) -> dict[str, Function]:
    """Return the `__init__` that a dataclass gets of its fields."""
    if not any("dataclass" in ast.unparse(d) for d in node.decorator_list):
        return {}
    fields = [n for n in node.body if isinstance(n, ast.AnnAssign) and "init=False" not in ast.unparse(n)]
    names = [ast.unparse(f.target) + ("" if f.value is None else "=None") for f in fields]
    return {"__init__": _init_with(names)}


def _init_with(arguments: Sequence[str]) -> Function:
    """Return an `__init__` that takes these arguments."""
    made = ast.parse(f"def __init__({', '.join(['self', *arguments])}): pass").body[0]
    assert isinstance(made, ast.FunctionDef)
    return _function(made, method=True)


def _function(node: ast.FunctionDef, method: bool = False) -> Function:
    static = any(isinstance(d, ast.Name) and d.id == "staticmethod" for d in node.decorator_list)
    positional = [a.arg for a in (*node.args.posonlyargs, *node.args.args)][int(method and not static) :]
    without_default = positional[: len(positional) - len(node.args.defaults)] if node.args.defaults else positional
    keyword = [a.arg for a in node.args.kwonlyargs]
    needed = [a.arg for a, d in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True) if d is None]
    names = (*positional, *keyword)
    return Function(node.name, names, (*without_default, *needed), tuple(_returns(node)), node)


def _returns(node: ast.FunctionDef) -> list[str]:
    """Return the names of the elements that the last `return` returns."""
    values = [n.value for n in own_nodes(node) if isinstance(n, ast.Return) and n.value is not None]
    if not values:
        return []
    last = values[-1]
    return [_name(e) for e in last.elts] if isinstance(last, ast.Tuple | ast.List) else [_name(last)]


def _name(node: ast.expr) -> str:
    """Name a result: `self.h[t]` is `h`, `-loss`, `loss / T` and `self.loss(y)` are `loss`, `np.array(hs)` is `hs`."""
    if isinstance(node, ast.Call) and (called := re.search(r"\w*(loss|cost)\w*$", ast.unparse(node.func))):
        return called[0]
    if isinstance(node, ast.Call) and len(node.args) == 1:
        return _name(node.args[0])
    if isinstance(node, ast.BinOp):
        return _name(node.left) or _name(node.right)
    found = re.findall(r"[A-Za-z_]\w*", ast.unparse(node).partition("[")[0])
    return found[-1] if found and isinstance(node, ast.Name | ast.Attribute | ast.Subscript | ast.UnaryOp) else ""
