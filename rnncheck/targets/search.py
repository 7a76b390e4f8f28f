"""Find out how a file is to be called: go through the conventions, keep the one that fits best.

Each trial is a call of their code on a problem of a few numbers. What the forward pass returns decides about layouts
and transposes, so a wrong gradient cannot pass by being read in a convenient way.
"""

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

from rnncheck.errors import NotJudgedError
from rnncheck.targets.adapter import DIFFERENCE, Adapter
from rnncheck.targets.asked import asked_for
from rnncheck.targets.candidates import Candidate, candidates
from rnncheck.targets.constants import size_constants
from rnncheck.targets.conventions import layouts
from rnncheck.targets.crash import Crash, crash_of
from rnncheck.targets.guards import guarded
from rnncheck.targets.kinds import OPTIMISER, another_kind
from rnncheck.targets.layout import axes_of
from rnncheck.targets.losses import with_loss
from rnncheck.targets.outputs import kinds_in
from rnncheck.targets.patience import at_most
from rnncheck.targets.perform import Adapted
from rnncheck.targets.refusal import why_not
from rnncheck.targets.rewrite import narrow
from rnncheck.targets.shelf import ZERO
from rnncheck.targets.source import Source
from rnncheck.targets.survey import survey
from rnncheck.targets.trial import PROBE, Trial, forward_only, right_at_one_step, try_out
from rnncheck.targets.trouble import lines_in, misread, told
from rnncheck.targets.uncalled import uncalled
from rnncheck.targets.ways import NoWayError, Way, nonlinearities, ways

__all__ = ["find"]

MOST_CANDIDATES = 24
MOST_TRIALS = 3000
SOFTMAX = re.compile(r"softmax|logsumexp|exp\(.*/.*sum\(|/= *\w*\.?sum\(", re.IGNORECASE)
ROOT = re.compile(r"sqrt|\*\* ?0?\.5")
"""Who divides by the root of what is remembered, says so."""
COSTLY = 600
"""So many trials a call takes away that did not come back: whoever always hangs is found out after a few."""


def find(source: Source, name: str | None = None) -> Trial:
    """Return the best way to call what `source` defines, or its class or function `name`.

    Raises
    ------
    NotJudgedError
        If nothing can be called, with what is missing; if it is an LSTM or a GRU.
    UserError
        If its backward pass is right at some sizes, and raises at others.
    """
    search = _Search(source, name)
    found = with_loss(search.best(), search.work, search.survey)
    missed = uncalled(found, search.work, search.survey)
    return replace(found, adapter=replace(found.adapter, uncalled=missed))


