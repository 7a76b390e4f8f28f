"""`rnncheck lab`: exercises, and their grading."""

from pathlib import Path
from shlex import quote
from typing import Annotated

import typer

from rnncheck.cli.options import at_least

__all__ = ["lab"]

DIFFER = 1


def lab(
    fault: Annotated[
        str | None, typer.Argument(metavar="[FAULT]", help="The mistake to plant, as `rnncheck faults` names it.")
    ] = None,
    blank: Annotated[
        bool, typer.Option("--blank", help="Plant nothing: leave the backward pass to the reader.")
    ] = False,
    seed: Annotated[
        int | None,
        typer.Option("--seed", callback=at_least(0), metavar="N", help="Draw the mistake, and do not say which it is."),
    ] = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="Where the exercise is written.")
    ] = Path("exercise.py"),
    grade: Annotated[Path | None, typer.Option("--grade", metavar="FILE", help="Grade an exercise in levels.")] = None,
    hint: Annotated[bool, typer.Option("--hint", help="With --grade: also say the likely cause.")] = False,
    names: Annotated[bool, typer.Option("--list", help="Name the mistakes that can be planted.")] = False,
) -> int:
    """Write an exercise, a network with one planted mistake or without a backward pass, or grade one.

    For example:

        rnncheck lab carry-not-transposed

        rnncheck lab --seed 7 --output surprise.py

        rnncheck lab --blank --output mine.py

        rnncheck lab --grade mine.py --hint
    """
    asked = {"FAULT": fault, "--blank": blank or None, "--seed": seed, "--grade": grade, "--list": names or None}
    given = [word for word, value in asked.items() if value is not None]
    if len(given) != 1:
        what = f"{' and '.join(given)} exclude each other" if given else "nothing to write"
        raise typer.BadParameter(f"{what}; give one of {', '.join(asked)}", param_hint="lab")
    if hint and grade is None:
        raise typer.BadParameter("it tells what is wrong with a file; name that with --grade", param_hint="--hint")
    if grade is not None:
        return _grade(grade, hint)
    from rnncheck.lab import write
    from rnncheck.lab.plants import PLANTS
    from rnncheck.report.files import check_target

    if names:
        typer.echo("\n".join(PLANTS))
        return 0
    if seed is not None:
        fault = write.drawn(seed)
    check_target(output)
    text = write.blank(output.name) if fault is None else write.exercise(fault, output.name)
    write.write(output, text)
    typer.echo(f"{output} is written: its first lines say what to do; grade it with `rnncheck lab --grade {output}`")
    return 0


def _grade(path: Path, hint: bool) -> int:
    """Print a line for every level, then what is next or a hint, and return 0 once all are passed."""
    from rich.text import Text

    from rnncheck.lab.grade import grade
    from rnncheck.report.terminal import console

    out = console()
    graded = grade(path)
    for number, one in enumerate(graded, start=1):
        sign, style = ("✓", "green") if one.passed else ("✗", "red")
        out.print(
            Text(f"{sign} level {number}  {one.level.title:32} ", style=style), Text(one.words), sep="", soft_wrap=True
        )
    reached = next((n for n, one in enumerate(graded) if not one.passed), len(graded))
    upto = f"passed up to level {reached} of {len(graded)}" if reached else f"none of {len(graded)} levels reached"
    out.print(Text(upto if reached < len(graded) else f"all {reached} levels passed"))
    if reached == len(graded):
        return 0
    for line in _next(path, any(one.wrong for one in graded), hint):
        out.print(Text(line), soft_wrap=True)
    return DIFFER


def _next(path: Path, wrong: bool, asked: bool) -> list[str]:
    if not wrong:
        return ["next: the first ✗ says what"]
    if not asked:
        return [f"next: mend what the first ✗ names; a hint: rnncheck lab --grade {quote(str(path))} --hint"]
    from rnncheck.lab.hint import hint
    from rnncheck.report.likely_cause import likely_cause

    return likely_cause(hint(path))
