"""A program in any language as an implementation: `exec:COMMAND ARGS`."""

import shlex
import shutil
from pathlib import Path

from rnncheck.case import Case
from rnncheck.errors import UserError
from rnncheck.protocol.lines import ProtocolError, case_line, longest_answer, read_answer
from rnncheck.sandbox.limits import Limits
from rnncheck.sandbox.sandbox import Sandbox
from rnncheck.trace import Trace

__all__ = ["ExecImplementation"]


class ExecImplementation:
    """Sends cases to a program on its standard input and reads Traces from its standard output, a line each.

    The program runs behind the sandbox in the folder of the caller, and goes on from case to case; after a time-out,
    a crash or a line against the protocol it is started again.

    Raises
    ------
    UserError
        If the command is empty, has an open quote, or names no program that can be run.
    """

    apart = True  # no array of ours is ever in its hands

    def __init__(self, command: str, limits: Limits | None = None, *, namespaces: bool = True):
        self.name = f"exec:{command}"
        words = _split(command)
        self.sandbox = Sandbox(
            words,
            limits or Limits(),
            cwd=Path.cwd(),
            hint=" (does it flush standard output after each line?)",
            namespaces=namespaces,
        )
        self._asked = 0

    @property
    def protections(self) -> tuple[str, ...]:
        """What is in force while the program runs, in sentences."""
        if not self.sandbox.protections:
            self.sandbox.start()
        return self.sandbox.protections

    def run(self, case: Case) -> Trace:
        """Send the case under a running number, so that its name gives nothing away, and read the answer."""
        self._asked += 1
        line = self.sandbox.ask(case_line(case, self._asked), longest_answer(case))
        try:
            return read_answer(line, case, self._asked)
        except ProtocolError as error:
            self.sandbox.stop()  # what it writes next would be taken for the answer to another case
            said = f"; standard error ends with: {self.sandbox.log[-500:]}" if self.sandbox.log else ""
            raise ProtocolError(f"{error}{said}") from None


def _split(command: str) -> list[str]:
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise UserError(f"exec:{command}: {error}; write it as for a shell") from None
    if not words:
        raise UserError("exec: names no program; write for example exec:./program, or exec:node program.js")
    if shutil.which(words[0]) is None:
        path = Path(words[0])
        why = "is not executable; chmod +x it, or name its interpreter" if path.is_file() else "was not found"
        raise UserError(f"exec:{command}: the program {words[0]} {why}")
    return words
