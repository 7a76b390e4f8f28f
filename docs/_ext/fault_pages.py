"""One page for each fault of the catalogue, and what the judge says to it at several lengths."""

import re
from collections.abc import Iterable, Iterator
from inspect import getsource

from rnncheck.case import Case
from rnncheck.faults import FAULTS, SURVEYED, Fault, Faulty, consequences
from rnncheck.judging.judge import judge
from rnncheck.result import Comparison, Verdict
from rnncheck.shipped import shipped
from rnncheck.trace import ORDER
from rnncheck.vectors import Vector, read_vectors

LENGTHS = (1, 2, 3, 7, 10)
SHOWN = 4
UNITS = {"rnn": "T", "sample": "tokens", "optim": "steps", "clip": "T"}


def pages() -> dict[str, str]:
    """Return the index of the catalogue and all its pages."""
    vectors = read_vectors(shipped("vectors/v1"))
    found = {f"faults/{fault.name}.md": "\n".join(_page(fault, vectors)) for fault in FAULTS.values()}
    return found | {"faults/index.md": "\n".join(_index())}


def _index() -> Iterator[str]:
    yield "# The fault catalogue\n"
    yield f"{len(FAULTS)} mistakes that are made by hand. *Seen*: how often, in {SURVEYED} public implementations;"
    yield "faults of one kind share its count. A dash: planted, to test that it would be seen.\n"
    for family in dict.fromkeys(fault.family for fault in FAULTS.values()):
        yield f"## {family}\n\n| fault | | seen | corrupts first |\n|---|---|---|---|"
        for fault in (f for f in FAULTS.values() if f.family == family):
            link = f"[{fault.name}]({fault.name}.md)"
            yield f"| {link} | {_text(fault.title)} | {fault.seen or '-'} | {_code(fault.corrupts)} |"
        yield ""
    yield "```{toctree}\n:hidden:\n"
    yield from FAULTS
    yield "```"


def _page(fault: Fault, vectors: list[Vector]) -> Iterator[str]:
    yield f"# {fault.name}\n\n**{_text(fault.title)}.**\n"
    yield f"```python\n# wrong\n{fault.wrong_line}\n\n# right\n{fault.right_line}\n```\n"
    for term, text in _facts(fault):
        yield f"{term}\n: {text}\n"
    yield "## What the judge says\n"
    yield from _over_time(fault, vectors)
    yield from _other_cases(fault, vectors)
    yield "## As code\n\nWhat it overrides of the [textbook](../api/rnncheck.textbook.rnn.md):\n"
    yield f"```python\n{_source(fault)}\n```\n\n```console\n$ rnncheck explain {fault.name}\n```"


def _facts(fault: Fault) -> Iterator[tuple[str, str]]:
    yield from (("Symptom", _text(fault.symptom)), ("Effect", _text(fault.effect)), ("Cure", _text(fault.cure)))
    names = [*(ORDER if "rnn" in fault.kinds else ()), *(("p", "tokens") if "sample" in fault.kinds else ())]
    wrong = consequences(fault.corrupts, names)
    follow = [name for name in names if name in wrong and name not in fault.corrupts]
    yield "Wrong first", _code(fault.corrupts)
    if follow:
        yield "Wrong as a consequence", _code(follow)
    yield "Shows from", f"{UNITS[fault.kinds[0]]} = {fault.shows_from}"
    yield "Hidden when", _text(fault.equivalent_when)
    yield "Seen", f"{fault.seen} times in {SURVEYED} public implementations" if fault.seen else "planted"
    yield "Family", fault.family + (" (a convention, not a bug)" if fault.convention else "")


def _over_time(fault: Fault, vectors: list[Vector]) -> Iterator[str]:
    """Tabulate array by length, where the fault is one of the network itself."""
    if "rnn" not in fault.kinds:
        return
    judged = {T: _judge(fault, v) for T in LENGTHS for v in vectors if v.case.name == f"T={T}-B=2-float64"}
    yield "Error over allowance, B = 2, float64; above 1 is wrong, an empty field is exactly right.\n"
    yield f"| | {' | '.join(f'T = {T}' for T in judged)} |\n|---|{'---|' * len(judged)}"
    for name in (c.array for c in next(iter(judged.values()))):
        cells = (_cell(c) for found in judged.values() for c in found if c.array == name)
        yield f"| `{name}` | {' | '.join(cells)} |"
    if not any(c.verdict is Verdict.FAILED for found in judged.values() for c in found):
        yield f"\nThese cases cannot show it: {_text(fault.equivalent_when)}, or it needs another kind of case."
    yield ""


def _other_cases(fault: Fault, vectors: list[Vector]) -> Iterator[str]:
    """Tabulate the stored cases without recurrence: clipping, optimisers, samples."""
    kinds = set(fault.kinds) - {"rnn"}
    judged = [(v, _judge(fault, v)) for v in vectors if v.case.kind in kinds and v.case.dtype == "float64"]
    if judged:
        yield "| stored case | wrong |\n|---|---|"
    for vector, found in judged:
        wrong = [c.array for c in found if c.verdict is Verdict.FAILED]
        more = f" and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else ""
        yield f"| `{vector.case.name}` | {_code(wrong[:SHOWN])}{more} |"
    yield ""


def _judge(fault: Fault, vector: Vector) -> list[Comparison]:
    case: Case = vector.case.copy()
    return judge(vector.case, fault.build().run(case), vector.answer())


def _cell(c: Comparison) -> str:
    if c.verdict is Verdict.FAILED:
        return f"**{c.margin:.1g}**" if c.margin < float("inf") else "**∞**"
    return f"{c.margin:.2f}" if c.margin else ""


def _code(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _text(text: str) -> str:
    """Keep Markdown from reading powers and products as emphasis; what stands in backticks is safe."""
    parts = re.split(r"(`[^`]+`)", text)
    return "".join(part if n % 2 else re.sub(r"([\\*_<|])", r"\\\1", part) for n, part in enumerate(parts))


def _source(fault: Fault) -> str:
    classes = fault.implementation.__mro__
    sources = [getsource(c) for c in reversed(classes[: classes.index(Faulty)])]
    return "\n\n\n".join(source[source.index("class ") :].rstrip() for source in sources)
