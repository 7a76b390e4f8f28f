"""Exercises: what is planted is the fault of that name, and grading tells the right program from a planted one."""

import re
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from rnncheck.cli import main
from rnncheck.errors import UserError
from rnncheck.faults import FAULTS
from rnncheck.lab import template
from rnncheck.lab.grade import LEVELS, Runner, grade
from rnncheck.lab.hint import hint
from rnncheck.lab.plants import PLANTS
from rnncheck.lab.write import LEFT_OUT, blank, drawn, exercise
from rnncheck.lesson import is_plain, vectors
from rnncheck.report.likely_cause import likely_cause

ROUNDING = 1e-12
"""Two programs of the same mistake differ by the order of their sums only, on cases of a few steps."""

CASES = [v for v in vectors() if is_plain(v.case) and v.case.dtype == np.float64 and len(v.case.x) <= 10]


def module_of(text: str) -> ModuleType:
    module = ModuleType("exercise")
    exec(compile(text, "exercise.py", "exec"), module.__dict__)
    return module


def told_by(file: Path) -> str:
    return "\n".join(likely_cause(hint(file)))


def differs(one: np.ndarray, other: np.ndarray) -> bool:
    return one.shape != other.shape or bool(np.abs(one - other).max() > ROUNDING * max(1, np.abs(other).max()))


@pytest.mark.parametrize("name", PLANTS)
def test_what_is_planted_computes_what_the_catalogue_says(name):
    run, fault = Runner(module_of(exercise(name))), FAULTS[name].build()
    right, seen = Runner(template), False
    for vector in CASES:
        with np.errstate(all="ignore"):
            mine, expected = run(vector.case.copy()), fault.run(vector.case.copy())
        assert not run.crashes
        wrong = [array for array in expected if differs(mine[array], expected[array])]
        assert not wrong, f"{vector.case.name}: {wrong}"
        seen = seen or any(differs(a, right(vector.case.copy())[n]) for n, a in mine.items())
    assert seen, "these cases do not show the fault at all: the comparison above proves nothing"


def test_the_template_is_right_at_every_level(tmp_path):
    file = tmp_path / "right.py"
    file.write_text(exercise_free_of_faults(), encoding="utf-8")
    graded = grade(file)
    assert [one.passed for one in graded] == [True] * len(LEVELS)
    assert "of the allowance" in graded[-1].words


def exercise_free_of_faults() -> str:
    name = "carry-not-transposed"
    (right, wrong), *_ = PLANTS[name]
    return exercise(name).replace(wrong, right)


def test_a_planted_fault_is_graded_down_and_its_place_named(tmp_path, capsys):
    file = tmp_path / "exercise.py"
    assert main(["lab", "recurrent-gradient-assigned", "--output", str(file)]) == 0
    assert main(["lab", "--grade", str(file)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert "✓ level 5" in lines[5]
    assert re.match(r"✗ level 6 .* T=2-B=1-float64: dW_hh\[", lines[6])
    assert lines[-2:] == [
        "passed up to level 5 of 7",
        f"next: mend what the first ✗ names; a hint: rnncheck lab --grade {file} --hint",
    ]


@pytest.mark.parametrize("name", PLANTS)
def test_a_hint_names_every_fault_that_can_be_planted(name, tmp_path):
    """`rnncheck check`, to which the exercises pointed, took ten of them for conventions, or could not ask them."""
    file = tmp_path / "exercise.py"
    file.write_text(exercise(name), encoding="utf-8")
    assert name in told_by(file)


def test_a_hint_is_printed_on_demand_and_needs_a_file(tmp_path, capsys):
    file = tmp_path / "exercise.py"
    file.write_text(exercise("mean-for-sum"), encoding="utf-8")
    assert main(["lab", "--grade", str(file), "--hint"]) == 1
    printed = capsys.readouterr().out
    assert "likely cause" in printed
    assert "next:" not in printed
    assert main(["lab", "--hint"]) == 2


def test_an_overflow_is_hinted_at(tmp_path):
    file = tmp_path / "overflows.py"
    right, overflows = "e = np.exp(self.logits - self.logits.max(axis=-1, keepdims=True))", "e = np.exp(self.logits)"
    text = exercise_free_of_faults()
    assert right in text
    file.write_text(text.replace(right, overflows), encoding="utf-8")
    assert "dlogits is not finite where logits are in the hundreds" in told_by(file)


def test_what_is_still_to_be_written_has_a_next_line(tmp_path, capsys):
    file = tmp_path / "blank.py"
    file.write_text(blank(), encoding="utf-8")
    assert main(["lab", "--grade", str(file)]) == 1
    assert capsys.readouterr().out.endswith("passed up to level 2 of 7\nnext: the first ✗ says what\n")


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ("len(y)[0]", "the call ends in TypeError"),
        ("dlogits if len(y) < 200 else -dlogits", "the short cases that are asked for it do not show it"),
    ],
    ids=["crash", "long"],
)
def test_a_hint_never_says_that_nothing_is_wrong(wrong, words, tmp_path):
    file = tmp_path / "exercise.py"
    text = exercise_free_of_faults()
    assert '"dlogits": dlogits,' in text
    file.write_text(text.replace('"dlogits": dlogits,', f'"dlogits": {wrong},'), encoding="utf-8")
    assert words in told_by(file)


