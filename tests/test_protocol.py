"""Cases and answers as lines of JSON: they round-trip, the schema describes them, and what is wrong is quoted."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnncheck.cases.make import Design, make_rnn_case
from rnncheck.cases.standard import clip_cases, optim_cases, sample_cases
from rnncheck.cli import main
from rnncheck.errors import NotShownError, TargetError, UserError
from rnncheck.implementation import NumpyImpl
from rnncheck.protocol import lines
from rnncheck.protocol.files import ANSWERS, CASES, ResultsImplementation, chosen_vectors, export
from rnncheck.protocol.lines import (
    ProtocolError,
    answer_line,
    case_line,
    longest_answer,
    parse_object,
    read_answer,
    read_case,
)
from rnncheck.protocol.numbers import NotNumbersError, decode_array, encode_array
from rnncheck.shipped import shipped
from rnncheck.vectors import read_vectors

SCHEMA = Path(lines.__file__).with_name("protocol.schema.json")
F64, F32 = np.dtype(np.float64), np.dtype(np.float32)
RNN = make_rnn_case(Design(T=3, B=2, H=4, V=5), seed=11)
OTHERS = [
    make_rnn_case(Design(T=2, B=3, inputs="dense", reduction="none", dtype="float32", bptt="chunked", k=1), seed=12),
    make_rnn_case(Design(T=2, B=1, biases=False, h0=False, bptt="windowed", k=2, nonlinearity="relu"), seed=13),
    replace(RNN, dloss=np.asarray(0.5), name="one upstream number"),
    clip_cases()[0],
    clip_cases()[-1],
    *(c for c in optim_cases(3) if "average" in c.name or "inside" in c.name),
    *(c for c in sample_cases(3) if "top-k-top-p" in c.name or "stop" in c.name),
]
CASES_OF_ALL_KINDS = [RNN, *OTHERS]


# --- numbers


@given(st.floats(allow_nan=False))
def test_a_float64_round_trips(number):
    text = json.dumps(encode_array(np.array([number])))
    assert decode_array(json.loads(text), F64).tobytes() == np.array([number]).tobytes()


@given(st.floats(width=32, allow_nan=False))
def test_a_float32_round_trips(number):
    array = np.array([number], np.float32)
    assert decode_array(json.loads(json.dumps(encode_array(array))), F32).tobytes() == array.tobytes()


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_nine_digits_are_enough_for_a_float32(number):
    array = np.array([number], np.float32)
    assert decode_array([float(f"{number:.9g}")], F32).tobytes() == array.tobytes()


def test_what_is_not_finite_is_a_word():
    array = np.array([[np.nan, np.inf], [-np.inf, 1.5]])
    assert encode_array(array) == [["NaN", "Infinity"], ["-Infinity", 1.5]]
    np.testing.assert_array_equal(decode_array(encode_array(array), F64), array)
    assert np.isnan(decode_array([None, 1.0], F64)[0])


def test_a_number_too_large_for_float32_is_infinite():
    assert decode_array([1e39, 10**400, -(10**400)], F32).tolist() == [np.inf, np.inf, -np.inf]


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ([[1.0, 2.0], [3.0]], "is ragged: lists on one level have the lengths [1, 2]"),
        ([[1.0], 2.0], "is ragged"),
        (["1.5"], "holds '1.5', expected a number"),
        ([True], "holds True, expected a number"),
        ({"a": 1}, "holds {'a': 1}, expected a number"),
        (json.loads("[" * 99 + "]" * 99), "is nested too deeply"),
    ],
)
def test_what_is_no_array_of_numbers_is_refused(value, why):
    with pytest.raises(NotNumbersError) as error:
        decode_array(value, F64)
    assert why in str(error.value)


# --- lines


@pytest.mark.parametrize("case", CASES_OF_ALL_KINDS, ids=lambda case: case.name)
def test_a_case_round_trips_without_its_name_and_seed(case):
    line = case_line(case, 7)
    found = read_case(parse_object(line))
    ours, theirs = case.arrays(), found.arrays()
    assert list(ours) == list(theirs)
    for name, array in ours.items():
        assert theirs[name].dtype == array.dtype
        assert theirs[name].shape == array.shape
        assert theirs[name].tobytes() == np.ascontiguousarray(array).tobytes()
    secret = {"name", "seed"}
    assert {n: v for n, v in case.settings().items() if n not in secret} == {
        n: v for n, v in found.settings().items() if n not in secret
    }
    assert not secret & set(json.loads(line))
    assert case.name not in line
    assert (found.name, found.seed) == ("7", 0)


@pytest.mark.parametrize("case", CASES_OF_ALL_KINDS, ids=lambda case: case.name)
def test_an_answer_round_trips(case):
    trace = NumpyImpl().run(case)
    line = answer_line(7, trace)
    assert len(line) < longest_answer(case)
    found = read_answer(line, case, 7)
    assert set(found) == set(trace)
    for name, array in trace.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)


def test_the_longest_answer_has_room_for_long_words():
    """Every number may take 25 characters and a separator of two: `-1.2345678901234567e-100, `."""
    trace = {n: np.full_like(a, -1.2345678901234567e-100) for n, a in NumpyImpl().run(RNN).items()}
    assert len(answer_line(7, trace)) < longest_answer(RNN)


BAD_LINES = [
    ("hello", ProtocolError, "the line 'hello' is not a JSON object"),
    ("[1, 2]", ProtocolError, "the line '[1, 2]' is not a JSON object"),
    ('{"id": 7, "trace": {"loss": NaN}}', ProtocolError, "is not a JSON object"),
    ('{"id": 7, "trace": {"loss": 1.0}', ProtocolError, "is not a JSON object"),
    ("[" * 100_000, ProtocolError, "(100002 characters) is not a JSON object"),
    ("9" * 5000, ProtocolError, "is not a JSON object"),
    (b"\xff\xfe", ProtocolError, "is not a JSON object"),
    ('{"id": 8, "trace": {}}', ProtocolError, "has the id 8, expected 7"),
    ('{"trace": {}}', ProtocolError, "has the id None, expected 7"),
    ('{"id": 7}', ProtocolError, 'has no "trace"'),
    ('{"id": 7, "trace": [1]}', ProtocolError, 'has no "trace"'),
    ('{"id": 7, "trace": {"dWhh": [1.0]}}', ProtocolError, "shows 'dWhh', which is no array of this case; they are h,"),
    ('{"id": 7, "trace": {"h": ["x"]}}', ProtocolError, "h holds 'x', expected a number"),
    ('{"id": 7, "error": "no more paper"}', TargetError, "no more paper"),
    ('{"id": 7, "not_shown": "no optimiser"}', NotShownError, "no optimiser"),
]


@pytest.mark.parametrize(("line", "kind", "why"), BAD_LINES, ids=[str(b[0])[:40] for b in BAD_LINES])
def test_a_bad_answer_is_quoted(line, kind, why):
    with pytest.raises(kind) as error:
        read_answer(line, RNN, 7)
    assert why in str(error.value)
    assert len(str(error.value)) < 300


def test_a_partial_answer_is_legal():
    assert set(read_answer('{"id": 7, "trace": {"loss": 1.5}}', RNN, 7)) == {"loss"}


# --- the schema


@pytest.fixture(scope="module")
def validator():
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads(SCHEMA.read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.mark.parametrize("case", CASES_OF_ALL_KINDS, ids=lambda case: case.name)
def test_the_schema_describes_cases_and_answers(case, validator):
    validator.validate(json.loads(case_line(case, 7)))
    validator.validate(json.loads(answer_line("a name", NumpyImpl().run(case))))


def test_the_schema_describes_the_other_answers(validator):
    validator.validate({"id": 1, "not_shown": "why"})
    validator.validate({"id": 1, "error": "why"})
    validator.validate({"id": 1, "trace": {"h": [["NaN", None, "-Infinity", 1]]}})


def without(name):
    return {key: value for key, value in json.loads(case_line(RNN, 7)).items() if key != name}


@pytest.mark.parametrize(
    "line",
    [
        *(without(name) for name in ("id", "kind", "wanted", "params", "x", "reduction", "sizes")),
        without("seed") | {"seed": 3},
        without("kind") | {"kind": "clip"},
        without("y") | {"y": [[0.5]]},
        {"id": 1},
        {"id": 1, "trace": {"h": ["nan"]}},
        {"id": 1, "trace": {"h": True}},
        {"id": 1, "trace": {}, "not_shown": "both"},
        {"id": 1, "trace": {}, "more": 1},
        [1],
    ],
)
def test_the_schema_refuses(line, validator):
    assert not validator.is_valid(line)


# --- files


@pytest.fixture(scope="module")
def vectors():
    wanted = ("T=2-B=1-float64", "T=50-B=2-float64-gain=1-orthogonal")
    return [v for v in read_vectors(shipped("vectors/v1")) if v.case.name in wanted]


def test_export_writes_cases_and_apart_from_them_the_answers(tmp_path, vectors, validator):
    export(vectors, tmp_path)
    cases = [json.loads(line) for line in (tmp_path / CASES).read_text("utf-8").splitlines()]
    answers = [json.loads(line) for line in (tmp_path / ANSWERS).read_text("utf-8").splitlines()]
    for one in cases + answers:
        validator.validate(one)
    assert [c["id"] for c in cases] == [a["id"] for a in answers] == [v.case.name for v in vectors]
    assert not any("trace" in case for case in cases)
    assert answers[1]["steps"] == [0, 1, 2, 47, 48, 49]
    np.testing.assert_array_equal(answers[0]["trace"]["dW_hh"], vectors[0].trace["dW_hh"])


def test_export_takes_a_choice(tmp_path):
    export(chosen_vectors("clip-value-acts"), tmp_path)
    assert len((tmp_path / CASES).read_text("utf-8").splitlines()) == 2  # in both dtypes
    with pytest.raises(UserError, match="matches none of"):
        chosen_vectors("T=3.14")


def test_export_says_which_folders_it_made_and_what_comes_next(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["vectors", "export", "a/b", "-k", "clip-value-acts"]) == 0
    made, where, after = capsys.readouterr().out.splitlines()
    folder = Path("a/b")
    assert made == f"made the folder {folder}"
    assert where == f"2 cases are in {folder / CASES}, their answers in {ANSWERS}, the format in {SCHEMA.name}"
    assert after.endswith(f"then: rnncheck check --results {folder}")
    assert {file.name for file in folder.iterdir()} == {CASES, ANSWERS, SCHEMA.name}
    assert main(["vectors", "export", "a/b", "-k", "clip-value-acts"]) == 0
    assert "made" not in capsys.readouterr().out


def test_an_export_of_nothing_makes_no_folder(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["vectors", "export", "a/b", "-k", "T=3.14"]) == 2
    assert "matches none of" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_results_are_read_from_any_file_but_the_exported(tmp_path, vectors):
    export(vectors, tmp_path)
    with pytest.raises(UserError, match="holds no results"):
        ResultsImplementation(tmp_path)
    first, second = (v.case for v in vectors)
    (tmp_path / "mine.jsonl").write_text(answer_line(first.name, NumpyImpl().run(first)) + "\n\n", "utf-8")
    results = ResultsImplementation(tmp_path)
    np.testing.assert_array_equal(results.run(first)["dh0"], NumpyImpl().run(first)["dh0"])
    with pytest.raises(NotShownError, match="hold no answer"):
        results.run(second)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("oops", "line 1: the line 'oops' is not a JSON object"),
        ('{"id": 3, "trace": {}}', "the id is 3, expected the name of a case"),
        ('{"id": "a", "trace": {}}\n{"id": "a", "trace": {}}', "line 2 answers case a again"),
    ],
)
def test_bad_results_are_refused(tmp_path, text, why):
    (tmp_path / "results.jsonl").write_text(text, "utf-8")
    with pytest.raises(UserError) as error:
        ResultsImplementation(tmp_path)
    assert why in str(error.value)


def test_a_bad_result_names_its_line(tmp_path, vectors):
    case = vectors[0].case
    (tmp_path / "results.jsonl").write_text(json.dumps({"id": case.name, "trace": {"h": [[1], 2]}}), "utf-8")
    with pytest.raises(ProtocolError, match=r"results\.jsonl, line 1: .* h is ragged"):
        ResultsImplementation(tmp_path).run(case)
