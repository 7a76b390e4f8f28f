"""What a diagnosis says: its verdict, the causes with their evidence, and what follows from them."""

from dataclasses import dataclass
from typing import Literal

__all__ = ["Cause", "Diagnosis", "Verdict"]

Verdict = Literal["correct", "different convention", "named", "unknown"]


@dataclass(frozen=True)
class Cause:
    """One thing that is wrong, or done by another convention.

    `name` is that of a catalogued fault, empty if the cause was read off the results; `same_as` names others that
    nothing seen here can tell from it. `array` is wrong first, `steps` (from 1) say where it has a time axis.
    """

    what: str
    array: str
    change: str
    evidence: str
    name: str = ""
    same_as: tuple[str, ...] = ()
    steps: tuple[int, ...] = ()
    convention: bool = False


@dataclass(frozen=True)
class Diagnosis:
    """The likely cause of wrong results.

    `named` and `different convention` explain all that was seen; with `unknown` the causes, if any, explain a part, and
    `located` says where and when something is wrong whose formula was not found. `hidden` names catalogued faults that
    would not show beside the cause: correct it, and look again. Steps count from 1.
    """

    implementation: str
    verdict: Verdict
    causes: tuple[Cause, ...] = ()
    earliest: str = ""
    steps: tuple[int, ...] = ()
    where: str = ""
    consequences: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()
    unexplained: tuple[str, ...] = ()
    located: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The catalogued faults among the causes."""
        return tuple(cause.name for cause in self.causes if cause.name)
