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

__all__ = ["BUNDLED", "NAME", "bundle", "without_ours"]

NAME = "rnntarget"
BUNDLED = (
    "case.py",
    "errors.py",
    "trace.py",
    "protocol/lines.py",
    "protocol/numbers.py",
    "sandbox/runner.py",
    "targets",
)
"""What the child's side consists of: files, and folders with all that is in them. It holds no right answer."""
OURS = ("rnncheck", "numpy_impl", "reference")
IMPORT = re.compile(r"^(\s*)(from|import) rnncheck\b", re.MULTILINE)


@cache
def bundle() -> tuple[Path, Path]:
    """Return the folder of the child's modules and that of links to installed packages, made once a process."""
    folder = Path(tempfile.mkdtemp(prefix="rnncheck-bundle-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    code, packages = folder / "code", folder / "packages"
    source = Path(rnncheck.__file__).parent
    for path in (source / name for name in BUNDLED):
        for file in path.rglob("*.py") if path.is_dir() else [path] if path.exists() else []:
            copy = code / NAME / file.relative_to(source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_text(IMPORT.sub(rf"\1\2 {NAME}", file.read_text("utf-8")), "utf-8")
    for package in [code / NAME, *(p for p in (code / NAME).rglob("*") if p.is_dir())]:
        (package / "__init__.py").touch()
    compileall.compile_dir(code, quiet=2)
    packages.mkdir()
    _link(packages, filter(Path.is_dir, _site_folders()))
    return code, packages


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
