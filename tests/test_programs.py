"""Programs in other languages: the shipped examples, right and with their planted fault, and some that misbehave."""

import json
import os
import shlex
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from rnncheck.case import RNNCase
from rnncheck.checks.check import Bench, Source, run_check
from rnncheck.checks.passes import pass_checks
from rnncheck.checks.state import state_checks
from rnncheck.checks.steps import step_checks
from rnncheck.errors import NotShownError, TargetError, UserError
from rnncheck.protocol import lines
from rnncheck.protocol.lines import ProtocolError, read_case
from rnncheck.protocol.program import ExecImplementation
from rnncheck.result import Verdict
from rnncheck.sandbox.limits import Limits
from rnncheck.shipped import shipped
from rnncheck.trace import expected_arrays
from rnncheck.vectors import VectorOracle, read_vectors

pytestmark = pytest.mark.skipif(os.name != "posix", reason="programs are started as POSIX starts them")
EXAMPLES = Path(__file__).parents[1] / "examples"
QUICK = Limits(answer_s=2.0)
COMPILER, NODE = shutil.which("cc"), shutil.which("node")


@pytest.fixture(scope="module")
def vectors():
    found = read_vectors(shipped("vectors/v1"))
    others = [v for v in found if not isinstance(v.case, RNNCase)][::5]
    return others + [v for v in found if isinstance(v.case, RNNCase) and len(v.case.x) in (1, 7, 10)]


def judge(implementation, vectors):
    """Judge by stored vectors; return the verdicts counted, and the outcomes."""
    passes = [v.case for v in vectors if isinstance(v.case, RNNCase)]
    checks = [*pass_checks(map(Source.of, passes)), *step_checks([v.case for v in vectors if v.case not in passes])]
    bench = Bench(implementation, VectorOracle(vectors))
    outcomes = [run_check(check, bench) for check in checks]
    return Counter(outcome.verdict for outcome in outcomes), outcomes


def compiled(folder, *flags):
    if COMPILER is None:
        pytest.skip("no C compiler (cc) on this machine: the example in C was not run")
    warnings = ("-std=c11", "-Wall", "-Wextra", "-Werror")
    subprocess.run([COMPILER, "-O1", *warnings, *flags, "-o", folder / "rnn", EXAMPLES / "c/rnn.c", "-lm"], check=True)
    return f"{folder}/rnn"


def node(*words):
    if NODE is None:
        pytest.skip("no Node.js (node) on this machine: the example in JavaScript was not run")
    return " ".join(["node", str(EXAMPLES / "javascript/rnn.js"), *words])


PROGRAMS = {"C": (lambda folder: compiled(folder), lambda folder: compiled(folder, "-DFAULT"))}
PROGRAMS["JavaScript"] = (lambda folder: node(), lambda folder: node("--fault"))


@pytest.mark.parametrize("language", PROGRAMS)
def test_the_example_is_right(language, tmp_path, vectors):
    verdicts, outcomes = judge(ExecImplementation(PROGRAMS[language][0](tmp_path)), vectors)
    assert verdicts[Verdict.FAILED] == 0, [o.message or str(o.earliest) for o in outcomes]
    assert verdicts[Verdict.PASSED] > 100
    windowed = {o.check for o in outcomes if o.verdict is Verdict.NOT_SHOWN and o.family in ("gradients", "forward")}
    assert all("windowed" in check for check in windowed)


EARLIEST = {"C": {"dh", "dh0"}, "JavaScript": {"dW_hh"}}


@pytest.mark.parametrize("language", PROGRAMS)
def test_its_fault_is_caught_where_it_lies(language, tmp_path, vectors):
    verdicts, outcomes = judge(ExecImplementation(PROGRAMS[language][1](tmp_path)), vectors)
    assert verdicts[Verdict.FAILED] > 10
    flows = {}
    for outcome in (o for o in outcomes if o.verdict is Verdict.FAILED):
        flows.setdefault(outcome.flow, outcome.earliest.array)
    assert set(flows.values()) <= EARLIEST[language]


