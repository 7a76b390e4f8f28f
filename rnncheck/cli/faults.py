"""`rnncheck faults` and `rnncheck explain NAME`: the catalogue of mistakes, for reading."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rnncheck.cli.options import JsonFile

if TYPE_CHECKING:
    from rnncheck.faults import Fault

__all__ = ["explain", "faults"]

SCHEMA_VERSION = 1
STEPS_OF = {"rnn": "T", "sample": "tokens", "optim": "steps", "clip": "T"}


def faults(
    family: Annotated[
        str | None, typer.Option("--family", metavar="NAME", help="Only this family: bptt, for example.")
    ] = None,
    json: JsonFile = None,
) -> None:
    """List the catalogue of mistakes that are made by hand: name, how often seen, what each corrupts.

    For example:

        rnncheck faults

        rnncheck faults --family bptt

        rnncheck faults --json -
    """
    from rich.table import Table
    from rich.text import Text

    from rnncheck.errors import UserError
    from rnncheck.faults import FAULTS, SURVEYED
    from rnncheck.report.files import STDOUT
    from rnncheck.report.terminal import console

    families = list(dict.fromkeys(fault.family for fault in FAULTS.values()))
    if family is not None and family not in families:
        raise UserError(f"family {family!r}: there is none of that name; choose one of {', '.join(families)}")
    listed = [fault for fault in FAULTS.values() if family in (None, fault.family)]
    _write(json, {"faults": [_facts(fault) for fault in listed]})
    table = Table(title=f"{len(listed)} faults", title_justify="left")
    for column in ("name", "family", "seen", "corrupts first", "shows from"):
        table.add_column(column, justify="right" if column == "seen" else "left", overflow="fold")
    for fault in listed:
        cells = (fault.name, fault.family, str(fault.seen or "-"), ", ".join(fault.corrupts), _shows_from(fault))
        table.add_row(*(Text(cell) for cell in cells))
    out = console(stderr=json == STDOUT)
    out.print(table)
    out.print(Text(f"seen: how often in {SURVEYED} public implementations; `rnncheck explain NAME` says more"))


def explain(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A fault, as `rnncheck faults` names it.")],
    json: JsonFile = None,
) -> None:
    """Explain one mistake: the wrong and the right line, what it corrupts, how it shows, what it does, its cure.

    For example:

        rnncheck explain carry-not-transposed
    """
    from rich.text import Text

    from rnncheck.faults import get
    from rnncheck.report.files import STDOUT
    from rnncheck.report.terminal import console

    fault = get(name)
    _write(json, _facts(fault))
    out = console(stderr=json == STDOUT)
    out.print(Text(f"{fault.name}: {fault.title}", style="bold"), soft_wrap=True)
    for label, text in _lines(fault):
        style = {"wrong": "red", "right": "green"}.get(label, "")
        for line in text.splitlines():
            out.print(Text(f"  {label:<12}"), Text(line, style=style), sep="", soft_wrap=True)
            label = ""


def _lines(fault: "Fault") -> Iterable[tuple[str, str]]:
    """Yield label and text of everything that is known about a fault."""
    yield "wrong", fault.wrong_line
    yield "right", fault.right_line
    yield "symptom", fault.symptom
    yield "effect", fault.effect
    yield "cure", fault.cure
    yield "corrupts", ", ".join(fault.corrupts)
    if follows := _follows(fault):
        yield "and then", ", ".join(follows)
    yield "shows from", _shows_from(fault)
    if fault.equivalent_when != "never":
        yield "hidden when", fault.equivalent_when
    yield "seen", f"{fault.seen} times in public code" if fault.seen else "planted, to test that it would be seen"
    yield "family", fault.family + (" (a convention, not a bug)" if fault.convention else "")
    yield "as code", _source(fault)


def _facts(fault: "Fault") -> dict[str, Any]:
    """Return a fault as JSON can hold it."""
    from dataclasses import fields

    facts = {f.name: getattr(fault, f.name) for f in fields(fault) if f.name != "implementation"}
    return facts | {"consequences": _follows(fault), "source": _source(fault)}


def _follows(fault: "Fault") -> list[str]:
    """Name the arrays of a Trace that are wrong as a consequence, in dataflow order."""
    from rnncheck.faults import consequences
    from rnncheck.trace import ORDER

    names = [*(ORDER if "rnn" in fault.kinds else ()), *(("p", "tokens") if "sample" in fault.kinds else ())]
    return [name for name in names if name in consequences(fault.corrupts, names) and name not in fault.corrupts]


def _source(fault: "Fault") -> str:
    """Return the code of the fault: the steps of the textbook that it overrides, without the words around them."""
    from inspect import getsource

    from rnncheck.faults import Faulty

    classes = fault.implementation.__mro__
    sources = [getsource(c) for c in reversed(classes[: classes.index(Faulty)])]
    return "\n\n".join(source[source.index("class ") :].rstrip() for source in sources)


def _shows_from(fault: "Fault") -> str:
    return f"{STEPS_OF[fault.kinds[0]]} = {fault.shows_from}"


def _write(path: Any, content: dict[str, Any]) -> None:
    """Write `content` to the file that --json names, if any."""
    import json

    from rnncheck.report.files import check_targets, write_text

    if path is not None:
        check_targets({"--json": path})
        write_text(path, json.dumps({"schema_version": SCHEMA_VERSION, **content}, indent=2) + "\n")
