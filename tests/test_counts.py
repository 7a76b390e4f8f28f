"""The training step does what it did: calls, operators and memory are those in benchmarks/counts.json."""

import json
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import numpy_impl

ROOT = Path(__file__).parent.parent
PROGRAM = ROOT / "benchmarks" / "counts.py"
STORED = ROOT / "benchmarks" / "counts.json"

pytestmark = pytest.mark.skipif(
    json.loads(STORED.read_text("utf-8"))["python"] != ".".join(platform.python_version_tuple()[:2]),
    reason="the counts belong to another version of Python",
)

HINT = "if this is meant: python benchmarks/counts.py --write"
ONE_MORE_CALL = """
_right = clip_grad_value
clip_grad_value = lambda *args, **options: _right(*args, **options)
"""
MORE_MEMORY = """
_right = clip_grad_value
def clip_grad_value(g, bound, out=None):
    spare = g.repeat(30)
    return _right(g, bound, out)
"""


def counted(folder: Path) -> tuple[int, str]:
    """Count, with the numpy_impl that lies in `folder`; in a process of its own, without the shape checks."""
    done = subprocess.run(
        [sys.executable, str(PROGRAM)], env={"PYTHONPATH": str(folder)}, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stderr


def changed(tmp_path: Path, addition: str) -> Path:
    """Copy numpy_impl, and add to its clip.py."""
    shutil.copytree(Path(numpy_impl.__path__[0]), tmp_path / "numpy_impl")
    with (tmp_path / "numpy_impl" / "clip.py").open("a", encoding="utf-8") as file:
        file.write(addition)
    return tmp_path


def test_a_step_makes_as_many_calls_as_ever() -> None:
    assert counted(Path(numpy_impl.__path__[0]).parent) == (0, "")


def test_one_more_call_is_seen(tmp_path: Path) -> None:
    counts = json.loads(STORED.read_text("utf-8"))["counts"]
    status, said = counted(changed(tmp_path, ONE_MORE_CALL))
    assert status == 1
    *found, hint = [line for line in said.splitlines() if "kB" not in line]  # a call takes memory too
    assert found == [f"{size}: calls {c['calls'] + 1}, stored {c['calls']}" for size, c in counts.items()]
    assert hint == HINT


@pytest.mark.skipif(
    json.loads(STORED.read_text("utf-8"))["numpy"] != np.__version__,
    reason="how much memory NumPy asks for belongs to another version of it",
)
def test_more_memory_is_seen(tmp_path: Path) -> None:
    status, said = counted(changed(tmp_path, MORE_MEMORY))
    assert status == 1
    assert said.count("kB in a workspace") == said.count("kB without") == 2
