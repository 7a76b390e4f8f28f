"""Vectors: cases with the oracle's Traces and the scale of every array, in files that any language can read.

A folder holds `manifest.json` (described by `vectors.schema.json` beside it) and one safetensors file per case, with
the arrays `case.*`, `trace.*` and `scale.*`. A machine without PyTorch judges by them. To keep the folder small, the
arrays with a time axis of a case longer than STORED_WHOLE steps hold the first and the last three steps only. The
manifest also says which catalogued faults each case exposes.
"""

import hashlib
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from rnncheck.case import KINDS, Case
from rnncheck.errors import UserError
from rnncheck.judging.compare import Answer
from rnncheck.trace import TIMED

__all__ = ["FORMAT", "STORED_WHOLE", "Vector", "VectorOracle", "read_vectors", "stored_steps", "write_folder"]

FORMAT = 1
STORED_WHOLE = 30
EDGE = 3
MANIFEST = "manifest.json"
SCHEMA = "vectors.schema.json"
INTEGERS = (np.int8, np.int16, np.int32, np.int64)


@dataclass(frozen=True)
class Vector:
    """A case, the oracle's Trace of it, and the scales its tolerance is made from (`rule` says how).

    `steps` are the time steps that are stored, None for all. `exposes` names the catalogued faults that show in it; it
    is empty where that was not measured.
    """

    case: Case
    trace: dict[str, np.ndarray]
    scales: dict[str, np.ndarray]
    rule: str
    steps: tuple[int, ...] | None = None
    exposes: tuple[str, ...] = ()

    def answer(self) -> Answer:
        """Return what an oracle says: the Trace and its tolerance."""
        from rnncheck.judging.scales import stored_tolerance

        return Answer(self.trace, stored_tolerance(self.rule, self.case, self.scales, self.steps), self.steps)


class VectorOracle:
    """The oracle that stored vectors are: it knows its own cases and no others."""

    name = "stored vectors"

    def __init__(self, vectors: Sequence[Vector]):
        self.vectors = vectors
        self._by_name = {v.case.name: v for v in vectors}

    def answer(self, case: Case) -> Answer:
        """Look the case up."""
        return self._by_name[case.name].answer()


def stored_steps(T: int) -> tuple[int, ...] | None:
    """Return which time steps are stored of T, or None for all of them."""
    return None if T <= STORED_WHOLE else (*range(EDGE), *range(T - EDGE, T))


def write_folder(
    folder: Path, vectors: Sequence[Vector], on_progress: Callable[[str], None] = lambda name: None
) -> None:
    """Write the vectors, then the manifest that lists them: a folder without manifest is not yet one.

    Files that the folder's manifest listed before and lists no more go; others are not ours to delete.
    """
    folder.mkdir(parents=True, exist_ok=True)
    before = _listed(folder / MANIFEST)
    faults = list(dict.fromkeys(name for vector in vectors for name in vector.exposes))
    entries = []
    for vector in vectors:
        content = save(_parts(vector))
        path = folder / f"{vector.case.name}.safetensors"
        path.write_bytes(content)
        entries.append(_entry(vector, path.name, content, faults))
        on_progress(vector.case.name)
    for stale in before - {e["file"] for e in entries}:
        (folder / stale).unlink(missing_ok=True)
    shutil.copyfile(Path(__file__).with_name(SCHEMA), folder / SCHEMA)
    lines = ",\n".join(json.dumps(entry) for entry in entries)  # a line for each, as a diff shows it best
    names = json.dumps(faults)
    manifest = f'{{"format": {FORMAT}, "$schema": "./{SCHEMA}", "faults": {names}, "vectors": [\n{lines}\n]}}\n'
    (folder / MANIFEST).write_text(manifest, encoding="utf-8")


