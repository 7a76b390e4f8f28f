"""A Dask cluster grades as this machine does: the same results, in the same order."""

import shutil
from pathlib import Path
from threading import Timer

import pytest

from rnncheck.cluster import on_cluster
from rnncheck.errors import UserError
from rnncheck.grade import RUBRIC, grade_folder, in_threads
from rnncheck.submission import Family, Result

distributed = pytest.importorskip("distributed", reason="grading on a cluster needs the extra: rnncheck[cluster]")
config = pytest.importorskip("dask.config")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
TARGETS = Path(__file__).parent / "targets"


@pytest.fixture(scope="module")
def cluster():
    """Two workers on this machine, each a process of its own."""
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address="127.0.0.1:0", host="127.0.0.1"
    ) as cluster:
        yield cluster


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
    """End the worker that judges Bob."""
    import os

    if one.name == "bob.py":
        os._exit(1)
    return Result(one.name, one.fingerprint, "right", families={"forward": Family(1, 1)})


def test_who_ends_a_worker_costs_only_himself(cluster, tmp_path):
    for name in ("ann.py", "bob.py", "cid.py"):
        (tmp_path / name).write_text("")
    blame_the_first_time = {"distributed.scheduler.allowed-failures": 0}  # else he ends four workers
    with (
        config.set(blame_the_first_time),
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0", host="127.0.0.1", silence_logs=50
        ) as own,
    ):
        grades = grade_folder(tmp_path, RUBRIC, run=on_cluster(own.scheduler_address, fall_on_bob))
    assert [g.result.verdict for g in grades] == ["right", "no verdict", "right"]
    assert "the judge failed: KilledWorker" in grades[1].result.reason


def never_ends(one):
    """Judge longer than any cluster lives."""
    import time

    time.sleep(600)


def test_a_cluster_that_loses_its_workers_is_not_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr("rnncheck.cluster.PATIENCE_S", 2)
    (tmp_path / "ann.py").write_text("")
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, dashboard_address="127.0.0.1:0", host="127.0.0.1", silence_logs=50
    ) as own:
        leaving = Timer(1.0, own.scale, [0])
        leaving.start()
        with pytest.raises(UserError, match=r"has lost all its workers, with 1 submissions to go; start some with"):
            grade_folder(tmp_path, RUBRIC, run=on_cluster(own.scheduler_address, never_ends))
        leaving.join()


def test_an_address_where_nobody_answers_is_named(folder, monkeypatch):
    monkeypatch.setattr("rnncheck.cluster.PATIENCE_S", 0.2)
    for address in ("tcp://127.0.0.1:1", "no such address"):
        with pytest.raises(UserError, match=f"no Dask scheduler answers at {address}.*dask scheduler"):
            grade_folder(folder, RUBRIC, run=on_cluster(address))


def test_a_cluster_without_workers_is_not_waited_for(folder):
    with (
        distributed.LocalCluster(n_workers=0, dashboard_address="127.0.0.1:0", host="127.0.0.1") as empty,
        pytest.raises(UserError, match="has no workers; start some with"),
    ):
        grade_folder(folder, RUBRIC, run=on_cluster(empty.scheduler_address))


def test_a_worker_of_another_version_is_refused(cluster, folder, monkeypatch):
    monkeypatch.setattr("rnncheck.cluster.__version__", "99")
    with pytest.raises(UserError, match=r"has rnncheck .*, and here it is 99"):
        grade_folder(folder, RUBRIC, run=on_cluster(cluster.scheduler_address))
