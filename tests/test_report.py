"""The renderers: what they say, that programs can read it, and that none of them can turn red into green."""

import io
import json
import math
import os
import stat
from contextlib import redirect_stdout
from dataclasses import replace
from importlib import resources
from pathlib import Path
from xml.etree import ElementTree as ET

import jsonschema
import numpy as np
import pytest

from rnncheck.diagnosis.finding import Cause, Diagnosis
from rnncheck.errors import UserError
from rnncheck.report import json as json_report
from rnncheck.report import junit, sentences, terminal
from rnncheck.report.files import check_target, write_text
from rnncheck.report.progress import LINES, Progress
from rnncheck.result import Comparison, Outcome, Report, Verdict
from rnncheck.sandbox.protections import NOT, as_notes

ESCAPE = "\x1b"


def comparison(array: str, error: float, step: int | None = None) -> Comparison:
    """Compare under a limit of 16, judged as the judge does."""
    verdict = Verdict.PASSED if error <= 16.0 else Verdict.FAILED
    return Comparison(array, verdict, error, 16.0, "peak", step, (1, 3), 0.25, 0.5)


def outcome(check: str, *comparisons: Comparison, verdict: Verdict | None = None, flow: str = "") -> Outcome:
    judged = Verdict.FAILED if any(c.verdict is Verdict.FAILED for c in comparisons) else Verdict.PASSED
    family = check.partition("[")[0]
    reproduce = f"rnncheck verify --seed 7 -k '{check}'"
    return Outcome(check, family, verdict or judged, comparisons, "", reproduce, 0.25, len(comparisons), flow)


def report(*outcomes: Outcome, planned: int | None = None) -> Report:
    return Report("numpy_impl", "torch", len(outcomes) if planned is None else planned, 7, list(outcomes))


GREEN = report(
    outcome("forward[T=50-B=2]", comparison("h", 1.25, 49), comparison("logits", 0.5, 3)),
    outcome("gradients[T=50-B=2]", comparison("dW_hh", 2.0)),
    outcome("state-no-alias[T=7-B=2]", comparison("h", 0.0)),
)
RED = report(
    outcome("forward[T=50-B=2]", comparison("h", 1.25, 49), flow="T=50"),
    outcome("nodes[T=50-B=2]", comparison("dh", 1.0, 9), comparison("da", 47_000.0, 49), flow="T=50"),
    outcome("gradients[T=50-B=2]", comparison("dW_hh", 900.0), comparison("dW_xh", math.inf), flow="T=50"),
    outcome("clipping[norm]", comparison("total_norm", math.nan)),
)
SKIPPED = report(
    *(outcome(f"forward[T={T}]", comparison("h", 1.0)) for T in range(1, 40)),
    outcome("forward[T=900]", verdict=Verdict.NOT_COMPARABLE),
    outcome("sampling[greedy]", verdict=Verdict.NOT_SHOWN),
)
UNFINISHED = report(outcome("forward[T=1]", comparison("h", 1.0)), planned=47)
EMPTY = report(planned=0)
CHAOTIC = report(*(outcome(f"forward[T={T}]", verdict=Verdict.NOT_COMPARABLE) for T in range(3)))
REPORTS = {
    "green": (GREEN, 0),
    "red": (RED, 1),
    "skipped": (SKIPPED, 0),
    "unfinished": (UNFINISHED, 2),
    "empty": (EMPTY, 2),
    "chaotic": (CHAOTIC, 3),
}
each_report = pytest.mark.parametrize(("found", "code"), REPORTS.values(), ids=REPORTS.keys())


def shown(found: Report) -> str:
    with redirect_stdout(io.StringIO()) as out:
        terminal.show(found, terminal.console())
    return out.getvalue()


# --- the verdict -----------------------------------------------------------------------------------------------------


@each_report
def test_exit_code(found: Report, code: int) -> None:
    assert found.exit_code == code


@pytest.mark.parametrize("missing", [1, 2, 46])
def test_an_incomplete_plan_never_agrees(missing: int) -> None:
    outcomes = [outcome(f"forward[T={T}]", comparison("h", 1.0)) for T in range(1, 48 - missing)]
    found = report(*outcomes, planned=47)
    assert found.exit_code == 2
    assert sentences.closing_count(found) == f"planned 47 != run {47 - missing} = passed {47 - missing}"
    assert f"{missing} of 47 planned checks did not run" in sentences.verdict(found)


