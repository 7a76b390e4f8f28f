"""The command line against an engine of our own making: options, words, exit codes, and where output goes."""

import errno
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from xml.etree import ElementTree as ET

import numpy as np
import pytest
import typer

from rnncheck import __version__
from rnncheck.cli import main, usage
from rnncheck.cli.options import parse_numbers
from rnncheck.cli.threads import VARIABLES
from rnncheck.errors import OracleError, UserError
from rnncheck.result import Comparison, Outcome, Report, Verdict
from rnncheck.select import selector

FULL = pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
POSIX = pytest.mark.skipif(os.name != "posix", reason="pipes, devices and signals as POSIX has them")


def outcome(check: str, verdict: Verdict) -> Outcome:
    error = {Verdict.PASSED: 1.0, Verdict.FAILED: 99.0}.get(verdict)
    comparisons = () if error is None else (Comparison("h", verdict, error, 16.0, "peak"),)
    return Outcome(check, "forward", verdict, comparisons, reproduce=f"rnncheck verify --seed 0 -k '{check}'")


def report(*verdicts: Verdict, planned: int | None = None) -> Report:
    outcomes = [outcome(f"forward[T={n}]", verdict) for n, verdict in enumerate(verdicts, start=1)]
    return Report("numpy_impl", "torch", len(outcomes) if planned is None else planned, 0, outcomes)


class Engine:
    """Stands in for rnncheck.verify: gives the report it is told to give, or raises, and remembers the options."""

    def __init__(self) -> None:
        self.report = report(Verdict.PASSED, Verdict.PASSED)
        self.action: Callable[[], object] = lambda: None
        self.options: dict[str, object] = {}

    def verify(self, options: SimpleNamespace, on_outcome: Callable[[Outcome, int, int], None]) -> Report:
        self.options = vars(options)
        for done, one in enumerate(self.report.outcomes, start=1):
            on_outcome(one, done, self.report.planned)
        self.action()
        return self.report

    def fails_with(self, error: BaseException) -> None:
        def action() -> None:
            raise error

        self.action = action


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Engine:
    found = Engine()
    module = ModuleType("rnncheck.verify")
    module.verify, module.VerifyOptions = found.verify, SimpleNamespace  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "rnncheck.verify", module)
    monkeypatch.setenv("OMP_NUM_THREADS", os.environ.get("OMP_NUM_THREADS", "1"))
    monkeypatch.chdir(tmp_path)  # where an internal error would leave its report
    return found


def complaint(capsys: pytest.CaptureFixture[str]) -> str:
    """Return the one sentence on standard error; anything else there, or on standard output, is a failure."""
    captured = capsys.readouterr()
    assert captured.out == ""
    lines = [line for line in captured.err.splitlines() if not re.fullmatch(r"\d+ of \d+ checks.*", line)]
    assert len(lines) == 1, captured.err
    assert "Traceback" not in lines[0]
    assert lines[0].startswith("rnncheck: ")
    return lines[0].removeprefix("rnncheck: ").replace(os.sep, "/")


# --- exit codes ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("found", "code", "words"),
    [
        (report(Verdict.PASSED), 0, "AGREE"),
        (report(Verdict.PASSED, Verdict.FAILED), 1, "DIFFER: 1 of 2 checks failed"),
        (report(Verdict.PASSED, planned=47), 2, "COULD NOT RUN: 46 of 47 planned checks did not run"),
        (report(planned=0), 2, "COULD NOT RUN: no check was planned"),
        (report(Verdict.NOT_COMPARABLE, Verdict.NOT_SHOWN), 3, "NOTHING COMPARABLE"),
    ],
)
def test_the_exit_code_is_the_verdict(
    engine: Engine, capsys: pytest.CaptureFixture[str], found: Report, code: int, words: str
) -> None:
    engine.report = found
    assert main(["verify"]) == code
    assert words in capsys.readouterr().out.splitlines()[-1]


def deliberate() -> None:
    raise UserError("names.txt is empty: a text holds at least one name; choose another file")


def accident() -> None:
    [].pop()


def accidental_value_error() -> None:
    int("seven")


def accident_in_our_code() -> None:
    exec(compile("int('eight')", "made_up.py", "exec"), {"__name__": "rnncheck.made_up"})


def own_value_error() -> None:
    from numpy_impl.validate import check_params

    check_params({})