class _Search:
    def __init__(self, source: Source, name: str | None):
        self.source, self.name = source, name
        self.base = Adapter(
            source.path.name,
            (),
            {},
            sizes=size_constants(source.tree),
            widen=narrow(source.tree),
            unguard=guarded(source.tree),
        )
        self.work = Adapted(self.base, source=source)
        module = self.work.load(PROBE | {"B": 1, "k": PROBE["T"]})
        self.survey = survey(module, source)
        self.offered = candidates(self.survey, name)[:MOST_CANDIDATES]
        self.left = MOST_TRIALS
        self.strangers: list[str] = []  # arrays that no role was found for
        self.complaint, self.furthest = "", (-1, 0)  # what was raised by the attempt that came furthest
        self.tried: Candidate | None = None  # and what it called
        self.crashed: Crash | None = None  # what raised in the backward pass, and is known best
        self.crashed_at = (0.0, -1)  # what it is worth where it does not raise, and the line that came furthest
        self.silent: dict[tuple[str, ...], str] = {}  # calls that run forward rightly, and back, and show no gradients
        self.kind = ""  # what else than a plain RNN it may be
        self.unlike = ""  # what runs, and computes something else
        self._dead: set[object] = set()

    def best(self) -> Trial:
        """Try candidates until one has a right forward pass and all gradients; else take what is right in most."""
        found: tuple[Trial, Way] | None = None
        for candidate in self.offered:
            for trial, way in self._trials(candidate):
                if found is None or trial.points > found[0].points:
                    found = trial, way
            if found is not None and (found[0].settled or found[0].perfect):
                break
        if found is not None and self._is_rnn(*found):
            return found[0]
        came_through = {*self.silent, *([] if found is None else [found[0].candidate.calls])}
        if self.crashed is not None and self.crashed.forward.candidate.calls not in came_through:
            return self.crashed.judged()  # its forward pass is right, and its backward pass does not run
        raise NotJudgedError(why_not(self))

    def _is_rnn(self, trial: Trial, way: Way) -> bool:
        """Tell whether what was read may be called right or wrong."""
        if trial.perfect:
            return True
        if trial.adapter.grads == DIFFERENCE and way.memory and trial.forward and not trial.gradients:
            self.kind = OPTIMISER
            return False
        if why := another_kind(trial, self.work, self.survey):
            self.kind = why
            return False
        return trial.settled or (_credible(trial, way) and self._alike(trial, way))

    def _alike(self, trial: Trial, way: Way) -> bool:
        """Tell whether what has nothing right is still what it was read as: one step is right, or it has a softmax."""
        if trial.right or "p" in trial.adapter.trace or SOFTMAX.search(self.source.text):
            return True
        with suppress(Exception), at_most():
            if right_at_one_step(trial.adapter, self.work, PROBE["B"] if way.family.batched else 1):
                return True
        self.unlike = trial.candidate.label
        return False

    def _trials(self, candidate: Candidate) -> Iterator[tuple[Trial, Way]]:
        """Yield the trials of one candidate; a nonlinearity that fits ends the search for another."""
        globals_ = self.survey.globals_read(*candidate.functions) if candidate.owner == "file" else set()
        alive = list(self._ways(candidate))
        for nonlinearity in nonlinearities(self.source.text):
            fitted, asked, alive = False, alive, []
            for way in asked:
                version = replace(way, adapter=replace(way.adapter, nonlinearity=nonlinearity))
                trials = list(self._try(version, candidate, globals_))
                alive += [way] if trials else []  # what raises does so with any nonlinearity
                fitted = fitted or any(t.forward or t.perfect for t in trials)
                yield from ((trial, way) for trial in trials)
            if fitted:
                return

    def _ways(self, candidate: Candidate) -> Iterator[Way]:
        """Yield the ways to read a candidate, in every layout that suits them."""
        try:
            for way in ways(candidate, self.base, self.work, self.survey):
                for axes, task in layouts(way.family, candidate.uses):
                    kept = {k: v for k, v in axes.items() if k != "b" or way.free}
                    yield replace(way, adapter=replace(way.adapter, axes=kept, task=task))
                    self.kind = self.kind or way.kind
        except NoWayError as why:
            self.strangers += why.args
            self.kind = self.kind or why.kind
        except Exception as error:
            self._note(error, candidate, -1)

    def _try(self, way: Way, candidate: Candidate, globals_: set[str]) -> Iterator[Trial]:
        """Try one way, and variants of it: gradients that are only applied, targets that are real values."""
        versions = [way.adapter]
        if way.adapter.mentions("lr"):
            squares = [way.memory] if ROOT.search(self.source.text) else []
            memories = [*squares, tuple(m + ZERO for m in way.memory), ()] if way.memory else [()]
            versions.append(replace(way.adapter, lr=1.0))  # what is returned may be the update
            versions += [replace(way.adapter, grads=DIFFERENCE, memory=memory) for memory in memories]
        B = PROBE["B"] if way.family.batched else 1
        for version in versions:
            trial, raised = self._attempt(version, candidate, B, globals_)
            if raised:
                return
            if trial is None:
                continue
            yield trial
            if not trial.gradients and "N" in axes_of(version.axes.get("y", "")) and "y" in candidate.uses:
                for kind in kinds_in(self.source.text):
                    trial, _ = self._attempt(replace(version, targets=kind), candidate, B, globals_)
                    yield from [] if trial is None else [trial]
                    if trial is not None and trial.gradients:
                        break
            wrong = version.grads != DIFFERENCE and (version.lr or len(versions) == 1)
            if trial is not None and not trial.missing and (trial.gradients or wrong):
                return

    def _attempt(self, adapter: Adapter, candidate: Candidate, B: int, globals_: set[str]) -> tuple[Trial | None, bool]:
        """Try once; what their code raises says that this is not the way."""
        first = adapter.calls[0]
        shared = (adapter.make, first, str(adapter.params), *(adapter.axes.get(a) for a in ("x", "h0", "b")), B)
        if self.left <= 0 or shared in self._dead:
            return None, True
        self.left -= 1
        try:
            with at_most():
                trial = try_out(adapter, candidate, self.work, B, globals_)
        except Exception as error:
            reached = self.work.reached
            if again := asked_for(error, adapter, *self.work.made):
                return self._attempt(again, candidate, B, globals_)
            self.left -= COSTLY if isinstance(error, TimeoutError) else 0
            self._note(error, candidate, reached)
            if reached == 0 and not re.search(r"\b(y|dlogits|dh)\b", first):
                self._dead.add(shared)  # no layout of the targets will help
            if reached:
                self._look_at_crash(error, adapter, candidate, B, globals_)
            return None, True
        if trial is None and candidate.calls not in self.silent:
            with suppress(Exception), at_most():
                forward = forward_only(adapter, candidate, self.work, B)
                if forward is not None and "h" in forward.right:
                    self.silent[candidate.calls] = candidate.label
        return trial, False

    def _look_at_crash(self, error: Exception, adapter: Adapter, candidate: Candidate, B: int, names: set[str]) -> None:
        """Keep what raised in the backward pass if more is right of it where it does not, or if it came further."""
        line = max(lines_in(self.source.path, error), default=0)
        worth, furthest = self.crashed_at
        if line <= furthest and (worth or isinstance(error, TimeoutError)):
            return
        with suppress(Exception):
            crash = crash_of(error, adapter, candidate, self.work, B, names)
            ours = misread(error, self.source.text)
            at = (0.0 if crash is None or ours else crash.worth, line)
            if crash is not None and at > self.crashed_at:
                self.crashed_at, self.crashed = at, None if ours else crash

    def _note(self, error: Exception, candidate: Candidate, reached: int) -> None:
        """Remember what the attempt that came furthest ran into: it is likely the file's own mistake."""
        lines = lines_in(self.source.path, error)
        far = (reached, lines[0] if lines else 0)
        if far > self.furthest or not self.complaint:
            self.furthest, self.tried = far, candidate
            self.complaint = f"it raised {told(error, self.source.path)}"


def _credible(trial: Trial, way: Way) -> bool:
    """Whether it is an RNN that is wrong, rather than something else: it has what an RNN has, and nothing more."""
    if 2 * len(trial.missing) > len(trial.adapter.roles - {"h0"}):
        return False  # what was taken for a gradient or two is likely none
    return bool(trial.right) or (len(trial.wrong) >= 3 and not trial.missing and not way.unread)