def test_a_check_that_ran_twice_does_not_stand_in_for_one_that_did_not_run() -> None:
    twice = outcome("forward[T=1]", comparison("h", 1.0))
    found = report(twice, twice)
    assert found.exit_code == 2
    assert "forward[T=1] ran 2 times" in sentences.verdict(found)


def test_zero_checks_is_a_failure() -> None:
    assert EMPTY.exit_code == 2
    assert "no check was planned" in shown(EMPTY)
    assert "AGREE" not in shown(EMPTY)


def test_a_failure_in_an_unfinished_run_is_still_a_failure() -> None:
    found = report(RED.outcomes[1], planned=9)
    assert found.exit_code == 1
    assert sentences.verdict(found) == "DIFFER: 1 of 1 checks failed, and 8 of 9 planned checks did not run"


@pytest.mark.parametrize(
    ("error", "limit", "margin"),
    [(0.0, 0.0, 0.0), (1e-300, 0.0, math.inf), (math.nan, 16.0, math.inf), (8.0, 16.0, 0.5), (0.0, 16.0, 0.0)],
)
def test_margin_is_error_over_limit(error: float, limit: float, margin: float) -> None:
    assert Comparison("h", Verdict.PASSED, error, limit).margin == margin


# --- the terminal ----------------------------------------------------------------------------------------------------


def test_the_table_has_a_row_per_family_with_its_largest_error() -> None:
    rows = {line.split()[1]: line for line in shown(GREEN).splitlines() if line.startswith("│")}
    assert [c.strip() for c in rows["forward"].strip("│").split("│")] == [
        "forward",
        "1",
        "2",
        "0.078 of its allowance in h at T = 50",
        "passed",
    ]
    assert "exact" in rows["state-no-alias"]


def test_the_last_lines_are_the_count_and_the_verdict() -> None:
    assert shown(SKIPPED).splitlines()[-2:] == [
        "planned 41 = run 41 = passed 39 + not comparable 1 + not shown 1",
        "AGREE: numpy_impl and torch differ by rounding only",
    ]


def test_a_failure_names_its_cause_its_consequences_the_seed_and_one_command() -> None:
    lines = shown(RED).splitlines()
    start = lines.index("FAILED nodes[T=50-B=2]")
    assert lines[start + 1 : start + 5] == [
        "  earliest wrong array: da[1, 3] at step 50: 2.9e+03 times its allowance (peak), "
        "candidate 0.25, reference 0.5",
        "  reproduce: rnncheck verify --seed 7 -k 'nodes[T=50-B=2]'",
        "  seed: 7",
        "  consequences: dW_hh, dW_xh (checks gradients[T=50-B=2])",
    ]
    assert "FAILED gradients[T=50-B=2]" not in lines  # a consequence, not a cause
    assert "FAILED clipping[norm]" in lines  # another case: a cause of its own


def test_a_long_chain_of_consequences_is_counted() -> None:
    arrays = [comparison(f"step{s}.W_xh", 99.0) for s in range(1, 31)]
    text = shown(report(outcome("optimizer[sgd]", *arrays)))
    assert "  consequences: step2.W_xh, step3.W_xh" in text
    assert f"step{sentences.NAMED + 1}.W_xh and {29 - sentences.NAMED} more\n" in text


def test_failures_come_before_the_table() -> None:
    text = shown(RED)
    assert text.index("FAILED") < text.index("family")


def test_many_failures_are_counted_not_listed() -> None:
    many = [outcome(f"forward[T={T}]", comparison(f"step.{chr(64 + T)}", 99.0)) for T in range(1, 31)]
    text = shown(report(*many))
    assert text.count("FAILED forward[") == terminal.SHOWN
    assert f"and {30 - terminal.SHOWN} more failed" in text
    assert "planned 30 = run 30 = passed 0 + failed 30" in text


def test_failures_with_the_same_first_wrong_array_are_told_once() -> None:
    same = [outcome(f"gradients[T={T}]", comparison("dh", 90.0 + T), comparison("da", 99.0)) for T in range(1, 31)]
    other = outcome("forward[T=31]", comparison("h", 99.0))
    titles = [line for line in shown(report(*same, other)).splitlines() if line.startswith("FAILED")]
    assert titles == ["FAILED gradients[T=1], and 29 more like it", "FAILED forward[T=31]"]


