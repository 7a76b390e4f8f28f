"""One thread for BLAS and for torch: both at more than one turn calls of 20 microseconds into milliseconds.

The libraries read these variables once, when they are loaded, so `pin` comes before NumPy is imported. Whoever sets
OMP_NUM_THREADS has decided already.
"""

import os

__all__ = ["pin"]

VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


def pin(threads: int | None) -> None:
    """Allow `threads` threads; None means one, unless the user's environment already says how many."""
    if threads is None and "OMP_NUM_THREADS" in os.environ:
        return
    for name in VARIABLES:
        os.environ[name] = str(threads or 1)
