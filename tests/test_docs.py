"""The documentation says what is so: its commands run, its blocks print what they say, its names exist.

Tutorials and explanations with cells are run by `test_tutorials.py`; Sphinx builds the site in `tox -e docs`.
"""

import ast
import contextlib
import doctest
import io
import re
import shlex
import sys
from pathlib import Path

import pytest

from rnncheck.cli import main
from rnncheck.faults import FAULTS
from rnncheck.judging.montecarlo import ELEMENT_LIMIT, WHOLE_LIMIT
from rnncheck.lab.grade import LEVELS

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
sys.path.insert(0, str(DOCS / "_ext"))

from claims import complaints  # noqa: E402 - it lies beside the pages

PAGES = sorted(p for p in DOCS.rglob("*.md") if not {"generated", "_build"} & set(p.parts))
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)
EXIT_CODE = re.compile(r"# exit code (\d)")
NEEDS_TORCH = ("--framework both", "verify --lengths", "verify --recipe", "reference and")


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def wrong_blocks(page: str) -> list[str]:
    """Run every Python block that is followed by a text block, all in one namespace, and compare."""
    found, namespace, wrong = BLOCK.findall(page), {}, []
    for (kind, body), (next_kind, expected) in zip(found, [*found[1:], ("", "")], strict=True):
        if kind == "python" and next_kind == "text":
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed):
                exec(compile(body, "page", "exec"), namespace)
            if not doctest.OutputChecker().check_output(expected, printed.getvalue(), doctest.ELLIPSIS):
                wrong.append(printed.getvalue())
    return wrong


def wrong_commands(page: str) -> list[str]:
    """Run every line of a console block, and compare its exit code with what is said: 0 unless told otherwise."""
    wrong = []
    for kind, body in BLOCK.findall(page):
        for line in (line[2:] for line in body.splitlines() if kind == "console" and line.startswith("$ ")):
            if any(words in line for words in NEEDS_TORCH):
                pytest.importorskip("torch")
            told = EXIT_CODE.search(line)
            program, *arguments = shlex.split(line, comments=True)
            assert program == "rnncheck", line
            code = main(arguments)
            if code != (int(told[1]) if told else 0):
                wrong.append(f"{line}: exit code {code}")
    return wrong


@pytest.mark.parametrize("path", [*PAGES, ROOT / "README.md", ROOT / "CONTRIBUTING.md"], ids=name_of)
def test_what_is_named_exists(path):
    assert list(complaints(path.read_text("utf-8"))) == []


@pytest.mark.parametrize("path", [p for p in PAGES if "```text" in p.read_text("utf-8")], ids=name_of)
def test_blocks_print_what_stands_below_them(path):
    assert wrong_blocks(path.read_text("utf-8")) == []


