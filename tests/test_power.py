"""The standard cases hide no fault of the catalogue, and whoever chooses sizes is told what they hide."""

import json
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from rnncheck.case import OptimCase, RNNCase
from rnncheck.cases.make import Design, make_rnn_case
from rnncheck.cases.standard import DTYPES
from rnncheck.checks.check import Bench, Check, Source, passed, run_check
from rnncheck.checks.exposes import exposure_checks
from rnncheck.checks.passes import pass_checks
from rnncheck.checks.relation import OwnScales
from rnncheck.checks.standard import cover, standard_checks
from rnncheck.cli import main
from rnncheck.errors import UserError
from rnncheck.faults import FAULTS
from rnncheck.implementation import NumpyImpl
from rnncheck.options import VerifyOptions
from rnncheck.planning.sections import fresh_sources
from rnncheck.power.blind import blind_spots, unexposed, words
from rnncheck.power.matrix import CLEARLY, Trial, equivalent, exposed, kill_matrix, steps_of, trials
from rnncheck.power.measure import LONGEST, blind_note, fresh_trials, measure_power, standard_trials
from rnncheck.result import Verdict
from rnncheck.shipped import shipped
from rnncheck.textbook import Textbook
from rnncheck.vectors import Vector, VectorOracle, read_vectors

IN_ONE_DTYPE_ONLY = {
    "states-in-single-precision": "float64",
    "loss-in-single-precision": "float64",
    "gradients-in-double-precision": "float32",
    "gradients-in-single-precision": "float64",
}
"""The silent casts: a cast to the dtype that an array has already is none."""

CANNOT_SHOW_AT_ONE_STEP = {"recurrent-gradient-dropped", "truncated-after-5-steps", "recurrent-gradient-assigned"}


@cache
def vectors() -> tuple[Vector, ...]:
    return tuple(read_vectors(shipped("vectors/v1")))


def outcomes(found: list[Vector], dtypes: tuple[str, ...] = DTYPES) -> dict[str, Verdict]:
    bench = Bench(NumpyImpl(), VectorOracle(found))
    return {check.name: run_check(check, bench).verdict for check in exposure_checks(found, dtypes)}


# --- the standard cases hide nothing


def test_every_fault_is_exposed_in_both_dtypes() -> None:
    found = outcomes(list(vectors()))
    assert set(found) == {
        f"vector-exposes[{name}-{dtype}]"
        for name in FAULTS
        for dtype in DTYPES
        if IN_ONE_DTYPE_ONLY.get(name, dtype) == dtype
    }
    assert [name for name, verdict in found.items() if verdict is not Verdict.PASSED] == []


@pytest.mark.parametrize(
    ("without", "hidden"),
    [
        ("sample-stop-", {"stop-ignored", "stop-ends-all-streams", "stop-token-swallowed"}),
        ("V=2-logit_scale=900", {"one-maximum-for-all-sequences"}),
        ("input_scale=0.05", {"truncated-after-100-steps"}),
        ("ignored=0.4-mean", {"ignored-targets-count-in-the-mean"}),
    ],
)
def test_a_set_without_one_case_is_rejected(without: str, hidden: set[str]) -> None:
    """The twin. A case may be all that exposes a fault; then the set is worth less without it."""
    kept = [v for v in vectors() if without not in v.case.name or v.case.dtype != np.float64]
    assert len(kept) == len(vectors()) - 1
    passing = {name for name, verdict in outcomes(kept, ("float64",)).items() if verdict is Verdict.FAILED}
    assert passing == {f"vector-exposes[{name}-float64]" for name in hidden}


def test_a_manifest_that_claims_too_much_is_rejected() -> None:
    claims = [replace(v, exposes=("carry-not-transposed",)) for v in vectors() if v.case.kind == "clip"]
    bench = Bench(NumpyImpl(), VectorOracle(claims))
    check = next(c for c in exposure_checks(claims, ["float64"]) if "carry-not-transposed" in c.name)
    outcome = run_check(check, bench)
    assert outcome.verdict is Verdict.FAILED
    assert outcome.earliest is not None
    assert f"is said to show in {claims[0].case.name}" in outcome.earliest.reason


