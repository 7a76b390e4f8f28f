"""A class folder: points in part with the reason, one submission at a time, and again only what has changed."""

import csv
import io
import json
import re
import shutil
import sys
import tempfile
import threading
from pathlib import Path

import pytest

from rnncheck.cli import main
from rnncheck.errors import UserError
from rnncheck.grading.grade import RUBRIC, grade, grade_folder, in_threads, read_rubric, reason, submissions, to_csv
from rnncheck.grading.submission import Family, Result, judge_apart, read_submission

pytestmark = pytest.mark.slow

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


def test_families_that_fail_for_the_same_reason_are_told_together():
    raised, wrong = "raised NameError: Wxh", "gradients[T=2]: dW_hh is wrong"
    families = {"forward": (0, 4, f"forward[T=1]: {raised}"), "nodes": (1, 4, f"nodes[T=2]: {raised}")}
    assert reason(grade(result(**families, gradients=(2, 4, wrong)), RUBRIC)).split("; ") == [
        "the cause",
        f"forward, nodes: 7 of 8 failed, first forward[T=1]: {raised}",
        f"gradients: 2 of 4 failed, first {wrong}",
    ]


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

    def __call__(self, one):
        if one.name == self.stop:
            raise KeyboardInterrupt
        self.judged.append(one.name)
        return Result(one.name, one.fingerprint, "right", families={"forward": Family(1, 1)})


def test_a_run_that_was_stopped_goes_on(folder, tmp_path):
    store, first, second, third = tmp_path / "g.json", Judge("cid.ipynb"), Judge(), Judge()
    with pytest.raises(KeyboardInterrupt):
        grade_folder(folder, RUBRIC, store=store, run=in_threads(first))
    grade_folder(folder, RUBRIC, store=store, run=in_threads(second))
    assert set(first.judged) | set(second.judged) == set(submissions(folder))
    assert "cid.ipynb" in second.judged
    (folder / "bob.py").write_text("changed")
    grades = grade_folder(folder, RUBRIC, store=store, run=in_threads(third))
    assert third.judged == ["bob.py"]
    assert [g.result.name for g in grades] == list(submissions(folder))


def test_a_file_of_something_else_is_not_overwritten(folder, tmp_path):
    (tmp_path / "g.json").write_text('{"mine": 1}')
    with pytest.raises(UserError, match="holds no grades"):
        grade_folder(folder, RUBRIC, store=tmp_path / "g.json", run=in_threads(Judge()))
    assert (tmp_path / "g.json").read_text() == '{"mine": 1}'


@pytest.mark.parametrize(
    "text", ["", "[points]\ngradient = 5", "[points]\nforward = -1", "[points]\nforward = true", "[", "[points]"]
)
def test_a_rubric_that_gives_no_points_is_refused(text, tmp_path):
    (tmp_path / "rubric.toml").write_text(text)
    with pytest.raises(UserError, match="points"):
        read_rubric(tmp_path / "rubric.toml")


def test_a_store_made_with_other_hints_is_not_taken(folder, tmp_path):
    judge = Judge()
    for hints in (3, 3, 1):
        grade_folder(folder, RUBRIC, store=tmp_path / "g.json", run=in_threads(judge), hints=hints)
    assert judge.judged == [*submissions(folder)] * 2


def test_a_submission_brings_its_folder_and_sees_no_neighbour(folder):
    (folder / "ann" / "data.txt").write_text("text")
    (folder / "ann" / "large.bin").write_bytes(b"0" * 2**25)
    found = {name: read_submission(folder, path) for name, path in submissions(folder).items()}
    assert list(found["ann/net.py"].files) == ["data.txt", "net.py"]
    assert list(found["bob.py"].files) == ["bob.py"]
    seal = found["ann/net.py"].fingerprint
    (folder / "ann" / "data.txt").write_text("other")
    assert read_submission(folder, folder / "ann" / "net.py").fingerprint != seal


def test_jobs_run_at_the_same_time(folder):
    both = threading.Barrier(2, timeout=300)

    def judge(one):
        if one.name != "cid.ipynb":
            both.wait()  # is passed when another judge waits as well, and breaks if there is none
        return Result(one.name, one.fingerprint, "right", families={"forward": Family(1, 1)})

    grades = grade_folder(folder, RUBRIC, run=in_threads(judge, 2))
    assert [(g.result.name, g.result.verdict) for g in grades] == [(n, "right") for n in submissions(folder)]


