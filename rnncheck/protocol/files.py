"""Cases and results in plain files, for those who would rather not talk over a pipe.

`export` writes `cases.jsonl`, one case a line, and beside it `answers.jsonl`, what the oracle says. A program reads
the first and writes lines of answers, in any order, to any other file that ends in `.jsonl`.
"""

import json
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

from rnncheck.case import Case
from rnncheck.errors import NotShownError, UserError
from rnncheck.protocol.lines import ProtocolError, case_line, parse_object, read_answer
from rnncheck.protocol.numbers import encode_array
from rnncheck.select import selector
from rnncheck.shipped import shipped
from rnncheck.trace import Trace
from rnncheck.vectors import Vector, read_vectors

__all__ = ["ANSWERS", "CASES", "SCHEMA", "ResultsImplementation", "chosen_vectors", "export"]

CASES, ANSWERS, SCHEMA = "cases.jsonl", "answers.jsonl", "protocol.schema.json"


def export(vectors: Sequence[Vector], folder: Path) -> None:
    """Write the cases and, apart from them, the answers; each case goes by its name."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / SCHEMA).write_bytes(Path(__file__).with_name(SCHEMA).read_bytes())
    _write(folder / CASES, (case_line(v.case, v.case.name) for v in vectors))
    _write(folder / ANSWERS, map(_answer, vectors))


def chosen_vectors(expression: str | None = None) -> list[Vector]:
    """Return the shipped vectors, or those whose names a `-k` expression chooses.

    Raises
    ------
    UserError
        If the expression chooses none, or is no expression.
    """
    vectors = read_vectors(shipped("vectors/v1"))
    chosen = selector(expression) if expression else lambda name: True
    kept = [vector for vector in vectors if chosen(vector.case.name)]
    if not kept:
        first = vectors[0].case.name
        raise UserError(f"-k {expression!r} matches none of {len(vectors)} stored cases; the first is {first}")
    return kept


def _answer(vector: Vector) -> str:
    line: dict[str, Any] = {"id": vector.case.name}
    line["trace"] = {name: encode_array(array) for name, array in vector.trace.items()}
    if vector.steps is not None:
        line["steps"] = vector.steps
    return json.dumps(line)


def _write(path: Path, lines: Iterator[str]) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(f"{line}\n" for line in lines)


class ResultsImplementation:
    """Answers from files that a program has written: every `*.jsonl` of a folder but the cases and answers exported.

    Raises
    ------
    UserError
        If there is no such file, or two lines answer the same case.
    """

    apart = True

    def __init__(self, folder: Path):
        self.name = f"results in {folder}"
        self.protections = ("the results are files: nothing of the implementation under test is run",)
        self._lines: dict[Any, tuple[str, bytes]] = {}
        files = [path for path in sorted(folder.glob("*.jsonl")) if path.name not in (CASES, ANSWERS)]
        if not files:
            raise UserError(f"{folder} holds no results; write one line for each of {CASES} to results.jsonl there")
        for path in files:
            self._read(path)

    def require(self, names: Collection[str]) -> None:
        """Refuse results of which a line answers none of these cases: a name that is misspelt would never be missed.

        Raises
        ------
        UserError
            If there is one.
        """
        for id, (place, _) in self._lines.items():
            if id not in names:
                raise UserError(f"{place} answers {id!r}, which is no stored case; use the ids of {CASES} as they are")

    def run(self, case: Case) -> Trace:
        """Look the answer up."""
        if case.name not in self._lines:
            raise NotShownError("the results hold no answer to this case")
        place, line = self._lines[case.name]
        try:
            return read_answer(line, case, case.name)
        except ProtocolError as error:
            raise ProtocolError(f"{place}: {error}") from None

    def _read(self, path: Path) -> None:
        for number, line in enumerate(path.read_bytes().splitlines(), start=1):
            if not line.strip():
                continue
            place = f"{path}, line {number}"
            try:
                id = parse_object(line).get("id")
            except ProtocolError as error:
                raise UserError(f"{place}: {error}") from None
            if not isinstance(id, str):
                raise UserError(f"{place}: the id is {id!r}, expected the name of a case, as in {CASES}")
            if id in self._lines:
                raise UserError(f"{place} answers case {id} again, after {self._lines[id][0]}; keep one of the two")
            self._lines[id] = place, line
