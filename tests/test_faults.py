"""Every fault shows where it says, as early as it says, and nowhere else; no two faults look alike."""

import re
import textwrap
from dataclasses import replace
from fnmatch import fnmatchcase
from functools import cache
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from rnncheck.case import Case
from rnncheck.errors import UserError
from rnncheck.faults import CHAPTERS, FAULTS, Fault, FaultsExcludeError, bptt, combine, consequences, get
from rnncheck.faults.probes import observe, probes
from rnncheck.judging.tolerance import PeakRule
from rnncheck.textbook import Textbook

LENGTH = 3
CLEARLY = 1000.0
"""Times its allowance by which a structural fault must be off, in some array."""
ROUNDING = 1e-9
"""Two faults whose relative errors are as close as this could not be told from each other."""

Seen = dict[str, np.ndarray]
every_fault = pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)


@cache
def right(T: int, dtype: str) -> list[tuple[Case, Seen]]:
    return [(case, observe(Textbook(), case)) for case in probes(T, dtype)]


@cache
def wrong(fault: Fault, T: int, dtype: str) -> list[tuple[Case, Seen]]:
    """Return what is seen of a fault on the kinds of cases that it touches: all there is to see at one length."""
    closely = (T, dtype) == (LENGTH, shown_in(fault)) or any("." in pattern for pattern in fault.corrupts)
    cases = [case for case, _ in right(T, dtype) if case.kind in fault.kinds]
    return [(c, observe(fault.build(), c) if closely else dict(fault.build().run(c.copy()))) for c in cases]


def margin(candidate: np.ndarray, reference: np.ndarray) -> float:
    """Return the error in units of 256 u of the largest element; infinite for another shape, dtype, token or NaN."""
    if candidate.shape != reference.shape or candidate.dtype != reference.dtype:
        return np.inf
    if reference.dtype.kind != "f":
        return 0.0 if np.array_equal(candidate, reference) else np.inf
    if not np.isfinite(candidate).all():
        return np.inf
    return PeakRule(reference.dtype).judge(candidate, reference).margin


def differences(fault: Fault, T: int, dtype: str = "float64") -> dict[str, float]:
    """Return the largest margin of every array that differs, over all probes of length T."""
    found: dict[str, float] = {}
    references = {case.name: seen for case, seen in right(T, dtype)}
    for case, seen in wrong(fault, T, dtype):
        margins = {name: margin(array, references[case.name][name]) for name, array in seen.items()}
        differ = {name for name, m in margins.items() if m > 1}
        unclaimed = differ - consequences(fault.corrupts, references[case.name])
        assert not unclaimed, f"{case.name}: {sorted(unclaimed)} differ, {fault.name} claims {fault.corrupts}"
        found |= {name: max(margins[name], found.get(name, 0.0)) for name in differ}
    return found


def worst(fault: Fault, pattern: str, found: dict[str, float]) -> float:
    return max((m for name, m in found.items() if fnmatchcase(name, pattern)), default=0.0)


def shown_in(fault: Fault) -> str:
    """Name a dtype in which the fault is one: a cast to float64 is none in float64."""
    return "float32" if fault.equivalent_when == "the case is in float64" else "float64"


@every_fault
def test_a_fault_differs_in_all_that_it_claims_and_in_nothing_else(fault: Fault) -> None:
    found = differences(fault, max(LENGTH, fault.shows_from), shown_in(fault))
    for pattern in fault.corrupts:
        assert worst(fault, pattern, found) > (CLEARLY if fault.structural else 1), pattern


@every_fault
def test_a_fault_shows_from_the_length_it_says_and_not_before(fault: Fault) -> None:
    found = differences(fault, fault.shows_from, shown_in(fault))
    assert any(worst(fault, pattern, found) > 1 for pattern in fault.corrupts)
    if fault.shows_from > 1:
        assert not differences(fault, fault.shows_from - 1, shown_in(fault))


@every_fault
def test_a_structural_fault_is_as_clear_in_float32(fault: Fault) -> None:
    found = differences(fault, max(LENGTH, fault.shows_from), "float32")
    equivalent = fault.equivalent_when == "the case is in float32"
    assert bool(found) is not equivalent
    if fault.structural:
        assert max(found.values()) > CLEARLY


