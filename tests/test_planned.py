"""A check that vanishes turns the run red: the plan is held against numbers that were written down."""

import json
from dataclasses import replace

import pytest

from rnncheck.checks import passes
from rnncheck.checks.check import Check, passed
from rnncheck.implementation import NumpyImpl
from rnncheck.options import VerifyOptions
from rnncheck.planning import sections, verification
from rnncheck.planning.count import count_checks
from rnncheck.planning.plan import Plan
from rnncheck.planning.planned import FILE, expected_checks
from rnncheck.planning.verification import plan
from rnncheck.report.sentences import closing_count, verdict
from rnncheck.vectors import VectorOracle
from rnncheck.verify import run_plan

QUICK = VerifyOptions(level="quick")


def test_the_plan_is_the_one_that_was_written_down() -> None:
    """Red after a change that was meant: look at the difference, then run `python -m rnncheck.planning.count`."""
    assert count_checks() == json.loads(FILE.read_text(encoding="utf-8"))


def test_every_run_has_every_family() -> None:
    counts = json.loads(FILE.read_text(encoding="utf-8"))
    assert set(counts["quick, with torch"]) == set(counts["default, with torch"]) == set(counts["full, with torch"])
    assert set(counts["quick, without torch"]) < set(counts["quick, with torch"])
    for name, families in counts.items():
        assert min(families.values()) > 0, name


@pytest.mark.parametrize("torch", [True, False])
def test_a_whole_plan_lacks_nothing(torch: bool) -> None:
    found = plan(QUICK, torch)
    assert found.lacking == 0
    assert found.count == len(found.checks)


def test_a_family_that_vanishes_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = len(plan(QUICK, False).checks)
    monkeypatch.delitem(passes.FAMILIES, "inputs")
    found = plan(QUICK, False)
    assert len(found.checks) < whole == found.count
    assert any(note.startswith("family inputs: ") and note.endswith("there are 0") for note in found.notes)


def test_a_section_that_vanishes_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    every = sections.sections
    monkeypatch.setattr(verification, "sections", lambda options, torch: every(options, torch)[1:])
    found = plan(QUICK, False)
    assert found.lacking == found.count - len(found.checks) > 0


def test_a_vector_that_vanishes_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    everything = sections.standard_vectors
    monkeypatch.setattr(sections, "standard_vectors", lambda options: everything(options)[1:])
    assert plan(QUICK, False).lacking >= 4  # one check for each of the four families of a pass


def test_a_run_that_lacks_a_check_is_no_success() -> None:
    check = Check("lonely[one]", "lonely", lambda bench: [passed("h", "always")])
    planned = Plan("stored vectors")
    planned.add(NumpyImpl(), VectorOracle([]), iter([check]))
    for expected, code in (({"lonely": 1}, 0), ({"lonely": 3}, 2)):
        planned.hold_against(expected)
        report = run_plan(planned, "numpy_impl", 0, "rnncheck verify", lambda outcome, done, count: None)
        assert report.exit_code == code
    assert closing_count(report) == "planned 3 != run 1 = passed 1"
    assert verdict(report) == "COULD NOT RUN: 2 of 3 planned checks did not run, so this run proves nothing"


def test_a_choice_of_checks_is_held_against_nothing() -> None:
    assert expected_checks(QUICK, True)
    assert expected_checks(replace(QUICK, seed=4), True) == expected_checks(QUICK, True)
    for choice in (VerifyOptions(dtype="float32"), VerifyOptions(lengths=(3,)), VerifyOptions(recipe="names")):
        assert expected_checks(choice, True) == {}
    chosen = plan(replace(QUICK, select="clipping"), False)
    assert chosen.count == len(chosen.checks) > 0


def test_the_progress_counts_what_should_have_been_planned() -> None:
    planned = Plan("stored vectors")
    planned.add(NumpyImpl(), VectorOracle([]), iter([Check("a[b]", "a", lambda bench: [passed("h", "always")])]))
    planned.hold_against({"a": 2})
    seen: list[tuple[int, int]] = []
    report = run_plan(planned, "numpy_impl", 0, "", lambda outcome, done, count: seen.append((done, count)))
    assert seen == [(1, report.planned)] == [(1, 2)]
