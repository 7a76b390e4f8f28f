"""What is planted is named, what is not is not; what no catalogue holds is read off; what is right is left alone."""

from collections.abc import Callable, Mapping
from importlib import import_module
from itertools import combinations
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from rnncheck.case import Case
from rnncheck.diagnosis import Diagnosis, diagnose, explain_failure
from rnncheck.diagnosis.formula import fit, number, say
from rnncheck.diagnosis.manner import Manner
from rnncheck.diagnosis.observation import agree, observation
from rnncheck.diagnosis.probes import LOUD, PLAIN, probes
from rnncheck.errors import NotShownError
from rnncheck.faults import FAULTS, FaultsExcludeError, Faulty, combine, get
from rnncheck.implementation import Gates, Implementation, NumpyImpl
from rnncheck.report.likely_cause import likely_cause
from rnncheck.result import Comparison, Outcome, Report, Verdict
from rnncheck.textbook import Textbook
from rnncheck.trace import Trace

pytestmark = pytest.mark.slow

SEED = 8
PAIRS = 16
"""The ordinary suite diagnoses so many; `benchmarks/diagnosis.py pairs` diagnoses all."""
GRADIENTS = ("loss", "dW_hy", "db_y", "dW_hh", "dW_xh", "db_h")


class Partly:
    """An implementation that shows loss and parameter gradients only, or takes no other than given manners."""

    def __init__(
        self, base: Implementation, shown: tuple[str, ...] = GRADIENTS, refuses: Callable[[Case], bool] = bool
    ):
        self.base, self.shown, self.refuses, self.name = base, shown, refuses, base.name

    def run(self, case: Case) -> Trace:
        if case.kind == "rnn" and self.refuses is not bool and self.refuses(case):
            raise NotShownError("cannot be asked")
        trace = self.base.run(case)
        return {n: a for n, a in trace.items() if n in self.shown} if case.kind == "rnn" else trace


def wrong_in(**steps: Callable[..., Any]) -> Textbook:
    """Return a textbook with other steps: a fault that no catalogue holds."""
    built: Textbook = type("Unseen", (Faulty,), {"name": "unseen", **steps})()
    return built


def quick(implementation: Implementation, without: tuple[str, ...] = ()) -> Diagnosis:
    return diagnose(implementation, [n for n in FAULTS if n not in without], look_behind=False)


# --- right code


@pytest.mark.parametrize("implementation", [NumpyImpl(), Textbook(), Gates()], ids=lambda i: i.name)
@pytest.mark.parametrize("shown", ["everything", "gradients"])
def test_right_code_is_never_diagnosed(implementation: Implementation, shown: str) -> None:
    seen = implementation if shown == "everything" else Partly(implementation)
    found = diagnose(seen)
    assert found == Diagnosis(implementation.name, "correct")


def test_rounding_is_no_difference_and_a_wrong_factor_is_one() -> None:
    array = np.linspace(-3, 5, 40)
    assert agree(array * (1 + 1e-13), array)
    assert not agree(array * (1 + 1e-10), array)
    assert not agree(array.astype(np.float32), array)
    assert not agree(array[:, None], array)
    assert agree(np.array([np.nan, np.inf, 1.0]), np.array([np.nan, np.inf, 1.0]))
    assert not agree(np.array([np.nan, np.inf, 1.0]), np.array([np.nan, -np.inf, 1.0]))
    assert not agree(np.array([np.nan, 1.0]), np.array([0.0, 1.0]))


# --- the catalogue


@pytest.mark.parametrize("family", dict.fromkeys(f.family for f in FAULTS.values()))
def test_every_fault_is_named(family: str) -> None:
    for name, fault in FAULTS.items():
        if fault.family == family:
            found = quick(fault.build())
            assert found.names == (name,), name
            assert found.verdict == ("different convention" if fault.convention else "named"), name
            assert not found.unexplained
            assert found.causes[0].same_as == ()


