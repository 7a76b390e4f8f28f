"""`rnncheck train`: one of the three systems on real text."""

import shlex
from pathlib import Path
from typing import Annotated, Literal

import typer

from rnncheck.cli.options import LARGEST_SEED, JsonFile, Threads, at_least

__all__ = ["train"]

DISAGREE = 1
CHECKPOINT_EVERY = 1000


def train(
    recipe: Annotated[Literal["names", "sentences", "chars"], typer.Argument(help="Which of the three systems.")],
    framework: Annotated[
        Literal["numpy", "torch", "both"],
        typer.Option(help="`both`: lockstep, every step of NumPy judged against PyTorch from the same parameters."),
    ] = "numpy",
    data: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Your own text. Default: a text that is shipped.")
    ] = None,
    steps: Annotated[
        int | None, typer.Option(callback=at_least(1), metavar="N", help="Steps in all, also when resuming.")
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            callback=at_least(0, LARGEST_SEED), metavar="N", help="Everything random comes from it. Default: 1."
        ),
    ] = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Keep the run here. Default with `--resume`: the file that is resumed."),
    ] = None,
    checkpoint_every: Annotated[
        int | None,
        typer.Option(callback=at_least(1), metavar="N", help="Write it every N steps, not only at the end. [1000]"),
    ] = None,
    resume: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Go on with this checkpoint, bit for bit as if never stopped.")
    ] = None,
    sample_every: Annotated[
        int | None, typer.Option(callback=at_least(0), metavar="N", help="Show samples every N steps; 0: never.")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="NAME=VALUE", help="Change a setting of the recipe: lr, hidden, optimizer, ... Repeatable."
        ),
    ] = None,
    json: JsonFile = None,
    threads: Threads = None,
) -> int:
    """Train a recurrent network on text, in NumPy, in PyTorch, or in both at once.

    For example:

        rnncheck train names

        rnncheck train names --data my_names.txt --steps 20001 --checkpoint names.safetensors

        rnncheck train names --resume names.safetensors --data my_names.txt --steps 40001

        rnncheck train sentences --framework both --steps 200

        rnncheck train names --set batch=32

        rnncheck train chars --set optimizer=sgd --set lr=0.001
    """
    if checkpoint_every is not None and checkpoint is None and resume is None:
        raise typer.BadParameter(
            "there is no checkpoint to write; add --checkpoint FILE", param_hint="--checkpoint-every"
        )
    from numpy_impl.checkpoint import check_place
    from rnncheck.errors import UserError
    from rnncheck.options import INSTALL_TORCH, torch_available
    from rnncheck.report.files import STDOUT, check_targets, write_text
    from rnncheck.report.terminal import console
    from rnncheck.report.training import TrainingDisplay
    from rnncheck.report.training_json import TrainingRecord
    from rnncheck.stopping import Stop
    from rnncheck.training import Keeper, Request, Tally, follow, prepare

    if framework != "numpy" and not torch_available():
        raise UserError(f"torch is not installed, and --framework {framework} needs it; {INSTALL_TORCH}")
    target = checkpoint or resume
    if target == STDOUT:
        raise typer.BadParameter("a checkpoint is a file, not a stream; name one", param_hint="--checkpoint")
    check_targets({"--checkpoint": target, "--json": json})
    check_targets({"--json": json}, [data, resume])
    run, text = prepare(Request(recipe, data, steps, seed, sample_every, resume, _settings(settings or [])))
    if target is not None:
        check_place(target)
        _keep_what_is_there(target, resume)
    total = max(run.step, run.recipe.steps) if steps is None else steps
    every = checkpoint_every or CHECKPOINT_EVERY
    tally, taken = Tally(), TrainingRecord(run.step)
    keep = Keeper(target, run)
    terminal = console(stderr=json == STDOUT)
    with Stop() as stop, TrainingDisplay(terminal, run, text, total, framework, tally) as display:
        try:
            for record in follow(run, text, total, framework, tally):
                display(record)
                taken.add(record)
                if run.step % every == 0:
                    keep()
                if stop.signal is not None:
                    break
        except (OSError, SystemExit):  # whoever read the output has gone away; what was learnt is kept all the same
            keep()
            raise
        keep()
    if json is not None:
        write_text(json, taken.dumps(run, framework, tally))
    if stop.signal is not None:
        display.say(_how_to_go_on(run.step, total, target, _command(recipe, framework, data, total, target)))
        return 128 + stop.signal
    display.close()
    if target is not None:
        display.say(f"the model is in {target}; next: {shlex.join(['rnncheck', 'sample', str(target)])}")
    return DISAGREE if tally.failed else 0


def _keep_what_is_there(target: Path, resume: Path | None) -> None:
    """Refuse to begin anew over a run that may have taken days; only what is resumed is replaced by what follows."""
    from rnncheck.errors import UserError

    if target.is_file() and target.stat().st_size and (resume is None or not target.samefile(resume)):
        raise UserError(
            f"{target} holds a training run already, which would be lost; "
            f"go on with it by --resume {target}, name another file, or delete it"
        )


def _settings(words: list[str]) -> dict[str, str]:
    """Read NAME=VALUE, as often as it was given."""
    wrong = [word for word in words if "=" not in word]
    if wrong:
        raise typer.BadParameter(f"{wrong[0]!r} has no value; write for example lr=0.01", param_hint="--set")
    return {name.strip(): value.strip() for name, _, value in (word.partition("=") for word in words)}


def _how_to_go_on(step: int, total: int, target: Path | None, command: str) -> str:
    if target is None:
        return f"stopped after {step} of {total} steps; nothing was kept, because no --checkpoint FILE was asked for"
    return f"stopped after {step} of {total} steps; go on with:\n  {command}"


def _command(recipe: str, framework: str, data: Path | None, total: int, target: Path | None) -> str:
    """Return the command that goes on where this one stops."""
    words = ["rnncheck", "train", recipe, "--resume", str(target), "--steps", str(total)]
    words += ["--data", str(data)] if data is not None else []
    words += ["--framework", framework] if framework != "numpy" else []
    return shlex.join(words)
