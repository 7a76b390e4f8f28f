"""Grade a folder of submissions: points for each family of checks, in part where some of its checks pass."""

import csv
import io
import json
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rnncheck.errors import UserError
from rnncheck.grading.submission import Family, Result, Submission, judge_apart, read_result, read_submission

__all__ = [
    "RUBRIC",
    "Grade",
    "Judge",
    "Run",
    "grade",
    "grade_folder",
    "in_threads",
    "outcome",
    "read_rubric",
    "reason",
    "submissions",
    "summary",
    "to_csv",
]

RUBRIC = {"forward": 3.0, "nodes": 1.0, "gradients": 5.0, "state": 1.0}
"""Points of each family, where the teacher says nothing else."""
VERDICTS = ("right", "wrong", "no verdict")
FORMAT = 2

Judge = Callable[[Submission], Result]
Run = Callable[[Sequence[Submission]], Iterator[Result]]
"""Has submissions judged and yields each result when it is there, in whatever order."""


@dataclass(frozen=True)
class Grade:
    """The points of a submission. A family that cannot be asked of its interface counts for nothing, either way."""

    result: Result
    points: float
    out_of: float
    by_family: dict[str, float | None]


def submissions(folder: Path) -> dict[str, Path]:
    """Return every script and notebook in a folder, and one folder deeper, by its name there.

    Raises
    ------
    UserError
        If there is none.
    """
    paths = [p for pattern in ("*", "*/*") for p in folder.glob(pattern) if p.suffix in (".py", ".ipynb")]
    found = {
        p.relative_to(folder).as_posix(): p
        for p in sorted(paths)
        if p.is_file() and "/." not in f"/{p.relative_to(folder)}"
    }
    if not found:
        raise UserError(
            f"{folder} holds no submission: put a .py or .ipynb of each into it, or into a folder of its own"
        )
    return found


def read_rubric(path: Path) -> dict[str, float]:
    """Read points per family from a TOML file: `[points]`, then lines such as `gradients = 5`.

    Raises
    ------
    UserError
        If the file is no such table.
    """
    try:
        points: Any = tomllib.loads(path.read_text(encoding="utf-8")).get("points")
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read: {error}; write [points] and lines such as gradients = 5") from error
    known = (*RUBRIC, "inputs", "clipping")
    for family, value in points.items() if isinstance(points, dict) else [("points", points)]:
        if family not in known or isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e9:
            raise UserError(f"{path}: {family} = {value!r}; under [points], give {', '.join(known)} a number of points")
    if not sum(points.values()):
        raise UserError(f"{path} gives no points at all; write [points] and lines such as gradients = 5")
    return {family: float(value) for family, value in points.items()}


def grade(result: Result, rubric: Mapping[str, float]) -> Grade:
    """Give each family its points times the share of its checks that passed; without a verdict there are none."""
    by_family: dict[str, float | None] = {}
    for family, points in rubric.items():
        found = result.families.get(family, Family(0, 0))
        by_family[family] = points * found.passed / found.judged if found.judged else None
    asked = {f: p for f, p in rubric.items() if by_family[f] is not None} if result.families else rubric
    return Grade(result, sum(p for p in by_family.values() if p is not None), sum(asked.values()), by_family)


def in_threads(judge: Judge = judge_apart, jobs: int = 1) -> Run:
    """Return a Run that keeps `jobs` judges busy on this machine."""

    def run(asked: Sequence[Submission]) -> Iterator[Result]:
        with ThreadPoolExecutor(jobs) as pool:
            waiting: dict[Future[Result], Submission] = {pool.submit(judge, one): one for one in asked}
            try:
                for done in as_completed(waiting):
                    yield outcome(waiting[done], done.result)
            except BaseException:  # GeneratorExit included: who listens no more wants no more judged
                pool.shutdown(cancel_futures=True)
                raise

    return run


def outcome(submission: Submission, result: Callable[[], Result]) -> Result:
    """Return the result; a judge that fails costs the submission at hand, which is judged again the next time."""
    try:
        return result()
    except Exception as error:
        return Result(submission.name, "", "no verdict", f"the judge failed: {type(error).__name__}: {error}")


def grade_folder(
    folder: Path,
    rubric: Mapping[str, float],
    *,
    run: Run | None = None,
    store: Path | None = None,
    hints: int = 3,
    on_done: Callable[[str, int, int], None] = lambda name, done, planned: None,
) -> list[Grade]:
    """Grade every submission; with `store`, what it holds of unchanged submissions is not judged again.

    The store is written after each submission: a run that was stopped goes on where it was.
    """
    from rnncheck.report.files import write_text

    found = {name: read_submission(folder, path) for name, path in submissions(folder).items()}
    known = _stored(store) if store is not None else {}
    results = {
        n: r for n, r in known.items() if n in found and (r.fingerprint, r.hints) == (found[n].fingerprint, hints)
    }
    for result in (run or in_threads())([one for name, one in found.items() if name not in results]):
        results[result.name] = result
        if store is not None:
            write_text(store, to_json([grade(results[n], rubric) for n in found if n in results]))
        on_done(result.name, len(results), len(found))
    grades = [grade(results[name], rubric) for name in found]
    if store is not None:
        write_text(store, to_json(grades))
    return grades


def _stored(path: Path) -> dict[str, Result]:
    """Read the results of an earlier run; a file of something else is not overwritten."""
    if not path.exists() or path.stat().st_size == 0:
        return {}
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if document["format"] != FORMAT:
            raise KeyError("format")
        return {g["result"]["name"]: read_result(g["result"]) for g in document["grades"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path} exists and holds no grades; name another file, or delete it") from error


def to_json(grades: list[Grade]) -> str:
    """Render the grades with all that they were made from."""
    return json.dumps({"format": FORMAT, "grades": [asdict(g) for g in grades]}, indent=1) + "\n"


def to_csv(grades: list[Grade], rubric: Mapping[str, float]) -> str:
    """Render a line for each submission: points, verdict, points by family, the reason."""
    file = io.StringIO()
    table = csv.writer(file, lineterminator="\n")
    table.writerow(["submission", "points", "out_of", "verdict", *rubric, "reason"])
    for g in grades:
        by_family = ["" if g.by_family[f] is None else f"{g.by_family[f]:g}" for f in rubric]
        row = [g.result.name, f"{g.points:g}", f"{g.out_of:g}", g.result.verdict, *by_family, reason(g)]
        table.writerow([f"'{cell}" if cell[:1] in ("=", "+", "-", "@") else cell for cell in row])  # no formulas
    return file.getvalue()


def reason(g: Grade) -> str:
    """Say why points are missing: the likely cause, and the first failure of every family.

    Families that fail for the same reason, such as an exception, are told together.
    """
    alike: dict[str, list[str]] = {}
    for name, family in g.result.families.items():
        if family.reason:
            alike.setdefault(family.reason.partition(": ")[2], []).append(name)
    lost = []
    for names in alike.values():
        families = [g.result.families[name] for name in names]
        judged = sum(family.judged for family in families)
        failed = judged - sum(family.passed for family in families)
        lost.append(f"{', '.join(names)}: {failed} of {judged} failed, first {families[0].reason}")
    return "; ".join([g.result.reason, *lost]).strip("; ")


def summary(grades: Sequence[Grade]) -> str:
    """Count the verdicts: `12 submissions: 5 right, 7 wrong`."""
    counts = Counter(g.result.verdict for g in grades)
    told = ", ".join(f"{counts[verdict]} {verdict}" for verdict in VERDICTS if counts[verdict])
    return f"{len(grades)} submission{'s' if len(grades) != 1 else ''}: {told}"
