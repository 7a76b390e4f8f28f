"""The standard cases and the folder of their vectors: what they are, how large, and what their manifest promises."""

import copy
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from jsonschema import Draft202012Validator, ValidationError
from safetensors.numpy import load

import rnncheck
from rnncheck.case import RNNCase
from rnncheck.cases.standard import DTYPES, LADDER, rnn_designs, standard_cases
from rnncheck.faults import FAULTS
from rnncheck.shipped import shipped
from rnncheck.vectors import SCHEMA, read_vectors, write_folder

FOLDER = shipped("vectors/v1")
LARGEST = 8 * 10**6


def manifest() -> dict:
    return json.loads((FOLDER / "manifest.json").read_text(encoding="utf-8"))


def validate(document: dict, schema: Path = FOLDER / SCHEMA) -> None:
    Draft202012Validator(json.loads(schema.read_text(encoding="utf-8"))).validate(document)


def test_names_are_unique() -> None:
    names = [case.name for case in standard_cases()]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_length_comes_with_every_kind_of_bptt_and_two_batch_sizes(dtype: str) -> None:
    designs = [d for d in rnn_designs() if d.dtype == dtype]
    for T in LADDER:
        assert {d.bptt for d in designs if d.T == T} == {"full", "windowed", "chunked"}
        assert len({d.B for d in designs if d.T == T}) >= 2 or T > 30


def test_the_vectors_are_those_of_the_standard_cases() -> None:
    assert [v.case.name for v in read_vectors(FOLDER)] == [case.name for case in standard_cases()]


def test_the_folder_is_small_enough_to_ship() -> None:
    assert sum(path.stat().st_size for path in FOLDER.parent.rglob("*") if path.is_file()) <= LARGEST


# --- the manifest and its schema


def test_the_manifest_is_what_its_schema_says() -> None:
    Draft202012Validator.check_schema(json.loads((FOLDER / SCHEMA).read_text(encoding="utf-8")))
    validate(manifest())
    assert manifest()["$schema"] == f"./{SCHEMA}"


def test_the_schema_holds_for_every_folder_that_is_shipped() -> None:
    manifests = sorted(FOLDER.parent.rglob("manifest.json"))
    assert len(manifests) > 1
    for path in manifests:
        validate(json.loads(path.read_text(encoding="utf-8")))


def test_ids_are_stored_in_few_bytes_and_read_in_many(tmp_path: Path) -> None:
    """Bytes that hold 1000 steps of small ids would not hold a large one: then more are taken."""
    vector = next(v for v in read_vectors(FOLDER) if v.case.kind == "rnn")
    x = np.array([[1, 2], [-1, 300]])
    large = replace(vector, case=replace(vector.case, x=x))
    write_folder(tmp_path, [vector, replace(large, case=replace(large.case, name="large"))])
    small, again = read_vectors(tmp_path)
    assert small.case.x.dtype == again.case.x.dtype == np.int64
    np.testing.assert_array_equal(again.case.x, x)
    raw = load((tmp_path / "large.safetensors").read_bytes())
    assert (raw["case.x"].dtype, raw["case.y"].dtype) == (np.int16, np.int8)


def test_the_shipped_schema_is_the_one_that_is_written() -> None:
    assert (FOLDER / SCHEMA).read_bytes() == Path(rnncheck.__file__).with_name(SCHEMA).read_bytes()


def test_a_folder_that_is_written_comes_with_its_schema(tmp_path: Path) -> None:
    few = read_vectors(FOLDER)[:2]
    write_folder(tmp_path, few)
    validate(json.loads((tmp_path / "manifest.json").read_text(encoding="utf-8")), tmp_path / SCHEMA)
    again = read_vectors(tmp_path)
    assert [v.exposes for v in again] == [v.exposes for v in few]
    assert all(v.exposes for v in again)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("exposes", None),
        ("exposes", [3, 3]),
        ("exposes", ["carry-not-transposed"]),
        ("dtype", "float16"),
        ("sha256", "0" * 63),
        ("file", "../elsewhere.safetensors"),
        ("kind", "lstm"),
        ("rule", "allclose"),
        ("steps", []),
        ("surprise", 1),
        ("settings", {"name": "T=1", "seed": 1990}),
    ],
)
def test_another_manifest_is_refused(key: str, value: object) -> None:
    document = copy.deepcopy(manifest())
    document["vectors"] = document["vectors"][:1]
    validate(document)
    document["vectors"][0][key] = value
    with pytest.raises(ValidationError):
        validate(document)


def test_the_faults_of_the_manifest_are_in_the_catalogue() -> None:
    assert set(manifest()["faults"]) == set(FAULTS)
    assert {place for entry in manifest()["vectors"] for place in entry["exposes"]} == set(range(len(FAULTS)))


def test_long_vectors_hold_their_ends_only() -> None:
    for vector in read_vectors(FOLDER):
        if isinstance(vector.case, RNNCase) and len(vector.case.x) > 30:
            T = len(vector.case.x)
            assert vector.steps == (0, 1, 2, T - 3, T - 2, T - 1)
            assert len(vector.trace["h"]) == 6
        else:
            assert vector.steps is None
