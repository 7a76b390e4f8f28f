"""Run faulty programs on the probes a candidate was run on, in the same order, and never more of them than needed."""

from functools import lru_cache

from rnncheck.diagnosis.observation import Arrays, look, right
from rnncheck.diagnosis.probes import PLAIN, Probe
from rnncheck.faults import FAULTS, FaultsExcludeError, combine
from rnncheck.implementation import Implementation
from rnncheck.textbook import Textbook

__all__ = ["Replay", "replay"]


class Replay:
    """A program with the faults `names`, run on the probes `kept` when it is asked for them; `None` where it crashes.

    A fault that says that it leaves something behind a call (`second.h`, say) needs every earlier call; any other is
    run on the probe that is asked for alone.
    """

    def __init__(self, names: tuple[str, ...], kept: tuple[Probe, ...]):
        self.names, self.kept = names, kept
        self.remembers = any(
            pattern.partition(".")[0] in ("second", "inputs", "shared") for n in names for pattern in FAULTS[n].corrupts
        )
        self.done: dict[Probe, Arrays | None] = {}
        try:
            self.implementation: Implementation | None = _build(names)
        except FaultsExcludeError:
            self.implementation = None
        asked_first = next((p for p in kept if p.feature == PLAIN and p.case.kind == "rnn"), None)
        if self.remembers and asked_first is not None:
            self._run(asked_first)  # as the candidate was, to find out how it can be asked

    def __getitem__(self, probe: Probe) -> Arrays | None:
        """Return all that is seen of the program on one probe."""
        if probe not in self.done:
            for earlier in self.kept if self.remembers else (probe,):
                if earlier not in self.done:
                    self.done[earlier] = self._run(earlier)
                if earlier is probe:
                    break
        return self.done[probe]

    def _run(self, probe: Probe) -> Arrays | None:
        if self.implementation is None:
            return None
        if not any(probe.case.kind in FAULTS[name].kinds for name in self.names):
            return right(probe)
        try:
            if self.remembers:
                return look(self.implementation, probe)
            arrays = look(self.implementation, Probe(probe.case))
        except Exception:  # two faults together need not make a program that runs
            return None
        again = {f"second.{name}": array for name, array in arrays.items()} if probe.twice else {}
        return dict(right(probe)) | dict(arrays) | again


def replay(names: tuple[str, ...], kept: tuple[Probe, ...]) -> Replay:
    """Return the run of a program; those of single faults, needed for every diagnosis, are kept for the process."""
    return Replay(names, kept) if len(names) > 1 else _kept_replay(names, kept)


@lru_cache(maxsize=512)
def _kept_replay(names: tuple[str, ...], kept: tuple[Probe, ...]) -> Replay:
    return Replay(names, kept)


def _build(names: tuple[str, ...]) -> Implementation:
    if len(names) == 2:
        return combine(*(FAULTS[name] for name in names))
    return FAULTS[names[0]].build() if names else Textbook()
