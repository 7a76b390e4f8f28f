"""The README's blocks are run: a Python block prints the text block below it, a console line exits as it says.

The two commands of the front page are run by `.ci/run`, and the one that fetches torch needs a network.
"""

import contextlib
import io
import re
import shlex
from importlib.util import find_spec
from pathlib import Path

import pytest

from rnncheck.cli import main

README = Path(__file__).parent.parent / "README.md"
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)
EXIT_CODE = re.compile(r"# exit code (\d)")
DOORS = ("**Learn**", "**Check yours**", "**Use it in CI**")
SCREEN = 50
NEEDS_TORCH = ("--framework both", "verify --lengths", "verify --recipe")


def blocks(text):
    return [(kind, body) for kind, body in BLOCK.findall(text)]


def run_python(text):
    """Run every Python block, in one namespace, and return pairs of what it printed and what the text block says."""
    found = blocks(text)
    namespace, pairs = {}, []
    for (kind, body), (next_kind, expected) in zip(found, [*found[1:], ("", "")], strict=True):
        if kind == "python":
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed):
                exec(compile(body, "README.md", "exec"), namespace)
            pairs.append((printed.getvalue(), expected if next_kind == "text" else ""))
    return pairs


def console_blocks(text):
    """Return the commands of each console block: those of one block follow each other in one folder."""
    return [[line[2:] for line in body.splitlines()] for kind, body in blocks(text) if kind == "console"]


def test_every_python_block_prints_what_stands_below_it():
    pairs = run_python(README.read_text(encoding="utf-8"))
    assert pairs
    for printed, expected in pairs:
        assert printed == expected


def test_a_block_that_contradicts_the_code_is_seen():
    text = README.read_text(encoding="utf-8").replace("failed dh da", "failed da")
    assert any(printed != expected for printed, expected in run_python(text))


@pytest.mark.parametrize("lines", console_blocks(README.read_text(encoding="utf-8")), ids=lambda lines: lines[0])
def test_every_command_of_the_readme_runs(lines, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    for line in lines:
        if any(words in line for words in NEEDS_TORCH) and find_spec("torch") is None:
            continue
        program, *arguments = shlex.split(line, comments=True)
        assert program == "rnncheck"
        told = EXIT_CODE.search(line)
        assert main(arguments) == (int(told[1]) if told else 0), line
        capfd.readouterr()


def test_the_first_screen_shows_a_caught_mistake_and_then_three_doors():
    screen = "\n".join(README.read_text(encoding="utf-8").splitlines()[:SCREEN])
    places = [screen.index(words) for words in ("failed dh", *DOORS)]
    assert places == sorted(places)
    for door in DOORS:
        row = next(line for line in screen.splitlines() if door in line)
        assert re.findall(r"\]\(([^)]+)\)", row), f"{door} leads nowhere"


def test_every_link_leads_to_a_file():
    links = re.findall(r"\]\(([^):]+)\)", README.read_text(encoding="utf-8"))
    assert len(links) > len(DOORS)
    for link in links:
        assert (README.parent / link).is_file(), link


def test_the_two_commands_are_where_ci_looks_for_them():
    marked = re.search(r"<!-- commands -->\n(.*?)<!-- end -->", README.read_text(encoding="utf-8"), re.S)
    assert blocks(marked[1]) == [("", 'pip install ".[torch]" && rnncheck verify\npip install tox && tox\n')]