def _listed(manifest: Path) -> set[str]:
    """Return the names of the files that a manifest lists, in its own folder; none where it cannot be read."""
    try:
        files = {entry["file"] for entry in json.loads(manifest.read_text(encoding="utf-8"))["vectors"]}
    except (OSError, ValueError, KeyError, TypeError):
        return set()
    return {file for file in files if Path(file).name == file}


def read_vectors(folder: Path) -> list[Vector]:
    """Read every vector that the manifest lists.

    Raises
    ------
    UserError
        If the manifest, or a file it lists, is missing, damaged or of another format.
    """
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise UserError(f"{path}: {why}; write the folder anew with `rnncheck vectors write {folder}`") from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        found = manifest.get("format") if isinstance(manifest, dict) else type(manifest).__name__
        raise UserError(f"{path}: format is {found!r}, expected {FORMAT}; write it anew with `rnncheck vectors write`")
    try:
        return [_read(folder, entry, manifest["faults"]) for entry in manifest["vectors"]]
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise UserError(
            f"{path} is not a manifest of vectors, or does not fit its files ({type(error).__name__} {error}); "
            f"write the folder anew with `rnncheck vectors write {folder}`"
        ) from error


def _parts(vector: Vector) -> dict[str, np.ndarray]:
    parts = {f"case.{name}": array for name, array in vector.case.arrays().items()}
    parts |= {f"trace.{name}": array for name, array in vector.trace.items()}
    parts |= {f"scale.{name}": array for name, array in vector.scales.items()}
    return {name: np.ascontiguousarray(_small(array)).reshape(np.shape(array)) for name, array in parts.items()}


def _small(array: np.ndarray) -> np.ndarray:
    """Store ids in as few bytes as hold them: 1000 steps of int64 are more than all gradients. Read, they are int64."""
    if array.dtype.kind != "i" or array.size == 0:
        return array
    low, high = array.min(), array.max()
    return array.astype(next(t for t in INTEGERS if np.iinfo(t).min <= low and high <= np.iinfo(t).max))


def _entry(vector: Vector, file: str, content: bytes, faults: list[str]) -> dict[str, Any]:
    return {
        "name": vector.case.name,
        "file": file,
        "sha256": hashlib.sha256(content).hexdigest(),
        "kind": vector.case.kind,
        "dtype": str(vector.case.dtype),
        "settings": vector.case.settings(),
        "rule": vector.rule,
        "inputs": list(vector.case.arrays()),
        "arrays": list(vector.trace),
        "timed": [name for name in vector.trace if name in TIMED],
        "steps": None if vector.steps is None else list(vector.steps),
        **({"exposes": [faults.index(name) for name in vector.exposes]} if vector.exposes else {}),
    }


def _read(folder: Path, entry: dict[str, Any], faults: list[str]) -> Vector:
    path = folder / entry["file"]
    try:
        content = path.read_bytes()
        arrays = load(content)
    except (OSError, SafetensorError) as error:
        why = getattr(error, "strerror", None) or error
        raise UserError(f"{path}: {why}; write the folder anew with `rnncheck vectors write {folder}`") from error
    digest = hashlib.sha256(content).hexdigest()
    if digest != entry["sha256"]:
        raise UserError(
            f"{path}: sha256 is {digest[:12]}..., the manifest says {entry['sha256'][:12]}...: the file was changed"
        )
    groups: dict[str, dict[str, np.ndarray]] = {"case": {}, "trace": {}, "scale": {}}
    for name, array in arrays.items():
        group, _, member = name.partition(".")
        groups[group][member] = array.astype(np.int64) if array.dtype.kind == "i" else array
    inputs = {name: groups["case"][name] for name in entry["inputs"]}  # in their order, which safetensors forgets
    case = KINDS[entry["kind"]].from_parts(inputs, entry["settings"])
    trace = {name: groups["trace"][name] for name in entry["arrays"]}
    steps = None if entry["steps"] is None else tuple(entry["steps"])
    exposes = tuple(faults[place] for place in entry.get("exposes", ()))
    return Vector(case, trace, groups["scale"], entry["rule"], steps, exposes)
