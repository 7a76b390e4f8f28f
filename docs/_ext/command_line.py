"""The command line, read off the program: every command, argument and option with its help."""

import inspect
from collections.abc import Callable, Iterator
from typing import Any, Literal, get_args, get_origin

import typer
from typer.models import ArgumentInfo, OptionInfo

from rnncheck.cli.main import CODES, app


def pages() -> dict[str, str]:
    """Return the one page of all commands."""
    sections = [section for name, function in commands(app, "rnncheck") for section in _section(name, function)]
    return {"cli.md": "\n".join(["# Command line", "", str(app.info.help), "", CODES, "", *sections])}


def commands(group: typer.Typer, prefix: str) -> Iterator[tuple[str, Callable[..., Any]]]:
    """Yield every command with the function behind it."""
    for command in group.registered_commands:
        if command.callback is not None:
            yield f"{prefix} {command.name or command.callback.__name__.replace('_', '-')}", command.callback
    for inner in group.registered_groups:
        if inner.typer_instance is not None:
            yield from commands(inner.typer_instance, f"{prefix} {inner.name}")


def parameters(function: Callable[..., Any]) -> Iterator[tuple[inspect.Parameter, Any, ArgumentInfo | OptionInfo]]:
    """Yield the parameters of a command: itself, its type, and what typer knows about it."""
    for parameter in inspect.signature(function).parameters.values():
        type_, *extras = get_args(parameter.annotation)
        yield parameter, type_, next(extra for extra in extras if isinstance(extra, ArgumentInfo | OptionInfo))


def flags(parameter: inspect.Parameter, info: ArgumentInfo | OptionInfo) -> tuple[str, ...]:
    """Return the names of an option as they are typed."""
    first = (info.default,) if isinstance(info.default, str) and info.default.startswith("-") else ()
    return (*first, *(info.param_decls or ())) or (f"--{parameter.name.replace('_', '-')}",)


def _section(name: str, function: Callable[..., Any]) -> Iterator[str]:
    text, _, examples = inspect.cleandoc(function.__doc__ or "").partition("For example:")
    rows = list(parameters(function))
    arguments = [_argument(*row) for row in rows if isinstance(row[2], ArgumentInfo)]
    yield f"## {name}\n\n{text.strip()}\n\n```\n{' '.join([name, *arguments, '[OPTIONS]'])}\n```\n"
    if examples.strip():
        lines = [line.strip() for line in examples.splitlines() if line.strip()]
        yield "```console\n" + "\n".join(f"$ {line}" for line in lines) + "\n```\n"
    yield "| | |\n|---|---|"
    for row in rows:
        yield f"| {_left(*row)} | {_right(*row)} |"
    yield ""


def _argument(parameter: inspect.Parameter, _type: Any, info: ArgumentInfo | OptionInfo) -> str:
    shown = (info.metavar or parameter.name.upper()).strip("[]")
    return shown if parameter.default is parameter.empty else f"[{shown}]"


def _left(parameter: inspect.Parameter, type_: Any, info: ArgumentInfo | OptionInfo) -> str:
    if isinstance(info, ArgumentInfo):
        return f"`{_argument(parameter, type_, info)}`"
    value = "" if type_ is bool else info.metavar or "&#124;".join(_choices(type_))
    return f"{', '.join(f'`{flag}`' for flag in flags(parameter, info))} {value}".strip()


def _right(parameter: inspect.Parameter, type_: Any, info: ArgumentInfo | OptionInfo) -> str:
    one_of = f" One of {', '.join(_choices(type_))}." if isinstance(info, ArgumentInfo) and _choices(type_) else ""
    told = parameter.default not in (None, False, "", parameter.empty)
    return f"{(info.help or '').replace('|', '&#124;')}{one_of}{f' Default: {parameter.default}.' if told else ''}"


def _choices(type_: Any) -> tuple[str, ...]:
    literal = next((t for t in (type_, *get_args(type_)) if get_origin(t) is Literal), None)
    return tuple(map(str, get_args(literal)))
