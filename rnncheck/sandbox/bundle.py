"""What a child may import: the runner and what it needs, under another name, and other people's packages.

A target that asks for rnncheck, numpy_impl or reference finds nothing of the kind, on any system. (In a mount
namespace their files are out of sight as well: `stage.hide`.)
"""

import atexit
import compileall
import re
import shutil
import site
import sys
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from pathlib import Path

import rnncheck

__all__ = ["NAME", "bundle", "without_ours"]

NAME = "rnntarget"
ROOTS = ("rnncheck.sandbox.runner", "rnncheck.targets.entry")
"""What the child calls: with all that they import when they are imported, the bundle. It holds no right answer."""
OURS = ("rnncheck", "numpy_impl", "reference")
IMPORT = re.compile(r"^(\s*)(from|import) rnncheck\b", re.MULTILINE)
AT_ONCE = re.compile(r"^from (rnncheck[.\w]*) import (\(.*?\)|[^\n]*)", re.MULTILINE | re.DOTALL)
SOURCE = Path(rnncheck.__file__).parent


@cache
def bundle() -> tuple[Path, Path]:
    """Return the folder of the child's modules and that of links to installed packages, made once a process."""
    folder = Path(tempfile.mkdtemp(prefix="rnncheck-bundle-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    code, packages = folder / "code", folder / "packages"
    for file in _needed():
        copy = code / NAME / file.relative_to(SOURCE)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(IMPORT.sub(rf"\1\2 {NAME}", file.read_text("utf-8")), "utf-8")
    for package in {parent for file in code.rglob("*.py") for parent in file.relative_to(code).parents[:-1]}:
        (code / package / "__init__.py").touch()
    compileall.compile_dir(code, quiet=2)
    packages.mkdir()
    _link(packages, filter(Path.is_dir, _site_folders()))
    return code, packages


def _needed() -> set[Path]:
    """Return the files that the roots import, directly or through others."""
    waiting, found = list(ROOTS), set()
    while waiting:
        file = SOURCE.joinpath(*waiting.pop().split(".")[1:])
        file = file / "__init__.py" if file.is_dir() else file.with_suffix(".py")
        if file.exists() and file not in found:
            found.add(file)
            for module, names in AT_ONCE.findall(file.read_text("utf-8")):
                waiting += [module, *(f"{module}.{name}" for name in re.findall(r"\w+", names))]
    return found - {SOURCE / "__init__.py"}


def without_ours(folder: Path, links: Path) -> Path:
    """Return `folder`, or if the judge lies in it `links`, to be filled with links to everything else there."""
    if not any((folder / name).exists() for name in OURS):
        return folder
    links.mkdir()
    _link(links, [folder])
    return links


def _link(into: Path, folders: Iterable[Path]) -> None:
    """Link what lies in the folders, the first of a name; what redirects imports (.pth) is left out."""
    for folder in folders:
        for entry in folder.iterdir():
            if not entry.name.startswith((*OURS, "__editable__")) and entry.suffix != ".pth":
                with suppress(FileExistsError):
                    (into / entry.name).symlink_to(entry)


def _site_folders() -> list[Path]:
    """Return where installed packages lie, in the order in which they are looked up."""
    known = [*site.getsitepackages(), site.getusersitepackages()]
    return [Path(path) for path in sys.path if path in known or path.endswith(("site-packages", "dist-packages"))]
