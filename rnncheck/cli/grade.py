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
        int, typer.Option("--jobs", callback=at_least(1, 256), metavar="N", help="Submissions judged at a time.")
    ] = 1,
    rubric: Annotated[
        Path | None,
        typer.Option(
            exists=True, dir_okay=False, metavar="FILE", help="Points per family, TOML: `[points]`, `gradients = 5`."
        ),
    ] = None,
    csv: Annotated[Path | None, typer.Option("--csv", metavar="FILE", help="Write a line for each submission.")] = None,
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
    """
    from rich.console import Console
    from rich.text import Text

    from rnncheck.errors import UserError
    from rnncheck.grade import RUBRIC, grade_folder, read_rubric, reason, to_csv
    from rnncheck.report.files import STDOUT, check_target, write_text
    from rnncheck.report.progress import Progress

    if json == STDOUT:
        raise typer.BadParameter("a run goes on from this file, so it must be one; name it", param_hint="--json")
    for file in (csv, json):
        if file is not None:
            check_target(file)
    if csv is not None and json is not None and csv.resolve() == json.resolve():
        raise UserError(f"--csv and --json both name {csv}: one would overwrite the other; choose two places")
    points = RUBRIC if rubric is None else read_rubric(rubric)
    with Progress(Console(stderr=True), "submissions") as progress:
        grades = grade_folder(folder, points, jobs=jobs, store=json, on_done=progress.advance)
    out = Console(stderr=csv == STDOUT)
    for g in grades:
        line = f"{g.result.name}: {g.points:.2f} of {g.out_of:g}, {g.result.verdict}"
        out.print(Text(f"{line}: {reason(g)}" if reason(g) else line), soft_wrap=True)
    if csv is not None:
        write_text(csv, to_csv(grades, points))
    return 0