def test_few_vectors_cover_all_that_all_of_them_expose() -> None:
    few = cover(list(vectors()), times=1)
    assert len(few) < len(vectors()) / 4
    assert len(few) < len(cover(list(vectors()), times=2)) < len(vectors()) / 2
    for dtype in DTYPES:
        every, kept = ({f for v in some if v.case.dtype == dtype for f in v.exposes} for some in (vectors(), few))
        assert kept == every
    assert {v.case.kind for v in few} == {"rnn", "clip", "optim", "sample"}


def test_a_cover_notices_what_only_one_vector_exposes() -> None:
    one, two, three = (replace(v, exposes=e) for v, e in zip(vectors(), [("a", "b"), ("b",), ("c",)], strict=False))
    assert cover([one, two, three], times=1) == [one, three]
    assert cover([one, two, three], times=2) == [one, two, three]
    assert cover([two]) == [two]
    assert cover([]) == []


# --- the kill matrix

SMALL = make_rnn_case(Design(3, 2, H=5, V=4), seed=1)


def small_trials() -> list[Trial]:
    return trials([SMALL], standard_checks([SMALL]))


def test_the_matrix_says_who_notices_what() -> None:
    kills = {kill.name: kill for kill in kill_matrix(small_trials(), OwnScales(Textbook()))}
    assert list(kills) == list(FAULTS)
    wrong = kills["carry-not-transposed"]
    assert wrong.caught
    assert wrong.margin > CLEARLY
    assert set(wrong.checks) == {"nodes", "gradients", "inputs"}
    assert set(kills["output-bias-gradient-missing"].checks) == {"gradients"}
    assert set(kills["recurrence-dropped"].checks) == {"forward", "nodes", "gradients", "inputs"}
    for hidden in ("truncated-after-5-steps", "window-one-step-too-short", "clip-per-tensor", "stop-ignored"):
        assert not kills[hidden].caught
        assert kills[hidden].margin == 0


def test_a_fault_may_be_none_in_one_dtype() -> None:
    for name, fault in FAULTS.items():
        assert [d for d in DTYPES if not equivalent(fault, d)] == [
            d for d in DTYPES if IN_ONE_DTYPE_ONLY.get(name, d) == d
        ]


def test_no_power_is_claimed_for_a_check_that_fails_what_is_right() -> None:
    class Wrong:
        name = "wrong"

        def answer(self, case):
            answer = OwnScales(Textbook()).answer(case)
            return answer._replace(trace={**answer.trace, "dh0": answer.trace["dh0"] * 1.01})

    with pytest.raises(UserError, match=r"inputs\[.*\] fails even the textbook without a fault \(dh0"):
        kill_matrix(small_trials(), Wrong())


def test_a_check_that_cannot_fail_has_no_power() -> None:
    idle = Check(f"idle[{SMALL.name}]", "idle", lambda bench: [passed("h", "always")])
    kills = kill_matrix([Trial(SMALL, (idle,))], OwnScales(Textbook()))
    assert not any(kill.caught for kill in kills)


def test_what_an_earlier_case_left_behind_counts_only_if_one_program_runs_all() -> None:
    again = replace(SMALL, name="again")
    twice = [Trial(case, tuple(pass_checks([Source.of(case)]))) for case in (SMALL, again)]
    for afresh in (True, False):
        kills = {kill.name: kill for kill in kill_matrix(twice, OwnScales(Textbook()), afresh=afresh)}
        assert kills["gradients-add-up-over-calls"].caught is not afresh


def test_exposed_faults_are_clear() -> None:
    trial = small_trials()[0]
    kills = kill_matrix([trial], OwnScales(Textbook()))
    assert exposed(trial, OwnScales(Textbook())) == [kill.name for kill in kills if kill.margin >= CLEARLY]


# --- what chosen sizes hide


