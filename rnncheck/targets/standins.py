"""What stands in place of things a file wants and need not have: missing imports, and the files it opens.

A stand-in complains only when it is used. A library that is installed but large is imported at that moment, too: a
file that plots its loss at the end does not cost the import of a plotting library.
"""

import importlib
import io
from types import ModuleType
from typing import Any

__all__ = ["StandIn", "bring", "fake_open"]

AS_NUMPY = ("cupy", "autograd.numpy", "jax.numpy", "numpy.matlib", "minpy.numpy")
"""Libraries that are NumPy by another name."""

RENAMED = {"cPickle": "pickle", "Queue": "queue", "StringIO": "io", "itertools_": "itertools"}


class StandIn:
    """A module, or something in it, that has not been imported: it is when it is called, or the call fails."""

    def __init__(self, name: str):
        self._name = name

    def __getattr__(self, attribute: str) -> "StandIn":
        """Stand in for what lies in it; only use is a failure."""
        if attribute.startswith("__"):
            raise AttributeError(attribute)
        return StandIn(f"{self._name}.{attribute}")

    def __call__(self, *args: Any, **options: Any) -> Any:
        return self._real()(*args, **options)

    def __mro_entries__(self, bases: tuple[Any, ...]) -> tuple[type, ...]:
        """Let a class be defined on top of what is missing: its methods are looked at, not its ancestors."""
        return (object,)

    def __instancecheck__(self, instance: object) -> bool:
        return False

    def __repr__(self) -> str:
        return f"<stand-in for {self._name}>"

    def _real(self) -> Any:
        parts = self._name.split(".")
        for cut in range(len(parts), 0, -1):
            try:
                found: Any = importlib.import_module(".".join(parts[:cut]))
                for attribute in parts[cut:]:
                    found = getattr(found, attribute)
                return found
            except (ImportError, AttributeError):
                continue
        raise ImportError(f"{self._name} is used, and {parts[0]} is not installed; install it or replace the call")


def bring(name: str, at_once: frozenset[str]) -> ModuleType | StandIn:
    """Import module `name` if its package is one of `at_once`; else, or if that fails, return a stand-in."""
    name = "numpy" if name in AS_NUMPY else RENAMED.get(name, name)
    if name.partition(".")[0] not in at_once:
        return StandIn(name)
    try:
        return importlib.import_module(name)
    except Exception:  # whatever an import does wrong is missing
        return StandIn(name)


def fake_open(V: int) -> Any:
    """Return an `open` under which every file is a text of exactly V different characters."""
    text = "".join(chr(ord("a") + i) for i in range(V)) * 40

    def open_(file: Any = None, mode: str = "r", *args: Any, **options: Any) -> io.IOBase:
        return io.BytesIO(text.encode()) if "b" in mode else io.StringIO(text)

    return open_
