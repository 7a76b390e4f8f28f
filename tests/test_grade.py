"""A class folder: points in part with the reason, one submission at a time, and again only what has changed."""

import csv
import io
import json
import shutil
from pathlib import Path

import pytest

from rnncheck.cli import main
from rnncheck.errors import UserError
from rnncheck.grade import RUBRIC, grade, grade_folder, read_rubric, submissions, to_csv
from rnncheck.submission import Family, Result, fingerprint, judge_apart

TARGETS = Path(__file__).parent / "targets"


def result(**families):
    return Result("net.py", "", "wrong", "the cause", {f: Family(*v) for f, v in families.items()})


def test_credit_is_partial_and_what_cannot_be_asked_does_not_count():
    g = grade(result(forward=(4, 4), gradients=(1, 4, "gradients[T=2]: dW_hh is wrong"), nodes=(0, 0)), RUBRIC)
    assert (g.points, g.out_of) == (3 + 5 / 4, 3 + 5)
    assert g.by_family == {"forward": 3, "nodes": None, "gradients": 1.25, "state": None}


def test_without_a_verdict_there_are_no_points():
    g = grade(Result("net.py", "", "no verdict", "it took longer than 300 s"), RUBRIC)
    assert (g.points, g.out_of) == (0, 10)


def test_a_table_holds_reasons_and_no_formulas():
    g = grade(Result("=cmd.py", "", "no verdict", "@SUM(1)"), RUBRIC)
    (row,) = csv.DictReader(io.StringIO(to_csv([g], RUBRIC)))
    assert (row["submission"], row["reason"], row["points"], row["forward"]) == ("'=cmd.py", "'@SUM(1)", "0", "")


@pytest.fixture
def folder(tmp_path):
    """Two files and a notebook, in the ways in which they are handed in."""
    (tmp_path / "class" / "ann").mkdir(parents=True)
    (tmp_path / "class" / ".hidden").mkdir()
    for name in ("ann/net.py", "bob.py", "cid.ipynb", ".hidden/x.py", "notes.txt"):
        (tmp_path / "class" / name).write_text(name)
    return tmp_path / "class"


def test_submissions_are_scripts_and_notebooks(folder):
    assert list(submissions(folder)) == ["ann/net.py", "bob.py", "cid.ipynb"]
    with pytest.raises(UserError, match="holds no submission"):
        submissions(folder / "empty")


class Judge:
    """Takes note of whom it judged; gives up where it is told to."""

    def __init__(self, stop=""):
        self.judged, self.stop = [], stop

    def __call__(self, path, name):
        if name == self.stop:
            raise KeyboardInterrupt
        self.judged.append(name)
        return Result(name, fingerprint(path), "right", families={"forward": Family(1, 1)})


def test_a_run_that_was_stopped_goes_on(folder, tmp_path):
    store, first, second, third = tmp_path / "g.json", Judge("cid.ipynb"), Judge(), Judge()
    with pytest.raises(KeyboardInterrupt):
        grade_folder(folder, RUBRIC, store=store, judge=first)
    grade_folder(folder, RUBRIC, store=store, judge=second)
    assert set(first.judged) | set(second.judged) == set(submissions(folder))
    assert "cid.ipynb" in second.judged
    (folder / "bob.py").write_text("changed")
    grades = grade_folder(folder, RUBRIC, store=store, judge=third)
    assert third.judged == ["bob.py"]
    assert [g.result.name for g in grades] == list(submissions(folder))


def test_a_file_of_something_else_is_not_overwritten(folder, tmp_path):
    (tmp_path / "g.json").write_text('{"mine": 1}')
    with pytest.raises(UserError, match="holds no grades"):
        grade_folder(folder, RUBRIC, store=tmp_path / "g.json", judge=Judge())
    assert (tmp_path / "g.json").read_text() == '{"mine": 1}'


@pytest.mark.parametrize(
    "text", ["", "[points]\ngradient = 5", "[points]\nforward = -1", "[points]\nforward = true", "[", "[points]"]
)
def test_a_rubric_that_gives_no_points_is_refused(text, tmp_path):
    (tmp_path / "rubric.toml").write_text(text)
    with pytest.raises(UserError, match="points"):
        read_rubric(tmp_path / "rubric.toml")


def test_a_submission_that_hangs_costs_only_itself(tmp_path, monkeypatch):
    (tmp_path / "hangs.py").write_text("import time\n\n\ndef wait():\n    time.sleep(1000)\n\n\nx = wait()\n")
    found = judge_apart(tmp_path / "hangs.py", "hangs.py", limit=0.2)
    assert (found.verdict, found.reason) == ("no verdict", "it took longer than 0.2 s")


def test_a_class_is_graded(tmp_path, monkeypatch, capsys):
    (tmp_path / "class").mkdir()
    shutil.copy(TARGETS / "column_class.py", tmp_path / "class" / "right.py")
    shutil.copy(TARGETS / "column_class_tanh_twice.py", tmp_path / "class" / "wrong.py")
    (tmp_path / "class" / "broken.py").write_text("def f(:\n")
    assert main(["grade", str(tmp_path / "class"), "--json", str(tmp_path / "g.json")]) == 0
    found = {g["result"]["name"]: g for g in json.loads((tmp_path / "g.json").read_text())["grades"]}
    assert {n: g["result"]["verdict"] for n, g in found.items()} == {
        "right.py": "right",
        "wrong.py": "wrong",
        "broken.py": "no verdict",
    }
    assert found["right.py"]["points"] == found["right.py"]["out_of"] == 10
    assert found["wrong.py"]["by_family"]["forward"] == 3
    assert found["wrong.py"]["by_family"]["gradients"] < 5
    assert found["broken.py"]["points"] == 0
    assert "broken.py" in found["broken.py"]["result"]["reason"]
