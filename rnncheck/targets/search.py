"""Find out how a file is to be called: go through the conventions, keep the one that fits best.

Each trial is a call of their code on a problem of a few numbers. What the forward pass returns decides about layouts
and transposes, so a wrong gradient cannot pass by being read in a convenient way.
"""

import ast
import re
import signal
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from itertools import product

import numpy as np

from rnncheck.errors import NotJudgedError, UserError
from rnncheck.targets.adapter import DIFFERENCE, NO_CLIPPING, Adapter
from rnncheck.targets.candidates import OTHER_CELLS, Candidate, candidates
from rnncheck.targets.conventions import FAMILIES, Family, layouts
from rnncheck.targets.perform import Adapted
from rnncheck.targets.places import Place, arrays_in, fixed_sizes, parameter_options, unread, virtual
from rnncheck.targets.roles import bare, gated, parameter_role, size_role
from rnncheck.targets.shelf import read
from rnncheck.targets.source import Source
from rnncheck.targets.survey import Survey, survey
from rnncheck.targets.trial import PROBE, Trial, forward_only, probe, sizes_of, try_out

__all__ = ["find"]

MOST_CANDIDATES = 24
MOST_TRIALS = 4000
SECONDS = 2.0


def find(source: Source, name: str | None = None) -> Trial:
    """Return the best way to call what `source` defines, or its class or function `name`.

    Raises
    ------
    UserError
        If nothing can be called, with what is missing.
    NotJudgedError
        If it is an LSTM or a GRU.
    """
    return _Search(source, name).best()


