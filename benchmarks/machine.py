"""One thread each, set before NumPy and torch are imported; and what machine it was, for the record."""

# ruff: noqa: E402 - the number of threads is set before anything can import NumPy

import os

for pool in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[pool] = "1"
os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1")
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import importlib.metadata
import platform
from pathlib import Path

__all__ = ["describe"]


def describe() -> dict[str, str]:
    """Return processor, BLAS, versions, and how busy the machine is: processes that run, over 1, 5 and 15 minutes."""
    import numpy as np

    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    installed = {d.metadata["Name"]: d.version for d in importlib.metadata.distributions()}
    versions = {name: installed[name] for name in ("numpy", "torch", "jax") if name in installed}
    return {
        "processor": f"{_model()}, {os.cpu_count()} cores, one thread used",
        "blas": f"{blas['name']} {blas['version']}",
        "python": platform.python_version(),
        "load": " ".join(f"{load:.1f}" for load in os.getloadavg()) if hasattr(os, "getloadavg") else "unknown",
        **versions,
    }


def _model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    named = dict(line.split(":", 1) for line in lines if ":" in line)
    return next((value.strip() for key, value in named.items() if key.strip() == "model name"), platform.machine())
