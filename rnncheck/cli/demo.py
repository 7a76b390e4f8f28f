"""`rnncheck demo`: a wrong gradient that the usual check passes, caught in a second."""

import time
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from rnncheck.demo import Demo

__all__ = ["demo"]


def demo(
    fault: Annotated[
        str | None, typer.Option("--fault", metavar="NAME", help="Another mistake, as `rnncheck faults` names it.")
    ] = None,
) -> None:
    """Show a wrong gradient: the usual check passes it, the judge does not. Needs no torch.

    For example:

        rnncheck demo

        rnncheck demo --fault derivative-of-the-activated
    """
    from rnncheck.demo import FAULT
    from rnncheck.demo import demo as run
    from rnncheck.report.terminal import console

    start = time.perf_counter()
    shown = run(FAULT if fault is None else fault)
    out = console()
    _wrong_line(shown, out)
    _usual(shown, out)
    _judge(shown, out)
    name = shown.fault.name
    _say(out, f"\nThat took {time.perf_counter() - start:.1f} s. Next:\n")
    _say(out, f"  rnncheck explain {name}", "bold")
    _say(out, "  rnncheck lab --seed 1             a network with a mistake, for you to find", "bold")
    _say(out, "  rnncheck verify --quick           the network of this project, which is right", "bold")


def _wrong_line(shown: "Demo", out: "Console") -> None:
    from rnncheck.faults import SURVEYED

    fault = shown.fault
    seen = f"seen {fault.seen} times in {SURVEYED} public implementations" if fault.seen else "planted"
    _say(out, f"A recurrent network by hand, right but for one line ({seen}):\n")
    for word, line, style in (("wrong", fault.wrong_line, "red"), ("right", fault.right_line, "green")):
        for number, text in enumerate(line.splitlines()):
            _say(out, f"  {word if number == 0 else '':6} {text}", style)


def _usual(shown: "Demo", out: "Console") -> None:
    from rnncheck.demo import USUAL_LIMIT

    _say(out, "\n1. The usual check: central differences, one step, small weights, no first state\n")
    for array, error in shown.usual.items():
        right = error < USUAL_LIMIT
        words = "looks right" if right else "wrong"
        _say(out, f"  {array:8} relative error {error:7.1e}   {words}", "" if right else "red")
    _say(out, f"\n  {'It passes.' if shown.usual_passes else 'This one it sees.'}", "bold")


def _judge(shown: "Demo", out: "Console") -> None:
    from rnncheck.result import Verdict

    _say(out, f"\n2. The judge: {shown.case.name}, against PyTorch's stored answer\n")
    first = next(c for c in shown.found if c.verdict is Verdict.FAILED)
    for c in shown.found:
        wrong = c.verdict is Verdict.FAILED
        words = "WRONG, the first" if c is first else "wrong" if wrong else c.verdict
        _say(out, f"  {c.array:8} {c.used:28} {words}", "red" if wrong else "")
    _say(out, f"\n  {first.array} is the first wrong array; whatever comes after it may only follow from it.", "bold")


def _say(out: "Console", line: str, style: str = "") -> None:
    from rich.text import Text

    out.print(Text(line, style=style), soft_wrap=True)