class _Search:
    def __init__(self, source: Source, name: str | None):
        self.source, self.name = source, name
        self.base = Adapter(str(source.path.name), (), {}, sizes=_constants(source.tree))
        self.work = Adapted(self.base, source=source)
        self.module = self.work.load(PROBE | {"B": 1, "k": PROBE["T"]})
        self.survey = survey(self.module, source)
        self.left = MOST_TRIALS
        self.complaint = ""
        self._furthest = (-1, 0)
        self._crashed: Trial | None = None
        self.strangers: list[str] = []
        self._dead: set[object] = set()
        self._unread: dict[str, list[str]] = {}
        self._memory: tuple[str, ...] = ()
        self._virtual = self._raised = False

    def best(self) -> Trial:
        """Try candidates until one has a right forward pass and all gradients; else take what is right in most."""
        found: Trial | None = None
        offered = candidates(self.survey, self.name)[:MOST_CANDIDATES]
        for candidate in offered:
            for trial in self._trials(candidate):
                if found is None or trial.points > found.points:
                    found = trial
            if found is not None and (found.settled or found.perfect):
                return found
        if found is not None and self._credible(found):
            return found
        if self._crashed is not None:  # its forward pass is right, and its backward pass does not run
            return self._crashed
        raise self._refusal(offered)

    def _trials(self, candidate: Candidate) -> Iterator[Trial]:
        """Yield the trials of one candidate; a nonlinearity that fits ends the search for another."""
        globals_ = self.survey.globals_read(*candidate.functions) if candidate.owner == "file" else set()
        ways = [
            (replace(adapter, axes=axes, task=task), family)
            for adapter, family in self._ways(candidate)
            for axes, task in layouts(family, candidate.uses)
        ]
        for nonlinearity in _nonlinearities(self.source.text):
            fitted, alive = False, []
            for adapter, family in ways:
                version = replace(adapter, nonlinearity=nonlinearity)
                trials = list(self._try(version, candidate, 2 if family.batched else 1, globals_))
                alive += [(adapter, family)] if trials else []
                yield from trials
                fitted = fitted or any({"h", "logits", "p", "loss"} & set(t.right) or t.perfect for t in trials)
            if fitted:
                return
            ways = alive  # what raises does so with any nonlinearity

    def _try(self, adapter: Adapter, candidate: Candidate, B: int, globals_: set[str]) -> Iterator[Trial]:
        """Try one way, and variants of it: gradients that are only applied, targets that are real values."""
        real = "b" if candidate.weights or self._virtual else None
        adapter = replace(adapter, axes={k: v for k, v in adapter.axes.items() if k != "b" or real})
        versions = [adapter]
        if adapter.mentions("lr"):
            versions += [replace(adapter, grads=DIFFERENCE, memory=m) for m in {self._memory, ()}]
        for version in versions:
            trial = self._attempt(version, candidate, B, globals_)
            if self._raised:
                return
            if trial is None:
                continue
            yield trial
            gradients = [n for n in trial.right if n.startswith(("dW", "db"))]
            if not gradients and "N" in adapter.axes.get("y", "").split() and "y" in candidate.uses:
                valued = self._attempt(replace(version, targets="values"), candidate, B, globals_)
                yield from [] if valued is None else [valued]
            if not trial.missing:
                return

    def _attempt(self, adapter: Adapter, candidate: Candidate, B: int, globals_: set[str]) -> Trial | None:
        """Try once; what their code raises says that this is not the way."""
        first = adapter.calls[0]
        shared = (adapter.make, first, str(adapter.params), *(adapter.axes.get(a) for a in ("x", "h0", "b")), B)
        self._raised = self.left <= 0 or shared in self._dead
        if self._raised:
            return None
        self.left -= 1
        try:
            with _at_most(SECONDS):
                return try_out(adapter, candidate, self.work, B, globals_)
        except Exception as error:
            self._raised, reached = True, self.work.reached
            self._note(error, adapter, candidate, B)
            if reached == 0 and not re.search(r"\b(y|dlogits|dh)\b", first):
                self._dead.add(shared)  # no layout of the targets will help
            return None

    def _note(self, error: Exception, adapter: Adapter, candidate: Candidate, B: int) -> None:
        """Remember the attempt that came furthest: what it ran into is likely the file's own mistake."""
        lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == str(self.source.path)]
        far = (self.work.reached, lines[0] if lines else 0)
        if far > self._furthest:
            self._furthest = far
            place = f" (line {lines[-1]})" if lines else ""
            self.complaint = f"{candidate.label} raised {type(error).__name__}: {error}{place}"
        if self.work.reached and self._crashed is None:
            with suppress(Exception):
                self._crashed = forward_only(adapter, candidate, self.work, B)

    def _ways(self, candidate: Candidate) -> Iterator[tuple[Adapter, Family]]:
        """Yield adapters without layouts: how to make the object, and which arrays are which parameters."""
        for make in candidate.makes:
            adapter = replace(self.base, make=make, calls=candidate.calls)
            try:
                places, adapter = self._places(adapter, candidate)
            except Exception as error:
                self.complaint = self.complaint or f"{make.partition(' = ')[2] or candidate.label} raised {type(error).__name__}: {error}"
                continue
            if gated([p.expression for p in places]):
                self.strangers += [p.expression for p in places]
                continue
            options = parameter_options(places, dict(zip("IHV", sizes_of(adapter), strict=True)))
            if not options and (fixed := fixed_sizes(places)):
                adapter = replace(adapter, fixed=fixed)
                options = parameter_options(places, fixed)
            if not options:
                self.strangers += [f"{p.expression.partition('.')[2] or p.expression} {p.shape}" for p in places]
            for option, family in product(options, FAMILIES):
                self._unread[str(option)] = unread(option, places)
                if _fits_bias(option, places, family):
                    yield replace(adapter, params=option), family
            if options and "np.zeros" not in make:
                return

    def _places(self, adapter: Adapter, candidate: Candidate) -> tuple[list[Place], Adapter]:
        """Return the arrays of the object, or those that the functions read or are given."""
        self._memory, self._virtual = (), False
        if candidate.owner == "rnn":
            self.work.change(adapter)
            case, _ = probe("vectors", "tanh", "every step", 1, ("b_h", "b_y"), True, sizes_of(adapter))
            with _at_most(SECONDS):
                _, names = self.work.make(case)
            rnn = names["rnn"]
            numbers = {n: v for n, v in getattr(rnn, "__dict__", {}).items() if isinstance(v, int | float) and not isinstance(v, bool)}
            values = {"lr": "lr", "k": "k", "clip": repr(NO_CLIPPING)}
            changes = [f"rnn.{n} = {values[r]}" for n in numbers if (r := size_role(n)) in values and len(n) > 1]
            adapter = replace(adapter, make="; ".join([adapter.make, *changes]))
            arrays = list(arrays_in(rnn, "rnn"))
        else:
            read_ = self.survey.globals_read(*candidate.functions)
            arrays = [found for n in sorted(read_) if n in vars(self.module) for found in arrays_in(vars(self.module)[n], f"file.{n}", 1)]
            unknown = [n for n in sorted(read_) if n in self.module.skipped and parameter_role(n)]
            self._virtual = bool(unknown)
            if candidate.weights or unknown:
                return virtual([*candidate.weights, *(f"file.{n}" for n in unknown)]) + [Place(e, a.shape) for e, a in arrays if not candidate.weights], adapter
        from rnncheck.targets.roles import remembered

        self._memory = tuple(e for e, _ in arrays if remembered(e))
        return [Place(e, a.shape) for e, a in arrays], adapter

    def _credible(self, trial: Trial) -> bool:
        """Whether it is an RNN that is wrong, rather than something else: it has what an RNN has, and nothing more."""
        if trial.right:
            return True
        return len(trial.wrong) >= 3 and not trial.missing and not self._unread.get(str(trial.adapter.params))

    def _refusal(self, offered: list[Candidate]) -> UserError:
        file = self.source.path.name
        what = f"{file}:{self.name}" if self.name else file
        names = [*self.strangers, *(c.label for c in offered)]
        if OTHER_CELLS.search(" ".join([self.source.text, *names])) or gated(self.strangers):
            return NotJudgedError(f"{what}: an LSTM or GRU is not judged yet; plain recurrent networks are")
        if not offered:
            return UserError(
                f"{what}: no class with a forward and a backward pass and no function of inputs and targets was found; "
                f"name it ({file}:Name) or write an adapter: rnncheck new"
            )
        arrays = f"among its arrays ({', '.join(self.strangers[:6]) or 'there are none'}) no W_xh and W_hh were found"
        reason = self.complaint or arrays
        return UserError(f"{what}: {offered[0].label} could not be called: {reason}; write an adapter: rnncheck new")


