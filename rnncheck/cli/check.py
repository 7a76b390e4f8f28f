"""`rnncheck check`: bring your own RNN."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from rnncheck.cli.options import JsonFile, JunitFile, Select, Threads, at_least

if TYPE_CHECKING:
    from rnncheck.check import Inquiry
    from rnncheck.cli.output import Output
    from rnncheck.result import Report
    from rnncheck.target import Target

__all__ = ["check"]

NOTHING_COMPARABLE = 3


def check(
    target: Annotated[
        str | None,
        typer.Argument(
            metavar="TARGET",
            help="file.py[:Name], file.ipynb[:Name], module:Name, an adapter, exec:COMMAND, numpy_impl or reference.",
            show_default=False,
        ),
    ] = None,
    results: Annotated[
        Path | None,
        typer.Option(
            "--results",
            exists=True,
            file_okay=False,
            metavar="DIR",
            help="Judge results in files instead: DIR/*.jsonl, one line for each case of `rnncheck vectors export`.",
        ),
    ] = None,
    trust: Annotated[
        bool, typer.Option("--trust", help="Run it in this process, without protection: your own code in a debugger.")
    ] = False,
    save_adapter: Annotated[
        Path | None,
        typer.Option("--save-adapter", metavar="FILE", help="Write down how the target was called, for editing."),
    ] = None,
    dtype: Annotated[Literal["float32", "float64"], typer.Option(help="The dtype of the cases.")] = "float64",
    select: Select = None,
    json: JsonFile = None,
    junit: JunitFile = None,
    html: Annotated[
        Path | None,
        typer.Option("--html", metavar="FILE", help="Write the report as one page with pictures, to be read offline."),
    ] = None,
    github: Annotated[
        bool, typer.Option("--github", help="Also annotate the file and write the step's summary in GitHub Actions.")
    ] = False,
    hints: Annotated[
        int,
        typer.Option(
            callback=at_least(0, 3),
            metavar="0..3",
            help="How much to tell a learner: 0 that it is wrong, 3 everything.",
        ),
    ] = 3,
    repro: Annotated[
        Path | None,
        typer.Option("--repro", metavar="FILE", help="Write a script with the smallest case that shows the failure."),
    ] = None,
    timings: Annotated[
        bool, typer.Option("--timings", help="Also say where the time went, on standard error.")
    ] = False,
    threads: Threads = None,
) -> int:
    """Judge your own RNN: point at its file, and nothing in it needs to be changed.

    Only imports, definitions and plain constants of the file are executed, never its training.

    For example:

        rnncheck check my_rnn.py

        rnncheck check notebook.ipynb:CharRNN --save-adapter my_adapter.py

        rnncheck check my_adapter.py -k "gradients and T=3"

        rnncheck check "exec:./program --fast"

        rnncheck check my_rnn.py --hints 1 --html report.html
    """
    from rnncheck.check import Inquiry
    from rnncheck.cli.output import Output
    from rnncheck.errors import NotJudgedError, UserError
    from rnncheck.report.files import check_apart, check_target
    from rnncheck.report.repro import is_script
    from rnncheck.stopwatch import lap, phase, words

    lap("imports")
    if repro is not None and results is not None:
        raise typer.BadParameter(
            "files answer no new case, so none can be made smaller; leave it out", param_hint="--repro"
        )
    judged = _file_of(target)
    output = Output(json, junit, judged, html=html, github=github)
    written = {"--save-adapter": save_adapter, "--repro": repro}
    check_apart({"--json": json, "--junit": junit, "--html": html, **written})
    for file in written.values():
        if file is not None:
            check_target(file)
            if file.exists() and not (file == repro and is_script(file)):
                raise UserError(f"{file} exists already and is left as it is; choose another name")
    try:
        with phase("reading the target"):
            found = _chosen(target, results, trust)
    except NotJudgedError as why:
        typer.echo(f"rnncheck: {why}", err=True)
        return NOTHING_COMPARABLE
    if save_adapter is not None:
        _save(found, save_adapter)
    inquiry = Inquiry(found, dtype, select)
    with output.progress() as progress:
        report = inquiry.report(progress)
    if repro is not None:
        _reproduce(inquiry, report, repro, hints, judged)
    with phase("writing the report"):
        code = _tell(inquiry, report, output, hints)
    if timings:
        typer.echo(words(), err=True)
    return code


def _file_of(text: str | None) -> Path | None:
    """Return the file that is to be judged, so that no report is written over it; None if it is no file."""
    names = () if text is None else (text, text.rpartition(":")[0])
    return next((Path(name) for name in names if name and Path(name).is_file()), None)


def _chosen(text: str | None, results: Path | None, trust: bool) -> "Target":
    """Load the one thing that is to be judged."""
    from rnncheck.target import load_results, load_target

    if (text is None) == (results is None):
        raise typer.BadParameter("name one thing to judge: a TARGET, or --results DIR", param_hint="TARGET --results")
    if results is not None:
        if trust:
            raise typer.BadParameter("results are files, and nothing is run; leave it out", param_hint="--trust")
        return load_results(results)
    assert text is not None
    return load_target(text, isolated=not trust)


def _tell(inquiry: "Inquiry", report: "Report", output: "Output", hints: int) -> int:
    """Put out as much of the report as may be told."""
    from rnncheck.evidence import gather
    from rnncheck.hints import ALL, withhold

    evidence = gather(inquiry, report) if output.html is not None and hints == ALL else None
    return output.emit(withhold(report, hints), evidence, inquiry.target.path)


def _reproduce(inquiry: "Inquiry", report: "Report", file: Path, hints: int, judged: Path | None) -> None:
    """Write the script; say so where there is nothing to write."""
    from os.path import relpath

    from rnncheck.evidence import smallest
    from rnncheck.hints import ALL
    from rnncheck.report.files import write_text
    from rnncheck.report.repro import script

    found = smallest(inquiry, report)
    if found is None:
        typer.echo(f"{file} is not written: no pass through the network has failed with an answer to show", err=True)
        return
    case, array, right = found
    target, beside = inquiry.target.name, ""
    if judged is not None:
        name = "" if Path(target).is_file() else f":{target.rpartition(':')[2]}"
        beside = relpath(judged.resolve(), file.resolve().parent) + name
    write_text(file, script(target, case, array, right if hints == ALL else None, beside))
    typer.echo(f"the smallest case, {case.name}, is in {file}", err=True)


def _save(target: "Target", file: Path) -> None:
    """Write the adapter, with the way from its folder to the target's file."""
    from dataclasses import replace
    from os.path import relpath

    from rnncheck.errors import UserError
    from rnncheck.report.files import write_text
    from rnncheck.targets.describe import source_text

    if target.adapter is None or target.path is None:
        raise UserError(f"{target.name} is called without an adapter: there is none to save; leave --save-adapter out")
    adapter = replace(target.adapter, source=relpath(target.path, file.resolve().parent))
    write_text(file, source_text(adapter, file.name, "Found by trying; correct it where it is wrong."))
    typer.echo(f"the adapter is in {file}", err=True)
