"""A report as JUnit XML, which CI systems draw: a family is a testsuite, a check is a testcase.

The elements and attributes are those that Jenkins, GitLab and GitHub's viewers share. A viewer that counts only
testcases would show an unfinished run as green, so a run that proves nothing carries one testcase more, an error.
"""

import re
from math import fsum
from xml.etree import ElementTree as ET

from rnncheck.report.sentences import closing_count, failure, verdict
from rnncheck.result import Outcome, Report, Verdict
from rnncheck.versions import versions

__all__ = ["dumps"]

# What XML 1.0 cannot hold even escaped: control characters (a message may quote a terminal) and lone surrogates.
ILLEGAL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def dumps(report: Report) -> str:
    """Render `report` as one XML document."""
    suites = [_suite(name, outcomes, report) for name, outcomes in report.families.items()]
    if report.exit_code in (2, 3):
        suites.append(_nothing_proved(report))
    totals = {key: str(sum(int(s.get(key, "0")) for s in suites)) for key in ("tests", "failures", "errors")}
    time = _seconds(fsum(outcome.seconds for outcome in report.outcomes))
    root = ET.Element("testsuites", {"name": "rnncheck", **totals, "time": time})
    root.extend(suites)
    ET.indent(root)
    return f"<?xml version='1.0' encoding='utf-8'?>\n{ET.tostring(root, encoding='unicode')}\n"


def _suite(name: str, outcomes: list[Outcome], report: Report) -> ET.Element:
    skipped = sum(outcome.verdict not in (Verdict.PASSED, Verdict.FAILED) for outcome in outcomes)
    counts = {
        "tests": str(len(outcomes)),
        "failures": str(report.count(Verdict.FAILED, outcomes)),
        "errors": "0",
        "skipped": str(skipped),
        "time": _seconds(fsum(outcome.seconds for outcome in outcomes)),
    }
    suite = ET.Element("testsuite", {"name": _legal(name), **counts})
    properties = ET.SubElement(suite, "properties")
    for key, value in {"seed": report.seed, **(versions() | report.versions)}.items():
        ET.SubElement(properties, "property", {"name": key, "value": _legal(str(value))})
    suite.extend(_testcase(outcome, report.seed) for outcome in outcomes)
    return suite


def _testcase(outcome: Outcome, seed: int) -> ET.Element:
    names = {"classname": f"rnncheck.{_legal(outcome.family)}", "name": _legal(outcome.check)}
    case = ET.Element("testcase", {**names, "time": _seconds(outcome.seconds)})
    if outcome.verdict is Verdict.FAILED:
        lines = [_legal(line) for line in failure(outcome, seed)]
        ET.SubElement(case, "failure", {"message": lines[0], "type": "TraceMismatch"}).text = "\n".join(lines)
    elif outcome.verdict is not Verdict.PASSED:
        why = f"{outcome.verdict}: {outcome.message}" if outcome.message else str(outcome.verdict)
        ET.SubElement(case, "skipped", {"message": _legal(why)})
    return case


def _nothing_proved(report: Report) -> ET.Element:
    counts = {"tests": "1", "failures": "0", "errors": "1", "skipped": "0", "time": _seconds(0.0)}
    suite = ET.Element("testsuite", {"name": "plan", **counts})
    names = {"classname": "rnncheck.planning", "name": "every planned check ran and was comparable"}
    case = ET.SubElement(suite, "testcase", {**names, "time": _seconds(0.0)})
    error = ET.SubElement(case, "error", {"message": _legal(verdict(report)), "type": "Unfinished"})
    error.text = closing_count(report)
    return suite


def _legal(text: str) -> str:
    return ILLEGAL.sub("\N{REPLACEMENT CHARACTER}", text)


def _seconds(value: float) -> str:
    return f"{value:.6f}"  # never an exponent: the format wants a decimal