def options(**given: object) -> VerifyOptions:
    return VerifyOptions(**given)  # type: ignore[arg-type]


def hidden_by(chosen: VerifyOptions, budget: float = np.inf) -> tuple[set[str], set[str]]:
    blind = blind_spots(fresh_trials(fresh_sources(chosen)), OwnScales(Textbook()), budget)
    return {f.name for f in blind.unseen}, {f.name for f in blind.undecided}


def test_one_step_hides_all_that_takes_two() -> None:
    unseen, undecided = hidden_by(options(lengths=(1,), batch=(1,)))
    late = {name for name, fault in FAULTS.items() if fault.shows_from > 1}
    others = {name for name, fault in FAULTS.items() if "rnn" not in fault.kinds}
    assert late >= CANNOT_SHOW_AT_ONE_STEP
    assert late | others <= unseen
    assert not undecided
    assert not {"one-hot-not-subtracted", "carry-not-transposed", "derivative-missing"} & unseen


def test_more_steps_hide_less() -> None:
    short, long = (hidden_by(options(lengths=(T,), batch=(3,), cases=8))[0] for T in (1, 9))
    assert long < short
    assert short - long >= CANNOT_SHOW_AT_ONE_STEP


def test_one_hidden_unit_hides_every_transpose() -> None:
    unseen, _ = hidden_by(options(hidden=1, lengths=(4,)))
    assert {"carry-not-transposed", "recurrent-matrix-transposed", "recurrent-gradient-transposed"} <= unseen


def test_what_there_was_no_time_for_is_undecided_and_nothing_else_is() -> None:
    unseen, undecided = hidden_by(options(lengths=(2,)), budget=500)
    assert unseen == {name for name, fault in FAULTS.items() if "rnn" not in fault.kinds}
    assert undecided


def test_one_line_says_what_a_run_could_not_have_seen() -> None:
    line = blind_note(options(lengths=(1,), batch=(1,), seed=3))
    assert "\n" not in line
    assert f"of {len(FAULTS)} catalogued faults could not have been seen by this run" in line
    assert line.endswith("`rnncheck power --lengths 1 --batch 1 --seed 3` tells them all")


def test_the_standard_run_has_nothing_to_confess() -> None:
    assert blind_note(options()) == ""
    assert blind_note(options(level="quick")) == ""
    assert "1 of " in blind_note(options(dtype="float64"))
    assert "gradients-in-double-precision" in blind_note(options(dtype="float64"))


def test_vectors_of_one_kind_confess_the_others() -> None:
    clips = [v for v in vectors() if v.case.kind == "clip"]
    names = {fault.name for fault in unexposed(clips).unseen}
    assert names == {name for name, fault in FAULTS.items() if fault.kinds != ("clip",)}
    assert words(unexposed(vectors()), "") == ""


@pytest.mark.parametrize("kind", ["rnn", "clip", "optim", "sample"])
def test_steps_are_counted_in_every_kind_of_case(kind: str) -> None:
    case = next(v.case for v in vectors() if v.case.kind == kind)
    expected = {"rnn": 1, "clip": 1, "optim": 6, "sample": 20}
    assert steps_of(case) == expected[kind]
    if isinstance(case, OptimCase):
        assert steps_of(replace(case, grads={n: g[:2] for n, g in case.grads.items()})) == 2


def test_verify_says_what_its_sizes_hide() -> None:
    pytest.importorskip("torch")
    from rnncheck.verify import verify

    notes = verify(options(lengths=(1,), batch=(1,), cases=2)).notes
    command = "`rnncheck power --cases 2 --lengths 1 --batch 1 --seed 0`"
    assert any("could not have been seen by this run" in note and command in note for note in notes)