def test_the_example_in_c_also_works_on_files(tmp_path, vectors):
    from rnncheck.protocol.files import CASES, ResultsImplementation, export

    program = compiled(tmp_path)
    export(vectors, tmp_path / "cases")
    with (tmp_path / "cases" / CASES).open() as cases, (tmp_path / "cases" / "results.jsonl").open("w") as results:
        subprocess.run([program], stdin=cases, stdout=results, check=True)
    verdicts, _ = judge(ResultsImplementation(tmp_path / "cases"), vectors)
    assert verdicts[Verdict.FAILED] == 0
    assert verdicts[Verdict.PASSED] > 100


def test_nothing_is_asked_about_memory_of_another_program(tmp_path, vectors):
    """The answers would always be the right ones: a check that cannot fail."""
    bench = Bench(ExecImplementation("cat"), VectorOracle(vectors))
    questions = [c for c in state_checks([vectors[0].case]) if "no-alias" in c.name or "inputs" in c.name]
    assert len(questions) == 2
    assert {run_check(question, bench).verdict for question in questions} == {Verdict.NOT_SHOWN}


# --- programs that misbehave

MISBEHAVING = {
    "prints a greeting": ("sh -c 'echo Hello; cat'", ProtocolError, "the line 'Hello' is not a JSON object"),
    "echoes": ("cat", ProtocolError, 'has no "trace"'),
    "ends": ("sh -c 'exit 3'", TargetError, "no answer: it ended with exit code 3"),
    "crashes": (
        "sh -c 'echo why >&2; kill -SEGV $$'",
        TargetError,
        "(SIGSEGV); standard error ends with: why",
    ),
    "is silent": ("sleep 60", TargetError, "no answer within 2 s (does it flush standard output after each line?)"),
    "floods": ("sh -c 'yes | tr -d \"\\n\"'", TargetError, "it wrote more than"),
    "closes its output": ("sh -c 'exec >&-; sleep 60'", TargetError, "no answer"),
}


@pytest.mark.parametrize("habit", MISBEHAVING)
def test_a_program_that_misbehaves_fails_with_a_sentence(habit, vectors):
    command, kind, why = MISBEHAVING[habit]
    program = ExecImplementation(command, QUICK)
    with pytest.raises(kind) as error:
        program.run(vectors[0].case)
    assert why in str(error.value)


def test_a_program_goes_on_after_a_crash(vectors):
    """Each crash costs a case; when all restarts are used up it is asked no more."""
    program = ExecImplementation("sh -c 'exit 3'", Limits(restarts=1))
    messages = []
    for _ in range(3):
        with pytest.raises(TargetError) as error:
            program.run(vectors[0].case)
        messages.append(str(error.value))
    assert messages[0] == messages[1] == "no answer: it ended with exit code 3"
    assert "started 2 times" in messages[2]


def test_what_is_not_offered_is_not_shown(vectors):
    answer = json.dumps({"id": 1, "not_shown": "later"})
    program = ExecImplementation(shlex.join(["sh", "-c", f"read line; echo {shlex.quote(answer)}"]))
    with pytest.raises(NotShownError, match="later"):
        program.run(vectors[0].case)


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("", "names no program"),
        ("no-such-program here", "the program no-such-program was not found"),
        ("'", "No closing quotation"),
        (str(EXAMPLES / "c/rnn.c"), "is not executable; chmod"),
    ],
)
def test_a_command_that_cannot_be_run_is_refused_at_once(command, why):
    with pytest.raises(UserError) as error:
        ExecImplementation(command)
    assert why in str(error.value)


# --- the page about them


def blocks(language):
    page = (Path(__file__).parents[1] / "docs/any-language.md").read_text("utf-8")
    return [block.partition("\n")[2] for block in page.split("```")[1::2] if block.partition("\n")[0] == language]


def test_the_case_on_the_page_is_a_case_and_its_answers_are_answers():
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads(Path(lines.__file__).with_name("protocol.schema.json").read_text("utf-8"))
    (case,) = map(json.loads, blocks("json"))
    (answers,) = [block for block in blocks("") if '"trace"' in block]
    for line in [case, *map(json.loads, answers.splitlines())]:
        jsonschema.validate(line, schema)
    assert not jsonschema.Draft202012Validator(schema).is_valid(case | {"surprise": 1})
    assert list(expected_arrays(read_case(case))) == case["wanted"]
    assert read_case(case).sizes == case["sizes"]
