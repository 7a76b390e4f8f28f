"""Two faults at once: real files carry two to five."""

from inspect import isfunction
from typing import Any

from rnncheck.faults.registry import Fault, Faulty

__all__ = ["FaultsExcludeError", "combine"]


class FaultsExcludeError(ValueError):
    """Two faults replace the same step of the textbook, so that one program cannot have both."""


def combine(one: Fault, two: Fault) -> Faulty:
    """Return an implementation with both faults.

    Where both override one method, that works only if the first to be called hands on to the other through `super()`.

    Raises
    ------
    FaultsExcludeError
        If neither does, or both are the same code.
    """
    methods = {fault.name: _overrides(fault.implementation) for fault in (one, two)}
    shared = set(methods[one.name]) & set(methods[two.name])
    for outer, inner in ((one, two), (two, one)):
        if all(_hands_on(methods[outer.name][m]) and methods[outer.name][m] != methods[inner.name][m] for m in shared):
            both = type(f"{outer.name} and {inner.name}", (outer.implementation, inner.implementation), {})
            implementation: Faulty = both()
            implementation.name = f"{one.name} + {two.name}"
            return implementation
    steps = ", ".join(sorted(shared))
    raise FaultsExcludeError(f"{one.name} and {two.name} exclude each other: both replace {steps}")


def _overrides(implementation: type[Faulty]) -> dict[str, Any]:
    """Return the methods that a fault replaces, by name."""
    classes = reversed(implementation.__mro__[: implementation.__mro__.index(Faulty)])
    return {name: method for c in classes for name, method in vars(c).items() if isfunction(method)}


def _hands_on(method: Any) -> bool:
    """Tell whether a method calls `super()`: only then does its code refer to the class it stands in."""
    return "__class__" in method.__code__.co_freevars
