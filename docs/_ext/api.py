"""One page for every module, from its docstrings and its signatures."""

import ast
import pkgutil
from importlib import import_module
from pathlib import Path

from sphinx.pycode import ModuleAnalyzer

PACKAGES = {"numpy_impl": "the network by hand", "reference": "the oracle", "rnncheck": "the judge"}
BY_SOURCE = "   :ignore-module-all:\n"
"""In the order of the source, not of `__all__`: a backward pass stands right under its forward pass."""
LONGEST = 2000
"""So many characters of a constant are of use to a reader; the catalogue, written out, has 200,000."""


def pages() -> dict[str, str]:
    """Return a page for every package and every module."""
    found = {}
    for package, what in PACKAGES.items():
        modules = sorted(_modules(package))
        listed = "\n".join(modules)
        head = f"# {package}: {what}\n\n{_automodule(package)}"
        found[f"api/{package}.md"] = f"{head}\n```{{toctree}}\n:maxdepth: 1\n\n{listed}\n```\n"
        for module in modules:
            found[f"api/{module}.md"] = f"# {module}\n\n{_automodule(module)}"
    return found


def _modules(package: str) -> list[str]:
    walked = pkgutil.walk_packages(import_module(package).__path__, prefix=f"{package}.")
    return [info.name for info in walked if not info.name.endswith("__main__")]


def _automodule(name: str) -> str:
    """Document what a module defines and offers; what it passes on is documented where it is defined."""
    module = import_module(name)
    source = Path(str(module.__file__)).read_text(encoding="utf-8")
    defined = {name for line in ast.parse(source).body for name in _names(line)}
    offered = [name for name in getattr(module, "__all__", ()) if name in defined]
    members = f"   :members: {', '.join(offered)}\n" if offered else ""
    described = {attribute for _, attribute in ModuleAnalyzer.for_module(name).find_attr_docs()}.intersection(offered)
    long = sorted(one for one in described if len(repr(getattr(module, one, None))) > LONGEST)
    without = f"   :exclude-members: {', '.join(long)}\n" if long else ""
    unwritten = "".join(f"\n.. autodata:: {name}.{one}\n   :no-value:\n" for one in long)
    head = f".. automodule:: {name}\n{members}{without}{BY_SOURCE}   :show-inheritance:\n"
    return f"```{{eval-rst}}\n{head}{unwritten}```\n"


def _names(line: ast.stmt) -> list[str]:
    if isinstance(line, ast.FunctionDef | ast.ClassDef):
        return [line.name]
    targets = line.targets if isinstance(line, ast.Assign) else [line.target] if isinstance(line, ast.AnnAssign) else []
    return [target.id for target in targets if isinstance(target, ast.Name)]
