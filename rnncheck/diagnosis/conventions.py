"""Tried first: is the candidate right by another convention?

Constant factors (mean for sum, a half, bits), transposed matrices, batch-first axes, two hidden biases, the sign of
the gradients, gradients that are clipped before they are returned, the place of an epsilon. None of these is a bug as
long as loss, gradients and update agree with each other; all of them look like one to a comparison.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

import numpy as np

from rnncheck.case import Case, ClipCase, OptimCase, RNNCase
from rnncheck.diagnosis.alternatives import Alternative
from rnncheck.diagnosis.finding import Cause
from rnncheck.diagnosis.observation import Observation, right
from rnncheck.trace import TIMED

__all__ = ["conventions", "undo_layout"]

PARAMETERS = ("dW_hy", "db_y", "dW_hh", "dW_xh", "db_h")
GRADIENTS = ("dlogits", "dh", "da", "dx", "dh0", *PARAMETERS)
Trace = Mapping[str, np.ndarray]
Size = Callable[[RNNCase], float]

SIZES: dict[str, Size] = {
    "T": lambda case: case.sizes["T"],
    "B": lambda case: case.sizes["B"],
    "T B": lambda case: case.sizes["T"] * case.sizes["B"],
    "the number of targets": lambda case: int(np.count_nonzero(case.y != case.ignore_index)),
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
                ask=lambda case, e=eps: replace(case, eps=e) if isinstance(case, ClipCase) else case, convention=True,
            )  # fmt: skip
    if kind == "optim":
        for inside, words in ((True, "inside"), (False, "outside")):
            yield Alternative(
                kind, f"Adagrad's epsilon always stands {words} the root", "say where it stands: torch has it outside",
                ask=lambda case, i=inside: replace(case, eps_inside=i) if isinstance(case, OptimCase) else case,
                convention=True,
            )  # fmt: skip
        yield Alternative(
            kind, "Adagrad's epsilon stands on the other side of the root", "torch has it outside, min-char-rnn inside",
            ask=lambda case: replace(case, eps_inside=not case.eps_inside) if isinstance(case, OptimCase) else case,
            convention=True,
        )  # fmt: skip


def _scales() -> Iterator[Alternative]:
    """Yield losses and gradients that are sums or means over something else; first those that agree with each other."""
    for reduction in ("sum", "mean"):
        for names, who in (
            (("loss", *GRADIENTS), "loss and gradients are"),
            (GRADIENTS, "the gradients are"),
            (("loss",), "the loss is"),
        ):
            both = len(names) > len(GRADIENTS)
            for size, value in SIZES.items():
                for power, words in ((-1, f"divided by {size}"), (1, f"multiplied by {size}")):
                    if size == "the number of targets":
                        done = power == -1 and reduction == "sum"
                        words = "of the mean" if done else "of the sum" if reduction == "mean" and power == 1 else words
                    yield Alternative(
                        "rnn",
                        f'with reduction="{reduction}", {who} {words.replace("of the", "those of the" if "are" in who else "that of the")}',
                        f"compare with another reduction, or scale by {'1/' if power > 0 else ''}({size})",
                        tell=_scaled(names, value, power, reduction),
                        convention=both,
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


def undo_layout(observed: Observation) -> tuple[list[Cause], Observation]:
    """Recognise other layouts by their shapes; return them, and what was seen with the axes in our order."""
    causes = []
    plain = observed.plain[:1]
    swapped = [
        n for s in plain for n in ("h", "logits", "dlogits", "dh", "da") if _is(s.arrays.get(n), right(s.probe)[n], 0)
    ]
    turned = [n for s in plain for n in ("dW_xh", "dW_hy") if _is(s.arrays.get(n), right(s.probe)[n], None)]
    if turned:
        causes.append(
            Cause(
                "weights and their gradients are in the transposed layout", "dW_hy",
                "transpose when exchanging weights: torch has the output axis first",
                f"{', '.join(turned)} have their axes swapped", "transposed-layout", convention=True,
            )
        )  # fmt: skip
    if swapped:
        causes.append(
            Cause(
                "arrays over time have the batch first", swapped[0], "swapaxes(0, 1): time comes first here",
                f"{', '.join(swapped)} have the axes of time and batch swapped", "batch-first", convention=True,
            )
        )  # fmt: skip
    if not causes:
        return causes, observed

    def undone(name: str, array: np.ndarray) -> np.ndarray:
        base = name.removeprefix("second.")
        if base.startswith("dW_") and turned and array.ndim == 2:
            return array.T
        return array.swapaxes(0, 1) if base in TIMED and swapped and array.ndim > 2 else array

    seen = tuple(
        replace(s, arrays={n: undone(n, a) for n, a in s.arrays.items()}) if s.probe.case.kind == "rnn" else s
        for s in observed.seen
    )
    return causes, replace(observed, seen=seen)


def _is(array: np.ndarray | None, expected: np.ndarray, axis: int | None) -> bool:
    """Tell whether an array has the expected shape with its axes (the first two, or both) swapped."""
    if array is None or array.ndim != expected.ndim or array.shape == expected.shape:
        return False
    return array.shape == (expected.T if axis is None else expected.swapaxes(0, 1)).shape
