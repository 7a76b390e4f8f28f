"""`rnncheck check`: bring your own RNN."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from rnncheck.cli.options import JsonFile, JunitFile, Select, Threads

__all__ = ["check"]

NOTHING_COMPARABLE = 3


def check(
    target: Annotated[
        str,
        typer.Argument(
            metavar="TARGET",
            help="file.py[:Name], file.ipynb[:Name], module:Name, an adapter, numpy_impl or reference.",
            show_default=False,
        ),
    ],
    save_adapter: Annotated[
        Path | None,
        typer.Option("--save-adapter", metavar="FILE", help="Write down how the target was called, for editing."),
    ] = None,
    in_process: Annotated[
        bool, typer.Option("--in-process", help="Run it here, without limits: for a debugger, and code you trust.")
    ] = False,
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
    """
    from rnncheck.check import check_rnn
    from rnncheck.cli.output import Output
    from rnncheck.errors import NotJudgedError
    from rnncheck.report.files import check_target
    from rnncheck.target import load_target

    output = Output(json, junit)
    if save_adapter is not None:
        check_target(save_adapter)
    try:
        found = load_target(target, isolated=not in_process)
    except NotJudgedError as why:
        typer.echo(f"rnncheck: {why}", err=True)
        return NOTHING_COMPARABLE
    if save_adapter is not None:
        _save(found, save_adapter)
    with output.progress() as progress:
        report = check_rnn(found, dtype=dtype, select=select, on_outcome=progress)
    return output.emit(report)


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
