"""The tutorials' cells run as plain Python, in order, outside of any notebook and of the tests' shape checks.

Drawing is left out where matplotlib is missing, and a tutorial is skipped, loudly, where it needs torch and there is
none. The site's build runs them again as notebooks.
"""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import rnncheck

pytestmark = pytest.mark.slow

DOCS = Path(__file__).resolve().parent.parent / "docs"
PAGES = sorted(p for p in DOCS.rglob("*.md") if "{code-cell}" in p.read_text("utf-8") and "generated" not in p.parts)
CELL = re.compile(r"^```\{code-cell\}.*?\n(.*?)^```$", re.M | re.S)
HEAD = re.compile(r"\A(---\n(.*\n)*?---\n|(:\w+:.*\n)+)")
DRAWS = importlib.util.find_spec("matplotlib") is not None
MISSING = "No module named 'torch'"


def cells(page: str) -> list[str]:
    return [HEAD.sub("", body) for body in CELL.findall(page)]


def run(page: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run all cells that can be run here, as one program in a folder of its own."""
    numbered = [f"# cell {n}\n{cell}" for n, cell in enumerate(cells(page), start=1) if DRAWS or "plt" not in cell]
    program = folder / "tutorial.py"
    program.write_text("\n".join(numbered), encoding="utf-8")
    house = str(Path(rnncheck.__file__).parent.parent)
    env = os.environ | {"PYTHONPATH": house, "MPLBACKEND": "Agg", "PYTHONIOENCODING": "utf-8"}
    command = [sys.executable, "-W", "error", str(program)]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, encoding="utf-8")


@pytest.mark.parametrize("path", PAGES, ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_every_cell_runs(path, tmp_path):
    done = run(path.read_text("utf-8"), tmp_path)
    if done.returncode and MISSING in done.stderr:
        pytest.skip(f"{path.name}: its cells need torch")
    assert done.returncode == 0, done.stderr


def test_there_are_eight_tutorials_and_each_ends_in_a_check():
    tutorials = [p for p in PAGES if p.parent.name == "tutorials"]
    assert len(tutorials) == 8
    for path in tutorials:
        text = path.read_text("utf-8")
        assert "## Your turn" in text, path.name
        assert text.count(":::{admonition} Predict") >= 3, path.name
        assert "check(" in text[text.index("## Your turn") :], path.name


def test_a_cell_that_contradicts_the_code_is_seen(tmp_path):
    page = (DOCS / "tutorials" / "01-one-step.md").read_text("utf-8")
    planted = page.replace('h_prev @ params["W_hh"].T', 'h_prev @ params["W_hh"]')
    assert planted != page
    done = run(planted, tmp_path)
    assert done.returncode == 1
    assert "TraceMismatch: 2 of 2 arrays wrong: h at T=1" in done.stderr


def test_cells_are_found_with_and_without_a_head(tmp_path):
    page = "```{code-cell}\na = 1\n```\n\n```{code-cell}\n:tags: [hide-input]\nb = a\n```\n"
    page += "```{code-cell} ipython3\n---\nmystnb:\n  image:\n    alt: x\n---\nc = b\n```\n"
    assert cells(page) == ["a = 1\n", "b = a\n", "c = b\n"]
    assert run(page + "```{code-cell}\nprint(c)\n```\n", tmp_path).stdout == "1\n"
