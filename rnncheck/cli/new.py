"""`rnncheck new`: an adapter to fill in."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["new"]


def new(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to write it, for example my_adapter.py.")],
    source: Annotated[
        str | None,
        typer.Option("--for", metavar="FILE", help="The file with your network, as seen from the adapter's folder."),
    ] = None,
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
    skeleton = SKELETON if source is None else replace(SKELETON, source=_source(file, source))
    write_text(file, source_text(skeleton, file.name, "Fill in what is yours.", whole=True))
    typer.echo(f"fill in {file}, then: rnncheck check {file}")


def _source(adapter: Path, source: str) -> str:
    """Return the file that the adapter is for, where there is one."""
    from os.path import relpath

    from rnncheck.errors import UserError

    path = adapter.parent / source
    if path.is_file():
        return source
    if path.is_dir():
        raise UserError(f"--for: {path} is a folder; name the file in it that holds your network")
    here = Path(source)
    meant = f"write --for {relpath(here, adapter.parent)}" if here.is_file() else "check the spelling"
    raise UserError(f"--for: there is no file {path}: the name is that seen from the adapter's folder; {meant}")
