"""The grades of a class as one HTML page that needs nothing beside it: the table, then the findings of each."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import jinja2

from rnncheck.grading.grade import Grade, reason, summary

__all__ = ["dumps"]

TEMPLATE = Path(__file__).with_name("grades.html.jinja")
STYLE = {"right": "right", "wrong": "wrong", "no verdict": "none"}
MOST = 10


def dumps(grades: Sequence[Grade], rubric: Mapping[str, float]) -> str:
    """Render the page. It tells as much as the results do: how much that is was decided when they were judged."""
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    causes = Counter(g.result.reason for g in grades if g.result.verdict == "wrong" and g.result.hints > 1)
    return template.render(
        grades=grades,
        rubric=rubric,
        summary=summary(grades),
        causes=[(cause, count) for cause, count in causes.most_common(MOST) if count > 1],
        reasons={g.result.name: reason(g) for g in grades},
        style=STYLE,
    )