@pytest.mark.parametrize("path", [p for p in PAGES if "```console" in p.read_text("utf-8")], ids=name_of)
def test_commands_run(path, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    assert wrong_commands(path.read_text("utf-8")) == []
    capfd.readouterr()


COUNTS = [
    ("index.md", f"[{len(FAULTS)} faults]"),
    ("index.md", "eight lessons"),
    ("tutorials/index.md", "Eight lessons"),
    ("howto/teach.md", "a course of eight lessons"),
    ("howto/teach.md", f"{ {7: 'Seven'}[len(LEVELS)] } levels: "),
    ("tolerance.md", rf"\le {WHOLE_LIMIT:g} \max"),
    ("tolerance.md", rf"\le {ELEMENT_LIMIT:g} \sqrt"),
]
"""Figures of pages that run no cells."""


@pytest.mark.parametrize(("page", "words"), COUNTS)
def test_a_count_is_that_of_the_code(page, words):
    assert words in (DOCS / page).read_text("utf-8")


def rooms_not_shown(page, folders):
    return [name for name in folders if f"`rnncheck/{name}/`" not in page]


def test_the_page_of_the_architecture_shows_every_room():
    page = (DOCS / "explanation" / "architecture.md").read_text("utf-8")
    folders = sorted(path.parent.name for path in (ROOT / "rnncheck").glob("*/__init__.py"))
    assert rooms_not_shown(page, folders) == []
    assert rooms_not_shown(page.replace("`rnncheck/judging/`", "`rnncheck/`"), folders) == ["judging"]


def files_not_named(order, files):
    return [name for name in files if f"`{name}`" not in order]


@pytest.mark.parametrize(("package", "one"), [("numpy_impl", "rnn"), ("reference", "loop")])
def test_a_package_names_its_files(package, one):
    files = sorted(path.stem for path in (ROOT / package).glob("[!_]*.py"))
    told = ast.get_docstring(ast.parse((ROOT / package / "__init__.py").read_text("utf-8")))
    assert files_not_named(told, files) == []
    assert set(re.findall(r"`(\w+)`", told)) - {"numpy_impl"} == set(files), "nothing else is named"
    assert files_not_named(told.replace(f"`{one}`", "`cell`"), files) == [one]


def test_there_are_eight_lessons():
    assert len(list((DOCS / "tutorials").glob("0*.md"))) == 8


@pytest.mark.parametrize("path", sorted((DOCS / "decisions").glob("[!i]*.md")), ids=lambda p: p.stem)
def test_a_decision_says_what_why_at_what_cost_and_where(path):
    text = path.read_text("utf-8")
    assert re.findall(r"^\*\*(\w+)\.\*\*", text, re.M) == ["Decision", "Why", "Cost", "Where"]
    assert len(text.splitlines()) <= 12
    assert path.stem in (DOCS / "decisions" / "index.md").read_text("utf-8")


@pytest.mark.parametrize(
    ("planted", "complaint"),
    [
        ("`rnncheck chek my_rnn.py`", "there is no command rnncheck chek"),
        ("`rnncheck verify --quik`", "rnncheck verify has no option --quik"),
        ("```\nrnncheck vectors wrote\n```", "there is no command rnncheck vectors wrote"),
        ("```console\n$ rnncheck lab --gradee x.py\n```", "rnncheck lab has no option --gradee"),
        ("with `--vocabulary 9`", "no command has an option --vocabulary"),
        ("It is two.\n\n```{code-cell}\nassert a == 3  # says: It is three\n```", "does not say 'It is three'"),
        ("see `numpy_impl/rnnn.py`", "there is no file numpy_impl/rnnn.py"),
        ("`rnncheck.judging.judge.jugde`", "there is nothing called rnncheck.judging.judge.jugde"),
        ("Exit codes: 0 differ, 1 differ.", "exit code 0 does not mean 'differ' but 'agree'"),
        ("| code | meaning |\n|---|---|\n| 2 | differ |\n", "exit code 2 does not mean 'differ' but 'could not run'"),
        ("its shape: `W_hy (H, V)`", "W_hy has not the shape (H, V)"),
        ("its gradient: `db_h (V,)`", "b_h has not the shape (V,)"),
        ("W_hy has the shape (H, V)", "W_hy has not the shape (H, V)"),
        ("The logits are (T, V, B).", "logits has not the shape (T, V, B)"),
        ("`x` and `y` are (B, T)", "x has not the shape (B, T)"),
        ("`x` and `y` are (B, T)", "y has not the shape (B, T)"),
        ("the shape of `h0` is `(H, B)`", "h0 has not the shape (H, B)"),
        ("(H, I) is the shape of W_hh", "W_hh has not the shape (H, I)"),
        ("A run that differs exits with 2.", "exit code 2 does not mean 'differ' but 'could not run'"),
        ("Where both agree, the exit code is 1.", "exit code 1 does not mean 'agree' but 'differ'"),
        ("If nothing is comparable it exits\nwith 0.", "exit code 0 does not mean 'nothing comparable' but 'agree'"),
        ("A crash exits with 4.", "there is no exit code 4"),
        (
            "`rnncheck explain carry-not-transposde`",
            "no fault carry-not-transposde; the nearest name is carry",
        ),
        ("it is `carry-not-transposde`", "no fault carry-not-transposde; the nearest name is carry-not-transposed"),
        ("seen in 137 public implementations", "137 implementations were not surveyed, but 136"),
        ("found 16 times", "what was found 16 times? Name its fault in the same paragraph"),
        (
            "found 17 times: [a](../generated/faults/carry-not-transposed.md)",
            "the catalogue says 9 for carry-not",
        ),
    ],
)
def test_a_contradiction_is_seen(planted, complaint):
    assert any(complaint in found for found in complaints(f"A page.\n\n{planted}\n"))


def test_what_is_right_is_not_complained_about():
    page = '`rnncheck verify -k "gradients --and"`, `rnncheck vectors check`, `rnncheck --version`, `rnncheck.oracle`'
    assert list(complaints(f"{page}, `numpy_impl/rnn.py`, `data/vectors/v1`, `rnncheck vectors`")) == []


@pytest.mark.parametrize(
    "sentence",
    [
        "W_hy has the shape (V, H), its gradient `dW_hy (V, H)` too",
        "`x` and `y` are (T, B), and dense `x` is `(T, B, I)`; h0 is (B, H), dh0 as well (B, H)",
        "the states `h` of shape `(T + 1, B, H)`, and `mine` of shape (H, T)",
        "The loss is summed over all steps (T, B).",
        "One step takes `x (B,)` and the state h, of shape (B, H).",
        "A run that differs exits with 1, one that could not run with 2.",
        "An internal error never exits with 0 or 1, whether they agree or differ.",
        "Two that agree must not exit with 1.",
        "If it exits with 3, nothing was comparable.",
    ],
)
def test_a_right_sentence_is_not_complained_about(sentence):
    assert list(complaints(f"A page.\n\n{sentence}\n")) == []


def test_a_block_and_a_command_that_are_wrong_are_seen(capfd):
    assert wrong_blocks("```python\nprint(1)\n```\n\n```text\n2\n```\n") == ["1\n"]
    assert wrong_commands("```console\n$ rnncheck explain no-such-fault\n```\n")
    assert not wrong_commands("```console\n$ rnncheck explain no-such-fault   # exit code 2\n```\n")
    capfd.readouterr()