def test_failures_without_an_array_are_alike_where_they_say_the_same_of_other_sizes() -> None:
    told = ("raised ValueError: shape (3, 2)", "raised ValueError: shape (5, 1)", "raised KeyError: 'Whh'")
    outcomes = [Outcome(f"forward[T={i}]", "forward", Verdict.FAILED, message=m) for i, m in enumerate(told)]
    assert [(kind.first.check, kind.more) for kind in sentences.alike(report(*outcomes))] == [
        ("forward[T=0]", 1),
        ("forward[T=2]", 0),
    ]


def test_every_failure_is_in_one_kind() -> None:
    many = [outcome(f"forward[T={T}]", comparison(f"array{chr(65 + T % 7)}", 99.0)) for T in range(30)]
    found = report(*many, *RED.outcomes)
    assert sum(1 + kind.more for kind in sentences.alike(found)) == len(found.failures)


def test_the_likely_cause_stands_between_the_earliest_wrong_array_and_the_command() -> None:
    cause = Cause("The carry is transposed", "da", "da @ W_hh", "it equals yours", "carry-not-transposed")
    diagnosis = Diagnosis("numpy_impl", "named", (cause,), "da", consequences=("dW_hh", "dW_xh"))
    found = replace(RED, diagnosis=diagnosis)
    text = shown(found)
    order = ("DIFFER", "FAILED", "earliest wrong array", "likely cause:", "rnncheck explain", "change:", "reproduce:")
    places = [text.index(words) for words in (*order, "FAILED clipping", "family")]
    assert places == sorted(places)
    assert text.count("likely cause:") == 1  # not of the failures that follow
    assert text.count("consequences:") == 1


def test_a_failed_run_says_its_verdict_first_and_last() -> None:
    lines = shown(RED).splitlines()
    assert lines[0] == lines[-1] == "DIFFER: 3 of 4 checks failed"
    assert shown(GREEN).count("AGREE") == 1


def test_protections_are_counted_and_what_is_not_in_force_is_told() -> None:
    notes = as_notes(("a process of its own", "10 s for an answer", "no network", f"{NOT} a closed memory: as root"))
    text = shown(replace(GREEN, notes=[*notes, "read RNN: W as W_hh; columns"]))
    assert "note: protections in force: a process of its own, and 2 more (--json FILE lists them)\n" in text
    assert "note: NOT in force: a closed memory: as root\n" in text
    assert "note: read RNN: W as W_hh; columns\n" in text
    assert strict(json_report.dumps(replace(GREEN, notes=notes)))["notes"] == notes


@pytest.mark.parametrize(
    ("error", "limit", "words"),
    [
        (0.0, 16.0, "exact"),
        (1.3, 16.0, "0.081 of its allowance"),
        (16.0, 16.0, "1 of its allowance"),
        (32.0, 16.0, "2 times its allowance"),
        (3.2e15, 16.0, "2e+14 times its allowance"),
        (math.inf, 16.0, "beyond any allowance"),
        (math.nan, 16.0, "beyond any allowance"),
        (1.0, 0.0, "beyond any allowance"),
    ],
)
def test_an_error_is_said_in_allowances(error: float, limit: float, words: str) -> None:
    assert Comparison("h", Verdict.PASSED, error, limit).used == words


def test_brackets_are_text_not_markup() -> None:
    name = "forward[red]"
    found = report(Outcome(name, "forward[bold]", Verdict.FAILED, message="raised [/] oddly"))
    text = shown(found)
    assert name in text
    assert "forward[bold]" in text
    assert "raised [/] oddly" in text


def test_a_long_command_is_never_wrapped() -> None:
    check = "sweep-gradients[" + "-".join(f"x{n}=1" for n in range(60)) + "]"
    text = shown(report(outcome(check, comparison("dW_hh", 99.0))))
    assert f"  reproduce: rnncheck verify --seed 7 -k '{check}'" in text.splitlines()


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "COLORTERM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    return monkeypatch


@each_report
def test_no_escape_codes_where_nobody_watches(environment: pytest.MonkeyPatch, found: Report, code: int) -> None:
    assert ESCAPE not in shown(found)


def test_colours_on_a_terminal_unless_no_color(environment: pytest.MonkeyPatch) -> None:
    def colours() -> bool:
        with redirect_stdout(Terminal()) as out:
            terminal.show(RED, terminal.console())
        return f"{ESCAPE}[1;31m" in out.getvalue()

    assert colours()
    environment.setenv("NO_COLOR", "1")
    assert not colours()


