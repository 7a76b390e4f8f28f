"""No comparison is made for nothing: a function that returns a verdict is never called without using what it returns.

A famous library's cross-backend test calls its comparison and drops the result: it cannot fail. Read with `ast`.
"""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import rnncheck

PACKAGE = Path(rnncheck.__path__[0])
TESTS = Path(__file__).parent
BENCHMARKS = TESTS.parent / "benchmarks"
VERDICTS = ("Comparison", "Outcome", "Finding", "Verdict", "Report", "Kill", "Blind")
LIBRARIES = {
    "array_equal",
    "array_equiv",
    "allclose",
    "isclose",
    "shares_memory",
    "may_share_memory",
    "equal",
    "isfinite",
}
"""Functions of NumPy and torch that say whether arrays agree, and raise nothing."""

RAISING = {"assert_agrees"}
"""These raise where arrays differ: calling them is using them."""


def sources() -> list[Path]:
    """All code of the judge and of its tests; benchmarks where the checkout has them. Networks to be judged are not."""
    return [*sorted(PACKAGE.rglob("*.py")), *sorted(TESTS.glob("*.py")), *sorted(BENCHMARKS.glob("*.py"))]


def returns_a_verdict(function: ast.FunctionDef) -> bool:
    return function.returns is not None and any(word in ast.unparse(function.returns) for word in VERDICTS)


def verdicts_of(text: str) -> set[str]:
    """Name the functions and methods whose annotation says that they return a verdict."""
    return {n.name for n in ast.walk(ast.parse(text)) if isinstance(n, ast.FunctionDef) and returns_a_verdict(n)}


@cache
def judging() -> frozenset[str]:
    """Those of the judge that others may call; what begins with _ is known in its own file only."""
    found = {name for path in PACKAGE.rglob("*.py") for name in verdicts_of(path.read_text(encoding="utf-8"))}
    return frozenset(name for name in found - RAISING if not name.startswith("_"))


def dropped(text: str) -> list[str]:
    """Return the calls whose verdict nothing uses; one that is expected to raise is used by that."""
    names = judging() | LIBRARIES | {name for name in verdicts_of(text) if name.startswith("_")}

    def visit(node: ast.AST) -> Iterator[str]:
        if isinstance(node, ast.With) and any("raises" in ast.unparse(item.context_expr) for item in node.items):
            return
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            function = node.value.func
            name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
            if name in names:
                yield f"line {node.lineno}: {ast.unparse(node.value)}"
        for child in ast.iter_child_nodes(node):
            yield from visit(child)

    return list(visit(ast.parse(text)))


@pytest.mark.parametrize("path", sources(), ids=lambda path: f"{path.parent.name}/{path.name}")
def test_no_result_is_dropped(path: Path) -> None:
    assert dropped(path.read_text(encoding="utf-8")) == []


def test_the_judging_functions_are_those_of_the_judge() -> None:
    known = {"compare", "judge", "run_check", "failed", "passed", "directional_derivative", "verify", "run_plan"}
    assert known <= judging()


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("compare(case, trace, answer)", 1),
        ("bench.compare(source)", 1),
        ("for case in cases:\n    run_check(check, bench)", 1),
        ("np.allclose(a, b)\nnp.array_equal(a, b)", 2),
        ("found = compare(case, trace, answer)", 0),
        ("assert np.allclose(a, b)", 0),
        ("print(compare(case, trace, answer))", 0),
        ("with pytest.raises(ValueError):\n    judge(case, trace, answer)", 0),
        ("with open(path) as file:\n    judge(case, trace, answer)", 1),
        ("assert_agrees(case, trace, answer)", 0),
        ("def _same(a, b) -> Comparison: ...\n_same(a, b)", 1),
        ("_same(a, b)", 0),
        ("ask = lambda bench: compare(case, trace, answer)", 0),
    ],
)
def test_a_dropped_result_is_seen(text: str, count: int) -> None:
    assert len(dropped(text)) == count