def test_a_judge_that_fails_costs_one_submission_until_the_next_time(folder, tmp_path):
    def judge(one):
        if one.name == "bob.py":
            raise OSError("no more processes")
        return Judge()(one)

    grades = grade_folder(folder, RUBRIC, store=tmp_path / "g.json", run=in_threads(judge))
    assert [g.result.verdict for g in grades] == ["right", "no verdict", "right"]
    assert grades[1].result.reason == "the judge failed: OSError: no more processes"
    again = Judge()
    assert grade_folder(folder, RUBRIC, store=tmp_path / "g.json", run=in_threads(again))[1].points == 3
    assert again.judged == ["bob.py"]


def judge_quickly(one):
    """Give whoever hangs two seconds."""
    return judge_apart(one, limit=2.0 if "hangs" in one.name else 300.0)


def test_who_hangs_or_crashes_costs_only_himself(tmp_path):
    right = (TARGETS / "column_class.py").read_text("utf-8")
    called = "    def forward(self, inputs, targets, hprev):\n"
    assert called in right
    for name, text in {
        "a_hangs_when_called.py": right.replace(called, f"{called}        while True: pass\n"),
        "b_crashes_when_called.py": right.replace(called, f"{called}        import os; os.abort()\n"),
        "c_right.py": right,
        "d_is_no_python.py": "def f(:",
    }.items():
        (tmp_path / name).write_text(text)
    grades = {g.result.name: g for g in grade_folder(tmp_path, RUBRIC, run=in_threads(judge_quickly, 2))}
    assert {n[0]: g.points for n, g in grades.items()} == {"a": 0, "b": 0, "c": 10, "d": 0}
    assert grades["a_hangs_when_called.py"].result.reason == "it took longer than 2 s"
    assert grades["c_right.py"].result.verdict == "right"


@pytest.fixture(scope="module")
def class_of_three(tmp_path_factory):
    """Grade one that is right, one that is wrong and one that does not run, with every page."""
    folder = tmp_path_factory.mktemp("class")
    shutil.copy(TARGETS / "column_class.py", folder / "right.py")
    shutil.copy(TARGETS / "column_class_tanh_twice.py", folder / "wrong.py")
    (folder / "broken.py").write_text("def f(:\n")
    files = tmp_path_factory.mktemp("grades")
    words = ["grade", str(folder), "--json", str(files / "g.json"), "--csv", str(files / "g.csv"), "--jobs", "2"]
    assert main([*words, "--html", str(files / "g.html")]) == 0
    return folder, files


def test_a_class_is_graded(class_of_three):
    _, files = class_of_three
    found = {g["result"]["name"]: g for g in json.loads((files / "g.json").read_text())["grades"]}
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
    assert found["right.py"]["result"]["reason"] == ""


def test_a_right_part_of_a_submission_is_told_as_a_part(tmp_path):
    text = (TARGETS / "column_class.py").read_text("utf-8")
    (tmp_path / "ann.py").write_text(f"{text}\n\nclass Other:\n    def backward(self, d):\n        return d @ self.W\n")
    found = judge_apart(read_submission(tmp_path, tmp_path / "ann.py"))
    assert found.verdict == "right"
    assert found.reason.endswith("(CharModel judged; Other.backward not judged: see the notes)")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("--csv class/ann.py", "--csv class/ann.py: a program is there, and would be overwritten"),
        ("--html class/ann.ipynb", "--html class/ann.ipynb: a program is there, and would be overwritten"),
        ("--rubric rubric.toml --csv ./rubric.toml", "rubric.toml is what is read: the report would overwrite it"),
        ("--csv same --html same", "--csv and --html both name same"),
    ],
)
def test_no_report_is_written_over_a_submission(words, sentence, tmp_path, monkeypatch, capsys):
    """It was: `--csv class/*` put the grades in the place of the first student's work."""
    pytest.importorskip("jinja2")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "class").mkdir()
    for name, text in (("class/ann.py", "x = 1"), ("class/ann.ipynb", "{}"), ("rubric.toml", "[points]\nforward = 1")):
        (tmp_path / name).write_text(text)
    before = {path: path.read_text() for path in tmp_path.rglob("*.*")}
    assert main(["grade", "class", *words.split()]) == 2
    assert sentence in capsys.readouterr().err
    assert {path: path.read_text() for path in tmp_path.rglob("*.*")} == before