@pytest.mark.parametrize(
    "claim",
    [{"corrupts": ("dW_hh",)}, {"corrupts": ("dh", "h")}, {"shows_from": 2}, {"kinds": ("rnn", "sample")}],
    ids=["less", "more", "later", "kinds"],
)
def test_a_false_claim_is_noticed(claim: dict[str, object]) -> None:
    fault = replace(get("carry-not-transposed"), **claim)  # type: ignore[arg-type]
    with pytest.raises(AssertionError):
        _hold_against_its_claims(fault)


def _hold_against_its_claims(fault: Fault) -> None:
    test_a_fault_differs_in_all_that_it_claims_and_in_nothing_else(fault)
    test_a_fault_shows_from_the_length_it_says_and_not_before(fault)
    test_a_fault_shows_in_every_kind_of_cases_that_it_says(fault)


def test_a_fault_touches_only_the_kinds_of_cases_that_it_says() -> None:
    for number, fault in enumerate(FAULTS.values()):
        others = [(case, reference) for case, reference in right(2, "float64") if case.kind not in fault.kinds]
        for case, reference in others[number % 5 :: 5]:
            assert all(margin(a, reference[n]) == 0 for n, a in fault.build().run(case.copy()).items()), fault.name


@every_fault
def test_a_fault_shows_in_every_kind_of_cases_that_it_says(fault: Fault) -> None:
    """Whoever reads that it shows in samples too must be able to see it there."""
    T = max(LENGTH, fault.shows_from)
    dtype = shown_in(fault)
    references = {case.name: seen for case, seen in right(T, dtype)}
    shown = {
        case.kind
        for case, seen in wrong(fault, T, dtype)
        if any(margin(array, references[case.name][name]) > 1 for name, array in seen.items())
    }
    assert shown == {*fault.kinds}


def test_no_two_faults_look_alike() -> None:
    """Diagnosis by the catalogue needs this: the same result on every probe would be two names for one thing."""
    seen = {name: fingerprint(fault) for name, fault in FAULTS.items() if fault.shows_from <= LENGTH}
    names, prints = list(seen), np.array(list(seen.values()))
    for i, name in enumerate(names):
        apart = np.abs(prints[i + 1 :] - prints[i]).max(axis=1, initial=0)
        alike = [names[i + 1 + j] for j in np.flatnonzero(apart < ROUNDING)]
        assert not alike, f"{name} cannot be told from {alike}"


def fingerprint(fault: Fault) -> np.ndarray:
    """Project the relative error of every array that is seen onto fixed weights, one number each."""
    dtype = shown_in(fault)
    seen = {case.name: arrays for case, arrays in wrong(fault, LENGTH, dtype)}
    return np.array([
        _project(seen.get(case.name, reference)[name], array)
        for case, reference in right(LENGTH, dtype)
        for name, array in reference.items()
    ])  # fmt: skip


def _project(candidate: np.ndarray, reference: np.ndarray) -> float:
    if candidate is reference:
        return 0.0
    if candidate.shape != reference.shape:
        return 1e3
    if candidate.dtype != reference.dtype:
        return 2e3 + candidate.dtype.itemsize
    if not np.isfinite(candidate).all():
        return 3e3 + np.count_nonzero(np.isnan(candidate))
    scale = float(np.abs(reference).max(initial=0)) or 1.0
    weights = np.cos(np.arange(reference.size) + 1.0).reshape(reference.shape)
    return float(np.clip(((candidate.astype(float) - reference) * weights).sum() / scale, -1e9, 1e9))


def test_the_catalogue_is_large_and_complete() -> None:
    assert len(FAULTS) >= 50
    assert sum(fault.convention for fault in FAULTS.values()) >= 4
    assert {fault.family for fault in FAULTS.values()} <= set(CHAPTERS)
    titles = [fault.title for fault in FAULTS.values()]
    assert len(set(titles)) == len(titles)


@every_fault
def test_a_fault_says_everything_about_itself(fault: Fault) -> None:
    sentences = (fault.symptom, fault.effect, fault.cure)
    assert all(s and len(s) <= 130 for s in (fault.title, fault.wrong_line, fault.right_line, *sentences))
    assert not fault.title.endswith(".")
    assert fault.wrong_line != fault.right_line
    assert fault.corrupts
    assert fault.shows_from >= 1
    assert fault.seen is None or fault.seen > 0
    assert fault.equivalent_when
    assert fault.build().name == fault.name


@every_fault
def test_an_override_is_a_few_lines(fault: Fault) -> None:
    own = [m for m in vars(fault.implementation).values() if hasattr(m, "__code__")]
    lines = [len({line for _, _, line in m.__code__.co_lines() if line}) for m in own]
    assert sum(lines) <= 14