@pytest.mark.parametrize("width", [30, 40, 60])
def test_a_narrow_terminal_costs_lines_but_no_words(environment: pytest.MonkeyPatch, width: int) -> None:
    environment.setenv("COLUMNS", str(width))
    with redirect_stdout(Terminal()) as out:
        terminal.show(GREEN, terminal.console())
    assert "…" not in out.getvalue()


def follow(out: io.StringIO, planned: int) -> None:
    with redirect_stdout(out), Progress(terminal.console()) as progress:
        for done in range(1, planned + 1):
            error = 99.0 if done == 2 else 1.0
            progress(outcome(f"forward[T={done}]", comparison("h", error)), done, planned)


def test_progress_off_a_terminal_is_a_few_plain_lines(environment: pytest.MonkeyPatch) -> None:
    out = io.StringIO()
    follow(out, 437)
    lines = out.getvalue().splitlines()
    assert len(lines) == LINES
    assert lines[0] == "44 of 437 checks, 1 failed"
    assert lines[-1] == "437 of 437 checks, 1 failed"
    assert ESCAPE not in out.getvalue()


def test_progress_of_a_short_run_shows_every_check(environment: pytest.MonkeyPatch) -> None:
    out = io.StringIO()
    follow(out, 3)
    assert out.getvalue().splitlines() == ["1 of 3 checks", "2 of 3 checks, 1 failed", "3 of 3 checks, 1 failed"]


def test_progress_on_a_terminal_is_live_and_leaves_nothing(environment: pytest.MonkeyPatch) -> None:
    out = Terminal()
    follow(out, 30)
    assert ESCAPE in out.getvalue()
    assert "30/30" in out.getvalue()
    assert out.getvalue().endswith(f"{ESCAPE}[2K")