def raiser(error: BaseException) -> Callable[[], None]:
    def action() -> None:
        raise error

    return action


def oracle_without_memory() -> None:
    raise OracleError("case T=3 could not be made") from MemoryError("Unable to allocate 7.28 TiB")


def case_beyond_any_memory() -> None:
    try:
        np.empty((10**11, 10**11))
    except ValueError as error:
        raise OracleError("case H=100000000000 could not be made") from error


@pytest.mark.parametrize(
    ("action", "words"),
    [
        (deliberate, "names.txt is empty: a text holds at least one name; choose another file"),
        (lambda: Path("no/such/file").read_text(), "no/such/file: No such file or directory after 2 of 2 checks"),
        (
            raiser(IsADirectoryError(errno.EISDIR, "Is a directory", "texts")),
            "texts: Is a directory after 2 of 2 checks",
        ),
        (raiser(OSError(errno.ENOSPC, "No space left on device", "run.ckpt")), "run.ckpt: No space left on device"),
        (raiser(MemoryError("Unable to allocate 745. GiB")), "Unable to allocate 745. GiB; use smaller sizes"),
        (oracle_without_memory, "out of memory after 2 of 2 checks: Unable to allocate 7.28 TiB; use smaller sizes"),
        (case_beyond_any_memory, "out of memory after 2 of 2 checks: array is too big; "),
        (raiser(ModuleNotFoundError("x", name="torch")), "torch is not installed: pip install '.[torch]' in the"),
        (raiser(ModuleNotFoundError("x", name="jinja2.ext")), "jinja2.ext is not installed: pip install '.[report]'"),
    ],
)
def test_what_the_user_can_put_right_is_one_sentence(
    engine: Engine, capsys: pytest.CaptureFixture[str], action: Callable[[], object], words: str
) -> None:
    engine.action = action
    assert main(["verify"]) == 2
    assert words in complaint(capsys)
    assert list(Path.cwd().iterdir()) == []


