"""A backward pass that raises where the forward pass is right: its own mistake, or a call that was not theirs.

The same calls are made on other problems: with as many inputs as outputs, and with a small batch. Where they come
through, the gradients answer: some that are right show that the call was theirs, so what it raised is its mistake.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from rnncheck.errors import NotJudgedError, UserError
from rnncheck.targets.adapter import Adapter
from rnncheck.targets.candidates import Candidate
from rnncheck.targets.patience import at_most
from rnncheck.targets.perform import Adapted
from rnncheck.targets.trial import Trial, forward_only, problem_for, try_out
from rnncheck.targets.trouble import told

__all__ = ["Crash", "crash_of"]

FEW = 2


@dataclass(frozen=True)
class Crash:
    """What raised: its forward pass, which is right, and what the same calls are worth where they come through."""

    forward: Trial
    file: str
    said: str  # IndexError: ... (line 80)
    sizes: Mapping[str, int]
    patient: bool  # it did not come back in time, which is no mistake
    through: bool = False
    elsewhere: Trial | None = None

    @property
    def worth(self) -> float:
        """What shows that the call was theirs: the points of the calls that come through with right gradients."""
        found = self.elsewhere
        return found.points if found is not None and found.settled and found.gradients else 0.0

    def judged(self) -> Trial:
        """Return what is to be judged: the calls where they come through, or what raises everywhere.

        Raises
        ------
        UserError
            If all gradients are right where the calls come through: only what it raises is wrong.
        NotJudgedError
            If no gradient is right there: the call may not have been theirs.
        """
        if not self.through:
            return self.forward
        found = self.elsewhere
        label, sizes = self.forward.candidate.label, ", ".join(f"{n} = {self.sizes[n]}" for n in "TBIHV")
        raised = f"its backward pass raised {self.said} at {sizes}"
        if found is None or not self.worth:
            raise NotJudgedError(
                f"{self.file}: {label} could not be called: {raised}; correct the line "
                f"calls={list(self.forward.candidate.calls)} of an adapter: rnncheck new"
            )
        if found.perfect and not self.patient:
            raise UserError(
                f"{self.file}: {label} runs at some sizes only: {raised}, where its forward pass is right; "
                "at others its gradients are right: mend that line, and check it again"
            )
        return found


def crash_of(
    error: Exception, adapter: Adapter, candidate: Candidate, work: Adapted, B: int, globals_: set[str]
) -> Crash | None:
    """Return what a backward pass that raised `error` is to be held to; None if its forward pass is not right."""
    forward = forward_only(adapter, candidate, work, B)
    if forward is None:
        return None
    sizes = problem_for(adapter, B)[0].sizes
    crash = Crash(forward, work.name, told(error, Path(work.source.path)), sizes, isinstance(error, TimeoutError))
    for batch, alike in ((B, True), (min(B, FEW), False), (min(B, FEW), True)):
        with suppress(Exception), at_most():
            trial = try_out(adapter, candidate, work, batch, globals_, alike)
            return Crash(forward, crash.file, crash.said, sizes, crash.patient, True, trial)
    return crash