def test_progress_on_a_dumb_terminal_is_plain(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("TERM", "dumb")
    out = Terminal()
    follow(out, 3)
    assert ESCAPE not in out.getvalue()


# --- JSON ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def schema() -> dict[str, object]:
    text = (resources.files("rnncheck.report") / "report.schema.json").read_text(encoding="utf-8")
    found: dict[str, object] = json.loads(text)
    jsonschema.Draft202012Validator.check_schema(found)
    return found


def strict(text: str) -> dict[str, object]:
    """Read JSON as a strict reader does: NaN and Infinity are no JSON."""

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is not JSON")

    found: dict[str, object] = json.loads(text, parse_constant=refuse)
    return found


@each_report
def test_json_follows_its_schema(schema: dict[str, object], found: Report, code: int) -> None:
    document = strict(json_report.dumps(found))
    jsonschema.Draft202012Validator(schema).validate(document)
    assert document["exit_code"] == code
    assert document["planned"] == found.planned
    kinds = ("passed", "failed", "not_comparable", "not_shown")
    assert document["run"] == sum(document[kind] for kind in kinds) == len(document["outcomes"])


@pytest.mark.parametrize(
    "spoil",
    [
        lambda d: d.pop("worst"),
        lambda d: d.update(schema_version=2),
        lambda d: d["versions"].pop("torch"),
        lambda d: d["outcomes"][0].update(verdict="fine"),
        lambda d: d["outcomes"][0]["comparisons"][0].update(error="many"),
        lambda d: d.update(planned=-1),
        lambda d: d.update(extra=1),
        lambda d: d["scope"].pop("not_judged"),
    ],
)
def test_the_schema_catches_a_spoilt_report(schema: dict[str, object], spoil) -> None:
    document = strict(json_report.dumps(RED))
    spoil(document)
    assert not jsonschema.Draft202012Validator(schema).is_valid(document)


def test_json_writes_what_is_not_finite_as_strings() -> None:
    document = strict(json_report.dumps(RED))
    found = {c["array"]: (c["error"], c["margin"]) for o in document["outcomes"] for c in o["comparisons"]}
    assert found["total_norm"] == ("NaN", "Infinity")
    assert found["dW_xh"] == ("Infinity", "Infinity")
    assert json_report.plain(-math.inf) == "-Infinity"


def test_json_has_the_worst_margin_of_every_array() -> None:
    worst = strict(json_report.dumps(GREEN))["worst"]
    assert set(worst) == {"h", "logits", "dW_hh"}
    assert (worst["h"]["error"], worst["h"]["limit"], worst["h"]["step"]) == (1.25, 16.0, 49)


def test_json_keeps_all_comparisons_of_what_failed_and_the_worst_of_what_passed() -> None:
    outcomes = {o["check"]: o for o in strict(json_report.dumps(RED))["outcomes"]}
    assert [c["array"] for c in outcomes["nodes[T=50-B=2]"]["comparisons"]] == ["dh", "da"]
    (kept,) = strict(json_report.dumps(GREEN))["outcomes"][0]["comparisons"]
    assert (kept["array"], kept["error"]) == ("h", 1.25)


def test_json_takes_settings_as_they_come() -> None:
    settings = {"data": Path("my names.txt"), "lengths": (1, 2), "seed": np.int64(3), "lr": np.float32(0.5)}
    assert json_report.plain(settings) == {"data": "my names.txt", "lengths": [1, 2], "seed": 3, "lr": 0.5}


# --- JUnit -----------------------------------------------------------------------------------------------------------


def parsed(found: Report) -> ET.Element:
    return ET.fromstring(junit.dumps(found).encode("utf-8"))


@each_report
def test_junit_counts_are_those_of_its_elements(found: Report, code: int) -> None:
    root = parsed(found)
    assert root.tag == "testsuites"
    tags = {"tests": "testcase", "failures": "failure", "errors": "error", "skipped": "skipped"}
    for name, tag in tags.items():
        for suite in root.findall("testsuite"):
            assert int(suite.get(name)) == len(list(suite.iter(tag)))
        if name != "skipped":  # the common schema has no such attribute here
            assert int(root.get(name)) == len(list(root.iter(tag)))
    assert {float(case.get("time")) >= 0.0 for case in root.iter("testcase")} <= {True}
    assert all(case.get("classname") and case.get("name") for case in root.iter("testcase"))


@each_report
def test_junit_is_green_only_where_the_exit_code_is(found: Report, code: int) -> None:
    root = parsed(found)
    assert (int(root.get("failures")) + int(root.get("errors")) == 0) == (code == 0)


def test_junit_has_a_suite_per_family_and_a_case_per_check() -> None:
    root = parsed(RED)
    assert [suite.get("name") for suite in root] == ["forward", "nodes", "gradients", "clipping"]
    failure = root.find("testsuite[@name='nodes']/testcase/failure")
    assert failure.get("message").startswith("earliest wrong array: da[1, 3] at step 50: 2.9e+03 times its allowance")
    assert "reproduce: rnncheck verify --seed 7 -k 'nodes[T=50-B=2]'" in failure.text
    assert root.find("testsuite/properties/property[@name='seed']").get("value") == "7"


def test_junit_survives_whatever_a_program_under_test_says() -> None:
    message = "raised \x1b[31m<&\"'> \x00 \ud800 é 🎈\nsecond line ]]>"
    root = parsed(report(Outcome("forward[<T>]", "a&b", Verdict.FAILED, message=message)))
    failure = next(root.iter("failure"))
    assert "<&\"'>" in failure.get("message")
    assert "é 🎈" in failure.text
    assert root.find("testsuite").get("name") == "a&b"


# --- files -----------------------------------------------------------------------------------------------------------


def test_a_report_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text("old", encoding="utf-8")
    write_text(path, "new é\n")
    assert path.read_text(encoding="utf-8") == "new é\n"
    assert list(tmp_path.iterdir()) == [path]


def test_the_old_report_survives_a_disk_that_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "report.json"
    path.write_text("old", encoding="utf-8")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match=r"cannot write .*report\.json: No space left on device"):
        write_text(path, "new")
    assert path.read_text(encoding="utf-8") == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_keeps_pointing_where_it_pointed(tmp_path: Path) -> None:
    target, link = tmp_path / "target.json", tmp_path / "link.json"
    target.write_text("old", encoding="utf-8")
    try:
        link.symlink_to(target)
    except OSError:
        pytest.skip("this system makes no links")
    write_text(link, "new")
    assert link.is_symlink()
    assert target.read_text(encoding="utf-8") == "new"


@pytest.mark.skipif(os.name != "posix", reason="devices are files on POSIX systems only")
def test_a_device_is_written_to_not_replaced() -> None:
    write_text(Path(os.devnull), "gone")
    assert stat.S_ISCHR(os.stat(os.devnull).st_mode)


def test_a_path_that_cannot_be_written_is_refused_beforehand(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="it is a folder; name a file in it"):
        check_target(tmp_path)
    with pytest.raises(UserError, match=r"there is no folder .*missing; create it first"):
        check_target(tmp_path / "missing" / "report.json")
    check_target(Path("-"))
    check_target(tmp_path / "report.json")
    assert list(tmp_path.iterdir()) == []