def test_a_value_error_that_we_raise_on_purpose_is_one_sentence(
    engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    engine.action = own_value_error
    assert main(["verify"]) == 2
    assert complaint(capsys).startswith("params: missing ['W_xh', 'W_hh', 'W_hy']")
    assert list(Path.cwd().iterdir()) == []


@pytest.mark.parametrize(
    ("action", "words"),
    [
        (accident, "IndexError: pop from empty list"),
        (accidental_value_error, "ValueError: invalid literal for int() with base 10: 'seven'"),
        (accident_in_our_code, "ValueError: invalid literal for int() with base 10: 'eight'"),
        (lambda: json.loads(""), "JSONDecodeError: Expecting value"),  # raised on purpose, but not by us
        (raiser(OracleError("the oracle (torch) could not answer case T=1")), "OracleError"),
        (raiser(SystemExit(0)), "SystemExit: 0"),
        (raiser(SystemExit(1)), "SystemExit: 1"),
        (raiser(AssertionError("impossible")), "AssertionError: impossible"),
    ],
)
def test_an_internal_error_leaves_a_report_and_is_no_verdict(
    engine: Engine, capsys: pytest.CaptureFixture[str], action: Callable[[], object], words: str
) -> None:
    engine.action = action
    assert main(["verify", "--seed", "3"]) == 2
    said = complaint(capsys)
    assert said.startswith("internal error after 2 of 2 checks: ")
    assert words in said
    assert "this is no verdict about the code under test" in said
    (file,) = Path.cwd().iterdir()
    assert said.endswith(f"details are in {file.as_posix()}")
    text = file.read_text(encoding="utf-8")
    assert "command: rnncheck verify --seed 3" in text
    assert f"rnncheck: {__version__}" in text
    assert re.search(r"^python: 3\.", text, re.MULTILINE)
    assert "Traceback (most recent call last)" in text


def test_an_internal_error_finds_another_folder(
    engine: Engine, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    spare = tmp_path / "spare"
    spare.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(spare))
    monkeypatch.setattr(Path, "cwd", lambda: tmp_path / "gone")
    engine.action = accident
    assert main(["verify"]) == 2
    assert f"details are in {spare.as_posix()}" in complaint(capsys)
    assert len(list(spare.iterdir())) == 1


def test_an_interrupt_is_one_line_and_no_verdict(engine: Engine, capsys: pytest.CaptureFixture[str]) -> None:
    engine.fails_with(KeyboardInterrupt())
    assert main(["verify"]) == 130
    assert complaint(capsys) == "interrupted after 2 of 2 checks: no verdict"


@pytest.mark.parametrize("failure", [UserError("x"), ValueError("x"), OSError("x"), KeyboardInterrupt(), SystemExit(0)])
def test_no_exception_ever_looks_like_a_verdict(
    engine: Engine, capsys: pytest.CaptureFixture[str], failure: BaseException
) -> None:
    engine.fails_with(failure)
    assert main(["verify"]) not in (0, 1)


# --- options ---------------------------------------------------------------------------------------------------------


def test_options_reach_the_engine(engine: Engine, tmp_path: Path) -> None:
    words = "verify --quick --dtype float32 --lengths 1-3,100 --batch 1,3 --hidden 8 --vocab 5 --cases 9 --seed 7"
    assert main([*words.split(), "-k", "forward and not B=1"]) == 0
    assert engine.options == {
        "level": "quick",
        "dtype": "float32",
        "lengths": (1, 2, 3, 100),
        "batch": (1, 3),
        "hidden": 8,
        "vocab": 5,
        "cases": 9,
        "recipe": None,
        "published": False,
        "data": None,
        "seed": 7,
        "select": "forward and not B=1",
    }
    text = tmp_path / "names.txt"
    text.write_text("ada\n", encoding="utf-8")
    assert main(["verify", "--recipe", "names", "--published", "--data", str(text)]) == 0
    chosen = {name: engine.options[name] for name in ("level", "recipe", "published", "data", "seed", "lengths")}
    assert chosen == {
        "level": "default",
        "recipe": "names",
        "published": True,
        "data": text,
        "seed": 0,
        "lengths": None,
    }


def test_the_options_are_those_of_the_engine(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    main(["verify"])
    monkeypatch.delitem(sys.modules, "rnncheck.verify")
    from rnncheck.options import VerifyOptions

    assert set(engine.options) == set(VerifyOptions.__dataclass_fields__)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("--lengths 5-3", "--lengths: the range 5-3 runs backwards; write 3-5"),
        ("--lengths 0", "--lengths: '0' is below 1, the smallest size"),
        ("--lengths 0-4", "--lengths: '0-4' is below 1, the smallest size"),
        ("--lengths x", "'x' is neither a whole number nor a range; write for example 1-64,100,1000"),
        ("--lengths 1,,2", "'' is neither a whole number nor a range"),
        ("--lengths 1.5", "'1.5' is neither a whole number nor a range"),
        ("--lengths=-3", "'-3' is neither a whole number nor a range"),
        ("--lengths 1000000000", "'1000000000' is above 999999999, the largest size"),
        ("--batch 1-1000000000000", "'1-1000000000000' is above 999999999, the largest size"),
        ("--lengths ²", "'²' is neither a whole number nor a range"),
        ("--lengths 1-10,5", "--lengths: 5 is named more than once; name each once"),
        ("--lengths 1-999999999", "1-999999999 makes more than 10000 numbers; choose fewer"),
        ("--batch 3,3", "--batch: 3 is named more than once"),
        ("--quick --full", "choose one of the two: they plan different checks"),
        ("--published", "the published run is that of the names; add --recipe names"),
        ("--recipe names --published --cases 5", "the published run has its own length; leave out --quick, --full and"),
        ("--recipe names --published --quick", "the published run has its own length"),
        ("--list --json -", "--list: it runs no check, so there is nothing to report"),
        (
            "--recipe names --data {file} --json {file}",
            "names.txt is what is read: the report would overwrite",
        ),
        ("--recipe names --data {file} --junit ./{file}", "names.txt is what is read"),
        ("--recipe chars --published", "add --recipe names"),
        ("--recipe names --lengths 5", "recipe names has its own sizes and dtype; leave one of the two out"),
        ("--recipe names --dtype float32", "recipe names has its own sizes and dtype; leave one of the two out"),
        ("--recipe poems", "'poems' is not one of 'names', 'sentences', 'chars'"),
        ("--dtype float16", "'float16' is not one of 'float32', 'float64'"),
        ("--hidden 0", "--hidden: 0 is below 1"),
        ("--vocab -2", "--vocab: -2 is below 1"),
        ("--cases 0", "--cases: 0 is below 1"),
        ("--threads 0", "--threads: 0 is below 1"),
        ("--seed -1", "--seed: -1 is below 0"),
        ("--seed 4294967296", "--seed: 4294967296 is above 4294967295"),
        ("--recipe names --data no/such.txt", "--data: there is no file no/such.txt; check the spelling"),
        ("--recipe names --data .", "--data: . is a folder; give a file"),
        ("--data {file}", "it is the text that a recipe trains on; add --recipe names, sentences or chars"),
        ("--json .", "cannot write .: it is a folder; name a file in it"),
        ("--json no/such.json", "cannot write no/such.json: there is no folder no; create it first"),
        ("--json - --junit -", "--json and --junit both name standard output"),
        ("--json a.xml --junit a.xml", "--json and --junit both name a.xml"),
        ("--bogus", "there is no option --bogus"),
        ("--jsn x", "there is no option --jsn; did you mean --json?"),
        ("--lr 3", "there is no option --lr (see rnncheck verify --help)"),
        ("--length 3", "there is no option --length; did you mean --lengths?"),
        ("--cases x", "--cases: 'x' is not a whole number"),
        ("--cases=1.5", "--cases: '1.5' is not a whole number"),
        ("--json", "--json needs a value after it (see rnncheck verify --help)"),
        ("--quick=1", "--quick takes no value"),
        ("extra", "extra is one too many"),
    ],
)
def test_a_wrong_option_is_one_sentence(
    engine: Engine, capsys: pytest.CaptureFixture[str], tmp_path: Path, words: str, sentence: str
) -> None:
    (tmp_path / "names.txt").write_text("ada\n", encoding="utf-8")
    assert main(["verify", *words.format(file="names.txt").split()]) == 2
    assert sentence in complaint(capsys)
    assert engine.options == {}, "the engine ran all the same"


