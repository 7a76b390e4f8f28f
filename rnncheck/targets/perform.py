"""Run an Adapter: load the file, put the parameters in their places, make the calls, read the results.

Nothing here knows a right answer. The file is loaded, and its object made, once for the sizes of a case: what it
remembers from one call to the next it remembers here too, and the judge will see it.
"""

import io
import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from types import CodeType
from typing import Any

import numpy as np

from rnncheck.case import Case, RNNCase
from rnncheck.targets.adapter import DIFFERENCE, NO_TOKEN, Adapter
from rnncheck.targets.descent import SGD
from rnncheck.targets.layout import axes_of, give
from rnncheck.targets.load import Loaded, load
from rnncheck.targets.named import named
from rnncheck.targets.read import read_grads, read_trace
from rnncheck.targets.shelf import fill, put, remembers_squares, take_back
from rnncheck.targets.source import Source, read_source
from rnncheck.targets.upstream import softmax, upstream
from rnncheck.trace import TIMED, Trace

__all__ = ["Adapted", "Names", "quiet"]

Names = dict[str, Any]
FORWARD = ("h", "logits", "p", "loss")
LR = 2.0**30
"""A step so long that the weights drown in it: what rounding takes from the difference is that of the gradient."""


class Adapted:
    """The implementation that a file and its adapter make together."""

    def __init__(self, adapter: Adapter, folder: Path | None = None, source: Source | None = None):
        self.adapter = adapter
        self.source = source or read_source((folder or Path()) / adapter.source)
        self.name = self.source.path.name
        self.reached = 0
        self._modules: dict[tuple[int, ...], Loaded] = {}
        self._made: tuple[tuple[int, ...], Names] | None = None

    def run(self, case: Case, clipping: bool = False) -> Trace:
        """Compute the Trace of an RNN case; with `clipping` the file's own clipping of gradients acts."""
        self.adapter.require(case)
        assert isinstance(case, RNNCase)
        if self.adapter.batched or case.x.shape[1] == 1:
            return self._run(case, clipping)
        apart = [_sequence(case.copy(), b) for b in range(case.x.shape[1])]
        trace = _merge([self._run(one, clipping) for one in apart])
        for name, array in case.params.items():
            array[...] = apart[-1].params[name]  # what a call has done to its parameters, the judge is to see
        return trace

    def observe(self, case: RNNCase) -> Names:
        """Make the calls and return all names, for whoever wants to find out what is where."""
        return self._call(case, clipping=False)[0]

    def clips(self, case: Case) -> tuple[bool, list[tuple[float, float]]]:
        """Tell whether the file clips gradients in these calls, and between which values."""
        assert isinstance(case, RNNCase)
        _, module = self._call(case, clipping=True)
        return module.clipping.used, sorted(set(module.clipping.bounds))

    def _run(self, case: RNNCase, clipping: bool) -> Trace:
        names, _ = self._call(case, clipping)
        trace = names["_trace"]
        trace |= read_trace(self.adapter, names, [n for n in self.adapter.trace if n not in names["_read"]])
        trace |= read_grads(self.adapter, names)
        if self.adapter.targets != "classes" and "loss" in trace:
            trace["loss"] = trace["loss"] + names["_offset"]
        if self.adapter.grads != DIFFERENCE:
            take_back(self.adapter, names, trace)
        if not all(np.isfinite(array).all() for array in trace.values()):
            self._modules, self._made = {}, None  # a memory of squared gradients would stay NaN from now on
        return _complete(trace, case, self.adapter)

    def _call(self, case: RNNCase, clipping: bool) -> tuple[Names, Loaded]:
        module, made = self.make(case)
        names = made | _problem(case, self.adapter)
        before = put(self.adapter, names)
        fill(self.adapter, names)
        names |= {"_trace": {}, "_read": set(), "_before": before}
        module.clipping.on, module.clipping.used, module.clipping.bounds = clipping, False, []
        with quiet(), _explained(module):
            for number, call in enumerate(self.adapter.calls):
                self.reached = number
                if re.search(r"\b(dlogits|dh)\b", call):
                    names |= upstream(self.adapter, names)
                exec(_compiled(call), names)
                self._read_forward(names, call)
        return names, module

    def _read_forward(self, names: Names, call: str) -> None:
        """Read results of the forward pass at once: many a backward pass writes into them."""
        results = re.findall(r"\b(\w+) = ", " ".join(c + " " for c in self.adapter.calls))
        for name in FORWARD:
            where = self.adapter.trace.get(name)
            if where is None or name in names["_read"]:
                continue
            needed = [r for r in results if re.search(rf"\b{r}\b", where)]
            if all(r in names for r in needed):
                names["_trace"] |= read_trace(self.adapter, names, [name])
                names["_read"].add(name)

    def change(self, adapter: Adapter) -> None:
        """Use another adapter for the same file, with an object of its own."""
        self.adapter, self._made = adapter, None

    @property
    def made(self) -> tuple[Any, Any]:
        """Return the file and the object that were made last; None for what there is not."""
        names = {} if self._made is None else self._made[1]
        return names.get("file"), names.get("rnn")

    def load(self, sizes: Mapping[str, int]) -> Loaded:
        """Load the file for these sizes, once for every I, H and V; T and k may change from case to case."""
        key = tuple(sizes[n] for n in "IHV")
        values: Names = dict(sizes) | {"lr": _lr(self.adapter), "np": np}
        constants = {n: eval(_compiled(e, "eval"), values) for n, e in self.adapter.sizes.items()}
        if key not in self._modules:
            with quiet():
                self._modules[key] = load(self.source, constants, sizes["V"], self.adapter.widen, self.adapter.unguard)
        vars(self._modules[key]).update(constants)
        return self._modules[key]

    def make(self, case: RNNCase) -> tuple[Loaded, Names]:
        """Make the object, anew where sizes or data that go into it have changed."""
        sizes = case.sizes | {"k": _k(case)}
        module = self.load(sizes)
        goes_in = {n for n in ("T", "B", "k", "x", "y", "h0") if _reads(self.adapter.make, n)}
        key = tuple(sizes[n] for n in ("I", "H", "V", *sorted(goes_in & {"T", "B", "k"})))
        per_case = bool(goes_in & {"x", "y", "h0"})
        if self._made is None or self._made[0] != key or per_case:
            names: Names = {"file": module, "lr": _lr(self.adapter), "np": np, "SGD": SGD, "named": named} | sizes
            names |= _problem(case, self.adapter) if per_case else {}
            with quiet(), _explained(module):
                exec(_compiled(self.adapter.make), names)
            self._made = key, names
        return module, self._made[1]


