"""The three systems, each a configuration of the same modules: plain values that JSON can hold.

names      many-to-many name generator: one name a step, whole-name BPTT, an exponential average of the gradient
sentences  word-level language model without biases: one sentence a step, windowed BPTT, plain SGD
chars      character model on running text (A. Karpathy's min-char-rnn, 2015): carried state, Adagrad

A recipe may be varied with `dataclasses.replace`; values that make no sense are refused.
"""

from dataclasses import Field, asdict, dataclass, fields, replace
from functools import lru_cache
from typing import Any

from numpy_impl.init import SCHEMES
from numpy_impl.optim import SGD, Adagrad
from numpy_impl.validate import NONLINEARITIES, REDUCTIONS, check_bptt

__all__ = ["RECIPES", "Recipe", "make_optimizer", "vary"]

CHOICES = {
    "name": ("names", "sentences", "chars"),
    "init": SCHEMES,
    "generator": ("legacy", "default"),
    "nonlinearity": NONLINEARITIES,
    "reduction": REDUCTIONS[:2],
    "report": REDUCTIONS[:2],
    "clip_method": ("none", "value", "norm"),
    "optimizer": ("sgd", "adagrad"),
    "dtype": ("float64", "float32"),
}
AT_LEAST_ONE = (
    "hidden",
    "steps",
    "batch",
    "examples",
    "chunk_length",
    "evaluate_every",
    "sample_count",
    "sample_length",
)
OF_ONE_RECIPE = {"chunk_length": "chars", "vocabulary_size": "sentences"}
NEEDS = {
    **dict.fromkeys(("eps", "eps_inside", "initial_accumulator"), ("optimizer", ("adagrad",))),
    **dict.fromkeys(("momentum", "dampening", "zero_start"), ("optimizer", ("sgd",))),
    "clip_bound": ("clip_method", ("value", "norm")),
}
"""Settings that do something only beside certain values of another."""
LARGEST = 2**31 - 1
POSITIVE = ("lr", "clip_bound")
NOT_NEGATIVE = ("eps", "initial_accumulator", "momentum", "sample_every")


@dataclass(frozen=True)
class Recipe:
    """How one system is built, fed, trained and sampled."""

    name: str
    hidden: int
    steps: int
    """How many steps a run takes if it is not told."""
    init: str
    biases: bool
    lr: float
    clip_method: str = "none"
    clip_bound: float = 1.0
    optimizer: str = "sgd"
    momentum: float = 0.0
    dampening: float = 0.0
    zero_start: bool = False
    """Start the momentum buffer at zero, an exponential average; torch starts it at the first gradient."""
    eps: float = 1e-10
    eps_inside: bool = False
    """Adagrad's epsilon under the root, not beside it as in torch."""
    initial_accumulator: float = 0.0
    reduction: str = "sum"
    """The loss that is differentiated."""
    report: str = "sum"
    """The loss that is shown. `sentences` shows the mean over the words and differentiates the sum, as its original
    does; set both to one value for a consistent pair."""
    bptt: str = "full"
    k: int | None = None
    nonlinearity: str = "tanh"
    dtype: str = "float64"
    generator: str = "default"
    """Random numbers: NumPy's PCG64 ("default"), or its generator of before 2019, to repeat a published run."""
    shuffle: bool = False
    """Shuffle the examples once, before the first step."""
    examples: int | None = None
    """Use only the first so many examples of the file."""
    batch: int = 1
    """Train on so many names or sentences a step, of different length. The loss that is shown is that of one."""
    chunk_length: int = 25
    """Characters per chunk of running text."""
    vocabulary_size: int = 8000
    """Words, markers and the unknown token included."""
    evaluate_every: int | None = None
    """Evaluate the loss of the whole set before every so many passes, and halve lr when it has risen."""
    sample_every: int = 100
    """Write samples after the first step, and again every so many; 0 is never."""
    sample_count: int = 1
    sample_length: int = 200

    def __post_init__(self) -> None:
        for f in fields(self):
            value, kind = getattr(self, f.name), int | float if f.type is float else f.type
            if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):  # type: ignore[arg-type]
                raise TypeError(f"{f.name} is {value!r}, expected {_kind(f)}")
        for field, allowed in CHOICES.items():
            if getattr(self, field) not in allowed:
                raise ValueError(f"{field} is {getattr(self, field)!r}, expected one of {', '.join(allowed)}")
        limits = [(f, 1) for f in AT_LEAST_ONE] + [(f, 0) for f in NOT_NEGATIVE] + [("vocabulary_size", 2)]
        for field, least in limits:
            value = getattr(self, field)
            if value is not None and not value >= least:
                raise ValueError(f"{field} is {value}, and must be at least {least}")
            if value is not None and isinstance(value, int) and value > LARGEST:
                raise ValueError(f"{field} is {value}, and must be at most {LARGEST}")
        for field in POSITIVE:
            if not 0 < getattr(self, field) < float("inf"):
                raise ValueError(f"{field} is {getattr(self, field)}, and must be a positive number")
        if self.batch > 1 and self.name == "chars":
            raise ValueError(
                f"batch is {self.batch}, and must be 1 for chars: its state goes on from each chunk of one text to the "
                "next; leave batch out"
            )
        check_bptt(self.bptt, self.k)

    def settings(self) -> dict[str, Any]:
        """Return every setting under its name, ready for JSON."""
        return asdict(self)


