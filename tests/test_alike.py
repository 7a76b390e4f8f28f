"""Cases of equal shape are answered together: the same answers, for whatever a sweep draws, and in any order."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from rnncheck.case import RNNCase
from rnncheck.cases.fresh import DESIGNS, Sweep
from rnncheck.cases.make import Design, make_rnn_case
from rnncheck.cases.standard import DTYPES
from rnncheck.checks.check import Bench, Source, run_check
from rnncheck.checks.passes import pass_checks
from rnncheck.result import Verdict

pytest.importorskip("torch")

from rnncheck import alike
from rnncheck.alike import Alike
from rnncheck.implementation import NumpyImpl, TorchLoop
from rnncheck.oracle import LiveOracle

ROUNDING = 1e-13
"""Stacked products may add up in another order: relative to the largest entry, in float64."""
LENGTHS = (1, 2, 5)
COUNT = len(LENGTHS) * 2 * DESIGNS


def sources(count: int = COUNT) -> list[Source]:
    return list(Sweep(LENGTHS, 3).sources(count))


def farthest(found, expected) -> float:
    assert found.keys() == expected.keys()
    scales = {name: max(np.abs(a).max(), 1e-300) for name, a in expected.items()}
    return max(float(np.abs(found[name] - expected[name]).max() / scales[name]) for name in expected)


def test_answers_that_come_together_are_those_of_cases_alone() -> None:
    together, alone = Alike(sources()), TorchLoop()
    for source in together.sources():
        case = source.make()
        assert farthest(together.run(case), alone.run(case)) <= ROUNDING, case.name


def test_they_do_come_together(monkeypatch: pytest.MonkeyPatch) -> None:
    groups = []
    run_many = alike._run_many
    monkeypatch.setattr(alike, "_run_many", lambda cases: groups.append(len(cases)) or run_many(cases))
    for source in Alike(sources()).sources():
        source.make()
    assert groups == [2] * (COUNT // 2)


def test_an_answer_given_to_the_neighbour_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    run_many = alike._run_many
    monkeypatch.setattr(alike, "_run_many", lambda cases: run_many(cases)[::-1])
    together, alone = Alike(sources(8 * len(LENGTHS))), TorchLoop()
    apart = [farthest(together.run(case), alone.run(case)) for case in (s.make() for s in together.sources())]
    assert min(apart) > 1e6 * ROUNDING


def test_cases_may_be_asked_for_in_any_order_and_again() -> None:
    together, alone = Alike(sources()), TorchLoop()
    made = list(together.sources())
    for source in [made[5], made[0], made[-1], made[5], made[4]]:
        case = source.make()
        assert case.name == source.name
        assert farthest(together.run(case), alone.run(case)) <= ROUNDING


def test_a_changed_copy_of_a_case_gets_its_own_answer() -> None:
    """The gate asks for copies of the same name, a little beside the case."""
    together = Alike(sources())
    case = next(together.sources()).make()
    assert isinstance(case, RNNCase)
    nudged = replace(case, params={name: array * 1.01 for name, array in case.params.items()})
    assert farthest(together.run(nudged), TorchLoop().run(nudged)) <= ROUNDING
    assert farthest(together.run(nudged), together.run(case)) > ROUNDING


@pytest.mark.parametrize("name", ["h", "dW_hh", "dh0"])
def test_a_fault_is_found_in_the_case_that_has_it(planted, name: str) -> None:
    """One element of one array of one case in a group is off by a thousandth of its largest."""
    together = Alike(sources())
    listed = list(together.sources())

    def spoil(case, trace) -> None:
        if case.name == listed[3].name:
            trace[name].flat[-1] += 1e-3 * np.abs(trace[name]).max()

    bench = Bench(planted(spoil), LiveOracle(torch=together))
    outcomes = [run_check(check, bench) for check in pass_checks(listed, "sweep-")]
    wrong = {(o.check, c.array) for o in outcomes for c in o.comparisons if c.verdict is Verdict.FAILED}
    assert {array for _, array in wrong} == {name}
    assert [check for check, _ in wrong if listed[3].name not in check] == []


def chaotic() -> RNNCase:
    """A case that amplifies a change of its inputs far beyond what the bare rule could judge."""
    return make_rnn_case(Design(T=60, B=1, H=16, V=5, dtype="float32", gain=3.0), seed=1)


def test_chaos_that_exceeds_the_bare_rule_is_not_blamed(planted) -> None:
    """The last states of a right program may be anywhere; the gate is asked before anybody is."""
    wide = chaotic()

    def start_elsewhere(case, trace) -> None:
        moved = replace(case, params={n: a * np.float32(1 + 1e-6) for n, a in case.params.items()})
        trace.update(NumpyImpl().run(moved))

    bench = Bench(planted(start_elsewhere), LiveOracle())
    verdicts = Counter(c.verdict for c in bench.compare(Source.of(wide)) if c.array in ("dW_hh", "dh0"))
    assert Verdict.NOT_COMPARABLE in verdicts
    assert verdicts[Verdict.PASSED] == 0


def test_agreement_needs_no_gate(monkeypatch: pytest.MonkeyPatch) -> None:
    """A case that agrees costs one run of the oracle."""
    runs = []
    oracle = LiveOracle()
    run = oracle.torch.run
    monkeypatch.setattr(oracle.torch, "run", lambda case: runs.append(case.name) or run(case))
    case = make_rnn_case(Design(T=5, B=2, H=4, V=3), seed=0)
    found = Bench(NumpyImpl(), oracle).compare(Source.of(case))
    assert {c.verdict for c in found} <= {Verdict.PASSED, Verdict.NOT_SHOWN}
    assert len(runs) == 1


def test_every_length_comes_equally_often_in_both_precisions_and_by_several_designs() -> None:
    cases = [s.make() for s in Sweep(tuple(range(1, 5)), 0).sources(4 * 32)]
    assert Counter(len(c.x) for c in cases) == dict.fromkeys(range(1, 5), 32)
    assert len({c.name for c in cases}) == 4 * 32
    for T in range(1, 5):
        here = [c for c in cases if len(c.x) == T]
        assert Counter(str(c.dtype) for c in here) == dict.fromkeys(DTYPES, 16)
    assert len({repr(alike._form(c)) for c in cases}) > 4 * (DESIGNS - 1)  # two draws may give one design


def test_few_cases_are_all_of_different_design() -> None:
    cases = [s.make() for s in Sweep(tuple(range(1, 65)), 0).sources(192)]
    assert Counter(Counter(len(c.x) for c in cases).values()) == {3: 64}
    assert len({repr(alike._form(c)) for c in cases}) > 180


def test_a_count_that_is_no_multiple_is_kept_to() -> None:
    for count in (1, 5, 24, 67, 200):
        names = [s.name for s in Sweep((3, 4, 9), 0).sources(count)]
        assert len(set(names)) == count


def test_a_relu_network_that_gets_nothing_in_can_be_drawn() -> None:
    """No biases, no first state, and *no token*: every pre-activation is an exact zero, and none is undecided."""
    design = Design(T=1, B=1, H=3, V=5, nonlinearity="relu", biases=False, h0=False)
    case = make_rnn_case(design, 0)
    assert case.x.tolist() == [[-1]]
    assert not TorchLoop().run(case)["h"].any()