def test_the_fault_of_the_how_to_page_is_one() -> None:
    """Its title was that of another, and at T = 1, where it was said to be hidden, it is in dh0."""
    page = (Path(__file__).parents[1] / "docs/howto/add-a-fault.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    kept = dict(FAULTS)
    FAULTS.pop("carry-halved", None)  # whoever follows the page to the letter has it in the catalogue
    titles, before = [f.title for f in FAULTS.values()], set(FAULTS)
    try:
        exec(textwrap.dedent(code), dict(vars(bptt)))
        (name,) = set(FAULTS) - before
        fault = FAULTS[name]
    finally:
        FAULTS.clear()
        FAULTS.update(kept)
    assert f"`{name}`" in page
    assert fault.title not in titles
    _hold_against_its_claims(fault)
    test_a_structural_fault_is_as_clear_in_float32(fault)
    test_a_fault_says_everything_about_itself(fault)
    test_an_override_is_a_few_lines(fault)


def test_two_faults_combine() -> None:
    both = combine(get("carry-not-transposed"), get("derivative-squared"))
    case = probes(LENGTH)[0]
    h, dh, da = (both.run(case)[name] for name in ("h", "dh", "da"))
    assert both.name == "carry-not-transposed + derivative-squared"
    np.testing.assert_allclose(da, dh * (1 - h**2) ** 2, rtol=1e-12)
    own = both.run(case)["dlogits"] @ case.params["W_hy"]  # type: ignore[attr-defined]
    np.testing.assert_allclose(dh[0], own[0] + da[1] @ case.params["W_hh"].T, rtol=1e-12)  # type: ignore[attr-defined]


def test_a_fault_that_hands_on_combines_with_one_that_replaces_the_same_step() -> None:
    case = probes(2)[0]
    for pair in (("carry-damped", "carry-not-transposed"), ("carry-not-transposed", "carry-damped")):
        dh0, da = (combine(*map(get, pair)).run(case)[name] for name in ("dh0", "da"))
        np.testing.assert_allclose(dh0, 0.9 * da[0] @ case.params["W_hh"].T, rtol=1e-12)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("one", "two", "step"),
    [
        ("carry-not-transposed", "carry-before-the-derivative", "carry"),
        ("derivative-missing", "tanh-derivative-for-relu", "derivative"),
        ("truncated-after-5-steps", "truncated-after-25-steps", "begin"),
    ],
)
def test_faults_in_the_same_step_exclude_each_other(one: str, two: str, step: str) -> None:
    with pytest.raises(FaultsExcludeError, match=f"{one} and {two} exclude each other: both replace {step}"):
        combine(get(one), get(two))


def test_pairs_combine_or_say_why_not() -> None:
    cases = {kind: next(c for c in probes(2) if c.kind == kind) for kind in ("rnn", "clip", "optim", "sample")}
    pairs = list(combinations(FAULTS.values(), 2))
    combined = 0
    for number in np.random.default_rng(5).permutation(len(pairs))[:300]:
        one, two = pairs[number]
        try:
            both = combine(one, two)
        except FaultsExcludeError:
            continue
        combined += 1
        for kind in {*one.kinds, *two.kinds}:
            both.run(cases[kind].copy())
    assert combined > 200


def test_an_unknown_name_gets_the_nearest_ones() -> None:
    with pytest.raises(UserError, match=r"fault 'carry-transposed': no such name .* did you mean carry-not-transposed"):
        get("carry-transposed")


@pytest.mark.parametrize(
    ("corrupts", "names", "expected"),
    [
        (("dh",), ("dlogits", "dh", "da", "dW_hh", "dW_hy"), {"dh", "da", "dW_hh"}),
        (("h",), ("p", "tokens"), {"p", "tokens"}),
        (("loss",), ("loss", "dlogits", "second.loss"), {"loss", "second.loss"}),
        (("second.h",), ("h", "second.h", "second.loss"), {"second.h", "second.loss"}),
        (("step2.b_y",), ("step1.b_y", "step2.b_y", "step3.b_y", "step3.b_h"), {"step2.b_y", "step3.b_y"}),
    ],
)
def test_consequences_follow_the_flow_of_data(corrupts: tuple[str, ...], names: tuple[str, ...], expected: set) -> None:
    assert consequences(corrupts, names) == expected
