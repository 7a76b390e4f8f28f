"""Expected failures: what a network is known to do differently, listed where its owner keeps it, with the reason.

In the `pyproject.toml` of the folder in which rnncheck is run, or of the nearest folder above it:

    [tool.rnncheck.expected_failures."my_rnn.py"]
    "gradients[T=40-B=1-ids]" = "the gradient is cut after 25 steps, on purpose"

The table is named after the TARGET, its keys choose checks as `-k` does. The list is strict: a check that passes
although it is listed fails, and an entry that chooses no check is refused, so that no entry outlives its reason.
"""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from rnncheck.checks.check import Bench, Check, failed
from rnncheck.errors import ExpectedFailure, NotShownError, OracleError, UserError, raised
from rnncheck.planning.plan import Plan
from rnncheck.result import Comparison, Verdict
from rnncheck.select import selector

__all__ = ["expect", "expected_failures"]

FILE = "pyproject.toml"
TABLE = "tool.rnncheck.expected_failures"


def expected_failures(target: str, folder: Path | None = None) -> dict[str, str]:
    """Return the entries for a target: expressions as for `-k`, each with its reason.

    Raises
    ------
    UserError
        If the table is not one of texts, or a reason is missing.
    """
    here = (folder or Path.cwd()).resolve()
    path = next((f for f in (p / FILE for p in (here, *here.parents)) if f.is_file()), None)
    if path is None:
        return {}
    try:
        tables: Any = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read: {error}; correct it") from error
    for key in TABLE.split("."):
        tables = tables.get(key, {}) if isinstance(tables, dict) else {}
    found: dict[str, str] = {}
    for name, entries in tables.items():
        _require_reasons(path, name, entries)
        if name == target or _same_file(name, target, path.parent):
            found |= entries
    return found


def expect(planned: Plan, entries: Mapping[str, str]) -> None:
    """Turn the verdict of the listed checks around.

    Raises
    ------
    UserError
        If an entry chooses no check.
    """
    for expression, reason in entries.items():
        chosen = selector(expression)
        if not any(chosen(check.name) for check, _ in planned.checks):
            raise UserError(f"{TABLE}: {expression!r} chooses none of {len(planned.checks)} checks; take it out")
        planned.checks = [
            (_turned(check, reason) if chosen(check.name) else check, bench) for check, bench in planned.checks
        ]


def _turned(check: Check, reason: str) -> Check:
    def ask(bench: Bench) -> Iterable[Comparison]:
        try:
            found = tuple(check.ask(bench))
        except (NotShownError, OracleError):
            raise
        except Exception as error:
            raise ExpectedFailure(f"{reason} ({raised(error)})") from None
        if any(c.verdict is Verdict.FAILED for c in found):
            raise ExpectedFailure(reason)
        return [failed(c.array, "expected failure", f"passed, though listed as failing: {reason}") for c in found]

    return replace(check, ask=ask)


def _require_reasons(path: Path, name: str, entries: Any) -> None:
    if not isinstance(entries, dict):
        raise UserError(f'{path}: {TABLE}.{name} is {entries!r}, expected a table: "gradients and T=40" = "the reason"')
    for expression, reason in entries.items():
        if not isinstance(reason, str) or not reason.strip():
            raise UserError(f"{path}: {TABLE}, {expression!r} has the reason {reason!r}: say in words why it may fail")


def _same_file(name: str, target: str, folder: Path) -> bool:
    """Tell whether both name the same file, one seen from `folder`, the other from here, and the same thing in it."""
    (one, _, what), (two, _, which) = name.partition(":"), target.partition(":")
    return what == which and one.endswith((".py", ".ipynb")) and (folder / one).resolve() == Path(two).resolve()
