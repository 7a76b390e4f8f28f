"""`rnncheck grade`: a whole class."""

from pathlib import Path
from typing import Annotated

import typer

from rnncheck.cli.options import at_least

__all__ = ["grade"]


def grade(
    folder: Annotated[
        Path,
        typer.Argument(
            exists=True, file_okay=False, metavar="FOLDER", help="A .py or .ipynb of each, or folders of them."
        ),
    ],
    jobs: Annotated[
        int | None,
        typer.Option("--jobs", callback=at_least(1, 256), metavar="N", help="Submissions judged at a time: 1."),
    ] = None,
    scheduler: Annotated[
        str | None,
        typer.Option("--scheduler", metavar="ADDRESS", help="Judge on a Dask cluster: `tcp://host:8786`."),
    ] = None,
    rubric: Annotated[
        Path | None,
        typer.Option(
            exists=True, dir_okay=False, metavar="FILE", help="Points per family, TOML: `[points]`, `gradients = 5`."
        ),
    ] = None,
    csv: Annotated[Path | None, typer.Option("--csv", metavar="FILE", help="Write a line for each submission.")] = None,
    html: Annotated[
        Path | None,
        typer.Option("--html", metavar="FILE", help="Write one page: the table, and the findings of each."),
    ] = None,
    hints: Annotated[
        int,
        typer.Option(
            callback=at_least(0, 3),
            metavar="0..3",
            help="How much to tell: 0 the points, 3 everything. Right values only at 3.",
        ),
    ] = 3,
    json: Annotated[
        Path | None,
        typer.Option(
            "--json", metavar="FILE", help="Write all that was found; a run that was stopped goes on from it."
        ),
    ] = None,
) -> int:
    """Grade a folder of submissions, each judged apart: one that hangs or crashes costs only itself.

    For example:

        rnncheck grade submissions --jobs 2 --csv grades.csv --json grades.json

        rnncheck grade submissions --html grades.html --hints 1

        rnncheck grade submissions --scheduler tcp://cluster:8786 --csv grades.csv
    """
    from functools import partial

    from rich.console import Console
    from rich.text import Text

    from rnncheck.grading.grade import RUBRIC, grade_folder, in_threads, read_rubric, reason, summary, to_csv
    from rnncheck.grading.submission import judge_apart
    from rnncheck.protocol.lines import plain_text
    from rnncheck.report.files import STDOUT, check_targets, write_text
    from rnncheck.report.progress import Progress

    if jobs is not None and scheduler is not None:
        raise typer.BadParameter("the cluster decides how many run at a time", param_hint="--jobs --scheduler")
    if json == STDOUT:
        raise typer.BadParameter("a run goes on from this file, so it must be one; name it", param_hint="--json")
    check_targets({"--csv": csv, "--html": html, "--json": json}, [rubric])
    if html is not None:
        import rnncheck.report.grades  # noqa: F401 - that a library is missing is said now, not after the work
    points = RUBRIC if rubric is None else read_rubric(rubric)
    judge = partial(judge_apart, hints=hints)
    if scheduler is None:
        run = in_threads(judge, jobs or 1)
    else:
        from rnncheck.grading.cluster import on_cluster

        run = on_cluster(scheduler, judge)
    with Progress(Console(stderr=True), "submissions") as progress:
        grades = grade_folder(folder, points, run=run, store=json, hints=hints, on_done=progress.advance)
    out = Console(stderr=STDOUT in (csv, html))
    for g in grades:
        line = f"{g.result.name}: {g.points:.2f} of {g.out_of:g}, {g.result.verdict}"
        line += f": {reason(g)}" if reason(g) else ""
        out.print(Text(plain_text(line, len(line))), soft_wrap=True)
    if csv is not None:
        write_text(csv, to_csv(grades, points))
    if html is not None:
        from rnncheck.report.grades import dumps

        write_text(html, dumps(grades, points))
    out.print(Text(summary(grades), style="bold"))
    for file in (csv, html, json):
        if file not in (None, STDOUT):
            out.print(Text(f"written: {file}"), soft_wrap=True)
    return 0
