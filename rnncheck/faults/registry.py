"""What a fault is, and the one registry of them.

A fault is a subclass of the textbook that overrides a method or two, with the words to explain it. Counts of how
often a mistake was seen come from 136 public hand-written NumPy backward passes; faults of one kind share its count.
"""

import difflib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from rnncheck.case import Case
from rnncheck.errors import UserError
from rnncheck.textbook import Textbook
from rnncheck.trace import Trace

__all__ = ["FAULTS", "SURVEYED", "Fault", "Faulty", "get", "register"]

SURVEYED = 136
"""Public implementations in which the mistakes were counted; 49 % had a wrong gradient or did not run."""


class Faulty(Textbook):
    """A textbook with a mistake. Its arithmetic may overflow: that is a finding of the judge, not a warning."""

    def run(self, case: Case) -> Trace:
        """Return the (wrong) Trace of `case`."""
        with np.errstate(all="ignore"):
            return super().run(case)


@dataclass(frozen=True)
class Fault:
    """A named mistake.

    `corrupts` names the arrays that are wrong first (patterns as in a shell; `second.h` is the h of a second equal
    call, `inputs.x` the case's own x after a call, `shared.h` whether h shares memory with something else: see
    `rnncheck.faults.probes`); `rnncheck.faults.dataflow` tells what follows from them. `shows_from` is the smallest T
    (steps of an optimiser, tokens of a sample) at which a suitable case shows the fault. A `structural` fault is wrong
    in its formula, not only in its precision; a `convention` is a choice that others make differently.
    """

    name: str
    family: str
    title: str
    wrong_line: str
    right_line: str
    symptom: str
    effect: str
    cure: str
    corrupts: tuple[str, ...]
    implementation: type[Faulty]
    shows_from: int = 1
    seen: int | None = None
    structural: bool = True
    convention: bool = False
    equivalent_when: str = "never"
    kinds: tuple[str, ...] = ("rnn",)

    def build(self) -> Faulty:
        """Return a fresh implementation with this fault; some faults live in what a call leaves behind."""
        return self.implementation()


FAULTS: dict[str, Fault] = {}
"""Every fault by its name, in the order of the catalogue."""

F = TypeVar("F", bound=type[Faulty])


def register(
    *,
    family: str,
    title: str,
    wrong: str,
    right: str,
    symptom: str,
    effect: str,
    cure: str,
    corrupts: tuple[str, ...],
    shows_from: int = 1,
    seen: int | None = None,
    structural: bool = True,
    convention: bool = False,
    equivalent_when: str = "never",
    kinds: tuple[str, ...] = ("rnn",),
) -> Callable[[F], F]:
    """Enter the decorated class into the catalogue, under its own name: `CarryAddedTwice` is `carry-added-twice`."""

    def enter(implementation: F) -> F:
        name = "-".join(re.findall(r"[A-Z][a-z]*|\d+", implementation.__name__)).lower()
        if name in FAULTS:
            raise ValueError(f"fault {name}: registered twice, names are unique; rename one of the classes")
        implementation.name = name
        FAULTS[name] = Fault(
            name, family, title, wrong, right, symptom, effect, cure, corrupts, implementation, shows_from, seen,
            structural, convention, equivalent_when, kinds,
        )  # fmt: skip
        return implementation

    return enter


def get(name: str) -> Fault:
    """Return the fault called `name`; for a name that does not exist, say which come near.

    Raises
    ------
    UserError
        If there is no such fault.
    """
    if name in FAULTS:
        return FAULTS[name]
    near = difflib.get_close_matches(name.lower().replace("_", "-"), FAULTS, n=3, cutoff=0.5)
    near = near or [known for known in FAULTS if set(name.lower().split("-")) & set(known.split("-"))][:3]
    hint = f"did you mean {' or '.join(near)}?" if near else "it resembles none of the names;"
    raise UserError(f"fault {name!r}: no such name among the {len(FAULTS)} faults, {hint} `rnncheck faults` lists all")