def seeded_pairs() -> list[tuple[str, str]]:
    pairs = list(combinations(FAULTS, 2))
    return [pairs[i] for i in np.random.default_rng(SEED).permutation(len(pairs))[:PAIRS]]


@pytest.mark.parametrize("pair", seeded_pairs(), ids=" + ".join)
def test_both_of_a_pair_are_named(pair: tuple[str, str]) -> None:
    try:
        found = quick(combine(*map(get, pair)))
    except FaultsExcludeError:
        return
    assert set(found.names) <= set(pair)
    hidden = diagnose(get(found.names[0]).build()).hidden if len(found.names) == 1 else ()
    assert set(pair) - set(found.names) <= set(hidden)


@pytest.mark.parametrize("name", list(FAULTS)[SEED % 7 :: 7])
def test_a_fault_that_is_not_in_the_catalogue_gets_no_other_name(name: str) -> None:
    by_layout = {"transposed-layout", "batch-first"}  # conventions are tried before the catalogue
    assert set(quick(get(name).build(), without=(name,)).names) <= by_layout & {name}


@pytest.mark.parametrize("name", [n for n, f in FAULTS.items() if f.kinds == ("rnn", "sample")])
def test_a_fault_of_the_network_need_not_be_in_the_sampler_too(name: str) -> None:
    """Training and sampling are often two pieces of code, and one of them is right."""
    wrong, right = get(name).build(), Textbook()

    class Half:
        name = "half"

        def run(self, case: Case) -> Trace:
            return (wrong if case.kind == "rnn" else right).run(case)

    assert quick(Half()).names == (name,)


def test_a_mistake_that_is_read_off_is_told_behind_one_that_is_named() -> None:
    """A loss that is infinite for large logits, as the log of p, is no reason to be silent about dW_hh."""

    class Both(get("log-of-zero").implementation):  # type: ignore[misc]
        def accumulate_W_hh(self, t: int, dh: Any, da: Any) -> None:
            self.grads["dW_hh"] += da.T @ (self.h[t] if t == self.T - 1 else self.previous_state(t))

    for program in (Both(), Partly(Both())):
        found = quick(program)
        assert found.verdict == "named"
        assert [(c.name, c.array) for c in found.causes] == [("log-of-zero", "loss"), ("", "dW_hh")]
        assert "dW_hh takes da_5 with h_5" in found.causes[1].what
        assert found.earliest == "loss"


def test_the_earliest_array_is_the_one_computed_first() -> None:
    """The last da comes before the dh of the step before it, a token before the probabilities that follow from it."""
    at_last = wrong_in(derivative=lambda s, t: T.derivative(s, t) * (1.001 if t == s.T - 1 else 1))
    found = quick(at_last)
    assert (found.earliest, found.steps) == ("da", (1, 2, 3, 4, 5))
    found = quick(get("carry-damped").build())
    assert found.earliest == "dh"
    found = quick(get("one-random-number-for-all-streams").build(), without=("one-random-number-for-all-streams",))
    assert found.earliest == "tokens"
    found = quick(get("norm-without-root").build(), without=("norm-without-root",))
    assert found.earliest == "total_norm"


def test_what_hides_behind_a_fault_is_said() -> None:
    found = diagnose(combine(get("recurrent-gradient-dropped"), get("truncated-after-5-steps")))
    assert found.names == ("recurrent-gradient-dropped",)
    assert "truncated-after-5-steps" in found.hidden
    assert "derivative-squared" not in found.hidden


def test_faults_that_look_the_same_are_both_named() -> None:
    """One buffer for all states, and one derivative for all steps, give one dW_xh; dW_hh, not shown, would tell."""
    found = quick(Partly(get("states-share-one-buffer").build(), ("loss", "dW_xh", "db_h")))
    assert {*found.names, *found.causes[0].same_as} == {"states-share-one-buffer", "last-derivative-for-all-steps"}


