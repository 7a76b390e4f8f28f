"""docs/three-systems.md: its examples run, its table of settings is that of the recipes."""

import doctest
import re
from pathlib import Path

import pytest

from numpy_impl.published import PUBLISHED
from numpy_impl.recipes import RECIPES

PAGE = Path(__file__).resolve().parent.parent / "docs" / "three-systems.md"


def failures(page: str) -> int:
    """Run every example of the page, in order, and count those that do not print what the page says."""
    blocks = re.findall(r"^```pycon\n(.*?)^```$", page, re.M | re.S)
    examples = doctest.DocTestParser().get_doctest("\n".join(blocks), {}, "three-systems.md", None, 0)
    assert examples.examples, "a page without examples cannot fail"
    return doctest.DocTestRunner(verbose=False).run(examples, out=lambda text: None).failed


def wrong_settings(page: str) -> list[str]:
    """Compare each row `| setting | names | sentences | chars |` with the recipes."""
    rows = [
        [cell.strip(" `") for cell in line.strip("|").split("|")] for line in page.splitlines() if "| `" in line[:4]
    ]
    assert len(rows) > 10, "the table of settings was not found"
    return [
        f"{setting} of {name} is {cell} on the page"
        for setting, *cells in rows
        for name, cell in zip(("names", "sentences", "chars"), cells, strict=True)
        if str(getattr(RECIPES[name], setting)) != cell
    ]


def test_examples_print_what_the_page_says():
    assert failures(PAGE.read_text("utf-8")) == 0


def test_settings_are_those_of_the_recipes():
    assert wrong_settings(PAGE.read_text("utf-8")) == []


def test_published_figures_are_those_that_are_verified():
    page = PAGE.read_text("utf-8")
    for p in PUBLISHED:
        assert f"| {p.step} | {p.cost:.6f} | {', '.join(p.names)} |" in page


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("[-0.1, -0.29, -0.561]", "[-1.0, -2.0, -3.0]"),
        ("[7.0, 7.0, 7.0]", "[1.0, 1.0, 1.0]"),
        ("(0.01, 0.9999, 0.9901)", "(0.9999, 0.9999, 0.9901)"),
    ],
)
def test_a_wrong_example_is_caught(old, new):
    page = PAGE.read_text("utf-8")
    assert old in page
    assert failures(page.replace(old, new)) == 1


def test_a_wrong_setting_is_caught():
    page = PAGE.read_text("utf-8").replace("| `lr` | 0.01 |", "| `lr` | 0.1 |")
    assert wrong_settings(page) == ["lr of names is 0.1 on the page"]
