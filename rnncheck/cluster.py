"""Grade on a Dask cluster: the same judge, on the machines of the cluster, and the same results in the same order.

A submission travels with its content, so the machines need no common folder. They need rnncheck in the same version.
"""

from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import Any

from rnncheck import __version__
from rnncheck.errors import UserError
from rnncheck.grade import Judge, Run, outcome
from rnncheck.submission import Result, Submission, judge_apart

__all__ = ["on_cluster"]

PATIENCE_S = 10


def on_cluster(address: str, judge: Judge = judge_apart) -> Run:
    """Return a Run on the cluster whose scheduler listens at `address`, say "tcp://host:8786".

    When it is run, it raises UserError if nobody answers there, or the cluster has no workers, or some have no
    rnncheck or another version of it.
    """

    def run(asked: Sequence[Submission]) -> Iterator[Result]:
        if not asked:
            return
        with _connect(address) as client:
            _require_same_version(client, address)
            # judging is asked for, and not what was remembered of an equal submission: not pure
            waiting = {client.submit(judge, one, pure=False): one for one in asked}
            try:
                for done in _dask().as_completed(list(waiting), loop=client.loop):
                    yield outcome(waiting[done], done.result)
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


def _require_same_version(client: Any, address: str) -> None:
    found = client.run(_version_asker())
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
