"""The published run of `names`: three costs to six decimals and twelve names, letter by letter.

The run needs the public file, which is not part of the project: `RNNCHECK_DATA` names the folder that holds it.
"""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import numpy_impl
from numpy_impl.published import PUBLISHED, Published, public_names
from rnncheck.checks import published
from rnncheck.checks.check import Bench, run_check
from rnncheck.cli import main
from rnncheck.download import at_hand
from rnncheck.implementation import NumpyImpl
from rnncheck.result import Verdict
from rnncheck.vectors import VectorOracle

RUN = """
import json, sys
sys.path.insert(0, sys.argv[1])
from numpy_impl import published, recipes
from dataclasses import replace
published.PUBLISHED = published.PUBLISHED[: int(sys.argv[3])]
recipes.RECIPES["names"] = replace(recipes.RECIPES["names"], **json.loads(sys.argv[4]))
print(json.dumps([[p.step, p.cost, p.names] for p in published.reproduce_names(published.public_names(sys.argv[2]))]))
"""


@pytest.fixture(scope="module")
def public_file() -> Path:
    path = at_hand("person_names.txt")
    if path is None:
        pytest.skip("THE PUBLISHED FIGURES WERE NOT CHECKED: let RNNCHECK_DATA name a folder with person_names.txt")
    return path


def reproduced(path: Path, entries: int, **changes: object) -> list[Published]:
    """Reproduce in a process of its own: checking every shape of 20,001 steps would take most of the time."""
    root = Path(numpy_impl.__file__).parents[1]
    command = [sys.executable, "-c", RUN, str(root), str(path), str(entries), json.dumps(changes)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return [Published(step, cost, tuple(names)) for step, cost, names in json.loads(output)]


@pytest.mark.published
def test_published_costs_and_names_are_reproduced(public_file: Path) -> None:
    found = reproduced(public_file, 3)
    assert [(f"{p.step}", f"{p.cost:.6f}", p.names) for p in found] == [
        (f"{p.step}", f"{p.cost:.6f}", p.names) for p in PUBLISHED
    ]
    assert all(p.agrees(q) for p, q in zip(found, PUBLISHED, strict=True))


@pytest.mark.published
def test_torchs_first_momentum_step_does_not_reproduce_them(public_file: Path) -> None:
    found = reproduced(public_file, 2, zero_start=False)
    assert found[0].cost == pytest.approx(PUBLISHED[0].cost, abs=1e-6)  # before the first update
    assert not any(p.agrees(q) for p, q in zip(found, PUBLISHED[:2], strict=True))


def test_figures_are_those_of_the_publication() -> None:
    assert [(p.step, p.cost) for p in PUBLISHED] == [(0, 22.388388), (10_000, 26.761209), (20_000, 16.745427)]
    assert sum(len(p.names) for p in PUBLISHED) == 12


@pytest.mark.parametrize("change", [{"cost": 22.388389}, {"names": ("wiibjnaswxngbihh",)}, {"step": 1}])
def test_a_difference_in_the_sixth_decimal_or_one_letter_disagrees(change: dict[str, object]) -> None:
    assert PUBLISHED[0].agrees(PUBLISHED[0])
    assert not PUBLISHED[0].agrees(replace(PUBLISHED[0], **change))


def test_another_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "person_names.txt").write_text("Ada\nBob\n")
    with pytest.raises(
        ValueError, match=r"expected 223821f7f633\.\.\.: the published figures hold for the public file"
    ):
        public_names(tmp_path / "person_names.txt")


def test_another_file_is_no_verdict(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing was compared, so the exit code is 2, not 1."""
    (tmp_path / "names.txt").write_text("Ada\nBob\n")
    assert main(["verify", "--recipe", "names", "--published", "--data", str(tmp_path / "names.txt")]) == 2
    assert "the published figures hold for the public file only" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "array"), [({}, None), ({"cost": 26.761210}, "cost"), ({"names": PUBLISHED[1].names[:3]}, "names")]
)
def test_the_check_of_a_published_step_sees_the_sixth_decimal_and_the_last_name(
    change: dict[str, object], array: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run itself needs the public file; what is made of its figures does not."""
    found = [PUBLISHED[0], replace(PUBLISHED[1], **change), PUBLISHED[2]]
    monkeypatch.setattr(published, "public_names", lambda path: path)
    monkeypatch.setattr(published, "reproduce_names", lambda data: found)
    outcomes = [run_check(c, Bench(NumpyImpl(), VectorOracle([]))) for c in published.published_checks(Path("here"))]
    wrong = [(o.check, c.array) for o in outcomes for c in o.comparisons if c.verdict is Verdict.FAILED]
    assert wrong == ([("published[step=10000]", array)] if array else [])
    assert len(outcomes) == len(PUBLISHED)
