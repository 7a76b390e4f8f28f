"""The same target gives the same verdict through all four doors; expected failures are strict and have a reason."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import rnncheck
from rnncheck.cli import main
from rnncheck.errors import UserError
from rnncheck.expected import expected_failures
from rnncheck.implementation import NumpyImpl
from rnncheck.result import Verdict

TARGETS = Path(__file__).parent / "targets"
RIGHT, WRONG = TARGETS / "column_class.py", TARGETS / "column_class_tanh_twice.py"
ROOT = Path(rnncheck.__file__).parents[1]
DECORATED = """
import rnncheck

@rnncheck.parametrize_with_checks([{target!r}])
def test_network(check):
    check()
"""


def pytest_run(folder, *arguments):
    """Run pytest in a process of its own, with nothing but our plugin."""
    env = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": str(ROOT)}
    (folder / "pytest.ini").write_text("[pytest]\n")
    plugins = ["-p", "rnncheck.pytest_plugin", "-p", "no:cacheprovider"]
    command = [sys.executable, "-m", "pytest", "-c", "pytest.ini", *plugins, "-rA", "-q", *arguments]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True)


def ended(stdout):
    """Return how every check ended, by its name."""
    words = [line.split(" - ")[0].split(maxsplit=1) for line in stdout.splitlines()]
    found = {}
    for verdict, name in (w for w in words if len(w) == 2 and w[0] in ("PASSED", "FAILED")):
        found[name.rpartition("::")[2].removeprefix("test_network[")] = verdict.lower()
    return found


@pytest.mark.parametrize(("target", "exit_code"), [(RIGHT, 0), (WRONG, 1)], ids=["right", "wrong"])
def test_four_doors_one_verdict(target, exit_code, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    report = rnncheck.check_rnn(str(target))
    assert main(["check", str(target), "--json", "report.json"]) == report.exit_code == exit_code
    told = json.loads((tmp_path / "report.json").read_text())
    verdicts = {o.check: str(o.verdict) for o in report.outcomes}
    assert {o["check"]: o["verdict"] for o in told["outcomes"]} == verdicts
    judged = {name: verdict for name, verdict in verdicts.items() if verdict in ("passed", "failed")}

    option = pytest_run(tmp_path, "--rnncheck", str(target))
    assert option.returncode == exit_code, option.stdout
    seen = ended(option.stdout)
    assert seen.pop("verdict") == ("failed" if exit_code else "passed")
    assert seen == judged

    (tmp_path / "test_it.py").write_text(DECORATED.format(target=str(target)))
    decorated = pytest_run(tmp_path, "test_it.py")
    assert decorated.returncode == exit_code, decorated.stdout
    seen = {name.removesuffix("]").removeprefix(f"{target}-"): v for name, v in ended(decorated.stdout).items()}
    assert seen.pop("verdict") == ("failed" if exit_code else "passed")
    assert seen == judged


def test_pytest_says_what_is_wrong_and_why(tmp_path, monkeypatch):
    """Its summary was `FAILED x::gradients[...] - FAILED gradients[...]`, and the cause was found, and not told."""
    monkeypatch.setenv("COLUMNS", "500")  # a summary is cut at the width of the terminal
    (tmp_path / "test_it.py").write_text(DECORATED.format(target=str(WRONG)))
    done = pytest_run(tmp_path, "--rnncheck", str(WRONG), "test_it.py")
    failed = [line.partition(" - ")[2] for line in done.stdout.splitlines() if line.startswith("FAILED ")]
    begins = {line.removeprefix("rnncheck.errors.TraceMismatch: ").partition(":")[0] for line in failed}
    assert begins == {"earliest wrong array", "DIFFER"}
    assert done.stdout.count("rnncheck explain derivative-of-the-activated") >= 2
    assert "raise TraceMismatch" not in done.stdout  # no line of the judge


def test_the_cause_is_one_of_what_was_asked(planted):
    """A network that knows float64 alone has no fault when it is asked in float64, nor is that the cause of another."""

    def spoil(case, trace):
        if case.kind == "rnn":
            trace["dW_hh"] *= 2
        for name, array in trace.items():
            trace[name] = array.astype("float64") if array.dtype.kind == "f" else array

    causes = rnncheck.check_rnn(planted(spoil), select="gradients and T=3").diagnosis.causes
    assert [cause.array for cause in causes] == ["dW_hh"]
    causes = rnncheck.check_rnn(planted(spoil), select="gradients and T=3", dtype="float32").diagnosis.causes
    assert any("float64 where the case is float32" in cause.what for cause in causes)


def test_nothing_comparable_is_no_success_in_pytest(tmp_path):
    (tmp_path / "test_it.py").write_text(
        "import rnncheck\n"
        "from rnncheck.errors import NotShownError\n\n"
        "class Silent:\n"
        "    name = 'silent'\n\n"
        "    def run(self, case):\n"
        "        raise NotShownError('nothing to see')\n\n"
        "@rnncheck.parametrize_with_checks([Silent()])\n"
        "def test_network(check):\n"
        "    check()\n"
    )
    run = pytest_run(tmp_path, "test_it.py")
    assert run.returncode == 1
    assert "NOTHING COMPARABLE" in run.stdout


def test_the_plugin_refuses_a_target_in_one_sentence(tmp_path):
    run = pytest_run(tmp_path, "--rnncheck", "missing.py")
    assert run.returncode == pytest.ExitCode.USAGE_ERROR
    assert "missing.py does not exist" in run.stderr
    assert "Traceback" not in run.stdout + run.stderr


def test_loading_is_light():
    code = "import sys, rnncheck, rnncheck.pytest_plugin; print({'numpy', 'torch'} & set(sys.modules))"
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    assert subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True).stdout == "set()\n"


@pytest.mark.parametrize("given", ["my_rnn.py", [], None])
def test_a_list_of_implementations_is_asked_for(given):
    with pytest.raises(UserError, match="expected a list"):
        rnncheck.parametrize_with_checks(given)


def test_what_is_no_implementation_is_refused():
    with pytest.raises(UserError, match="the implementation is int, expected an object with a `name`"):
        rnncheck.check_rnn(3)


def table(*lines, target="planted"):
    return "\n".join([f'[tool.rnncheck.expected_failures."{target}"]', *lines])


def first_case():
    from rnncheck.check import Inquiry

    return next(n for n in Inquiry(NumpyImpl()).names if n.startswith("forward["))


def spoiled(planted, name):
    """Spoil h in the case of one check."""
    case_name = name.removeprefix("forward[").removesuffix("]")

    def spoil(case, trace):
        if case.name == case_name:
            trace["h"] += 1

    return planted(spoil)


def test_expected_failures_are_listed_with_their_reason(planted, tmp_path, monkeypatch):
    name = first_case()
    monkeypatch.chdir(tmp_path)
    wrong = spoiled(planted, name)
    assert rnncheck.check_rnn(wrong, select=f"{name}").exit_code == 1
    (tmp_path / "pyproject.toml").write_text(table(f'"{name}" = "h is counted from one"'))
    report = rnncheck.check_rnn(wrong, select="forward")
    assert report.exit_code == 0
    expected = [o for o in report.outcomes if o.verdict is Verdict.EXPECTED_FAILURE]
    assert [(o.check, o.message) for o in expected] == [(name, "h is counted from one")]


def test_an_unexpected_pass_fails(tmp_path, monkeypatch):
    name = first_case()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pyproject.toml").write_text(table(f'"{name}" = "h is counted from one"', target="numpy_impl"))
    report = rnncheck.check_rnn("numpy_impl", select="forward")
    assert report.exit_code == 1
    assert [o.check for o in report.outcomes if o.verdict is Verdict.FAILED] == [name]
    assert "passed, though listed as failing: h is counted from one" in str(report.outcomes[0].earliest)


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ('"forward" = ""', "say in words why"),
        ('"forward" = true', "say in words why"),
        ('"no-such-check" = "because"', "chooses none of"),
    ],
)
def test_entries_that_say_nothing_are_refused(line, complaint, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pyproject.toml").write_text(table(line, target="numpy_impl"))
    with pytest.raises(UserError, match=complaint):
        rnncheck.check_rnn("numpy_impl")


def test_entries_are_found_by_the_file_from_any_folder_below(tmp_path):
    (tmp_path / "below").mkdir()
    (tmp_path / "pyproject.toml").write_text(table('"forward" = "because"', target="nets/my.py:Net"))
    seen = [expected_failures(str(tmp_path / "nets" / f"my.py:{n}"), tmp_path / "below") for n in ("Net", "Other")]
    assert seen == [{"forward": "because"}, {}]


def test_a_notebook_shows_the_verdict(planted):
    name = first_case()
    html = rnncheck.check_rnn(spoiled(planted, name), select=name)._repr_html_()
    assert "DIFFER: 1 of 1 checks failed" in html
    assert f"FAILED {name}" in html
    assert "<script" not in rnncheck.check_rnn(Named(), select=name)._repr_html_()


class Named(NumpyImpl):
    name = "<script>alert(1)</script>"