def test_the_page_holds_everything_and_needs_nothing(class_of_three):
    page = (class_of_three[1] / "g.html").read_text("utf-8")
    assert "3 submissions: 1 right, 1 wrong, 1 no verdict" in page
    for number, name in enumerate(("broken.py", "right.py", "wrong.py"), start=1):
        assert f'<a href="#s{number}">{name}</a>' in page
        assert f'<h2 id="s{number}"' in page
    assert "derivative of an already activated value" in page
    assert re.search(r"FAILED gradients\[T=1-B=2\S*\], and \d+ more like it: dW_hh is wrong", page)
    assert page.count("dW_hh is wrong, [") == 1  # not once for every case
    assert re.search(r"dW_xh is wrong, \[\d+, \d+\] is -?\d+\.\d+, right is -?\d+\.\d+", page)
    assert not re.search(r"(src|href)=.(?!#)|<script|@import|url\(", page)
    assert tempfile.gettempdir() not in page


def test_hostile_names_and_texts_are_shown_as_text():
    pytest.importorskip("jinja2")
    from rnncheck.report.grades import dumps

    evil = "<script>alert(1)</script>"
    page = dumps([grade(Result(evil, "", "no verdict", evil, findings=(evil,)), RUBRIC)], RUBRIC)
    assert "<script" not in page
    assert page.count("&lt;script&gt;") >= 3


NUMBER = re.compile(r"-?\d+\.\d{5,}")


@pytest.mark.parametrize("hints", [0, 1, 2])
def test_below_three_hints_no_right_value_is_in_any_file(hints, class_of_three, tmp_path, capsys):
    files = {name: tmp_path / f"g.{name}" for name in ("json", "csv", "html")}
    folder = tmp_path / "class"
    folder.mkdir()
    shutil.copy(class_of_three[0] / "wrong.py", folder)
    words = [word for name, path in files.items() for word in (f"--{name}", str(path))]
    assert main(["grade", str(folder), "--hints", str(hints), *words]) == 0
    printed = capsys.readouterr().out
    counted, *written = printed.splitlines()[1:]
    assert counted == "1 submission: 1 wrong"
    assert written == [f"written: {files[name]}" for name in ("csv", "html", "json")]
    for text in (*(path.read_text("utf-8") for path in files.values()), printed.replace(str(tmp_path), "")):
        assert not NUMBER.search(text.replace("3.3333333333333335", "")), hints
    assert ("dW_xh is wrong" in files["html"].read_text("utf-8")) == (hints > 0)
    assert NUMBER.search((class_of_three[1] / "g.html").read_text("utf-8"))  # with all hints there are some


def test_two_ways_to_share_the_work_are_refused(folder, capsys):
    assert main(["grade", str(folder), "--jobs", "2", "--scheduler", "tcp://127.0.0.1:1"]) == 2
    assert "the cluster decides" in capsys.readouterr().err


def test_without_the_extra_its_name_is_said(folder, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert main(["grade", str(folder), "--scheduler", "tcp://127.0.0.1:1"]) == 2
    assert "pip install '.[cluster]'" in capsys.readouterr().err


def test_a_link_out_of_the_folder_is_not_followed(tmp_path):
    """A student's archive may hold a link to the teacher's own files, whose lines an error message would quote."""
    (tmp_path / "secret.py").write_text("exam questions(")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "net.py").write_text("more secrets(")
    folder = tmp_path / "class"
    (folder / "bob").mkdir(parents=True)
    (folder / "ann.py").symlink_to(tmp_path / "secret.py")
    (folder / "bob" / "net.py").write_text("def f(:")
    (folder / "bob" / "data.txt").symlink_to(tmp_path / "secret.py")
    (folder / "cid").symlink_to(tmp_path / "elsewhere")
    found = {n: read_submission(folder, p) for n, p in submissions(folder).items()}
    assert list(found["bob/net.py"].files) == ["net.py"]
    grades = grade_folder(folder, RUBRIC)
    reasons = {g.result.name: g.result.reason for g in grades}
    assert set(reasons) == {"ann.py", "bob/net.py", "cid/net.py"}
    assert all("a link to something outside" in reasons[n] for n in ("ann.py", "cid/net.py"))
    assert "secret" not in str(grades)
    assert "questions" not in str(grades)


def test_a_submission_that_is_too_large_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr("rnncheck.grading.submission.LARGEST", 10)
    (tmp_path / "net.py").write_text("x" * 11)
    (g,) = grade_folder(tmp_path, RUBRIC)
    assert g.result.reason == "it has 11 bytes, and 10 are allowed"


def test_a_name_cannot_paint_the_terminal(tmp_path, capsys):
    (tmp_path / "a\x1b[31mred.py").write_text("def f(:")
    assert main(["grade", str(tmp_path)]) == 0
    said = capsys.readouterr()
    assert "\x1b" not in said.out
    assert "a\\x1b[31mred.py: 0.00 of 10" in said.out
