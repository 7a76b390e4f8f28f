"""`rnncheck power`: what the checks are worth, or what cases of chosen sizes could not have seen."""

from typing import Annotated, Literal

import typer

from rnncheck.cli.options import JsonFile, Seed, Threads, at_least, parse_numbers

__all__ = ["power"]


def power(
    dtype: Annotated[
        Literal["float32", "float64"] | None, typer.Option(help="Only cases of this dtype. Default: both.")
    ] = None,
    lengths: Annotated[
        str | None, typer.Option(metavar="LIST", help="Sequence lengths T, for example `1-64,100`.")
    ] = None,
    batch: Annotated[str | None, typer.Option(metavar="LIST", help="Batch sizes B, for example `1,3`.")] = None,
    hidden: Annotated[int | None, typer.Option(callback=at_least(1), metavar="N", help="Hidden units H.")] = None,
    vocab: Annotated[
        int | None, typer.Option(callback=at_least(1), metavar="N", help="Size of the vocabulary V.")
    ] = None,
    cases: Annotated[int | None, typer.Option(callback=at_least(1), metavar="N", help="Number of fresh cases.")] = None,
    seed: Seed = 0,
    json: JsonFile = None,
    threads: Threads = None,
) -> int:
    """Put every catalogued fault to the checks: is it caught, by how many allowances, by which check alone.

    Without sizes: the standard cases, which must let no fault pass. With sizes: the fresh cases that `rnncheck verify`
    makes of them, and what they could not have seen.

    For example:

        rnncheck power

        rnncheck power --lengths 1 --batch 1

        rnncheck power --dtype float32 --json power.json
    """
    from rnncheck.cli.output import Output
    from rnncheck.options import VerifyOptions
    from rnncheck.power.measure import measure_power
    from rnncheck.report.files import write_text
    from rnncheck.report.power import dumps, show_power

    output = Output(json)
    options = VerifyOptions(
        dtype=dtype,
        lengths=None if lengths is None else parse_numbers(lengths, "--lengths"),
        batch=None if batch is None else parse_numbers(batch, "--batch"),
        hidden=hidden,
        vocab=vocab,
        cases=cases,
        seed=seed,
    )
    with output.progress("cases") as progress:
        found = measure_power(options, progress.advance)
    show_power(found, output.console)
    if json is not None:
        write_text(json, dumps(found))
    return 0 if options.sized else int(bool(found.missed))
