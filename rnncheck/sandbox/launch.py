"""Start a target behind the stage: in namespaces of its own where the machine allows it, in a plain child where not."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy_impl
import rnncheck
from rnncheck.sandbox.limits import Limits
from rnncheck.sandbox.stage import PUBLIC
from rnncheck.shipped import data_folder

__all__ = ["STAGED", "answers", "command_line", "environment", "hidden_paths", "why_no_namespaces"]

STAGED = os.name == "posix"
STAGE = Path(__file__).with_name("stage.py")
NAMESPACES = ("--user", "--map-root-user", "--pid", "--fork", "--kill-child", "--mount", "--net", "--ipc")
PASSED_ON = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "NODE_PATH", "JAVA_HOME", "JULIA_DEPOT_PATH", "SYSTEMROOT")
ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


@cache
def why_no_namespaces() -> str:
    """Return an empty string if this machine gives us namespaces, or else why not."""
    unshare = shutil.which("unshare")
    if sys.platform != "linux" or unshare is None:
        return f"{sys.platform} has no unshare"
    done = subprocess.run([unshare, *NAMESPACES, "--", "true"], capture_output=True, text=True)
    return "" if done.returncode == 0 else done.stderr.strip().splitlines()[-1]


def command_line(
    command: Sequence[str],
    limits: Limits,
    *,
    cwd: Path,
    home: Path,
    needs: Sequence[Path],
    hidden: Sequence[Path],
    namespaces: bool,
) -> list[str]:
    """Return what to start so that `command` runs behind the stage, in `cwd`.

    It may write to `home` alone, sees of the folders that all programs share only what it `needs`, and of those that
    are `hidden` nothing.
    """
    if not STAGED:
        return list(command)
    config = {
        "command": list(command),
        "namespaces": namespaces,
        "cwd": str(cwd),
        "home": str(home),
        "keep": sorted({str(path) for path in [*_named(command, cwd), home.parent, *needs]} - set(PUBLIC)),
        "hidden": [str(path) for path in hidden],
        "memory": limits.memory,
        "file": limits.file,
    }
    stage = [sys.executable, "-I", "-S", str(STAGE), json.dumps(config)]
    if not namespaces:
        return stage
    setpriv = shutil.which("setpriv")  # where the judge is killed, the kernel kills unshare, and that the namespaces
    return [*([setpriv, "--pdeathsig", "KILL", "--"] if setpriv else []), "unshare", *NAMESPACES, "--", *stage]


def environment(home: Path) -> dict[str, str]:
    """Return the environment of a target: nothing of ours but where to find programs, and one thread."""
    passed = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    own = {"HOME": str(home), "TMPDIR": str(home), "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUTF8": "1"}
    return passed | own | dict.fromkeys(ONE_THREAD, "1")


def hidden_paths() -> list[Path]:
    """Return the folders of the judge, the right implementations and the stored answers."""
    beside = Path(numpy_impl.__file__).parent.parent
    found = [Path(rnncheck.__file__).parent, *(beside / name for name in ("numpy_impl", "reference")), *answers()]
    return [path.resolve() for path in found if path.exists()]


def answers() -> list[Path]:
    """Return where stored answers lie, the history of a checkout included."""
    found = [data_folder(), Path(numpy_impl.__file__).parent.parent / ".git"]
    return [path.resolve() for path in found if path.exists()]


def _named(command: Sequence[str], cwd: Path) -> list[Path]:
    """Return every file that the command line names, with its folder, and those of the interpreter of the stage."""
    words = [shutil.which(command[0]) or command[0], *command[1:]]
    files = [path for path in (cwd / word for word in words) if os.path.exists(path)]  # no word is too long for that
    python = [Path(path) for path in (sys.prefix, sys.base_prefix, sys.executable)]
    return [path.resolve() for path in [cwd, *python, *files, *(f.parent for f in files)]]
