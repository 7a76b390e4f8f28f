"""The pictures of the HTML page, as SVG that stands in the page itself: the same input gives the same bytes."""

import io
import re
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

from rnncheck.result import Report, Verdict
from rnncheck.trace import ORDER

__all__ = ["error_over_length", "error_over_time", "heat_map"]

SETTINGS = {"svg.hashsalt": "rnncheck", "svg.fonttype": "none", "font.size": 9, "font.family": "sans-serif"}
LOWEST = 1e-17
"""What is drawn for an error of zero, on a logarithmic axis."""
LARGEST = 1e30
"""What is drawn for an error that is not finite."""


def error_over_time(errors: Mapping[str, np.ndarray], steps: Sequence[int]) -> str:
    """Draw the error of every array that has a time axis at these steps; no line crosses a gap between them."""
    parts = np.split(np.arange(len(steps)), np.flatnonzero(np.diff(steps) > 1) + 1)
    times = np.concatenate([[*np.take(steps, part), np.nan] for part in parts])
    figure = Figure(figsize=(5.5, 2.8), layout="constrained")
    axes = figure.add_subplot()
    for name, error in errors.items():
        drawn = np.maximum(_finite(error), LOWEST)
        heights = np.concatenate([[*drawn[part], np.nan] for part in parts])
        axes.plot(times, heights, marker="o", markersize=3, label=name)
    axes.set(xlabel="time step t", ylabel="error / largest value", yscale="log")
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return _svg(figure)


def error_over_length(report: Report) -> str:
    """Draw how much of its allowance each array used, over the length of the sequences; the limit is 1."""
    points: dict[str, dict[int, float]] = {}
    for outcome in report.outcomes:
        length = re.search(r"\bT=(\d+)", outcome.check)
        for c in outcome.comparisons if length else ():
            if c.verdict in (Verdict.PASSED, Verdict.FAILED) and c.array in ORDER:  # no inputs, which must not change
                at = points.setdefault(c.array, {})
                at[int(length[1])] = max(at.get(int(length[1]), 0.0), c.margin)  # type: ignore[index]
    if not points:
        return ""
    figure = Figure(figsize=(5.5, 2.8), layout="constrained")
    axes = figure.add_subplot()
    for name, at in points.items():
        lengths = sorted(at)
        axes.plot(lengths, np.maximum(_finite([at[T] for T in lengths]), LOWEST), marker="o", markersize=3, label=name)
    axes.axhline(1.0, color="black", linewidth=0.8, linestyle="--")
    axes.set(xlabel="length T", ylabel="error / allowance", yscale="log", xscale="log")
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), ncols=1 + len(points) // 9)
    return _svg(figure)


def heat_map(candidate: np.ndarray, reference: np.ndarray) -> str:
    """Draw the wrong matrix, the right one and their difference, all in one scale of colours."""
    with np.errstate(invalid="ignore", over="ignore"):
        shown = [_finite(matrix, np.nan) for matrix in (candidate, reference, candidate - reference)]
    largest = max(float(np.abs(matrix[~np.isnan(matrix)]).max(initial=0)) for matrix in shown) or 1.0
    figure = Figure(figsize=(5.5, 2.3), layout="constrained")
    for axes, matrix, title in zip(figure.subplots(1, 3), shown, ("candidate", "reference", "difference"), strict=True):
        mesh = axes.pcolormesh(matrix, cmap="RdBu_r", vmin=-largest, vmax=largest)
        axes.set(title=title, xticks=[], yticks=[])
        axes.invert_yaxis()  # the first row on top, as a matrix is written
    bar = figure.colorbar(mesh, ax=figure.axes)
    if bar.solids is not None:
        bar.solids.set_rasterized(False)  # shapes, no picture within the picture
    return _svg(figure)


def _finite(values: Sequence[float] | np.ndarray, instead: float = LARGEST) -> np.ndarray:
    """Replace what cannot be drawn: NaN and infinities, by an upper edge or, in a heat map, by a gap."""
    array = np.asarray(values, float)
    return np.where(np.isfinite(array), array, instead)


def _svg(figure: Figure) -> str:
    """Render without the head of an XML file and without the date, in the text colour of the page on its own ground."""
    file = io.StringIO()
    with rc_context(SETTINGS):  # type: ignore[arg-type]  # the stubs list every key there is
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    text = file.getvalue()
    text = text.replace("#000000", "currentColor").replace("fill: #ffffff", "fill: none")  # light pages and dark ones
    return text[text.index("<svg") :]
