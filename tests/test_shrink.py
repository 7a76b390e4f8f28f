"""A failure shrinks to the smallest case that shows it, and the script that is written shows it again."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from rnncheck.cases.make import Design, make_rnn_case
from rnncheck.cases.shrink import right_trace, shrink
from rnncheck.cli import main
from rnncheck.report.repro import RUN_IT, is_script, script
from rnncheck.textbook import Textbook

CASE = make_rnn_case(Design(T=9, B=3, H=7, V=5), seed=1)


class FromStep(Textbook):
    """dW_hh lacks what the third step and later ones contribute, in a batch of two or more."""

    name = "from step"

    def run(self, case):
        trace = dict(super().run(case))
        if len(case.x) >= 3 and case.x.shape[1] >= 2:
            trace["dW_hh"] = trace["dW_hh"] * 2
        return trace


def test_what_does_not_matter_goes():
    small = shrink(FromStep(), CASE, "dW_hh")
    assert small.sizes == {"T": 3, "B": 2, "I": 2, "H": 1, "V": 2}
    assert small.x.max() < 2
    assert small.y.max() < 2


def test_a_failure_that_needs_the_whole_case_keeps_it():
    class Whole(FromStep):
        def run(self, case):
            trace = dict(Textbook().run(case))
            if (case.sizes["T"], case.sizes["B"], case.sizes["H"], case.sizes["V"]) == (9, 3, 7, 5):
                trace["dW_hh"] = trace["dW_hh"] * 2
            return trace

    assert shrink(Whole(), CASE, "dW_hh").sizes == CASE.sizes


def test_another_failure_is_not_followed():
    class Two(FromStep):
        def run(self, case):
            trace = dict(super().run(case))
            if len(case.x) < 5:
                trace["h"] = trace["h"] + 1
            return trace

    assert shrink(Two(), CASE, "dW_hh").sizes["T"] == 5


@pytest.mark.parametrize("told", [True, False])
def test_the_script_runs_and_shows_the_failure(told, tmp_path):
    case = shrink(FromStep(), CASE, "dW_hh")
    right = np.asarray(right_trace(case)["dW_hh"])
    text = script("numpy_impl", case, "dW_hh", right if told else None)
    (tmp_path / "repro.py").write_text(text)
    env = {"PYTHONPATH": str(Path(__file__).parents[1])}
    run = subprocess.run([sys.executable, "repro.py"], cwd=tmp_path, env=env, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert "dW_hh found:" in run.stdout  # numpy_impl is right, so what it gives is what is right
    assert ("dW_hh right:" in run.stdout) == told
    assert (repr(float(right[0, 0])) in text) == told


def test_what_is_left_is_still_seen_at_once():
    class Slight(FromStep):
        """Wrong by a factor that grows with H."""

        def run(self, case):
            trace = dict(Textbook().run(case))
            trace["dW_hh"] = trace["dW_hh"] * (1 + 0.005 * case.sizes["H"] ** 2)
            return trace

    assert shrink(Slight(), CASE, "dW_hh").sizes["H"] == 2


@pytest.mark.parametrize("name", ["", ":CharModel"])
def test_the_script_finds_the_target_from_any_folder(name, tmp_path, monkeypatch):
    """It was: `my_rnn.py does not exist`, with a traceback, wherever but in the folder in which it was made."""
    monkeypatch.chdir(tmp_path)
    for folder in ("code", "found"):
        (tmp_path / folder).mkdir()
    text = (Path(__file__).parent / "targets" / "column_class_tanh_twice.py").read_text(encoding="utf-8")
    (tmp_path / "code" / "net.py").write_text(text, encoding="utf-8")
    again = ["check", f"code/net.py{name}", "-k", "T=3", "--repro", "found/repro.py"]
    assert [main(again), main(again)] == [1, 1]  # a script of ours may be replaced
    env = {"PYTHONPATH": str(Path(__file__).parents[1])}
    command = [sys.executable, str(tmp_path / "found" / "repro.py")]
    run = subprocess.run(command, cwd="/", env=env, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert "difference:" in run.stdout


def test_only_the_beginning_of_a_regular_file_tells_a_script(tmp_path):
    """A pipe would wait for its writer, and /dev/full be read until no memory is left."""
    file = tmp_path / "repro.py"
    for text, expected in ((f'"""{RUN_IT} fails."""', True), ("x = 1", False), (" " * 2000 + RUN_IT, False)):
        file.write_text(text, "utf-8")
        assert is_script(file) is expected
    assert not is_script(tmp_path)
