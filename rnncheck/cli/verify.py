"""`rnncheck verify`: the main job."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from rnncheck.cli.options import JsonFile, JunitFile, Seed, Select, Threads, at_least, parse_numbers

__all__ = ["verify"]


def verify(
    quick: Annotated[bool, typer.Option("--quick", help="The cases that expose most faults, in seconds.")] = False,
    full: Annotated[
        bool, typer.Option("--full", help="Also every T in 1..64 at several sizes, and many fresh seeds.")
    ] = False,
    dtype: Annotated[
        Literal["float32", "float64"] | None, typer.Option(help="Only cases of this dtype. Default: both.")
    ] = None,
    lengths: Annotated[
        str | None, typer.Option(metavar="LIST", help="Sequence lengths T, for example `1-64,100,1000`.")
    ] = None,
    batch: Annotated[str | None, typer.Option(metavar="LIST", help="Batch sizes B, for example `1,3`.")] = None,
    hidden: Annotated[int | None, typer.Option(callback=at_least(1), metavar="N", help="Hidden units H.")] = None,
    vocab: Annotated[
        int | None, typer.Option(callback=at_least(1), metavar="N", help="Size of the vocabulary V.")
    ] = None,
    cases: Annotated[
        int | None,
        typer.Option(
            callback=at_least(1),
            metavar="N",
            help="Number of fresh cases (`--full`: 10000), or of steps with `--recipe`.",
        ),
    ] = None,
    recipe: Annotated[
        Literal["names", "sentences", "chars"] | None,
        typer.Option(help="Train this recipe on real text in NumPy and PyTorch, and judge every step."),
    ] = None,
    published: Annotated[
        bool, typer.Option("--published", help="With `--recipe names`: reproduce the published run.")
    ] = False,
    data: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, readable=True, metavar="FILE", help="Your own text for `--recipe`."),
    ] = None,
    select: Select = None,
    names: Annotated[bool, typer.Option("--list", help="Print the names of the checks and run none.")] = False,
    seed: Seed = 0,
    json: JsonFile = None,
    junit: JunitFile = None,
    threads: Threads = None,
) -> int:
    """Judge numpy_impl against the oracle: states, losses, gradients, clipping, optimisers, samples.

    For example:

        rnncheck verify

        rnncheck verify --quick --dtype float32

        rnncheck verify --lengths 1-64,100,1000 --batch 1,3

        rnncheck verify --recipe names --data my_names.txt --json report.json

        rnncheck verify -k "gradients and not B=1" --seed 7
    """
    if quick and full:
        raise typer.BadParameter("choose one of the two: they plan different checks", param_hint="--quick --full")
    if names and (json or junit):
        raise typer.BadParameter("it runs no check, so there is nothing to report; leave it out", param_hint="--list")
    sizes = {"--lengths": lengths, "--batch": batch, "--hidden": hidden, "--vocab": vocab, "--dtype": dtype}
    if published and (quick or full or cases is not None):
        raise typer.BadParameter(
            "the published run has its own length; leave out --quick, --full and --cases", param_hint="--published"
        )
    _refuse_contradictions(recipe, published, data, [option for option, size in sizes.items() if size is not None])
    from rnncheck.cli.output import Output
    from rnncheck.options import VerifyOptions
    from rnncheck.verify import verify as run

    options = VerifyOptions(
        level="quick" if quick else "full" if full else "default",
        dtype=dtype,
        lengths=None if lengths is None else parse_numbers(lengths, "--lengths"),
        batch=None if batch is None else parse_numbers(batch, "--batch"),
        hidden=hidden,
        vocab=vocab,
        cases=cases,
        recipe=recipe,
        published=published,
        data=data,
        seed=seed,
        select=select,
    )
    output = Output(json, junit, data)
    if names:
        from rnncheck.planning.verification import plan

        typer.echo("\n".join(check.name for check, _ in plan(options).checks))
        return 0
    with output.progress() as progress:
        report = run(options, progress)
    return output.emit(report)


def _refuse_contradictions(recipe: str | None, published: bool, data: Path | None, sizes: list[str]) -> None:
    """Refuse options that do not go together: an option that would do nothing is a mistake worth a sentence."""
    if published and recipe != "names":
        raise typer.BadParameter("the published run is that of the names; add --recipe names", param_hint="--published")
    if data is not None and recipe is None:
        raise typer.BadParameter(
            "it is the text that a recipe trains on; add --recipe names, sentences or chars", param_hint="--data"
        )
    if recipe is not None and sizes:
        raise typer.BadParameter(
            f"recipe {recipe} has its own sizes and dtype; leave one of the two out", param_hint=f"{sizes[0]} --recipe"
        )