def test_the_exercise_does_not_name_its_fault():
    for name in PLANTS:
        assert name not in exercise(name)
        assert FAULTS[name].title not in exercise(name)


def test_the_stub_runs_and_sees_nothing_as_it_stands(capsys):
    module = module_of(exercise("carry-not-transposed"))
    module.check(T=1, B=1)
    differences = [float(line.rsplit(" ", 1)[1]) for line in capsys.readouterr().out.splitlines()]
    assert len(differences) == 2
    assert max(differences) < 1e-8


def test_the_stub_can_be_made_to_see():
    module = module_of(exercise("carry-not-transposed"))
    rng = np.random.default_rng(1)
    model, x, y = module.MyRNN(5, 4, 6), rng.integers(0, 5, (3, 2)), rng.integers(0, 6, (3, 2))
    model.forward(x)
    gradient = model.backward(y)["dW_xh"]
    assert np.abs(gradient - module.numerical_gradient(model, "W_xh", x, y, None)).max() > 1e-3


def test_a_blank_exercise_has_its_forward_pass_and_nothing_else(tmp_path):
    file = tmp_path / "blank.py"
    file.write_text(blank(), encoding="utf-8")
    graded = grade(file)
    assert [one.passed for one in graded] == [True, True] + [False] * 5
    assert graded[2].words == "to do: dlogits"


def test_a_blank_exercise_is_finished_by_the_right_code(tmp_path):
    text = exercise_free_of_faults()
    right = text[text.index("    def loss_backward") : text.index("\n\ndef numerical_gradient")]
    file = tmp_path / "mine.py"
    file.write_text(blank().replace(LEFT_OUT, right), encoding="utf-8")
    assert all(one.passed for one in grade(file))


def test_a_crash_costs_its_own_levels_and_names_the_line(tmp_path):
    file = tmp_path / "crash.py"
    text = exercise_free_of_faults().replace("dW_hh += da[t].T @ h[t]", "dW_hh += da[t] @ h[t]")
    file.write_text(text, encoding="utf-8")
    line = next(n for n, words in enumerate(text.splitlines(), start=1) if "da[t] @ h[t]" in words)
    graded = grade(file)
    assert [one.passed for one in graded[:3]] == [True, True, False]
    assert graded[3].words.startswith(f"line {line}: ValueError")


def test_what_overflows_is_a_level_that_fails_and_no_warning(tmp_path, recwarn):
    """Warnings of NumPy came between the lines of the levels."""
    file = tmp_path / "overflows.py"
    right = exercise_free_of_faults()
    text = right.replace("return p - onehot", "return np.exp(1e6 * (1 + p)) - np.exp(1e6 * onehot)")
    assert text != right
    file.write_text(text, encoding="utf-8")
    assert [one.passed for one in grade(file)][:3] == [True, True, False]
    assert not list(recwarn)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("x = (", "cannot be imported: line 1: SyntaxError"),
        ("x = 1", "has no class MyRNN"),
        ("1 / 0", "cannot be imported: line 1: ZeroDivisionError"),
    ],
)
def test_a_file_that_cannot_be_graded_is_refused_in_a_sentence(tmp_path, text, complaint):
    file = tmp_path / "bad.py"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=re.escape(complaint)):
        grade(file)


def test_what_is_no_exercise_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("to do")
    for name, complaint in (("nothing.py", "does not exist"), (".", "is a folder"), ("notes.txt", "is no Python file")):
        with pytest.raises(UserError, match=f"{complaint}; (write|name)"):
            grade(tmp_path / name)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "nothing to write"),
        (["--blank", "--seed", "3"], "--blank and --seed exclude each other"),
        (["top-k-ignored"], "does not fit into the exercise"),
        (["carry-not-transposedd"], "did you mean carry-not-transposed"),
        (
            ["--blank", "--output", "nowhere/a.py"],
            "cannot write nowhere/a.py: there is no folder nowhere; create it first",
        ),
        (["--blank", "--output", "."], "cannot write .: it is a folder; name a file in it"),
    ],
)
def test_bad_arguments_are_refused_in_a_sentence(arguments, complaint, capsys):
    assert main(["lab", *arguments]) == 2
    assert complaint in capsys.readouterr().err


def test_nothing_is_overwritten(tmp_path, capsys):
    file = tmp_path / "exercise.py"
    file.write_text("half solved", encoding="utf-8")
    assert main(["lab", "--blank", "--output", str(file)]) == 2
    assert "exists already" in capsys.readouterr().err
    assert file.read_text(encoding="utf-8") == "half solved"


def test_a_seed_draws_different_faults_and_always_the_same():
    assert drawn(7) == drawn(7)
    assert len({drawn(seed) for seed in range(50)}) > 20


def test_the_list_names_what_can_be_planted(capsys):
    assert main(["lab", "--list"]) == 0
    assert capsys.readouterr().out.split() == list(PLANTS)