def _problem(case: RNNCase, adapter: Adapter) -> Names:
    """Return sizes, data in the layouts of the adapter, and parameters by name."""
    axes, dtype = adapter.axes, case.dtype
    B, H = case.x.shape[1], case.params["W_hh"].shape[0]
    h0 = np.zeros((B, H), dtype) if case.h0 is None else case.h0
    names: Names = case.sizes | {"k": _k(case), "lr": _lr(adapter), "np": np, "_case": case, "_h0": h0}
    x = case.x
    if not adapter.takes_ids and x.ndim == 2:
        x = np.where((x == NO_TOKEN)[..., None], 0, np.eye(case.sizes["I"])[x]).astype(dtype)
    names["x"] = give(x, "T B N" if x.ndim == 3 else "T B", axes.get("x", "T"))
    names["h0"] = give(h0, "B N", axes.get("h0", "N"))
    if adapter.targets != "classes":
        found = upstream(adapter, names)
        names |= {"y": found["values"], "_offset": found["offset"]}
    elif "N" in axes_of(axes.get("y", "")):
        names["y"] = give(_one_hot(case), "T B N", axes["y"])
    else:
        names["y"] = give(case.y, "T B", axes.get("y", "T"))
    return names


def _one_hot(case: RNNCase) -> np.ndarray:
    """Return the targets as vectors; a step without a target has none of the classes."""
    kept = case.y != case.ignore_index
    targets = np.zeros((*case.y.shape, case.sizes["V"]), case.dtype)
    targets[kept, case.y[kept]] = 1
    return targets


def _reads(code: str, name: str) -> bool:
    """Tell whether a statement reads `name`, rather than passing something by that name."""
    return re.search(rf"(?<![\w.]){name}\b(?!\s*=[^=])", code) is not None


def _k(case: RNNCase) -> int:
    return len(case.x) if case.k is None else case.k


def _lr(adapter: Adapter) -> float:
    """Return the learning rate: none at all where the gradients can be read without it."""
    return (LR**2 if remembers_squares(adapter) else LR) if adapter.grads == DIFFERENCE else adapter.lr


def _sequence(case: RNNCase, b: int) -> RNNCase:
    """Return the case of sequence `b` alone; arrays are views."""
    h0 = None if case.h0 is None else case.h0[b : b + 1]
    return replace(case, x=case.x[:, b : b + 1], y=case.y[:, b : b + 1], h0=h0)


def _merge(parts: list[Trace]) -> Trace:
    """Put sequences side by side, and add up what is summed over them."""
    beside = dict.fromkeys(TIMED, 1) | {"dh0": 0}
    return {
        name: np.concatenate([p[name] for p in parts], axis=beside[name])
        if name in beside and np.ndim(parts[0][name]) > beside[name]
        else np.asarray(sum(p[name] for p in parts))
        for name in parts[0]
    }


def _complete(trace: dict[str, np.ndarray], case: RNNCase, adapter: Adapter) -> Trace:
    """Turn probabilities into dlogits, spread the last step over time, and keep the arrays of a Trace only."""
    T, B, V = (case.sizes[n] for n in "TBV")
    p = trace.pop("p", None)
    if "logits" in trace and "T" not in adapter.axes.get("logits", "T").split():
        p = softmax(trace.pop("logits"))  # those of the last step alone are no array of a Trace
    if p is not None and "dlogits" not in trace and p.shape in ((T, B, V), (1, B, V)):
        dlogits = np.zeros((T, B, V), p.dtype)
        steps = slice(None) if adapter.task == "every step" else slice(T - 1, T)
        dlogits[steps] = p[-len(dlogits[steps]) :] - np.eye(V, dtype=p.dtype)[case.y[steps]]
        trace["dlogits"] = dlogits
    if case.x.ndim == 2:
        trace.pop("dx", None)
    return trace


@contextmanager
def quiet() -> Iterator[None]:
    """Keep what somebody's code prints and warns of out of our report."""
    with redirect_stdout(io.StringIO()), warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield


@contextmanager
def _explained(module: Loaded) -> Iterator[None]:
    """Say of a missing name where the file would have computed it."""
    try:
        yield
    except NameError as error:
        if error.name in module.skipped:
            line = module.skipped[error.name]
            why = f"{error.name} is computed at line {line}, which was not run; make it a constant, or use an adapter"
            raise NameError(why) from error
        raise


@lru_cache(maxsize=4096)
def _compiled(code: str, mode: str = "exec") -> CodeType:
    return compile(code, "<adapter>", mode)
