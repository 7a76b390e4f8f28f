"""Recognise what was seen: which array is h, which are the probabilities, the loss, the gradients.

What equals the right answer of the trial problem is recognised by its value; what does not, since half of all code is
wrong, by its name and shape. A gradient is never turned or rescaled on its own to make it fit: it is kept like its
parameter, and one scale holds for all.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from rnncheck.targets.adapter import Adapter
from rnncheck.targets.flat import piece_of
from rnncheck.targets.layout import take
from rnncheck.targets.observe import Seen
from rnncheck.targets.roles import beside, gradient_of, last_word, parameter_role, remembered, state_like
from rnncheck.targets.shelf import locate

__all__ = ["Answers", "Recognised", "close", "fits", "recognise_forward", "recognise_gradients", "tidy"]

Arrays = Mapping[str, np.ndarray]
Plausible = Callable[[Seen, np.ndarray], bool]
Fitting = Callable[[np.ndarray], Iterator[tuple[str, str, np.ndarray]]]
TIMED = ("T N", "T N 1", "T 1 N", "N T", "T B N", "B T N", "N B T", "T N B", "B N T")
LAST = ("N", "N 1", "1 N", "B N", "N B")
NAMED_LOSS = re.compile(r"loss|cost|^[jle]$|error|entropy", re.I)
SCALES = (
    *("1", "T", "B", "T * B", "0.5", "0.5 * T", "0.5 * B", "V", "T * V", "2", "B * V", "T * B * V"),
    *("0.5 * T * B", "0.5 * V", "0.5 * B * V", "0.5 * T * B * V"),
)


@dataclass(frozen=True)
class Answers:
    """The right answers to the trial problem, with the sizes they have."""

    sizes: Mapping[str, int]
    arrays: Arrays
    task: str

    @property
    def p(self) -> np.ndarray:
        z = self.arrays["logits"]
        e = np.exp(z - z.max(-1, keepdims=True))
        return e / e.sum(-1, keepdims=True)


@dataclass
class Recognised:
    """Where things are, and how many of them were right."""

    trace: dict[str, str] = field(default_factory=dict)
    axes: dict[str, str] = field(default_factory=dict)
    right: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    loss_scale: str = "1"

    def forget(self, name: str) -> None:
        """Drop an array that another one makes superfluous."""
        del self.trace[name]
        self.right = [n for n in self.right if n != name]
        self.wrong = [n for n in self.wrong if n != name]


def close(a: np.ndarray, b: np.ndarray) -> bool:
    """Tell whether two arrays are equal but for rounding and lost digits."""
    return a.shape == b.shape and bool(np.all(np.abs(a - b) <= 1e-6 * (np.abs(b).max() + 1e-12)))


def tidy(scale: str) -> str:
    """Write a scale with a sign as a person would."""
    return {"-(1)": "-1", "-(T)": "-T"}.get(scale, scale)


def recognise_forward(seen: Sequence[Seen], answers: Answers, scales: Sequence[str] = SCALES[:4]) -> Recognised:
    """Find h, the logits or the probabilities, and the loss, which may be the right one over one of `scales`."""
    found = Recognised()
    s = answers.sizes
    logits, p = answers.arrays["logits"], answers.p
    _find(found, "h", seen, fits(s["H"], s), answers.arrays["h"], lambda s, a: state_like(s.name))
    _find(found, "logits", seen, fits(s["V"], s), logits, _like_logits)
    _find(found, "p", seen, fits(s["V"], s), p, _like_p)
    if answers.task == "last step" and not {"logits", "p"} & set(found.trace):
        _find(found, "logits", seen, _fits_last(s), logits[-1:], _like_logits)
        _find(found, "p", seen, _fits_last(s), p[-1:], _like_p)
    if {"logits", "p"} <= set(found.trace):
        found.forget("logits" if "p" in found.right and "logits" not in found.right else "p")
    _find_loss(found, seen, answers, scales)
    return found


def _like_p(s: Seen, array: np.ndarray) -> bool:
    """Probabilities add up to 1; one-hot vectors, which do so too, are inputs or targets."""
    return bool(array.min() >= 0 and np.allclose(array.sum(-1), 1) and not np.isin(array, (0, 1)).all())


def _like_logits(s: Seen, array: np.ndarray) -> bool:
    return s.expression.startswith("out") and not _like_p(s, array) and not state_like(s.name)


def _find(
    found: Recognised, name: str, seen: Sequence[Seen], fitting: Fitting, answer: np.ndarray, plausible: Plausible
) -> None:
    likely = None
    for s in seen:
        if s.array.dtype.kind != "f":
            continue
        for layout, suffix, array in fitting(s.array):
            expression = s.expression + suffix
            if close(array, answer):
                found.trace[name], found.axes[name] = expression, layout
                found.right.append(name)
                return
            if likely is None and plausible(s, array):
                likely = expression, layout
    if likely is not None:
        found.trace[name], found.axes[name] = likely
        found.wrong.append(name)


def fits(N: int, sizes: Mapping[str, int]) -> Fitting:
    """Return a function that yields (layout, slice, array as T B N) for every layout that a shape fits."""

    def fitting(array: np.ndarray) -> Iterator[tuple[str, str, np.ndarray]]:
        own = dict(sizes) | {"N": N}
        for layout in TIMED:
            axes = layout.split()
            if len(axes) != array.ndim or ("B" not in axes and sizes["B"] > 1):
                continue
            at = axes.index("T")
            for suffix, part in (("", slice(None)), ("1:", slice(1, None)), (":-1", slice(None, -1))):
                index = (slice(None),) * at + (part,)
                if array[index].shape == tuple(1 if a == "1" else own[a] for a in axes):
                    word = f"[{', '.join([':'] * at + [suffix])}]" if suffix else ""
                    yield layout, word, take(array[index], "T B N", layout, own)

    return fitting


def _fits_last(sizes: Mapping[str, int]) -> Fitting:
    def fitting(array: np.ndarray) -> Iterator[tuple[str, str, np.ndarray]]:
        own = dict(sizes) | {"N": sizes["V"]}
        for layout in LAST:
            axes = layout.split()
            if ("B" in axes or sizes["B"] == 1) and array.shape == tuple(1 if a == "1" else own[a] for a in axes):
                yield layout, "", take(array, "T B N", layout, own)

    return fitting


def _find_loss(found: Recognised, seen: Sequence[Seen], answers: Answers, allowed: Sequence[str]) -> None:
    """Find the loss by its value, up to a mean over time or batch, or else by its name among what was returned."""
    sizes, right = dict(answers.sizes), float(answers.arrays["loss"])
    by_name = None
    for s in seen:
        per_step = s.array.size == sizes["T"] > 1 and NAMED_LOSS.search(s.name)
        if s.array.dtype.kind != "f" or not (s.array.size == 1 or per_step):
            continue
        value, expression = float(s.array.sum()), f"np.sum({s.expression})" if per_step else s.expression
        scales = [w for w in allowed if abs(value * eval(w, sizes) - right) <= 1e-6 * abs(right)]
        if scales:
            found.trace["loss"], found.loss_scale = expression, scales[0]
            found.right.append("loss")
            return
        if by_name is None and NAMED_LOSS.search(s.name) and s.returned:
            by_name = expression
    if by_name is not None:
        found.trace["loss"] = by_name
        found.wrong.append("loss")


def recognise_gradients(adapter: Adapter, seen: Sequence[Seen], places: Arrays) -> dict[str, str]:
    """Find the gradient of each parameter: by its name, else by its shape among what was returned.

    `places` are the parameters as they are kept, by key; a hidden bias in two places has a gradient in two places.
    """
    grads: dict[str, str] = {}
    if pieces := {key: vector for key, place in adapter.params.items() if (vector := piece_of(place, ""))}:
        return _pieces_of_gradient(pieces, seen, sum(place.size for place in places.values()))
    own = {e for place in adapter.params.values() for e in locate(place)[0]}
    others = [s for s in seen if s.expression not in own]
    for key, place in adapter.params.items():
        if key == "h0":
            continue
        expressions: list[str | None] = []
        for e in locate(place)[0]:  # each has its own
            expressions.append(
                _gradient(key, e, places[key], [s for s in others if s.expression not in expressions], own)
            )
        if all(expressions):
            grads[key] = " + ".join(e for e in expressions if e)
    return grads


def _pieces_of_gradient(pieces: Mapping[str, tuple[str, str]], seen: Sequence[Seen], length: int) -> dict[str, str]:
    """Cut the gradient of one vector of all parameters as the vector itself is cut."""
    vector = next(iter(pieces.values()))[0]
    alike = [s for s in seen if s.array.shape == (length,) and s.expression != vector and not remembered(s.expression)]
    alike.sort(key=lambda s: gradient_of(s.name) is None)
    return {key: alike[0].expression + piece.removesuffix(".T") for key, (_, piece) in pieces.items()} if alike else {}


def _gradient(key: str, place: str, value: np.ndarray, seen: Sequence[Seen], own: set[str]) -> str | None:
    best: tuple[int, str] | None = None
    for s in seen:
        fits = [n for n in s.array.shape if n > 1] == [n for n in value.shape if n > 1] and s.array.size == value.size
        rank = _named_like(key, place, s)
        if rank == 0 and (fits or s.array.dtype.kind == "f"):
            rank = 0 if fits else 2
        elif not fits or rank is None:
            continue
        if best is None or rank < best[0]:
            best = rank, s.expression
    return best[1] if best else None


def _named_like(key: str, place: str, s: Seen) -> int | None:
    """Rank how well a name says that this is the gradient of `place`; None if it says that it is not."""
    if beside(place, s.expression):
        return 0
    stem, kept_as = gradient_of(s.name), last_word(place)
    among_gradients = bool(
        re.search(r"grad|delta", s.expression.replace("grads", "", 1) if s.returned else s.expression, re.I)
    )
    if stem is not None and (_same(stem, kept_as) or (stem.isdigit() and kept_as in (f"W{stem}", f"w{stem}"))):
        return 0  # `G1` is beside `W1`
    if (among_gradients or s.expression.startswith(("grads[", "grads."))) and _same(s.name, kept_as):
        return 0
    role = parameter_role(stem) if stem else None
    if role == key or (among_gradients and parameter_role(s.name) == key):
        return 1
    if role is None and not state_like(s.name) and (among_gradients or s.expression.startswith("grads")):
        return 3
    return None


def _same(one: str, two: str) -> bool:
    return one.replace("_", "").lower() == two.replace("_", "").lower()