@pytest.mark.parametrize(
    "name", ["carry-not-transposed", "derivative-squared", "target-for-input", "one-hot-not-subtracted"]
)
def test_gradients_alone_are_enough(name: str) -> None:
    found = quick(Partly(get(name).build()))
    assert found.names == (name,)
    assert "=" in found.causes[0].evidence or "goes to" in found.causes[0].evidence


# --- reading, without a catalogue

T = Textbook
UNSEEN: dict[str, tuple[Mapping[str, Callable[..., Any]], str]] = {
    "carry of another size": ({"carry": lambda s, t, dh, da: 1.1 * (da @ s.W_hh)}, "+ 1.1 W_hh^T da_{t+1}"),
    "carry clipped": ({"carry": lambda s, t, dh, da: np.clip(da @ s.W_hh, -0.5, 0.5)}, "the carry is clipped to ±0.5"),
    "carry without a row": (
        {"carry": lambda s, t, dh, da: da @ (s.W_hh * (np.arange(len(s.W_hh)) != 1))},
        "M equals W_hh^T but for row 2",
    ),
    "carry of absolute weights": ({"carry": lambda s, t, dh, da: da @ np.abs(s.W_hh)}, "W_hh^T with other signs"),
    "another derivative": ({"derivative": lambda s, t: 1 - np.abs(s.h[t])}, "da_t = (1 - |h_t|) dh_t"),
    "half of the readout": ({"own_gradient": lambda s, t: 0.5 * T.own_gradient(s, t)}, "dh_t = 1/2 W_hy^T dlogits_t"),
    "dh0 negated": ({"first_state_gradient": lambda s, carry: -carry}, "dh0 = -W_hh^T da_1"),
    "mean over T - 1": (
        {"logits_gradient": lambda s, t: T.logits_gradient(s, t) / max(s.T - 1, 1)},
        "1/(T - 1) (p_t - onehot(y_t))",
    ),
    "squared error": (
        {"logits_gradient": lambda s, t: (s.logits[t] - s.one_hot(t)) * s.loss_weight(t)[:, None]},
        "-onehot(y_t) + logits_t",
    ),
    "leaky state": (
        {"recurrent_term": lambda s, h: T.recurrent_term(s, h) + 0.5 * h},
        "a_t = W_xh x_t + W_hh h_{t-1} + b_h + 1/2 h_{t-1}",
    ),
    "late input": ({"input_at": lambda s, t: s.input_term(s.x[max(t - 1, 0)])}, "W_xh x_{t-1} at steps 2, 3, 4, 5"),
    "cold logits": ({"readout": lambda s, h: 0.5 * T.readout(s, h)}, "logits_t = 1/2 W_hy h_t + 1/2 b_y"),
    "loss per unit": ({"loss": lambda s: T.loss(s) / len(s.W_hh)}, "loss = 1/H sum_t -log p_t[y_t]"),
    "first state always": (
        {"accumulate_W_hh": lambda s, t, dh, da: s.grads["dW_hh"].__iadd__(da.T @ s.h0) is None},
        "dW_hh takes da_2 with h_0, da_3 with h_0",
    ),
    "bias averaged": (
        {"accumulate_b_y": lambda s, t: s.grads["db_y"].__iadd__(s.dlogits[t].mean(axis=0)) is None},
        "db_y has a factor 1/B",
    ),
    "large steps": ({"learning_rate": lambda s, step: 2.5 * s.rule.lr}, "update 1 = lr (2.5 g_1)"),
}


@pytest.mark.parametrize("name", UNSEEN)
def test_a_fault_that_nobody_has_listed_is_read_off(name: str) -> None:
    steps, words = UNSEEN[name]
    found = quick(wrong_in(**steps))
    assert found.names == ()
    assert found.verdict == "named"
    assert any(words in cause.what for cause in found.causes), [cause.what for cause in found.causes]


