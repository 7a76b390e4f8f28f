"""Grade on a Dask cluster: the same judge, on the machines of the cluster, and the same results in the same order.

A submission travels with its content, so the machines need no common folder. They need rnncheck in the same version.
"""

from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import Any

from rnncheck import __version__
from rnncheck.errors import UserError
from rnncheck.grading.grade import Judge, Run, outcome
from rnncheck.grading.submission import Result, Submission, judge_apart

__all__ = ["on_cluster"]

PATIENCE_S = 10


def on_cluster(address: str, judge: Judge = judge_apart) -> Run:
    """Return a Run on the cluster whose scheduler listens at `address`, say "tcp://host:8786".

    When it is run, it raises UserError if nobody answers there, or the cluster has no workers, or some have no
    rnncheck or another version of it, or it loses all its workers: Dask itself would wait for new ones without end.
    """

    def run(asked: Sequence[Submission]) -> Iterator[Result]:
        if not asked:
            return
        with _connect(address) as client, client.as_current():
            _require_same_version(client, address)
            # judging is asked for, and not what was remembered of an equal submission: not pure
            waiting = {client.submit(judge, one, pure=False): one for one in asked}
            try:
                while waiting:
                    for done in _finished(client, list(waiting), address):
                        yield outcome(waiting.pop(done), done.result)
            finally:
                client.cancel(list(waiting))

    return run


def _dask() -> Any:
    return import_module("distributed")  # whose functions have no types


def _connect(address: str) -> Any:
    dask = _dask()
    try:
        return dask.Client(address, timeout=PATIENCE_S, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        raise UserError(
            f"no Dask scheduler answers at {address} within {PATIENCE_S} s ({type(error).__name__}: {error}); "
            "start one with `dask scheduler`, and give the address that it prints"
        ) from error


def _finished(client: Any, waiting: list[Any], address: str) -> list[Any]:
    """Wait until something is finished, and return all that is."""
    lost = False
    while True:
        try:
            return list(_dask().wait(waiting, timeout=PATIENCE_S, return_when="FIRST_COMPLETED").done)
        except TimeoutError:  # nothing yet: a worker that ended is started anew, so no workers must be seen twice
            gone = not _workers(client)
            if gone and lost:
                raise UserError(
                    f"the Dask cluster at {address} has lost all its workers, with {len(waiting)} submissions to go; "
                    f"start some with `dask worker {address}` and grade again: what is judged is kept"
                ) from None
            lost = gone


def _workers(client: Any) -> list[str]:
    return list(client.scheduler_info(n_workers=-1)["workers"])


def _require_same_version(client: Any, address: str) -> None:
    found = client.run(_version_asker()) if _workers(client) else {}
    if not found:
        raise UserError(f"the Dask cluster at {address} has no workers; start some with `dask worker {address}`")
    for worker, version in found.items():
        if version != __version__:
            has = f"rnncheck {version}" if version else "no rnncheck"
            raise UserError(f"worker {worker} has {has}, and here it is {__version__}: install the same everywhere")


def _version_asker() -> Any:
    """Return a function that travels as code: a worker that lacks rnncheck can run it."""

    def version() -> str:
        try:
            from rnncheck import __version__
        except ImportError:
            return ""
        return __version__

    version.__module__ = "__main__"
    return version
