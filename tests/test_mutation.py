"""What benchmarks/mutation.py makes of mutmut's exit codes: only a failing test kills, and nothing is left out."""

import importlib
import json
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))
mutation = importlib.import_module("mutation")
sys.path.remove(str(BENCHMARKS))

KILLED, SURVIVED = 1, 0
BROKEN = {2: "interrupted", 3: "internal error", 4: "usage error", 255: "exception", -9: "SIGKILL", -11: "SIGSEGV"}
"""How a process ends that has judged nothing: pytest's exit codes, mutmut's os._exit(-1), signals."""


@pytest.fixture
def judged(tmp_path, monkeypatch):
    """Return a function that lays down verdicts as mutmut does: exit codes by mutant, one file per module."""

    def lay_down(**modules):
        for module, codes in modules.items():
            path = tmp_path / "mutants" / "package" / f"{module}.py.meta"
            path.parent.mkdir(parents=True, exist_ok=True)
            known = {"exit_code_by_key": codes, "hash_by_function_name": {"f": "abc"}}
            path.write_text(json.dumps(known), encoding="utf-8")

    monkeypatch.chdir(tmp_path)
    return lay_down


@pytest.mark.parametrize(
    ("exit_code", "word"),
    [
        (KILLED, "killed"),
        (SURVIVED, "survived"),
        (None, "unjudged"),
        (5, "no tests"),
        (33, "no tests"),
        *((code, "timeout") for code in (24, -24, 36, 152)),
    ],
)
def test_an_exit_code_has_one_meaning(exit_code, word):
    assert mutation.verdict(exit_code) == word


@pytest.mark.parametrize("exit_code", BROKEN, ids=BROKEN.values())
def test_a_process_that_broke_down_has_killed_nothing(judged, exit_code):
    """The twin: whoever counts every exit code but 0 as a kill shows a score that no test has earned."""
    judged(loss={"f_1": KILLED, "f_2": exit_code})
    assert mutation.verdict(exit_code) == f"broken: exit code {exit_code}"
    assert mutation.alive() == ["f_2"]


def test_verdicts_are_by_module_and_leave_out_modules_without_mutants(judged):
    judged(loss={"f_1": KILLED, "f_2": None}, clip={"g_1": SURVIVED}, shapes={})
    assert mutation.verdicts() == {
        "package/clip.py": {"g_1": "survived"},
        "package/loss.py": {"f_1": "killed", "f_2": "unjudged"},
    }


def test_what_no_test_noticed_is_alive_and_what_was_not_judged_is_neither(judged):
    judged(loss={"f_1": KILLED, "f_2": SURVIVED, "f_3": None, "f_4": 36, "f_5": 33}, clip={"g_1": SURVIVED})
    assert mutation.alive() == ["g_1", "f_2", "f_5"]


def test_again_takes_back_the_verdicts_on_what_is_alive_and_no_others(judged, tmp_path):
    judged(loss={"f_1": KILLED, "f_2": SURVIVED, "f_3": 36, "f_4": -9}, clip={"g_1": KILLED})
    mutation.forget_the_living()
    assert mutation.alive() == []
    assert mutation.verdicts() == {
        "package/clip.py": {"g_1": "killed"},
        "package/loss.py": {"f_1": "killed", "f_2": "unjudged", "f_3": "timeout", "f_4": "unjudged"},
    }
    kept = json.loads((tmp_path / "mutants/package/loss.py.meta").read_text(encoding="utf-8"))
    assert kept["hash_by_function_name"] == {"f": "abc"}, "what else mutmut knows of a module stays"


def test_the_score_counts_every_mutant_once(judged, capsys):
    judged(loss={"f_1": KILLED, "f_2": SURVIVED, "f_3": None, "f_4": 36}, clip={"g_1": -11, "g_2": KILLED})
    mutation.print_score()
    assert capsys.readouterr().out.splitlines() == [
        "package/clip.py: 1 of 2 killed (1 broken: exit code -11)",
        "package/loss.py: 2 of 3 killed (1 survived, 1 timeout, 1 unjudged)",
        "all: 3 of 5 killed (1 broken: exit code -11, 1 survived, 1 timeout, 1 unjudged)",
        "g_1",
        "f_2",
    ]


def test_without_any_verdict_nothing_is_claimed(judged, capsys):
    judged()
    mutation.print_score()
    assert capsys.readouterr().out == "all: 0 of 0 killed\n\n"


TESTS = ["tests/test_clip.py::a", "tests/test_loss.py::b", "tests/test_clip_torch.py::c", "tests/test_rnn.py::d"]


def test_the_tests_of_a_module_are_asked_first_and_the_others_after_them():
    own, others = mutation.own_first("numpy_impl.clip.x_clip_grad_norm__mutmut_1", TESTS)
    assert own == ["tests/test_clip.py::a", "tests/test_clip_torch.py::c"]
    assert others == ["tests/test_loss.py::b", "tests/test_rnn.py::d"]


@pytest.mark.parametrize("mutant", ["numpy_impl.sums.x_sum_rows__mutmut_1", None])
def test_where_no_test_is_its_own_all_run_in_one_round(mutant):
    assert mutation.own_first(mutant, TESTS) == [TESTS]
    assert mutation.own_first(mutant, []) == [[]], "mutmut runs the whole selection where none is named"