RECIPES = {
    "names": Recipe(
        name="names",
        hidden=50,
        steps=20_001,
        init="names",
        biases=True,
        lr=0.01,
        clip_method="value",
        clip_bound=1.0,
        momentum=0.9,
        dampening=0.9,
        zero_start=True,
        generator="legacy",
        shuffle=True,
        sample_every=10_000,
        sample_count=4,
        sample_length=15,
    ),
    "sentences": Recipe(
        name="sentences",
        hidden=100,
        steps=5_000,
        init="sentences",
        biases=False,
        lr=0.005,
        report="mean",
        bptt="windowed",
        k=4,
        evaluate_every=1,
        sample_every=1_000,
        sample_count=1,
        sample_length=30,
    ),
    "chars": Recipe(
        name="chars",
        hidden=100,
        steps=10_000,
        init="chars",
        biases=True,
        lr=0.1,
        clip_method="value",
        clip_bound=5.0,
        optimizer="adagrad",
        eps=1e-8,
        eps_inside=True,
        chunk_length=25,
        sample_every=100,
        sample_length=200,
    ),
}


def vary(recipe: Recipe, settings: dict[str, str]) -> Recipe:
    """Return `recipe` with `settings`, words as a user types them, in place of its own.

    Raises
    ------
    ValueError
        If there is no such setting, or its value is not of its kind.
    """
    kinds = {f.name: _kind(f) for f in fields(Recipe)[1:]}
    for name in settings:
        if name not in kinds:
            raise ValueError(f"{name!r} is not a setting of a recipe; the settings are {', '.join(kinds)}")
        if OF_ONE_RECIPE.get(name, recipe.name) != recipe.name:
            raise ValueError(f"{name} has no effect on {recipe.name}; it is a setting of {OF_ONE_RECIPE[name]}")
    varied = replace(recipe, **{name: _parse(name, word, kinds[name]) for name, word in settings.items()})
    for name in settings:
        other, values = NEEDS.get(name, ("name", (recipe.name,)))
        if getattr(varied, other) not in values:
            raise ValueError(
                f"{name} has no effect beside {other}={getattr(varied, other)}; "
                f"leave it out, or set {other}={' or '.join(values)} as well"
            )
    return varied


def _kind(f: Field[Any]) -> str:
    return f.type.__name__ if isinstance(f.type, type) else str(f.type).replace(" | ", " or ")


def _parse(name: str, word: str, kind: str) -> Any:
    """Read one word as the kind of value that the setting `name` has."""
    words = {"true": True, "false": False} if kind == "bool" else {"none": None} if "None" in kind else {}
    if word.lower() in words:
        return words[word.lower()]
    try:
        return {"int": int, "float": float, "str": str}[kind.partition(" ")[0]](word)
    except (KeyError, ValueError):
        raise ValueError(f"{name} is {word!r}, expected {kind}") from None


@lru_cache
def make_optimizer(recipe: Recipe) -> SGD | Adagrad:
    """Return the optimiser that `recipe` names, with its options."""
    if recipe.optimizer == "sgd":
        return SGD(momentum=recipe.momentum, dampening=recipe.dampening, zero_start=recipe.zero_start)
    return Adagrad(eps=recipe.eps, eps_inside=recipe.eps_inside, initial_accumulator=recipe.initial_accumulator)
