"""`rnncheck demo`: the usual check passes a wrong gradient, the judge does not, and no torch is needed."""

import os
import subprocess
import sys

import pytest

from rnncheck.cli import main
from rnncheck.demo import FAULT, demo, usual_check
from rnncheck.faults import FAULTS, Fault, Faulty
from rnncheck.result import Verdict


def test_the_usual_check_is_fooled_and_the_judge_is_not(capsys):
    assert main(["demo"]) == 0
    out = capsys.readouterr().out
    assert "It passes." in out
    assert "dh is the first wrong array" in out
    assert f"rnncheck explain {FAULT}" in out
    assert FAULTS[FAULT].wrong_line in out


def test_a_fault_that_the_usual_check_sees_is_told_so(capsys):
    assert main(["demo", "--fault", "gradient-doubled"]) == 0
    assert "This one it sees." in capsys.readouterr().out


def test_right_code_passes_the_usual_check():
    fault = FAULTS[FAULT]
    right = Fault(**{**vars(fault), "implementation": Faulty})
    assert max(usual_check(right).values()) < 1e-7


@pytest.mark.parametrize("name", [n for n, f in FAULTS.items() if f.seen and "rnn" in f.kinds])
def test_every_fault_that_was_seen_is_shown_or_refused_in_a_sentence(name, capsys):
    code = main(["demo", "--fault", name])
    captured = capsys.readouterr()
    assert code == 0 or "no plain network shows it" in captured.err


def test_the_judge_sees_what_it_shows():
    assert [c.array for c in demo().found if c.verdict is Verdict.FAILED] == [
        "dh",
        "da",
        "dW_hh",
        "dW_xh",
        "db_h",
        "dh0",
    ]


@pytest.mark.parametrize(
    ("name", "complaint"), [("top-k-ignored", "none of a network's gradient"), ("no-such", "no such name")]
)
def test_a_fault_that_cannot_be_shown_is_refused(name, complaint, capsys):
    assert main(["demo", "--fault", name]) == 2
    assert complaint in capsys.readouterr().err


def test_it_needs_no_torch(tmp_path):
    (tmp_path / "torch.py").write_text("raise ImportError('there is no torch here')\n")
    import rnncheck

    folders = [str(tmp_path), os.path.dirname(os.path.dirname(rnncheck.__file__))]
    env = os.environ | {"PYTHONPATH": os.pathsep.join(folders), "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(
        [sys.executable, "-m", "rnncheck", "demo"], env=env, capture_output=True, text=True, encoding="utf-8"
    )
    assert done.returncode == 0, done.stderr
    assert "It passes." in done.stdout