# --- the command


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the standard cases be two small ones."""
    some = [v.case for v in vectors() if v.case.name in ("T=3-B=2-float64", "T=3-B=2-float32")]
    two = trials(some, standard_checks(some)), VectorOracle(vectors())
    monkeypatch.setattr("rnncheck.power.measure.standard_trials", lambda options: two)


@pytest.mark.usefixtures("few")
def test_the_command_prints_the_matrix_and_fails_where_a_fault_passes(
    capsys: pytest.CaptureFixture[str], tmp_path
) -> None:
    assert main(["power", "--json", str(tmp_path / "power.json")]) == 1
    printed = capsys.readouterr().out
    document = json.loads((tmp_path / "power.json").read_text(encoding="utf-8"))
    rows = {row["name"]: row for row in document["faults"]}
    assert list(rows) == list(FAULTS)
    assert rows["carry-not-transposed"]["caught"]
    assert rows["carry-not-transposed"]["margin"] > CLEARLY
    assert rows["carry-not-transposed"]["checks"] == ["nodes", "gradients", "inputs"]
    assert not rows["stop-ignored"]["caught"]
    assert not rows["gradients-in-double-precision"]["equivalent"]
    assert rows["gradients-in-double-precision"]["by_dtype"]["float64"]["equivalent"]
    assert rows["gradients-in-double-precision"]["margin"] == "Infinity"
    assert document["cases"] == 2
    assert "gradients alone notices" in printed
    assert "MISSED" in printed
    for dtype in DTYPES:
        caught = sum(row["by_dtype"][dtype]["caught"] for row in rows.values())
        assert f"{dtype}: {caught} of " in printed


@pytest.mark.usefixtures("few")
def test_nothing_missed_is_success(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    seen = {name: fault for name, fault in FAULTS.items() if name in ("carry-not-transposed", "mean-for-sum")}
    monkeypatch.setattr("rnncheck.power.matrix.FAULTS", seen)
    assert main(["power"]) == 0
    assert "float64: 2 of 2 faults caught; the least clear by" in capsys.readouterr().out


def test_chosen_sizes_are_no_failure_and_every_blind_spot_has_its_reason(
    capsys: pytest.CaptureFixture[str], tmp_path
) -> None:
    path = tmp_path / "power.json"
    assert main(["power", "--lengths", "1", "--batch", "1", "--cases", "2", "--json", str(path)]) == 0
    printed = capsys.readouterr().out
    rows = {row["name"]: row for row in json.loads(path.read_text(encoding="utf-8"))["faults"]}
    unseen = [name for name, row in rows.items() if not row["caught"]]
    assert f"{len(unseen)} of {len(FAULTS)} faults could not have been seen in these 2 cases" in printed
    for name, why in {
        "recurrent-gradient-dropped": "shows from T = 2",
        "first-state-overwritten": "shows in what a call leaves behind",
        "softmax-without-maximum": "hidden when all logits are moderate",
    }.items():
        assert any(name in line and why in line for line in printed.splitlines()), name
    assert "one-hot-not-subtracted" not in unseen
    others = sum("rnn" not in fault.kinds for fault in FAULTS.values())
    assert f"{others} of them need cases of clipping, optimiser steps or drawing tokens" in printed


def test_json_alone_on_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["power", "--lengths", "1", "--batch", "1", "--cases", "1", "--json", "-"]) == 0
    settings = json.loads(capsys.readouterr().out)["settings"]
    assert settings["lengths"] == [1]


def test_dtype_chooses_among_the_standard_cases(monkeypatch: pytest.MonkeyPatch) -> None:
    one = {"carry-not-transposed": FAULTS["carry-not-transposed"]}
    monkeypatch.setattr("rnncheck.power.matrix.FAULTS", one)
    found = measure_power(options(dtype="float32"))
    assert found.dtypes == ("float32",)
    assert found.missed == []
    tried, _ = standard_trials(options())
    assert {str(trial.case.dtype) for trial in tried} == set(DTYPES)
    assert found.cases == sum(trial.case.dtype == np.float32 for trial in tried)
    assert max(len(trial.case.x) for trial in tried if isinstance(trial.case, RNNCase)) == LONGEST
    asked = {check.name.partition("[")[0] for trial in tried for check in trial.checks}
    assert {"forward", "clipping", "state-no-alias", "metamorphic-causality", "frequencies"} <= asked
