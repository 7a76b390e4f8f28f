"""A Plan: checks, each with the bench it will run on. Planned first, run later: the two counts must be equal."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from rnncheck.checks.check import Bench, Check
from rnncheck.errors import UserError
from rnncheck.implementation import Implementation
from rnncheck.oracle import Oracle
from rnncheck.select import selector

__all__ = ["Plan"]


@dataclass
class Plan:
    """Checks with the bench each runs on, and what the reader of the report should know."""

    oracle: str
    checks: list[tuple[Check, Bench]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    lacking: int = 0
    noted: tuple[str, ...] = ()
    """Features of probes (`rnncheck.diagnosis.probes`) that the notes speak of and no check asks for."""

    @property
    def count(self) -> int:
        """The number of checks that there are to be."""
        return len(self.checks) + self.lacking

    def add(self, implementation: Implementation, oracle: Oracle, checks: Iterator[Check]) -> None:
        """Append checks of one implementation against one oracle; they share a bench, so that a case runs once."""
        bench = Bench(implementation, oracle)
        self.checks += [(check, bench) for check in checks]

    def select(self, expression: str) -> None:
        """Keep the checks that a `-k` expression chooses.

        Raises
        ------
        UserError
            If it chooses none, or is no expression: a run of no checks would prove nothing.
        """
        chosen = selector(expression)
        kept = [(check, bench) for check, bench in self.checks if chosen(check.name)]
        if self.checks and not kept:
            first = self.checks[0][0].name
            raise UserError(
                f"-k {expression!r} matches none of {len(self.checks)} planned checks; the first is {first}"
            )
        self.checks, self.lacking = kept, 0

    def hold_against(self, expected: Mapping[str, int]) -> None:
        """Miss the checks of each family of which there are fewer than expected: the run is then not complete."""
        found = Counter(check.family for check, _ in self.checks)
        for family, count in expected.items():
            if found[family] < count:
                self.lacking += count - found[family]
                self.notes.append(f"family {family}: {count} checks are to be planned, and there are {found[family]}")
