"""A Dask cluster grades as this machine does: the same results, in the same order."""

import gc
import shutil
import warnings
from pathlib import Path

import pytest

from rnncheck.errors import UserError
from rnncheck.grading.cluster import _finished, _require_same_version, on_cluster
from rnncheck.grading.grade import RUBRIC, grade_folder, in_threads
from rnncheck.grading.submission import Family, Result

distributed = pytest.importorskip("distributed", reason="grading on a cluster needs the extra: rnncheck[cluster]")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
TARGETS = Path(__file__).parent / "targets"


@pytest.fixture(scope="module")
def cluster():
    """Two workers on this machine, each a process of its own. A machine that stands still is asked again."""
    local = {"threads_per_worker": 1, "processes": True, "dashboard_address": "127.0.0.1:0", "host": "127.0.0.1"}
    for _ in range(5):
        try:
            started = distributed.LocalCluster(n_workers=2, **local)
        except (AssertionError, TimeoutError, RuntimeError) as error:
            late = repr(error)
            with warnings.catch_warnings(action="ignore"):
                gc.collect()  # Dask warns of what it could not start when it is deleted: here, and not in a later test
        else:
            with started, pytest.MonkeyPatch.context() as patch:
                patch.setattr("rnncheck.grading.cluster.PATIENCE_S", 120)
                yield started
            return
    pytest.skip(f"Dask could not start two workers here: {late}")


@pytest.fixture(autouse=True)
def _nothing_left_open():
    """Delete clients that could not connect: left to chance, the thread of the next one does it, and waits for 10 s."""
    yield
    gc.collect()


@pytest.fixture
def folder(tmp_path):
    for source, name in (
        ("globals_function.py", "zoe.py"),
        ("column_class_tanh_twice.py", "ann.py"),
        ("notebook.ipynb", "max.ipynb"),
    ):
        shutil.copy(TARGETS / source, tmp_path / name)
    (tmp_path / "broken.py").write_text("def f(:\n")
    return tmp_path


def test_the_results_are_the_same_in_the_same_order(cluster, folder):
    there = grade_folder(folder, RUBRIC, run=on_cluster(cluster.scheduler_address))
    here = grade_folder(folder, RUBRIC, run=in_threads(jobs=2))
    assert [g.result.verdict for g in there] == ["wrong", "no verdict", "right", "right"]
    assert there == here


def fall_on_bob(one):
    """Fail at Bob."""
    if one.name == "bob.py":
        raise RuntimeError("bob")
    return Result(one.name, one.fingerprint, "right", families={"forward": Family(1, 1)})


fall_on_bob.__module__ = "__main__"  # so that it travels as code: the workers cannot import a test


def test_what_the_judge_fails_at_costs_only_itself(cluster, tmp_path):
    for name in ("ann.py", "bob.py", "cid.py"):
        (tmp_path / name).write_text("")
    grades = grade_folder(tmp_path, RUBRIC, run=on_cluster(cluster.scheduler_address, fall_on_bob))
    assert [g.result.verdict for g in grades] == ["right", "no verdict", "right"]
    assert "the judge failed: RuntimeError: bob" in grades[1].result.reason


class Cluster:
    """Stands for Dask and for its client: nothing is ever finished, and the workers are those of the next look."""

    def __init__(self, looks):
        self.looks = iter(looks)

    def wait(self, waiting, timeout, return_when):
        raise TimeoutError

    def scheduler_info(self, n_workers):
        return {"workers": dict.fromkeys(next(self.looks))}


def test_a_cluster_that_has_lost_its_workers_is_not_waited_for(monkeypatch):
    """A worker that ended is started anew; none twice in a row, and none will come."""
    dask = Cluster([["one"], [], ["two"], [], []])
    monkeypatch.setattr("rnncheck.grading.cluster._dask", lambda: dask)
    with pytest.raises(UserError, match="at tcp://here has lost all its workers, with 2 submissions to go; start some"):
        _finished(dask, [object(), object()], "tcp://here")
    assert list(dask.looks) == []


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "no such address"])
def test_an_address_where_nobody_answers_is_named(folder, monkeypatch, address):
    monkeypatch.setattr("rnncheck.grading.cluster.PATIENCE_S", 0.2)
    with pytest.raises(UserError, match=f"no Dask scheduler answers at {address}.*dask scheduler"):
        grade_folder(folder, RUBRIC, run=on_cluster(address))


def test_a_cluster_without_workers_is_not_waited_for():
    with pytest.raises(UserError, match="at tcp://here has no workers; start some with `dask worker tcp://here`"):
        _require_same_version(Cluster([[]]), "tcp://here")


def test_a_worker_of_another_version_is_refused(cluster, folder, monkeypatch):
    monkeypatch.setattr("rnncheck.grading.cluster.__version__", "99")
    with pytest.raises(UserError, match=r"has rnncheck .*, and here it is 99"):
        grade_folder(folder, RUBRIC, run=on_cluster(cluster.scheduler_address))
