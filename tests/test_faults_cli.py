"""`rnncheck faults` and `rnncheck explain`, as a terminal shows them and as a program reads them."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from rnncheck.cli.faults import explain, faults
from rnncheck.errors import UserError
from rnncheck.faults import FAULTS

app = typer.Typer()
app.command()(faults)
app.command()(explain)


def shown(*arguments: str) -> str:
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_the_list_names_every_fault() -> None:
    words = shown("faults").replace("│", " ").split()
    assert set(FAULTS) <= set(words)


def test_a_family_can_be_listed_alone() -> None:
    facts = json.loads(shown("faults", "--family", "bptt", "--json", "-"))
    names = [fault["name"] for fault in facts["faults"]]
    assert names == [name for name, fault in FAULTS.items() if fault.family == "bptt"]


def test_an_unknown_family_is_refused_in_one_sentence() -> None:
    with pytest.raises(UserError, match="family 'lstm': there is none of that name; choose one of forward, inputs,"):
        shown("faults", "--family", "lstm")


def test_an_explanation_has_both_lines_the_arrays_the_cure_and_the_code() -> None:
    text = shown("explain", "recurrent-gradient-transposed")
    fault = FAULTS["recurrent-gradient-transposed"]
    for words in (fault.title, fault.wrong_line, fault.right_line, fault.symptom, fault.effect, fault.cure):
        assert words in text
    assert "corrupts    dW_hh" in text
    assert 'self.grads["dW_hh"] += self.previous_state(t).T @ da' in text


def test_consequences_come_in_dataflow_order() -> None:
    assert "and then    da, dW_hh, dW_xh, db_h, dx" in shown("explain", "carry-not-transposed")


def test_what_two_truncations_share_is_shown_as_well() -> None:
    assert 'self.bptt, self.k = "windowed", self.limit' in shown("explain", "truncated-after-25-steps")


def test_every_fault_can_be_explained(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "fault.json"
    for name in FAULTS:
        explain(name, json=file)
        assert capsys.readouterr().out.startswith(f"{name}: ")
        facts = json.loads(file.read_text(encoding="utf-8"))
        assert facts["schema_version"] == 1
        assert facts["name"] == name
        assert facts["source"].startswith("class ")


def test_a_typo_gets_the_nearest_names() -> None:
    with pytest.raises(UserError, match="did you mean carry-not-transposed"):
        shown("explain", "cary-not-transposd")


def test_a_program_is_never_overwritten(tmp_path: Path) -> None:
    program = tmp_path / "mine.py"
    program.write_text("x = 1", encoding="utf-8")
    with pytest.raises(UserError, match=r"mine\.py: a program is there, and would be overwritten"):
        shown("explain", "carry-not-transposed", "--json", str(program))
    assert program.read_text(encoding="utf-8") == "x = 1"
