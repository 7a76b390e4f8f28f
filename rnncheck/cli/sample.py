"""`rnncheck sample`: let a trained model write."""

from pathlib import Path
from typing import Annotated, Any

import typer

from rnncheck.cli.options import JsonFile, Seed, Threads, at_least

__all__ = ["sample"]


def _temperature(value: float) -> float:
    if not 0 <= value < float("inf"):
        raise typer.BadParameter(f"{value} is no temperature; give 0, or a positive number")
    return value


def sample(
    checkpoint: Annotated[Path, typer.Argument(metavar="CHECKPOINT", help="A file that `rnncheck train` has kept.")],
    prime: Annotated[str, typer.Option(metavar="TEXT", help="What the text begins with; it is read first.")] = "",
    n: Annotated[
        int | None,
        typer.Option(
            "--n", callback=at_least(1), metavar="N", help="How many names or sentences, or characters of running text."
        ),
    ] = None,
    temperature: Annotated[
        float,
        typer.Option(
            callback=_temperature,
            metavar="X",
            help="Below 1 more cautious, above 1 wilder; 0 always takes the likeliest.",
        ),
    ] = 1.0,
    top_k: Annotated[int | None, typer.Option(metavar="K", help="Draw among the K likeliest tokens only.")] = None,
    top_p: Annotated[
        float | None, typer.Option(metavar="P", help="Draw among the likeliest tokens that make up this probability.")
    ] = None,
    zero_state: Annotated[
        bool,
        typer.Option(
            "--zero-state",
            help="Running text: begin at the zero state, not in the state that training ended in. "
            "Names and sentences always do.",
        ),
    ] = False,
    seed: Seed = 0,
    json: JsonFile = None,
    threads: Threads = None,
) -> None:
    """Write names, sentences or running text with a model that was trained.

    For example:

        rnncheck sample names.safetensors --n 10

        rnncheck sample names.safetensors --prime Ma --temperature 0.7

        rnncheck sample chars.safetensors --prime "The door" --n 500 --top-p 0.9
    """
    import numpy as np

    from numpy_impl.checkpoint import load
    from numpy_impl.generate import predict
    from rnncheck.report.files import STDOUT, check_targets, write_text
    from rnncheck.report.training_json import dump_samples

    check_targets({"--json": json}, [checkpoint])
    run = load(checkpoint)
    greedy = temperature == 0
    options: dict[str, Any] = {"method": "greedy" if greedy else "draw", "temperature": 1.0 if greedy else temperature}
    options |= {"top_k": top_k, "top_p": top_p, "zero_state": zero_state}
    rng = np.random.default_rng(seed)
    one_text = run.recipe.name == "chars"
    length = (n if one_text else None) or run.recipe.sample_length
    texts = []
    for _ in range(1 if one_text else n or run.recipe.sample_count):
        texts.append(predict(run, prime, length, rng, **options))
        if json != STDOUT:
            print(texts[-1])
    if json is not None:
        write_text(json, dump_samples(run, {"prime": prime, "seed": seed, **options}, texts))
