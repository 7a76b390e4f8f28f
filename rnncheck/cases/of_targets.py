"""The cases for somebody's own network. Unlike the standard cases they come in forms: no code knows all of them.

A form says what the code under test can be asked at all: ids or vectors as inputs, which biases there are, the
nonlinearity, a target at every step or at the last one only. In each form the same ladder of lengths, batches and
initial states leads from the smallest problem upwards, so that the first failure is also the smallest.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from rnncheck.case import RNNCase
from rnncheck.cases.make import IGNORE_INDEX, Design, make_rnn_case

__all__ = ["FORMS", "FORMS_FOLDER", "LOUD", "Form", "check_cases", "loud_case"]

FORMS_FOLDER = "vectors/check"
"""Where the stored vectors lie, in a folder for each form."""
SEED = 1986  # Rumelhart, Hinton and Williams
SIZES = {"H": 7, "V": 5, "I": 4}
LADDER = (
    *((1, 1, False), (1, 2, True), (2, 1, False), (2, 3, True), (3, 1, True), (3, 2, False), (6, 1, False)),
    *((6, 2, True), (10, 1, True), (10, 3, False), (40, 1, False)),
)
"""T, B, and whether an initial state is given."""
SHORT_LADDER = ((1, 1, False), (2, 1, True), (3, 2, False), (6, 1, True), (6, 3, False), (10, 1, False))
"""The same for the rarer forms: stored vectors are to stay small."""
WINDOWS = ((6, 1, False, 1), (10, 1, False, 3))
"""T, B, initial state and k, for code that can be told how far back the gradient goes."""
LOUD = "where logits are in the hundreds"
LOUDER = 1500.0


@dataclass(frozen=True)
class Form:
    """What can be asked; see above."""

    inputs: str = "ids"  # ids | vectors
    biases: tuple[str, ...] = ("b_h", "b_y")
    nonlinearity: str = "tanh"
    task: str = "every step"  # every step | last step

    @property
    def common(self) -> bool:
        """Whether it is one of the forms that most code has."""
        return self.nonlinearity == "tanh" and self.task == "every step" and len(self.biases) != 1

    @property
    def name(self) -> str:
        """The form in a few words, as a folder of vectors is called: `ids`, `vectors-no-biases-last-step`."""
        words = [self.inputs] + ([] if len(self.biases) == 2 else ["-".join(["only", *self.biases])])
        words = [w if self.biases else w.replace("only", "no-biases") for w in words]
        words += [] if self.nonlinearity == "tanh" else [self.nonlinearity]
        return "-".join(words + (["last-step"] if self.task == "last step" else []))


FORMS = (
    *(Form(inputs, biases) for inputs in ("ids", "vectors") for biases in (("b_h", "b_y"), ())),
    *(Form(inputs, biases, task="last step") for inputs in ("ids", "vectors") for biases in (("b_h", "b_y"), ())),
    *(Form("ids", (bias,)) for bias in ("b_h", "b_y")),
    *(Form(inputs, nonlinearity=f) for inputs in ("ids", "vectors") for f in ("relu", "sigmoid")),
)
"""The forms that have stored vectors; any other is judged with torch."""


def check_cases(form: Form, dtype: str = "float64", sizes: dict[str, int] | None = None) -> list[RNNCase]:
    """Return the cases of a form, the smallest first; `sizes` replaces H, V and I for code that fixes its own."""
    ladder = [(*rung, None) for rung in (LADDER if form.common else SHORT_LADDER)]
    windows = WINDOWS if form.common else ()
    return [_case(form, dtype, T, B, h0, k, sizes or {}) for T, B, h0, k in (*ladder, *windows)]


def loud_case(form: Form, sizes: dict[str, int] | None = None) -> RNNCase:
    """Return a case with logits of several hundred, where a softmax overflows that does not subtract the maximum."""
    case = _case(form, "float64", 5, 1, False, None, sizes or {})
    return replace(case, name="logits of several hundred", params={**case.params, "W_hy": LOUDER * case.params["W_hy"]})


def _case(form: Form, dtype: str, T: int, B: int, h0: bool, k: int | None, sizes: dict[str, int]) -> RNNCase:
    relu = form.nonlinearity == "relu"
    design = Design(
        T,
        B,
        **(SIZES | sizes),  # type: ignore[arg-type]
        dtype=dtype,
        inputs="dense" if form.inputs == "vectors" else "ids",
        no_token=False,
        h0=h0,
        nonlinearity="relu" if relu else "tanh",
        bptt="full" if k is None else "windowed",
        k=k,
        gain=0.8 if relu else 1.1,
    )
    case = make_rnn_case(design, SEED)
    params = {n: a for n, a in case.params.items() if n.startswith("W") or n in form.biases}
    if form.nonlinearity == "sigmoid":  # its slope is a quarter of that of tanh
        params["W_hh"] = np.asarray(4 * params["W_hh"], dtype)
    y = case.y.copy()
    if form.task == "last step":
        y[:-1] = IGNORE_INDEX
    return replace(
        case, name=_name(form, dtype, T, B, h0, k, sizes), params=params, y=y, nonlinearity=form.nonlinearity
    )


def _name(form: Form, dtype: str, T: int, B: int, h0: bool, k: int | None, sizes: dict[str, int]) -> str:
    words: Sequence[str] = [f"T={T}", f"B={B}", *(f"{n}={v}" for n, v in sizes.items())]
    words = [*words, *(["h0"] if h0 else []), *([] if k is None else [f"windowed={k}"])]
    return "-".join([*words, form.name, *([] if dtype == "float64" else [dtype])])