@pytest.mark.parametrize(
    ("form", "k", "words"),
    [("windowed", 10, "goes back no further than 10 steps"), ("chunked", 8, "stops every 8 steps")],
)
def test_any_truncation_is_measured(form: str, k: int, words: str) -> None:
    class Truncated(Faulty):
        name = "truncated"

        def begin(self, case: Any) -> None:
            super().begin(case)
            if self.bptt == "full":
                self.bptt, self.k = form, k

    for program in (Truncated(), Partly(Truncated())):
        assert words in quick(program).causes[0].what


class LastFiveOnly(Faulty):
    """Walks back the last five steps, and reads out no others."""

    name = "last-five-only"

    def readout_backward(self, t: int) -> None:
        """Leave out what is earlier."""
        if t >= self.T - 5:
            super().readout_backward(t)
        else:
            self.own[t], self.dlogits[t] = np.zeros_like(self.h0), np.zeros_like(self.logits[t])

    def steps_back(self, last: int, first: int) -> range:
        """Stop after five steps."""
        return range(last, max(first, self.T - 5) - 1, -1)


def test_a_walk_over_the_last_steps_alone_is_told_from_a_truncation() -> None:
    found = quick(Partly(LastFiveOnly(), ("dW_xh", "dW_hh", "dW_hy", "loss")))
    assert found.causes[0].what.startswith("only the last 5 steps are walked back")
    assert quick(Partly(get("truncated-after-5-steps").build())).names == ("truncated-after-5-steps",)


def test_what_no_check_asks_for_is_not_the_cause() -> None:
    two = combine(get("recurrent-gradient-dropped"), get("log-of-zero"))
    assert set(diagnose(two, look_behind=False).names) == {"log-of-zero", "recurrent-gradient-dropped"}
    found = diagnose(two, look_behind=False, leave_out=(LOUD,))
    assert found.names == ("recurrent-gradient-dropped",)
    assert found.earliest == "dh"


def test_what_follows_no_formula_is_located_and_not_named() -> None:
    found = quick(wrong_in(activate=lambda s, a: 0.99 * np.tanh(a) if s.nonlinearity == "tanh" else T.activate(s, a)))
    assert found.verdict == "unknown"
    assert found.earliest == "h"
    assert found.steps == (1, 2, 3, 4, 5)
    assert found.names == ()
    assert found.located


def test_a_condition_is_found() -> None:
    found = quick(get("duplicate-token-lost").build(), without=("duplicate-token-lost",))
    assert found.located == ("dW_xh is wrong where a token occurs twice, and there only",)


def test_several_unlisted_faults_are_read_side_by_side() -> None:
    both = wrong_in(
        carry=lambda s, t, dh, da: 1.1 * (da @ s.W_hh),
        derivative=lambda s, t: 1 - np.abs(s.h[t]) if s.nonlinearity == "tanh" else T.derivative(s, t),
        accumulate_b_h=lambda s, t, dh, da: s.grads["db_h"].__iadd__(da.mean(axis=0)) is None,
    )
    read = [cause.what for cause in quick(both).causes]
    assert len(read) == 3
    assert any("1.1 W_hh^T da_{t+1}" in r for r in read)
    assert any("(1 - |h_t|) dh_t" in r for r in read)
    assert any("db_h has a factor 1/B" in r for r in read)


# --- conventions


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        ({"loss": lambda s: T.loss(s) / s.T, "loss_weight": lambda s, t: T.loss_weight(s, t) / s.T}, "divided by T"),
        (
            {"trace": lambda s: {n: 0.5 * a if n[0] == "d" else a for n, a in T.trace(s).items()}},
            "all gradients are halved",
        ),
    ],
    ids=["mean over time", "half"],
)
def test_a_constant_factor_is_a_convention(steps: Mapping[str, Callable[..., Any]], words: str) -> None:
    def in_sums(name: str, step: Callable[..., Any]) -> Callable[..., Any]:
        right = getattr(Textbook, name)
        return lambda s, *rest: step(s, *rest) if s.case.reduction == "sum" or name == "trace" else right(s, *rest)

    found = quick(wrong_in(**{name: in_sums(name, step) for name, step in steps.items()}))
    assert found.verdict == "different convention"
    assert words in found.causes[0].what


