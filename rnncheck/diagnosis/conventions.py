"""Try first whether the candidate is right by another convention.

Constant factors (mean for sum, a half, bits), transposed matrices, batch-first axes, two hidden biases, the sign of
the gradients, gradients that are clipped before they are returned, the place of an epsilon. None of these is a bug as
long as loss, gradients and update agree with each other; all of them look like one to a comparison.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import product

import numpy as np

from rnncheck.case import Case, ClipCase, OptimCase, RNNCase
from rnncheck.diagnosis.alternatives import Alternative, Ask

__all__ = ["conventions"]

PARAMETERS = ("dW_hy", "db_y", "dW_hh", "dW_xh", "db_h")
GRADIENTS = ("dlogits", "dh", "da", "dx", "dh0", *PARAMETERS)
Trace = Mapping[str, np.ndarray]
Size = Callable[[RNNCase], float]

SCALED = {
    ("loss", *GRADIENTS): ("loss and gradients", "are"),
    GRADIENTS: ("the gradients", "are"),
    ("loss",): ("the loss", "is"),
}
COUNT = "the number of targets"

SIZES: dict[str, Size] = {
    "T": lambda case: case.sizes["T"],
    "B": lambda case: case.sizes["B"],
    "T B": lambda case: case.sizes["T"] * case.sizes["B"],
    COUNT: lambda case: int(np.count_nonzero(case.y != case.ignore_index)),
    "V": lambda case: case.sizes["V"],
    "H": lambda case: case.sizes["H"],
    "2": lambda case: 2.0,
}


def conventions(kind: str) -> Iterator[Alternative]:
    """Yield every convention of a kind of case, as an alternative right answer."""
    if kind == "rnn":
        yield from _scales()
        yield from _others()
    if kind == "clip":
        for eps in (0.0, 1e-6):
            yield Alternative(
                kind, f"clipping by norm divides by (norm + {eps:g})", "pass the epsilon of the other side",
                ask=_with_epsilon(eps), convention=True,
            )  # fmt: skip
    if kind == "optim":
        for inside, words in ((True, "inside"), (False, "outside")):
            yield Alternative(
                kind, f"Adagrad's epsilon always stands {words} the root", "say where it stands: torch has it outside",
                ask=_with_epsilon_inside(inside), convention=True,
            )  # fmt: skip
        yield Alternative(
            kind, "Adagrad's epsilon stands on the other side of the root", "torch has it outside, min-char-rnn inside",
            ask=_with_epsilon_inside(None), convention=True,
        )  # fmt: skip


def _with_epsilon(eps: float) -> Ask:
    return lambda case: replace(case, eps=eps) if isinstance(case, ClipCase) else case


def _with_epsilon_inside(inside: bool | None) -> Ask:
    """Put Adagrad's epsilon inside the root, outside, or (None) where the case does not want it."""

    def ask(case: Case) -> Case:
        if not isinstance(case, OptimCase):
            return case
        return replace(case, eps_inside=not case.eps_inside if inside is None else inside)

    return ask


def _scales() -> Iterator[Alternative]:
    """Yield losses and gradients that are sums or means over something else; first those that agree with each other."""
    for reduction, names, size, power in product(("sum", "mean"), SCALED, SIZES, (-1, 1)):
        subject, verb = SCALED[names]
        what = f"{verb} {'divided' if power < 0 else 'multiplied'} by {size}"
        if size == COUNT and (reduction, power) in (("sum", -1), ("mean", 1)):
            pronoun = "that" if verb == "is" else "those"
            what = f"{verb} {pronoun} of the {'mean' if power < 0 else 'sum'}"
        yield Alternative(
            "rnn",
            f'with reduction="{reduction}", {subject} {what}',
            f"take the other reduction, or {'multiply' if power < 0 else 'divide'} by {size}",
            tell=_scaled(names, SIZES[size], power, reduction),
            convention="loss" in names and len(names) > 1,
        )
    for names, who, factor, words in (
        (PARAMETERS, "the gradients are", -1.0, "negated: the direction of descent"),
        (GRADIENTS, "all gradients are", -1.0, "negated"),
        (GRADIENTS, "all gradients are", 2.0, "doubled"),
        (GRADIENTS, "all gradients are", 0.5, "halved"),
        (PARAMETERS, "the gradients are", 2.0, "doubled"),
        (PARAMETERS, "the gradients are", 0.5, "halved"),
        (("loss",), "the loss is", 1 / np.log(2), "in bits"),
    ):
        yield Alternative(
            "rnn", f"{who} {words}", "scale before comparing", tell=_times(names, factor), convention=True
        )
    for size in ("T", "B", "T B", "V"):
        for power, words in ((-1, "divided"), (1, "multiplied")):
            what = f"the gradients of the parameters are {words} by {size}"
            yield Alternative("rnn", what, "scale before comparing", tell=_scaled(PARAMETERS, SIZES[size], power, None))


def _others() -> Iterator[Alternative]:
    yield Alternative(
        "rnn", "db_h counts two hidden biases", "compare with one of the two: each receives the full gradient",
        tell=_times(("db_h",), 2.0), convention=True,
    )  # fmt: skip
    for bound in (1.0, 5.0, 10.0, 0.5, 0.1, 2.0, 3.0):
        yield Alternative(
            "rnn", f"the gradients are clipped to ±{bound:g} before they are returned",
            "switch clipping off while gradients are checked", tell=_clipped(bound), convention=True,
        )  # fmt: skip


def _scaled(names: tuple[str, ...], size: Size, power: int, reduction: str | None) -> Callable[[Case, Trace], Trace]:
    def tell(case: Case, trace: Trace) -> Trace:
        assert isinstance(case, RNNCase)
        if reduction is not None and case.reduction != reduction:
            return trace
        factor = size(case) ** power
        return {n: (a * factor).astype(a.dtype) if n in names else a for n, a in trace.items()}

    return tell


def _times(names: tuple[str, ...], factor: float) -> Callable[[Case, Trace], Trace]:
    return lambda case, trace: {n: (factor * a).astype(a.dtype) if n in names else a for n, a in trace.items()}


def _clipped(bound: float) -> Callable[[Case, Trace], Trace]:
    return lambda case, trace: {n: np.clip(a, -bound, bound) if n in PARAMETERS else a for n, a in trace.items()}
