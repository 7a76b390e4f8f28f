"""The application: its commands, and the entry point that turns whatever happens into an exit code.

No command imports NumPy or torch before it runs: help is quick, and threads are pinned before BLAS is loaded.
"""

import os
import sys
from collections.abc import Sequence
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated, Any

import typer

from rnncheck import __version__
from rnncheck.cli import vectors
from rnncheck.cli.check import check
from rnncheck.cli.demo import demo
from rnncheck.cli.faults import explain, faults
from rnncheck.cli.grade import grade
from rnncheck.cli.guard import CANNOT_RUN, exit_code
from rnncheck.cli.lab import lab
from rnncheck.cli.new import new
from rnncheck.cli.power import power
from rnncheck.cli.sample import sample
from rnncheck.cli.threads import pin
from rnncheck.cli.train import train
from rnncheck.cli.verify import verify

__all__ = ["app", "main"]

CODES = "Exit codes: 0 agree, 1 differ, 2 could not run, 3 nothing comparable, 130 interrupted."

app = typer.Typer(
    name="rnncheck",
    help="Judge recurrent networks: every output, loss and gradient against an autograd oracle.",
    epilog=CODES,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode="markdown",
)
COMMANDS = (demo, verify, check, grade, new, train, sample, faults, explain, power, lab)
for command in COMMANDS:
    app.command(epilog=CODES)(command)
app.add_typer(vectors.app, name="vectors")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"rnncheck {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _front(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and leave.")
    ] = False,
) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help(), err=True)
        raise typer.Exit(CANNOT_RUN)  # a script whose command came out empty has checked nothing


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    _open_what_is_closed()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # the terminal's encoding may lack what a text file holds
    pin(None)
    return exit_code(lambda: _invoke(arguments), arguments)


def _open_what_is_closed() -> None:
    """Give a standard stream that our caller has closed (`2>&-`, a daemon's) an end that swallows everything.

    Python has None in its place, and the next file to be opened would get its number.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode))  # noqa: SIM115 - until the process ends


def _flags_take_no_value(command: Any) -> None:
    """Keep the help from showing `--trust <bool>`, as some versions of typer do: nobody is to write `--trust true`."""
    for option in command.params:
        if getattr(option, "is_flag", False):
            option.metavar = ""
    for inner in getattr(command, "commands", {}).values():
        _flags_take_no_value(inner)


def _invoke(arguments: list[str]) -> int | None:
    command = typer.main.get_command(app)
    _flags_take_no_value(command)
    with command.make_context("rnncheck", arguments) as context:
        code: int | None = command.invoke(context)
        return code