def test_a_layout_is_put_aside_and_the_fault_behind_it_named() -> None:
    found = quick(combine(get("transposed-layout"), get("derivative-missing")))
    assert found.names == ("transposed-layout", "derivative-missing")
    assert found.verdict == "named"
    assert [cause.convention for cause in found.causes] == [True, False]


# --- how it is asked


@pytest.mark.parametrize(
    "manner",
    [
        Manner(vectors=True),
        Manner(h0=False, biases=()),
        Manner(vectors=True, h0=False, last_step=True),
        Manner(nonlinearity="relu", biases=("b_h",)),
        Manner(B=1),
    ],
    ids=["vectors", "bare", "last step", "relu", "no batches"],
)
@pytest.mark.parametrize("name", ["carry-not-transposed", "recurrent-gradient-transposed", "readout-gradient-assigned"])
def test_code_that_cannot_take_everything_is_diagnosed(manner: Manner, name: str) -> None:
    """The faults differ in every manner, the last one only where more than one step is trained."""

    def refuses(case: Any) -> bool:
        ignored = bool((case.y[:-1] == case.ignore_index).all())
        return (
            len(case.x[0]) > manner.B
            or (case.x.ndim == 3) != manner.vectors
            or (case.h0 is not None and not manner.h0)
            or tuple(n for n in case.params if n[0] == "b") != manner.biases
            or ignored != manner.last_step
            or case.nonlinearity != manner.nonlinearity
        )

    right = Partly(Textbook(), ("h", "loss", *GRADIENTS), refuses)
    assert observation(right).manner == manner
    assert diagnose(right).verdict == "correct"
    found = quick(Partly(get(name).build(), ("loss", *GRADIENTS), refuses))
    assert name in {*found.names, *found.causes[0].same_as}


class Fixed(Partly):
    """Code that takes one sequence at a time, of the sizes of its own text; any others it crashes on."""

    def __init__(self, base: Implementation, H: int, V: int, I: int = 0):
        super().__init__(base)
        self.adapter = SimpleNamespace(fixed={"I": I or V, "H": H, "V": V})

    def run(self, case: Case) -> Trace:
        if case.kind != "rnn" or len(case.x[0]) > 1:  # type: ignore[attr-defined]
            raise NotShownError("cannot be asked")
        if case.params["W_hy"].shape != (self.adapter.fixed["V"], self.adapter.fixed["H"]):  # type: ignore[attr-defined]
            raise ValueError("shapes are not aligned")
        return super().run(case)


@pytest.mark.parametrize(("H", "V"), [(8, 13), (7, 7), (50, 27)])
@pytest.mark.parametrize("name", ["carry-before-the-derivative", "carry-not-transposed", "readout-gradient-assigned"])
def test_code_that_fixes_its_sizes_is_diagnosed_in_them(H: int, V: int, name: str) -> None:
    assert diagnose(Fixed(Textbook(), H, V)).verdict == "correct"
    found = quick(Fixed(get(name).build(), H, V))
    assert name in {*found.names, *found.causes[0].same_as}, likely_cause(found)


def test_an_operator_has_more_equations_than_unknowns_in_fixed_sizes_too() -> None:
    plain: list[Any] = [p.case for p in probes(Manner(B=1, H=50, V=27)) if p.feature == PLAIN]
    assert len(plain) * (plain[0].sizes["T"] - 1) > plain[0].sizes["H"] == 50
    assert plain[0].sizes["V"] == 27