def test_a_missing_argument_is_one_line(engine: Engine, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train"]) == 2
    assert "RECIPE is missing: rnncheck train RECIPE, one of names, sentences, chars" in complaint(capsys)
    assert main(["explain"]) == 2
    assert "NAME is missing: rnncheck explain NAME (see rnncheck explain --help)" in complaint(capsys)
    assert main(["vectors"]) == 2
    assert "the name of a command is missing after rnncheck vectors" in complaint(capsys)


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("Input should be a valid integer, unable to parse string as an integer", "--n: 'x' is not a whole number"),
        ("'x' is not a valid integer.", "--n: 'x' is not a whole number"),
        ("'x' is not a valid float.", "--n: 'x' is not a number"),
        ("Directory 'x' does not exist.", "--n: there is no folder x; check"),
        ("File 'x' does not exist.", "--n: there is no file x; check"),
        ("Value error, x is below 1", "--n: x is below 1"),
    ],
)
@pytest.mark.parametrize("argv", [["sample", "--n", "x"], ["sample", "--n=x", "--seed", "3"]], ids=" ".join)
def test_what_a_version_of_typer_says_of_a_value_is_said_in_our_words(
    message: str, words: str, argv: list[str]
) -> None:
    told = usage.sentence(typer.BadParameter(message, param_hint="'--n'"), argv)
    assert told.startswith(words)
    assert told.endswith("(see rnncheck sample --help)")


