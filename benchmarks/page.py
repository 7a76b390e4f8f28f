"""Write the tables of docs/performance.md from docs/performance.json, and draw its picture. Nothing is measured.

    python benchmarks/page.py

A table stands between `<!-- NAME -->` and `<!-- end -->`. A figure in bold does not meet its goal.
"""

import argparse
import json
import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from growth import draw
from problem import Size

DOCS = Path(__file__).parent.parent / "docs"
PAGE, FIGURES, PICTURE = DOCS / "performance.md", DOCS / "performance.json", DOCS / "figures" / "growth.svg"

Figures = dict[str, Any]


def main() -> int:
    """Write page and picture."""
    line = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    line.parse_args()
    figures = json.loads(FIGURES.read_text("utf-8"))
    PAGE.write_text(rendered(PAGE.read_text("utf-8"), figures), "utf-8")
    draw(figures["growth"]["over T"], figures["growth"]["over H"], str(PICTURE))
    print(f"{PAGE.name} and {PICTURE.name} written")
    return 0


def rendered(page: str, figures: Figures) -> str:
    """Return the page with every table as the figures have it."""

    def replace(found: re.Match[str]) -> str:
        name = found[1]
        return f"<!-- {name} -->\n\n{TABLES[name](figures)}\n\n<!-- end -->"

    return re.sub(r"<!-- ([a-z ]+) -->\n.*?<!-- end -->", replace, page, flags=re.DOTALL)


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Lay out a table."""
    head = list(head)
    lines = [head, ["---"] * len(head), *map(list, rows)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def machine(figures: Figures) -> str:
    """Say what was measured with, and how busy the machine was."""
    found = figures["step_time"]["machine"]
    versions = [(name, found[name]) for name in ("python", "numpy", "blas", "torch", "jax") if name in found]
    loads = [f"{name.replace('_', ' ')} {f['machine']['load before'].split()[0]}" for name, f in figures.items()]
    rows = [("processor", found["processor"]), *versions, ("processes running at the start of", ", ".join(loads))]
    return table(("", ""), rows)


def step_time(figures: Figures) -> str:
    """Give a line to each size and dtype: our time, what others take in units of it, our distance from the floor."""
    peers = ("torch.nn.RNN", "torch loop", "min-char-rnn", "JAX jit scan")
    head = ("H, V, T, B", "dtype", "ours, µs", *peers, "of the floor")
    return table(head, [_step_row(row, peers) for row in figures["step_time"]["rows"]])


def _step_row(row: Figures, peers: Iterable[str]) -> list[str]:
    times, verdicts = row["seconds"], {v["what"]: v for v in row["verdicts"]}
    ours = times["numpy_impl"]["whole step"]
    spread = f"{_us(ours['median'])} ({_us(ours['low'])} to {_us(ours['high'])})"
    ratios = []
    for name in peers:
        ratio = times[name]["whole step"]["median"] / ours["median"] if name in times else None
        ratios.append(_held(ratio, verdicts.get(f"{name} / ours")))
    floor = next((v for what, v in verdicts.items() if what.endswith("/ floor")), None)
    unheld = times["numpy_impl"]["forward+backward"]["median"] / times["floor"]["forward+backward"]["median"]
    of_floor = _held(floor["ratio"] if floor else unheld, floor)
    return [row["size"].replace(",", ", "), row["dtype"], spread, *ratios, of_floor]


def parts(figures: Figures) -> str:
    """Show where our own time goes."""
    names = ("forward", "loss and dlogits", "backward", "clip", "Adagrad", "whole step")
    rows = []
    for row in figures["step_time"]["rows"]:
        ours = row["seconds"]["numpy_impl"]
        rows.append([row["size"].replace(",", ", "), row["dtype"], *(_us(ours[n]["median"]) for n in names)])
    return table(("H, V, T, B", "dtype", *names), rows)


def growth_in(axis: str, index: int) -> Callable[[Figures], str]:
    """Return the table over T or over H."""

    def lines(figures: Figures) -> str:
        rows = figures["growth"][f"over {axis}"]
        names = list(rows[0]["seconds per step"])
        body = []
        for row in rows:
            times = [_us(row["seconds per step"][n]) for n in names]
            body.append([f"{Size.parse(row['size'])[index]:,}", *times, _two(row["memory / states"]["numpy_impl"])])
        return table((axis, *(f"{n}, µs" for n in names), "our memory / states"), body)

    return lines


def growth_goals(figures: Figures) -> str:
    """Hold growth against its goals."""
    return _verdicts(figures["growth"]["verdicts"])


def sampling(figures: Figures) -> str:
    """Compare characters per second."""
    names = ("numpy_impl", "torch.nn.RNN", "torch loop", "min-char-rnn", "floor")
    rows = []
    for row in figures["sampling"]["rows"]:
        rates, held = row["characters per second"], {v["what"]: v for v in row["verdicts"]}
        cells = [f"{rates['numpy_impl']:,.0f}"]
        for name in names[1:]:
            verdict = held.get(f"ours / {name}")
            cells.append(_held(rates["numpy_impl"] / rates[name] if name in rates else None, verdict))
        rows.append([f"{row['H']}, {row['V']}", str(row["B"]), row["dtype"], *cells])
    head = ("H, V", "streams", "dtype", "ours, characters/s", *(f"ours / {name}" for name in names[1:]))
    return table(head, rows)


def windowed(figures: Figures) -> str:
    """Compare all windows at once with one by one."""
    rows = figures["windowed"]["rows"]
    body = [[f"{r['T']:,}", _ms(r["at once"]), _ms(r["by definition"]), _two(r["ratio"])] for r in rows]
    return table(("T", "at once, ms", "by definition, ms", "times"), body)


def packed(figures: Figures) -> str:
    """Compare packed and padded batches."""
    rows = []
    for r in figures["packed"]["rows"]:
        s = r["seconds"]
        torch = _ms(s["torch PackedSequence"]) if "torch PackedSequence" in s else "-"
        held = _held(r["verdicts"][0]["ratio"], r["verdicts"][0]) if r["verdicts"] else "(names)"
        cells = [_ms(s["packed"]), _ms(s["padded"]), torch, held]
        rows.append([r["size"].replace(",", ", "), r["dtype"], f"{r['fill']:.2f}", *cells])
    head = ("H, V, T, B", "dtype", "fill", "packed, ms", "padded, ms", "torch packed, ms", "time / (fill x full)")
    return table(head, rows)


def sweep(figures: Figures) -> str:
    """Show where the time of the verification sweep goes."""
    found = figures["sweep"]
    arrays = ", ".join(f"{count:,} {verdict}" for verdict, count in found["verdicts of arrays"].items())
    rows = [("cases", f"{found['cases']:,}"), ("arrays", arrays)]
    rows += [(what, f"{seconds:.2f} s") for what, seconds in found["seconds"].items()]
    return table(("", "CPU time"), rows) + "\n\n" + _verdicts(found["verdicts"])


def gradcheck(figures: Figures) -> str:
    """Compare ways to check a gradient."""
    rows = figures["gradcheck"]["rows"]
    ways = rows[0]["seconds"]
    ours = "one oracle comparison"
    body = [
        [way, *(f"{_ms({'median': r['seconds'][way]})} ({r['seconds'][way] / r['seconds'][ours]:,.0f}x)" for r in rows)]
        for way in ways
    ]
    return table(("", *(f"{r['size'].replace(',', ', ')}: {r['parameters']:,} parameters, ms" for r in rows)), body)


def _verdicts(verdicts: Iterable[Figures]) -> str:
    return table(("", "measured", "goal"), [[v["what"], _held(v["ratio"], v, goal=False), v["goal"]] for v in verdicts])


def _held(ratio: float | None, verdict: Figures | None, *, goal: bool = True) -> str:
    """Write a ratio with its goal; in bold if it does not meet it."""
    if ratio is None:
        return "-"
    if verdict is None:
        return _two(ratio)
    said = f"{_two(ratio)} ({verdict['goal']})" if goal else _two(ratio)
    return said if verdict["met"] else f"**{said}**"


def _two(number: float) -> str:
    return f"{number:.2f}" if number < 10 else f"{number:,.1f}" if number < 100 else f"{number:,.0f}"


def _us(seconds: float) -> str:
    return _two(seconds * 1e6)


def _ms(spread: Figures) -> str:
    return _two(spread["median"] * 1e3)


TABLES: dict[str, Callable[[Figures], str]] = {
    "machine": machine,
    "step time": step_time,
    "parts": parts,
    "growth over steps": growth_in("T", 2),
    "growth over units": growth_in("H", 0),
    "growth goals": growth_goals,
    "sampling": sampling,
    "windowed": windowed,
    "packed": packed,
    "sweep": sweep,
    "gradcheck": gradcheck,
}


if __name__ == "__main__":
    sys.exit(main())