def _constants(tree: ast.Module) -> dict[str, str]:
    """Return the constants of the file that are sizes, with what they are to be."""
    found: dict[str, str] = {}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Assign) or node not in tree.body:
            continue
        for name in (n.id for t in node.targets for n in ast.walk(t) if isinstance(n, ast.Name)):
            role = size_role(name)
            if role and _is_number(node.value) and (len(name) > 1 or name in "THVD"):
                found[name] = {"O": "V", "clip": repr(NO_CLIPPING), "layers": ""}.get(role, role)
    return {name: word for name, word in found.items() if word}


def _is_number(node: ast.expr) -> bool:
    """Whether an expression looks like a number, or several: arithmetic, `len(...)`, `data.shape[1]`."""
    if isinstance(node, ast.Tuple):
        return all(_is_number(e) for e in node.elts)
    if isinstance(node, ast.Constant):
        return isinstance(node.value, int | float) and not isinstance(node.value, bool)
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and node.func.id in ("len", "int", "float", "max", "min", "round")
    if isinstance(node, ast.BinOp):
        return _is_number(node.left) or _is_number(node.right)
    return isinstance(node, ast.Name | ast.UnaryOp) or "shape" in ast.unparse(node)


def _nonlinearities(text: str) -> list[str]:
    """Return the nonlinearities that the file speaks of; all of them if it speaks of none."""
    words = {"tanh": r"tanh", "relu": r"relu|maximum", "sigmoid": r"sigmoid|expit|logistic"}
    return [w for w in words if re.search(words[w], text, re.IGNORECASE)] or list(words)


def _fits_bias(option: dict[str, str], places: list[Place], family: Family) -> bool:
    """Whether the shape of the hidden bias is one of this family: one axis adds to rows, not to columns."""
    shapes = {p.expression: p.shape for p in places}
    shape = shapes.get(option.get("b_h", "").partition(" + ")[0].removesuffix(".T"))
    if shape is None:
        return True
    if len(shape) == 1:
        return "N 1" not in family.h and family.h != "N B"
    if shape[0] == 1:
        return family.h in ("1 N", "B N")
    return family.h in ("N 1", "N B")


@contextmanager
def _at_most(seconds: float) -> Iterator[None]:
    """Stop a call that does not come back, where the platform can."""
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "setitimer"):
        yield
        return

    def stop(*_: object) -> None:
        raise TimeoutError(f"did not come back within {seconds:g} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