def test_a_flag_is_shown_without_a_value(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--help"]) == 0
    shown = {words[1]: words for line in capsys.readouterr().out.splitlines() if len(words := line.split()) > 2}
    assert "bool" not in " ".join(shown["--trust"] + shown["--github"])
    assert "FILE" in shown["--json"]  # what takes a value says so


def test_what_is_not_known_is_said_in_the_words_of_typer() -> None:
    assert usage.sentence(typer.BadParameter("Odd."), []) == "Odd (see rnncheck --help)"


@pytest.mark.parametrize(("words", "sentence"), [("vrify", "verify"), ("vectors chekc", "check")])
def test_a_misspelt_command_is_told_the_right_one(
    engine: Engine, capsys: pytest.CaptureFixture[str], words: str, sentence: str
) -> None:
    assert main(words.split()) == 2
    assert f"; did you mean {sentence}?" in complaint(capsys)


@pytest.mark.parametrize("text", ["1", "1-64,100,1000", " 2 , 4-5 "])
def test_numbers_are_read_in_their_order(text: str) -> None:
    expected = {"1": (1,), "1-64,100,1000": (*range(1, 65), 100, 1000), " 2 , 4-5 ": (2, 4, 5)}[text]
    assert parse_numbers(text, "--lengths") == expected


def test_no_command_is_help_but_no_success(engine: Engine, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "verify" in "".join(capsys.readouterr())


@pytest.mark.parametrize("words", ["--help", "-h", "verify --help", "check -h", "vectors --help", "vectors check -h"])
def test_help(engine: Engine, capsys: pytest.CaptureFixture[str], words: str) -> None:
    assert main(words.split()) == 0
    assert "Usage: rnncheck" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["verify", "train", "sample", "vectors write", "vectors check"])
def test_help_has_examples(engine: Engine, capsys: pytest.CaptureFixture[str], command: str) -> None:
    main([*command.split(), "--help"])
    assert len(re.findall(rf"^ *rnncheck {command}", capsys.readouterr().out, re.MULTILINE)) >= 2


def test_version(engine: Engine, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"rnncheck {__version__}\n"


# --- vectors ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def vectors(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """Put an engine in the place of rnncheck.make_vectors as well."""

    def write_vectors(folder: Path | None, on_progress: Callable[[str, int, int], None]) -> None:
        engine.action()
        on_progress("T=1", 1, 1)

    def check_vectors(
        folder: Path | None, on_outcome: Callable[[Outcome, int, int], None], select: str | None
    ) -> Report:
        return engine.verify(SimpleNamespace(folder=folder, select=select), on_outcome)

    module = ModuleType("rnncheck.make_vectors")
    vars(module).update(write_vectors=write_vectors, check_vectors=check_vectors, FOLDER="vectors/v1")
    monkeypatch.setitem(sys.modules, "rnncheck.make_vectors", module)
    shipped = ModuleType("rnncheck.shipped")
    vars(shipped).update(data_folder=lambda: Path("data"))
    monkeypatch.setitem(sys.modules, "rnncheck.shipped", shipped)
    return engine


@pytest.mark.parametrize(
    ("found", "code"),
    [(report(Verdict.PASSED), 0), (report(Verdict.FAILED), 1), (report(planned=1), 2), (report(Verdict.NOT_SHOWN), 3)],
)
def test_vectors_check_ends_like_verify(vectors: Engine, found: Report, code: int) -> None:
    vectors.report = found
    assert main(["vectors", "check", "somewhere", "-k", "norm", "--json", "report.json"]) == code
    assert vectors.options == {"folder": Path("somewhere"), "select": "norm"}
    assert json.loads(Path("report.json").read_text(encoding="utf-8"))["exit_code"] == code


@pytest.mark.parametrize(("words", "place"), [([], "data/vectors/v1"), (["here"], "here")])
def test_vectors_write_says_where(
    vectors: Engine, capsys: pytest.CaptureFixture[str], words: list[str], place: str
) -> None:
    assert main(["vectors", "write", *words]) == 0
    assert capsys.readouterr().out == f"1 vectors written to {Path(place)}\n"


def test_vectors_are_not_made_for_a_folder_that_takes_none(
    vectors: Engine, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    vectors.fails_with(AssertionError("the work was done all the same"))
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert main(["vectors", "write", "here"]) == 2
    assert "cannot write into here: permission denied" in complaint(capsys)


def test_vectors_write_that_fails_is_one_sentence(vectors: Engine, capsys: pytest.CaptureFixture[str]) -> None:
    vectors.fails_with(OSError(errno.ENOSPC, "No space left on device", "here/T=1.safetensors"))
    assert main(["vectors", "write", "here"]) == 2
    assert complaint(capsys) == "here/T=1.safetensors: No space left on device"


# --- choosing checks -------------------------------------------------------------------------------------------------

NAMES = ("forward[T=1-B=1]", "forward[T=7-B=2]", "sweep-forward[T=7-B=2]", "clipping[norm]")


@pytest.mark.parametrize(
    ("expression", "chosen"),
    [
        ("forward", (0, 1, 2)),
        ("FORWARD and not sweep", (0, 1)),
        ("T=1 or norm", (0, 3)),
        ("not (B=1 or B=2)", (3,)),
        ("forward and B=2 or norm", (1, 2, 3)),
        ("not not norm", (3,)),
        ("forward[T=7-B=2]", (1,)),
        ("[norm]", (3,)),
        ("backward", ()),
    ],
)
def test_an_expression_chooses_by_name(expression: str, chosen: tuple[int, ...]) -> None:
    chooses = selector(expression)
    assert tuple(n for n, name in enumerate(NAMES) if chooses(name)) == chosen


@pytest.mark.parametrize(
    ("expression", "found", "expected"),
    [
        ("", "the end", "part of a check's name"),
        ("a and", "the end", "part of a check's name"),
        ("or a", "'or'", "part of a check's name"),
        ("(a", "the end", "a closing parenthesis"),
        ("a)", "')'", "the end"),
        ("a b", "'b'", "the end"),
        ("not", "the end", "part of a check's name"),
    ],
)
def test_an_expression_that_is_none_is_refused(expression: str, found: str, expected: str) -> None:
    with pytest.raises(UserError) as raised:
        selector(expression)
    assert f"-k {expression!r}: found {found}, expected {expected}; write for example" in str(raised.value)


# --- where output goes -----------------------------------------------------------------------------------------------


def test_json_on_standard_output_is_alone_there(engine: Engine, capsys: pytest.CaptureFixture[str]) -> None:
    engine.report = report(Verdict.PASSED, Verdict.FAILED)
    assert main(["verify", "--json", "-"]) == 1
    captured = capsys.readouterr()
    assert json.loads(captured.out)["failed"] == 1
    assert "DIFFER" in captured.err


def test_json_and_junit_files(engine: Engine, capsys: pytest.CaptureFixture[str]) -> None:
    engine.report = report(Verdict.PASSED, Verdict.FAILED)
    assert main(["verify", "--json", "report.json", "--junit", "report.xml"]) == 1
    assert json.loads(Path("report.json").read_text(encoding="utf-8"))["exit_code"] == 1
    assert ET.parse("report.xml").getroot().get("failures") == "1"
    assert "DIFFER" in capsys.readouterr().out


def test_a_report_that_cannot_be_written_costs_the_code_but_not_the_verdict(
    engine: Engine, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert main(["verify", "--json", "report.json"]) == 2
    captured = capsys.readouterr()
    assert "AGREE" in captured.out
    assert "rnncheck: cannot write report.json: No space left on device" in captured.err
    assert list(Path.cwd().iterdir()) == []


def test_progress_goes_to_standard_error(engine: Engine, capsys: pytest.CaptureFixture[str]) -> None:
    main(["verify"])
    captured = capsys.readouterr()
    assert captured.err.splitlines() == ["1 of 2 checks", "2 of 2 checks"]
    assert "of 2 checks" not in captured.out


# --- the program as others start it ----------------------------------------------------------------------------------

FAKE = """
import sys, time, types
from rnncheck.result import Comparison, Outcome, Report, Verdict
def verify(options, on_outcome):
    if options.seed == 99:
        on_outcome(Outcome('forward[T=0]', 'forward', Verdict.PASSED), 1, 10)
        time.sleep(60)
    outcomes = [Outcome(f'forward[T={n}]', 'forward', Verdict.PASSED, (Comparison('h', Verdict.PASSED, 1.0, 16.0),))
                for n in range(2000)]
    return Report('numpy_impl', 'torch', len(outcomes), 0, outcomes, ['Zo\\xeb'])
module = types.ModuleType('rnncheck.verify')
module.verify, module.VerifyOptions = verify, types.SimpleNamespace
sys.modules['rnncheck.verify'] = module
from rnncheck.cli import main
sys.exit(main(sys.argv[1:]))
"""


def start(arguments: list[str], folder: Path, stdout=subprocess.PIPE, code: str = FAKE, **environment: str):
    """Start the command line with the fake engine in a process of its own."""
    root = Path(sys.modules["rnncheck"].__path__[0]).parent
    inherited = {
        k: v for k, v in os.environ.items() if k not in (*VARIABLES, "NO_COLOR", "FORCE_COLOR", "PYTHONUNBUFFERED")
    }
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdout=stdout,
        stderr=subprocess.PIPE,
        cwd=folder,
        env={**inherited, "PYTHONPATH": str(root), **environment},
    )


def test_the_commands_load_neither_numpy_nor_torch_and_pin_one_thread(tmp_path: Path) -> None:
    code = (
        "import sys, os; from rnncheck.cli import main; main(['--version']);"
        "print(sorted({'numpy', 'torch', 'numpy_impl', 'jaxtyping'} & set(sys.modules)), os.environ['OMP_NUM_THREADS'])"
    )
    root = Path(sys.modules["rnncheck"].__path__[0]).parent
    environment = {k: v for k, v in os.environ.items() if k not in VARIABLES} | {"PYTHONPATH": str(root)}
    found = subprocess.run([sys.executable, "-c", code], env=environment, cwd=tmp_path, capture_output=True, check=True)
    assert found.stdout.decode().splitlines()[-1] == "[] 1"


@pytest.mark.parametrize(
    ("before", "options", "after"),
    [({}, [], "1"), ({"OMP_NUM_THREADS": "3"}, [], "3"), ({"OMP_NUM_THREADS": "3"}, ["--threads", "2"], "2")],
)
def test_threads(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, before: dict[str, str], options: list[str], after: str
) -> None:
    for name in VARIABLES:
        monkeypatch.setenv(name, "")  # so that what main sets is undone after the test
        monkeypatch.delenv(name)
    for name, value in before.items():
        monkeypatch.setenv(name, value)
    seen: dict[str, str | None] = {}
    engine.action = lambda: seen.update({name: os.environ.get(name) for name in VARIABLES})
    assert main(["verify", *options]) == 0
    assert seen["OMP_NUM_THREADS"] == after
    if not before or options:
        assert set(seen.values()) == {after}


def test_output_in_an_encoding_without_our_letters(tmp_path: Path) -> None:
    process = start(["verify"], tmp_path, PYTHONIOENCODING="ascii")
    out, err = process.communicate()
    assert process.returncode == 0, err
    lines = out.decode("ascii").splitlines()
    assert lines[-1].startswith("AGREE")
    assert r"note: Zo\xeb" in lines


@POSIX
@pytest.mark.parametrize("arguments", [["verify"], ["verify", "--json", "-"], ["--version"], ["--help"]])
def test_a_reader_that_goes_away_is_no_verdict_and_no_noise(tmp_path: Path, arguments: list[str]) -> None:
    read, write = os.pipe()
    os.close(read)
    process = start(arguments, tmp_path, stdout=write)
    os.close(write)
    _, err = process.communicate()
    assert process.returncode == 2
    assert [
        line for line in err.decode().splitlines() if line.startswith(("rnncheck:", "Trace", "Exc", "Broken"))
    ] == []
    assert list(tmp_path.iterdir()) == []


@POSIX
def test_a_reader_that_goes_away_takes_no_report_file_with_it(tmp_path: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    process = start(["verify", "--json", "report.json"], tmp_path, stdout=write)
    os.close(write)
    process.communicate()
    assert json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))["passed"] == 2000


@FULL
def test_what_a_command_left_in_the_buffer_must_arrive_too(tmp_path: Path) -> None:
    code = "import sys; from rnncheck.cli.guard import exit_code; sys.exit(exit_code(lambda: print('x'), []))"
    with open("/dev/full", "wb") as full:
        process = start([], tmp_path, stdout=full, code=code)
        _, err = process.communicate()
    assert (process.returncode, err) == (2, b"rnncheck: standard output: No space left on device\n")


@FULL
@pytest.mark.parametrize("arguments", [["verify"], ["verify", "--json", "-"], ["--version"], ["--help"]])
def test_a_full_disk_under_standard_output_is_no_verdict(tmp_path: Path, arguments: list[str]) -> None:
    with open("/dev/full", "wb") as full:
        process = start(arguments, tmp_path, stdout=full)
        _, err = process.communicate()
    assert process.returncode == 2, err
    assert err.decode().splitlines()[-1].startswith("rnncheck: ")
    assert "No space left on device" in err.decode()
    assert b"Traceback" not in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("streams", [("stdout",), ("stderr",), ("stdin", "stdout", "stderr")], ids=" ".join)
def test_streams_that_the_caller_has_closed_change_no_exit_code(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, streams: tuple[str, ...]
) -> None:
    for name in streams:
        monkeypatch.setattr(sys, name, None)  # as Python leaves it after `2>&-`
    assert main(["verify"]) == 0
    assert main(["verify", "--nonsense"]) == 2
    for name in streams:
        getattr(sys, name).close()


@POSIX
def test_control_c_is_one_line_and_no_verdict(tmp_path: Path) -> None:
    process = start(["verify", "--seed", "99"], tmp_path)
    assert process.stderr is not None
    assert process.stderr.readline() == b"1 of 10 checks\n"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate()
    assert (process.returncode, out) == (130, b"")
    assert err == b"rnncheck: interrupted after 1 of 10 checks: no verdict\n"
