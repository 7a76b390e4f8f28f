"""How much a target may use before it is stopped."""

from dataclasses import dataclass

__all__ = ["Limits"]

MiB = 2**20


@dataclass(frozen=True)
class Limits:
    """Bounds on one child process and all that it starts; seconds are of the wall clock.

    `timeouts` and `restarts` bound the whole run: a target that hangs in every case costs three time-outs, not one for
    every case.
    """

    start_s: float = 20.0
    answer_s: float = 10.0
    memory: int = 2048 * MiB
    file: int = 64 * MiB
    tasks: int = 128  # processes and threads together; a JavaScript engine has a dozen threads
    answer: int = 64 * MiB  # bytes of one line
    log: int = 4096  # bytes kept of the end of standard error
    timeouts: int = 3
    restarts: int = 20
