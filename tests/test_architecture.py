"""Who may import whom, that there are no circles, that files stay short, and that torch stays out until it is needed.

Imports are read from the source with `ast`, so no module runs. Each rule is a function from imports to complaints; its
twin gives it a source that breaks it.
"""

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

import numpy_impl
import reference
import rnncheck

ROOTS = {p.__name__: Path(p.__path__[0]) for p in (numpy_impl, reference, rnncheck)}
LINES = 250
"""A file is one idea; longer than this it is two."""


class Import(NamedTuple):
    """One import: from which module, of which module, and whether it happens when the module is imported."""

    source: str
    target: str
    eager: bool

    @property
    def package(self) -> str:
        return self.target.partition(".")[0]

    def __str__(self) -> str:
        return f"{self.source} imports {self.target}" + ("" if self.eager else " (lazily)")


def modules() -> dict[str, Path]:
    found = {}
    for package, root in ROOTS.items():
        for path in sorted(root.rglob("*.py")):
            parts = (package, *path.relative_to(root).with_suffix("").parts)
            found[".".join(parts).removesuffix(".__init__")] = path
    return found


def imports_in(source: str, text: str, known: set[str]) -> Iterator[Import]:
    """Yield every import in `text`; `from a import b` is an import of `a.b` where that is a module."""

    def visit(node: ast.AST, eager: bool) -> Iterator[Import]:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            for child in node.orelse:  # what only a type checker reads is imported by nobody
                yield from visit(child, eager)
            return
        if isinstance(node, ast.Import):
            yield from (Import(source, alias.name, eager) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{source}: relative import"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield Import(source, inner if inner in known else str(node.module), eager)
        inside = eager and not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for child in ast.iter_child_nodes(node):
            yield from visit(child, inside)

    return visit(ast.parse(text), True)


@cache
def all_imports() -> list[Import]:
    found = modules()
    return [i for name, path in found.items() for i in imports_in(name, path.read_text("utf-8"), set(found))]


# --- the rules: each returns what it complains about

MATHEMATICS = {
    "numpy_impl": {"numpy", "jaxtyping", "numpy_impl"},
    "reference": {"torch", "numpy", "jaxtyping", "reference"},
}
NOUNS = {"rnncheck.case", "rnncheck.trace", "rnncheck.errors", "rnncheck.result", "rnncheck.judging.tolerance"}
FRONTS = ("rnncheck.cli", "rnncheck.report")
ONLY_IN = {
    "safetensors": ("numpy_impl.checkpoint", "reference.params", "rnncheck.vectors"),
    "typer": ("rnncheck.cli",),
    "rich": FRONTS,
    "jinja2": ("rnncheck.report",),
    "matplotlib": ("rnncheck.report",),
    "pooch": ("rnncheck.download",),
    "pytest": ("rnncheck.pytest_plugin",),
}
TORCH_MODULES = {"rnncheck.judging.noise"}
"""A dispatch mode is a subclass of torch's: this module is torch through and through, and is itself imported lazily."""


def lies_in(module: str, homes: tuple[str, ...]) -> bool:
    return any(module == home or module.startswith(home + ".") for home in homes)


def foreign_packages(imports: list[Import]) -> list[str]:
    """numpy_impl and reference see NumPy or torch, and never each other or the judge; the judge sees what it lists."""
    judge = {"numpy", "jaxtyping", "rnncheck", "numpy_impl", "reference", "torch", *ONLY_IN}
    wrong = []
    for i in imports:
        allowed = MATHEMATICS.get(i.source.partition(".")[0], judge) | sys.stdlib_module_names
        library = i.package in ONLY_IN and lies_in(i.source, ONLY_IN[i.package])
        if not library and (i.package not in allowed or i.package in ONLY_IN):
            wrong.append(str(i))
    return wrong


def nouns_know_no_implementation(imports: list[Import]) -> list[str]:
    """What everything speaks of depends on nothing that is spoken of, and on no front."""
    return [
        str(i)
        for i in imports
        if i.source in NOUNS and (i.package in ("numpy_impl", "reference", "torch") or lies_in(i.target, FRONTS))
    ]


def one_way(imports: list[Import]) -> list[str]:
    """The command line is imported by nothing but itself, the renderers by it alone."""
    outside = [i for i in imports if not lies_in(i.source, FRONTS) and i.source != "rnncheck.__main__"]
    return [str(i) for i in outside if i.eager and lies_in(i.target, FRONTS)]


def torch_when_imported(imports: list[Import]) -> list[str]:
    """No module of the judge reaches torch by being imported, however long the way."""
    wrong = []
    for module in sorted({i.source for i in imports if i.source.startswith("rnncheck")} - TORCH_MODULES):
        reached, waiting = set(), [module]
        while waiting:
            here = waiting.pop()
            for i in imports:
                if i.source == here and i.eager and i.target not in reached:
                    reached.add(i.target)
                    waiting.append(i.target)
        heavy = {t for t in reached if t.partition(".")[0] in ("torch", "reference")}
        wrong += [f"{module} reaches {t} when imported" for t in sorted(heavy)]
    return wrong


def circles(imports: list[Import]) -> list[str]:
    """No module imports, directly or through others, itself."""
    eager: dict[str, set[str]] = {}
    for i in imports:
        if i.eager:
            eager.setdefault(i.source, set()).add(i.target)
    done: set[str] = set()
    found: list[str] = []

    def walk(module: str, path: tuple[str, ...]) -> None:
        if module in path:
            found.append(" -> ".join((*path[path.index(module) :], module)))
        elif module not in done:
            for target in sorted(eager.get(module, ())):
                walk(target, (*path, module))
            done.add(module)

    for module in sorted(eager):
        walk(module, ())
    return found


def long_files(paths: dict[str, Path]) -> list[str]:
    counted = {name: len(path.read_text("utf-8").splitlines()) for name, path in paths.items()}
    return [f"{name} has {lines} lines" for name, lines in counted.items() if lines > LINES]


RULES = [foreign_packages, nouns_know_no_implementation, one_way, torch_when_imported, circles]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_rule_holds(rule):
    assert rule(all_imports()) == []


def test_files_stay_short():
    assert long_files(modules()) == []


def test_all_modules_were_read():
    """A rule over nothing holds always."""
    assert {"numpy_impl.rnn", "reference.loop", "rnncheck.case", "rnncheck.checks.check"} <= set(modules())
    found = {(i.source, i.target, i.eager) for i in all_imports()}
    assert ("numpy_impl.model", "numpy_impl.rnn", True) in found
    assert ("rnncheck.implementation", "reference.loop", False) in found
    assert set(modules()) >= NOUNS


# --- the twins

PLANTED = [
    (foreign_packages, "numpy_impl.rnn", "import torch", "numpy_impl.rnn imports torch"),
    (foreign_packages, "numpy_impl.rnn", "def f():\n    import scipy", "numpy_impl.rnn imports scipy (lazily)"),
    (foreign_packages, "numpy_impl.rnn", "from reference import loop", "numpy_impl.rnn imports reference.loop"),
    (foreign_packages, "numpy_impl.rnn", "from rnncheck.case import Case", "numpy_impl.rnn imports rnncheck.case"),
    (foreign_packages, "numpy_impl.rnn", "import safetensors", "numpy_impl.rnn imports safetensors"),
    (
        foreign_packages,
        "reference.loop",
        "from numpy_impl.loss import softmax",
        "reference.loop imports numpy_impl.loss",
    ),
    (foreign_packages, "reference.loop", "import safetensors.torch", "reference.loop imports safetensors.torch"),
    (foreign_packages, "rnncheck.verify", "import rich.table", "rnncheck.verify imports rich.table"),
    (foreign_packages, "rnncheck.verify", "import pandas", "rnncheck.verify imports pandas"),
    (
        nouns_know_no_implementation,
        "rnncheck.case",
        "def f():\n    from numpy_impl.model import forward",
        "rnncheck.case imports numpy_impl.model (lazily)",
    ),
    (
        one_way,
        "rnncheck.checks.check",
        "import rnncheck.report.json",
        "rnncheck.checks.check imports rnncheck.report.json",
    ),
    (torch_when_imported, "rnncheck.case", "import torch", "rnncheck.case reaches torch when imported"),
    (
        torch_when_imported,
        "rnncheck.case",
        "from rnncheck.judging import noise",
        "rnncheck.case reaches torch when imported",
    ),
    (circles, "numpy_impl.rnn", "import numpy_impl.model", "numpy_impl.model -> numpy_impl.rnn -> numpy_impl.model"),
]


@pytest.mark.parametrize(("rule", "module", "line", "complaint"), PLANTED)
def test_rule_catches(rule, module, line, complaint):
    known = set(modules()) | {"rnncheck.judging.noise"}
    planted = [*imports_in(module, line, known), Import("rnncheck.judging.noise", "torch", True)]
    complaints = rule(all_imports() + planted)
    circle = sorted(complaint.split(" -> "))
    assert complaint in complaints or any(set(circle) <= set(c.split(" -> ")) for c in complaints if rule is circles)


@pytest.mark.parametrize(
    "text",
    [
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import torch",
        "def f():\n    import torch",
        "class A:\n    def f(self):\n        from torch import Tensor",
    ],
)
def test_what_is_not_imported_at_once_is_no_fault(text):
    assert torch_when_imported(list(imports_in("rnncheck.case", text, set()))) == []


def test_long_files_are_caught(tmp_path):
    long, short = tmp_path / "long.py", tmp_path / "short.py"
    long.write_text("pass\n" * (LINES + 1))
    short.write_text("pass\n" * LINES)
    assert long_files({"long": long, "short": short}) == ["long has 251 lines"]


# --- and for real, in a fresh interpreter


def loaded_by(statement: str, *folders: Path) -> set[str]:
    """Return the packages that are loaded after `statement`."""
    code = f"{statement}\nimport sys\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    env = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, folders))}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


IMPORT_ALL = """
import importlib
for name in {names}:
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name not in ("jinja2", "matplotlib"):  # an extra that need not be installed
            raise
"""


def test_importing_rnncheck_does_not_import_torch():
    names = [n for n in modules() if not n.startswith("reference") and n not in TORCH_MODULES and "__main__" not in n]
    loaded = loaded_by(IMPORT_ALL.format(names=names), ROOTS["rnncheck"].parent)
    assert {"rnncheck", "numpy_impl", "numpy"} <= loaded
    assert not {"torch", "reference"} & loaded


def test_the_textbook_shares_no_code_with_what_it_judges():
    """A mistake that both had in common would be seen by nobody who asks the textbook."""
    names = [name for name in modules() if name.startswith("rnncheck.textbook")]
    loaded = loaded_by(IMPORT_ALL.format(names=names), ROOTS["rnncheck"].parent)
    assert {"rnncheck", "numpy"} <= loaded
    assert not {"numpy_impl", "reference", "torch"} & loaded
    assert "numpy_impl" in loaded_by(IMPORT_ALL.format(names=["rnncheck.oracle"]), ROOTS["rnncheck"].parent)


def test_an_import_of_torch_is_seen(tmp_path):
    (tmp_path / "torch.py").write_text("")
    (tmp_path / "planted.py").write_text("import torch\n")
    assert "torch" in loaded_by(IMPORT_ALL.format(names=["planted"]), tmp_path)
