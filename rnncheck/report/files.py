"""Put a text into a file, whole or not at all: a reader never sees half a report, nor loses the last good one."""

import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from rnncheck.errors import UserError

__all__ = ["STDOUT", "check_apart", "check_target", "check_targets", "write_text"]

STDOUT = Path("-")
PROGRAMS = (".py", ".ipynb")


def check_target(path: Path) -> None:
    """Refuse a path that cannot be written, before the work whose result it is to hold."""
    folder = path.parent
    if path == STDOUT:
        return
    if path.is_dir():
        raise UserError(f"cannot write {path}: it is a folder; name a file in it")
    if not folder.is_dir():
        raise UserError(f"cannot write {path}: there is no folder {folder}; create it first")
    if not os.access(path if path.exists() else folder, os.W_OK):
        raise UserError(f"cannot write {path}: permission denied; choose a path that you may write")


def check_apart(files: Mapping[str, Path | None]) -> None:
    """Refuse two options that name the same place: one file would overwrite the other."""
    seen: dict[Path, str] = {}
    for option, path in files.items():
        if path is not None and (first := seen.setdefault(path.resolve(), option)) != option:
            name = "standard output" if path == STDOUT else path
            raise UserError(f"{first} and {option} both name {name}: one would overwrite the other; choose two places")


def check_targets(files: Mapping[str, Path | None], read: Iterable[Path | None] = ()) -> None:
    """Refuse reports that cannot be written, or that would overwrite each other, what is `read`, or a program.

    `files` has the option that names each. No report is a program: whoever names one has slipped on the command line,
    and would lose the work that he wants judged.
    """
    inputs = {path.resolve(): path for path in read if path is not None}
    check_apart(files)
    for option, path in files.items():
        if path is None:
            continue
        check_target(path)
        if (place := path.resolve()) in inputs:
            raise UserError(f"{inputs[place]} is what is read: the report would overwrite it; choose another place")
        if path.suffix in PROGRAMS and path.exists():
            raise UserError(f"{option} {path}: a program is there, and would be overwritten; choose another place")


def write_text(path: Path, text: str) -> None:
    """Write `text` to `path` (`-`: standard output), atomically where `path` is a regular file."""
    if path == STDOUT:
        sys.stdout.write(text)
        sys.stdout.flush()
        return
    try:
        target = path.resolve()  # a symbolic link keeps pointing where it pointed
        if target.exists() and not target.is_file():
            target.write_text(text, encoding="utf-8")  # a pipe or a device has nothing to replace
        else:
            _replace(target, text)
    except OSError as error:
        raise UserError(
            f"cannot write {path}: {error.strerror or error}; the run itself ended, only this file is missing"
        ) from error


def _replace(target: Path, text: str) -> None:
    """Write beside the target and move it there in one step, once every byte is on the disk."""
    draft = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        with draft.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, target)
    finally:
        draft.unlink(missing_ok=True)
