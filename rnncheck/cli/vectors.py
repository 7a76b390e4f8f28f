"""`rnncheck vectors`: write the stored cases with their answers, check those that are there, export them."""

import os
from pathlib import Path
from typing import Annotated

import typer

from rnncheck.cli.options import JsonFile, JunitFile, Select, Threads

__all__ = ["app"]

app = typer.Typer(help="Write or check the stored vectors, by which a machine without PyTorch judges.")
Folder = Annotated[
    Path | None, typer.Argument(file_okay=False, metavar="[DIR]", help="Default: the vectors that are shipped.")
]


@app.command()
def write(folder: Folder = None, threads: Threads = None) -> None:
    """Write the standard cases with the answers of PyTorch.

    For example:

        rnncheck vectors write

        rnncheck vectors write my-vectors
    """
    from rnncheck.cli.output import Output
    from rnncheck.errors import UserError
    from rnncheck.make_vectors import FOLDER, write_vectors
    from rnncheck.shipped import data_folder

    target = folder or data_folder() / FOLDER
    target.mkdir(parents=True, exist_ok=True)  # before the work whose result goes there
    if not os.access(target, os.W_OK):
        raise UserError(f"cannot write into {target}: permission denied; name a folder that you may write")
    with Output().progress("vectors") as progress:
        write_vectors(folder, progress.advance)
    typer.echo(f"{progress.done} vectors written to {target}")


@app.command()
def export(
    folder: Annotated[Path, typer.Argument(file_okay=False, metavar="DIR", help="Made if it is not there.")],
    select: Annotated[
        str | None,
        typer.Option("-k", metavar="EXPR", help="Only cases whose name matches, as in pytest: `T=5 and float64`."),
    ] = None,
) -> None:
    """Write the stored cases, and apart from them their answers, as JSON lines that any language reads.

    Let your program write its results to DIR/results.jsonl, then judge them: `rnncheck check --results DIR`.

    For example:

        rnncheck vectors export cases

        rnncheck vectors export cases -k "float64 and not windowed"
    """
    from rnncheck.protocol.files import ANSWERS, CASES, SCHEMA, chosen_vectors
    from rnncheck.protocol.files import export as export_vectors

    chosen = chosen_vectors(select)
    if not folder.is_dir():
        folder.mkdir(parents=True)
        typer.echo(f"made the folder {folder}")
    export_vectors(chosen, folder)
    typer.echo(f"{len(chosen)} cases are in {folder / CASES}, their answers in {ANSWERS}, the format in {SCHEMA}")
    typer.echo(f"next: write your results to {folder / 'results.jsonl'}, then: rnncheck check --results {folder}")


@app.command()
def check(
    folder: Folder = None,
    select: Select = None,
    json: JsonFile = None,
    junit: JunitFile = None,
    threads: Threads = None,
) -> int:
    """Check that the vectors are whole, and that PyTorch still gives the answers they hold.

    For example:

        rnncheck vectors check

        rnncheck vectors check my-vectors --json -
    """
    from rnncheck.cli.output import Output
    from rnncheck.make_vectors import check_vectors

    output = Output(json, junit)
    with output.progress() as progress:
        report = check_vectors(folder, progress, select)
    return output.emit(report)
