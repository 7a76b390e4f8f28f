"""What only large problems are solved by is judged at their size, and a mistake in it is noticed."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from numpy_impl import clip, inputs, lean, optim, products, quick, rnn
from rnncheck.cases.large import extreme_clips, large_passes, large_steps
from rnncheck.cases.standard import SEED
from rnncheck.checks.check import Bench, Check, Source, run_check
from rnncheck.checks.steps import compare_all
from rnncheck.implementation import Lean, NumpyImpl, Packed
from rnncheck.oracle import TextbookOracle
from rnncheck.result import Verdict

ORACLE = TextbookOracle()
MAKE: dict[str, Callable[[], Any]] = {
    "model": NumpyImpl,
    "lean": Lean,
    "panels": lambda: Lean(panels=True),
    "packed": lambda: Packed(panels=True),
}


def sources(dtype: str = "float64") -> dict[str, Source]:
    found = [*large_passes(dtype, SEED, long=True), *large_passes(dtype, SEED, long=False), *large_steps(dtype, SEED)]
    return {source.name.removesuffix(f"-{dtype}"): source for source in found}


LONG = {"long in float32": sources("float32")["long"]}  # which alone goes backwards in windows
SOURCES = sources() | LONG | {source.name.removesuffix("-float32"): source for source in extreme_clips(SEED)}


def verdict(source: Source, implementation: str) -> Verdict:
    check: Check = compare_all(source, "large")
    return run_check(check, Bench(MAKE[implementation](), ORACLE)).verdict


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("name", "implementation"),
    [
        ("long", "model"),
        ("long", "lean"),
        *((wide, form) for wide in ("vocabulary", "state") for form in ("panels", "packed")),
        *((step, "model") for step in ("clip-large", "optim-sgd-large", "optim-adagrad-large", "sample-large")),
    ],
)
def test_large_problems_are_solved_rightly(name: str, implementation: str, dtype: str) -> None:
    assert verdict(sources(dtype)[name], implementation) is Verdict.PASSED


@pytest.mark.parametrize("name", ["clip-huge", "clip-tiny"])
def test_a_norm_whose_squares_are_out_of_range_is_right(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert verdict(SOURCES[name], "model") is Verdict.PASSED
    monkeypatch.setattr(clip, "_norm", lambda g: np.sqrt(g.dot(g)))
    with np.errstate(over="ignore", divide="ignore"):
        assert verdict(SOURCES[name], "model") is Verdict.FAILED


def forget_later(patch: pytest.MonkeyPatch) -> None:
    own = rnn.carry_in_chunks
    patch.setattr(rnn, "carry_in_chunks", lambda *window: own(*window[:-1], None))


def first_block_of_tokens(patch: pytest.MonkeyPatch) -> None:
    own = inputs._add_segments
    seen: list[int] = []
    patch.setattr(inputs, "_add_segments", lambda *a: seen.append(1) or (len(seen) == 1 and own(*a)))


def lose_last_step(patch: pytest.MonkeyPatch) -> None:
    """End the loop over blocks one step early: the last block is one step long."""
    own = lean.readout

    def readout(params: Any, h: Any, y: Any, reduction: str, ignore: int, dh: Any, *rest: Any, **options: Any) -> Any:
        if options.get("add") and len(h) == 1:
            dh[...] = 0
            return h.dtype.type(0)
        return own(params, h, y, reduction, ignore, dh, *rest, **options)

    patch.setattr(lean, "readout", readout)


def assign_blocks(patch: pytest.MonkeyPatch) -> None:
    own = lean.readout
    patch.setattr(lean, "readout", lambda *a, add=False: own(*a, add=False))


def mean_of_all_steps(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(lean, "np", _Counting())


class _Counting:
    """NumPy, but every step counts as one with a target."""

    def __getattr__(self, name: str) -> Any:
        return (lambda a: a.size) if name == "count_nonzero" else getattr(np, name)


def swap_panels(patch: pytest.MonkeyPatch) -> None:
    own = products._times_panels
    patch.setattr(products, "_times_panels", lambda h, W, out: own(h, W[::-1], out))


def lose_terms(patch: pytest.MonkeyPatch) -> None:
    own = products._by_terms
    patch.setattr(products, "_by_terms", lambda a, b, out, terms: own(a, b, out, terms).__imul__(1 - 1e-9))


def one_piece_of(module: Any) -> Callable[[pytest.MonkeyPatch], None]:
    """Let a loop over pieces end after the first."""

    def plant(patch: pytest.MonkeyPatch) -> None:
        patch.setattr(module, "range", lambda start, stop, step: [start], raising=False)

    return plant


@pytest.mark.parametrize(
    ("name", "implementation", "plant"),
    [
        ("long in float32", "model", forget_later),
        ("long in float32", "lean", forget_later),
        ("long", "model", first_block_of_tokens),
        ("vocabulary", "panels", assign_blocks),
        ("vocabulary", "panels", mean_of_all_steps),
        ("vocabulary", "panels", lose_last_step),
        ("vocabulary", "panels", lose_terms),
        ("vocabulary", "packed", lose_terms),
        ("state", "panels", swap_panels),
        ("state", "packed", swap_panels),
        ("clip-large", "model", one_piece_of(clip)),
        ("optim-adagrad-large", "model", one_piece_of(optim)),
        ("sample-large", "model", one_piece_of(quick)),
    ],
)
def test_a_mistake_that_only_large_problems_meet_is_noticed(
    name: str, implementation: str, plant: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch)
    assert verdict(SOURCES[name], implementation) is Verdict.FAILED


def test_the_textbook_is_asked_once_for_implementations_in_a_row() -> None:
    case = SOURCES["state"].make()
    oracle = TextbookOracle()
    assert oracle.answer(case) is oracle.answer(SOURCES["state"].make())
    assert oracle.answer(case) is not TextbookOracle().answer(case)
    other = replace(case, params={**case.params, "W_hh": case.params["W_hh"] * 2})
    assert other.name == case.name
    assert not np.array_equal(oracle.answer(case).trace["h"], oracle.answer(other).trace["h"])