@pytest.mark.parametrize(("H", "V", "I"), [(6, 13, 13), (8, 6, 6), (8, 13, 4)], ids=["few H", "few V", "I differs"])
def test_fixed_sizes_that_no_probe_can_have_are_unknown_and_no_crash(H: int, V: int, I: int) -> None:
    found = quick(Fixed(get("carry-not-transposed").build(), H, V, I))
    assert (found.verdict, found.located) == ("unknown", ("none of the probes can be asked of it",))


def test_code_that_takes_nothing_is_unknown() -> None:
    found = diagnose(Partly(Textbook(), (), lambda case: True), look_behind=False)
    assert found.verdict == "correct"  # clipping, optimisers and samples can still be asked

    class Nothing:
        name = "nothing"

        def run(self, case: Case) -> Trace:
            raise NotShownError("nothing is offered")

    assert diagnose(Nothing()).verdict == "unknown"


def spoilt(how: Callable[[dict[str, Any]], Any]) -> Implementation:
    class Spoilt(Textbook):
        name = "spoilt"

        def run(self, case: Case) -> Trace:
            trace = dict(super().run(case))
            how(trace)
            return trace

    return Spoilt()


@pytest.mark.parametrize(
    ("how", "words"),
    [
        (
            lambda t: t.update(h=np.full((2, 2), np.nan)) if "h" in t else None,
            "h has shape (2, 2), expected (5, 3, 19)",
        ),
        (lambda t: t.update(loss=np.asarray(np.nan)) if "h" in t else None, "loss is not finite"),
        (lambda t: t.update(dW_hh="text") if "h" in t else None, "dW_hh has shape (), expected (19, 19)"),
        (lambda t: t["db_y"].nothing if "h" in t else None, "the call ends in AttributeError"),
        (lambda t: t.update(db_y=t["db_y"].tolist()[:1]) if "h" in t else None, "db_y has shape (1,), expected (20,)"),
    ],
    ids=["shape", "NaN", "text", "crash", "list"],
)
def test_whatever_comes_back_is_survived(how: Callable[[dict[str, Any]], Any], words: str) -> None:
    found = quick(spoilt(how))
    assert found.names == ()
    assert any(words in line for line in likely_cause(found)), likely_cause(found)


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (("carry-not-transposed",), "a program with just this equals"),
        (("carry-not-transposed", "output-bias-gradient-missing"), "a program with just these 2 equals"),
    ],
    ids=["one", "two"],
)
def test_the_evidence_says_how_many_faults_it_takes(names: tuple[str, ...], words: str) -> None:
    faults = [get(name) for name in names]
    found = quick(combine(*faults) if len(faults) == 2 else faults[0].build())
    assert sorted(found.names) == sorted(names)
    assert all(words in cause.evidence for cause in found.causes)


def test_what_ends_every_call_is_told_once() -> None:
    class Ends:
        name = "ends"

        def run(self, case: Case) -> Trace:
            raise RuntimeError("it is started no more")

    assert len(quick(Ends()).causes) == 1


@pytest.mark.parametrize(
    ("lose", "words"),
    [
        (lambda a: a.astype(np.float32).astype(a.dtype), "to seven digits only: it is rounded to float32"),
        (lambda a: a * (1 + 1e-7), "to seven digits only, as if something in it were rounded to float32"),
        (lambda a: a * (1 + 1.5e-9), "to 8 digits only"),
    ],
    ids=["rounded", "off in the seventh", "off in the ninth"],
)
def test_digits_are_said_to_be_rounded_only_where_they_are(
    lose: Callable[[np.ndarray], np.ndarray], words: str
) -> None:
    def spoil(t: dict[str, Any]) -> None:
        if "dW_hh" in t:
            t["dW_hh"] = lose(t["dW_hh"])

    lines = likely_cause(quick(spoilt(spoil)))
    assert any(line.strip().endswith(f"dW_hh is right {words}") for line in lines), lines


