"""Replace a file as a whole or not at all: write beside it, then rename. The name always belongs to a whole file."""

import os
from contextlib import suppress
from pathlib import Path

__all__ = ["refuse_special", "try_out", "write_atomically"]


def refuse_special(path: str | os.PathLike[str]) -> None:
    """Refuse what a rename would destroy and what a reader may wait on for ever: /dev/null is not a file like others.

    Raises
    ------
    ValueError
        If `path` is a device, a pipe or a socket.
    """
    if os.path.exists(path) and not (os.path.isfile(path) or os.path.isdir(path)):
        raise ValueError(
            f"{os.fspath(path)} is a device or a pipe; a checkpoint is a file, replaced as a whole: name one"
        )


def try_out(path: str | os.PathLike[str]) -> None:
    """Write an empty file beside `path`, as `write_atomically` would, and take it away again.

    Raises
    ------
    OSError
        If that fails: a folder that is missing or may not be written, a name that is too long.
    """
    beside = _beside(path)
    try:
        beside.touch()
    except OSError as error:
        why = f"no checkpoint can be written there ({error.strerror}); choose another place"
        raise OSError(error.errno, why, os.fspath(path)) from None
    finally:
        _remove(beside)


def write_atomically(path: str | os.PathLike[str], content: bytes) -> None:
    """Write `content` to `path`; whatever happens on the way, a file that was there before stays.

    Raises
    ------
    ValueError
        If `path` is a device, a pipe or a socket.
    OSError
        If the file cannot be written, a full disk for one.
    """
    refuse_special(path)
    target, beside = os.path.realpath(path), _beside(path)
    try:
        with open(beside, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, target)
    except OSError as error:
        raise OSError(
            error.errno,
            f"the checkpoint was not written ({error.strerror}), and a file that was there before is untouched; "
            "make room, or choose another place",
            os.fspath(path),
        ) from None
    finally:
        _remove(beside)
    with suppress(OSError):  # the new name itself reaches the disk, where the system can be asked for that
        folder = os.open(os.path.dirname(target), os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)


def _beside(path: str | os.PathLike[str]) -> Path:
    """Name the draft. It lies in the folder that a link leads to, and two processes have two drafts."""
    target = Path(os.path.realpath(path))
    return target.with_name(f".{target.name}.{os.getpid()}.tmp")


def _remove(path: Path) -> None:
    with suppress(OSError):
        path.unlink(missing_ok=True)
