"""`rnncheck check`: bring your own RNN."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from rnncheck.cli.options import JsonFile, JunitFile, Select, Threads

__all__ = ["check"]

NOTHING_COMPARABLE = 3


def check(
    target: Annotated[
        str | None,
        typer.Argument(
            metavar="TARGET",
            help="file.py[:Name], file.ipynb[:Name], module:Name, an adapter, exec:COMMAND, numpy_impl or reference.",
            show_default=False,
        ),
    ] = None,
    results: Annotated[
        Path | None,
        typer.Option(
            "--results",
            exists=True,
            file_okay=False,
            metavar="DIR",
            help="Judge results in files instead: DIR/*.jsonl, one line for each case of `rnncheck vectors export`.",
        ),
    ] = None,
    trust: Annotated[
        bool, typer.Option("--trust", help="Run it in this process, without protection: your own code in a debugger.")
    ] = False,
    save_adapter: Annotated[
        Path | None,
        typer.Option("--save-adapter", metavar="FILE", help="Write down how the target was called, for editing."),
    ] = None,
    dtype: Annotated[Literal["float32", "float64"], typer.Option(help="The dtype of the cases.")] = "float64",
    select: Select = None,
    json: JsonFile = None,
    junit: JunitFile = None,
    threads: Threads = None,
) -> int:
    """Judge your own RNN: point at its file, and nothing in it needs to be changed.

    Only imports, definitions and plain constants of the file are executed, never its training.

    For example:

        rnncheck check my_rnn.py

        rnncheck check notebook.ipynb:CharRNN --save-adapter my_adapter.py

        rnncheck check my_adapter.py -k "gradients and T=3"

        rnncheck check "exec:./program --fast"
    """
    from rnncheck.check import check_rnn
    from rnncheck.cli.output import Output
    from rnncheck.errors import NotJudgedError
    from rnncheck.report.files import check_target

    output = Output(json, junit)
    if save_adapter is not None:
        check_target(save_adapter)
    try:
        found = _chosen(target, results, trust)
    except NotJudgedError as why:
        typer.echo(f"rnncheck: {why}", err=True)
        return NOTHING_COMPARABLE
    if save_adapter is not None:
        _save(found, save_adapter)
    with output.progress() as progress:
        report = check_rnn(found, dtype=dtype, select=select, on_outcome=progress)
    return output.emit(report)


def _chosen(text: str | None, results: Path | None, trust: bool) -> "Target":  # type: ignore[name-defined]
    """Load the one thing that is to be judged."""
    from rnncheck.target import load_results, load_target

    if (text is None) == (results is None):
        raise typer.BadParameter("name one thing to judge: a TARGET, or --results DIR", param_hint="TARGET --results")
    if results is not None:
        if trust:
            raise typer.BadParameter("results are files, and nothing is run; leave it out", param_hint="--trust")
        return load_results(results)
    assert text is not None
    return load_target(text, isolated=not trust)


def _save(target: "Target", file: Path) -> None:  # type: ignore[name-defined]
    """Write the adapter, with the way from its folder to the target's file."""
    from dataclasses import replace
    from os.path import relpath

    from rnncheck.errors import UserError
    from rnncheck.report.files import write_text
    from rnncheck.targets.describe import source_text

    if target.adapter is None or target.path is None:
        raise UserError(f"{target.name} is called without an adapter: there is none to save; leave --save-adapter out")
    adapter = replace(target.adapter, source=relpath(target.path, file.resolve().parent))
    write_text(file, source_text(adapter, file.name, "Found by trying; correct it where it is wrong."))
    typer.echo(f"the adapter is in {file}", err=True)
