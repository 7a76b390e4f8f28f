"""`rnncheck new`: an adapter to fill in."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["new"]


def new(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to write it, for example my_adapter.py.")],
    source: Annotated[
        str,
        typer.Option("--for", metavar="FILE", help="The file with your network, as seen from the adapter's folder."),
    ] = "my_rnn.py",
) -> None:
    """Write an adapter with every field and what it means, for a network that is not understood by itself.

    For example:

        rnncheck new my_adapter.py --for my_rnn.py
    """
    from dataclasses import replace

    from rnncheck.errors import UserError
    from rnncheck.report.files import check_target, write_text
    from rnncheck.targets.describe import SKELETON, source_text

    check_target(file)
    if file.suffix != ".py":
        raise UserError(f"{file}: an adapter is a Python file; name it {file.with_suffix('.py')}")
    if file.exists():
        raise UserError(f"{file} exists already and is left as it is; choose another name")
    write_text(file, source_text(replace(SKELETON, source=source), file.name, "Fill in what is yours."))
    typer.echo(f"fill in {file}, then: rnncheck check {file}")