def test_sums_that_grew_before_are_recognised() -> None:
    program = get("gradients-add-up-over-calls").build()
    program.run(probes(Manner())[1].case)
    assert "every call adds its gradients" in quick(program).causes[0].what


# --- the probes and the formulas


def test_the_plain_cases_can_be_taken_apart() -> None:
    plain = [p.case for p in probes(Manner()) if p.feature == PLAIN]
    first: Any = plain[0]
    sizes = first.sizes
    assert len(plain) * (sizes["T"] - 1) * sizes["B"] > sizes["H"] > (sizes["T"] + 1) * sizes["B"]
    assert sizes["V"] > sizes["T"] * sizes["B"] + 1
    assert len({2, sizes["T"] - 1, sizes["T"] * sizes["B"], *(sizes[n] for n in "TBHV")}) == 7
    for case in plain:
        assert len(np.unique(case.x)) == case.x.size  # type: ignore[attr-defined]
        assert all(np.array_equal(w, first.params[n]) for n, w in case.params.items())  # type: ignore[attr-defined]


def test_a_formula_is_the_shortest_that_fits() -> None:
    rng = np.random.default_rng(SEED)
    a, b, c = rng.normal(size=(3, 40))
    terms = {"a": a, "b": b, "c": c, "a again": a}
    assert fit(2 * a - b, terms) == [pytest.approx({"a": 2.0, "b": -1.0})]
    assert fit(0 * a, terms) == [{}]
    assert fit(a * b, terms) == []
    assert fit(np.full(40, np.nan), terms) == []
    assert say({"a": 2.0, "b": -1.0, "c": 1 / 15}, {"T": 5, "B": 3}) == "2 a - b + 1/(T B) c"
    assert say({"a": -1.0}, {}) == "-a"
    assert say({}, {}) == "0"
    assert [number(f, {"T": 5, "B": 3}) for f in (0.25, 5.0, 0.9, 1 / np.log(2))] == [
        "1/(T - 1)",
        "T",
        "0.9",
        "1/log(2)",
    ]


# --- in a report


def report(*verdicts: Verdict) -> Report:
    wrong = Comparison("dh", Verdict.FAILED, 900.0, 16.0, "peak", 2)
    outcomes = [
        Outcome(f"check[{i}]", "nodes", v, (wrong,) if v is Verdict.FAILED else ()) for i, v in enumerate(verdicts)
    ]
    return Report("numpy_impl", "torch", len(outcomes), 0, outcomes)


def test_a_run_without_failures_is_not_explained() -> None:
    assert explain_failure(get("carry-damped").build(), report(Verdict.PASSED, Verdict.NOT_SHOWN)) is None


def test_a_failed_run_is_explained() -> None:
    found = explain_failure(get("carry-damped").build(), report(Verdict.PASSED, Verdict.FAILED))
    assert found is not None
    assert found.names == ("carry-damped",)
    assert found.steps == (1, 2, 3, 4)
    assert "dW_hh" in found.consequences
    text = "\n".join(likely_cause(found))
    for words in ("rnncheck explain carry-damped", "dh_t = W_hy^T dlogits_t + 0.9 W_hh^T da_{t+1}", "at steps 1 to 4"):
        assert words in text


def test_a_failure_that_the_probes_do_not_show_is_unknown() -> None:
    found = explain_failure(NumpyImpl(), report(Verdict.FAILED))
    assert found is not None
    assert (found.verdict, found.earliest, found.steps) == ("unknown", "dh", (3,))
    assert likely_cause(found)[0] == "likely cause: unknown"


def test_a_diagnosis_that_fails_loses_no_report(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_module("rnncheck.diagnosis.diagnose"), "observation", lambda *_: 1 / 0)
    found = explain_failure(NumpyImpl(), report(Verdict.FAILED))
    assert found is not None
    assert found.located == ("the diagnosis could not be finished: ZeroDivisionError: division by zero",)
