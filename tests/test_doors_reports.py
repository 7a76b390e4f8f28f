"""The page, the annotations, and how much each of them tells."""

import re
from html import escape
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from rnncheck.check import Inquiry, check_rnn
from rnncheck.cli import main
from rnncheck.cli.check import _tell
from rnncheck.cli.output import Output
from rnncheck.errors import TargetError, UserError
from rnncheck.evidence import gather
from rnncheck.faults import FAULTS
from rnncheck.hints import withhold
from rnncheck.implementation import NumpyImpl
from rnncheck.report import github, json
from rnncheck.result import Comparison, Outcome, Report, Verdict

pytestmark = pytest.mark.slow

TARGETS = Path(__file__).parent / "targets"
WRONG = "column_class_tanh_twice.py"
SELECT = "T=3 and not state"
LEFT_OUT = "the stored answer holds the first and the last steps only"


@pytest.fixture(scope="module")
def judged():
    """A wrong network and its report, found once: asking for the cause takes a second."""
    inquiry = Inquiry(str(TARGETS / WRONG), select=SELECT)
    return inquiry, inquiry.report()


def right_values(inquiry):
    """Return the right values of two gradients, as a reader might find them written, less the last digit."""
    for check, bench in inquiry.planned.checks:
        if check.source is not None:
            trace = bench.ask_oracle(check.source.make()).trace
            yield from (f"{v:.6f}"[:-1] for n in ("dW_hh", "dW_xh") for v in trace[n].ravel() if abs(v) > 1e-3)


def everything_written(folder, judged, hints, capsys):
    files = [folder / name for name in ("r.json", "r.xml", "r.html", "summary.md")]
    output = Output(*files[:2], html=files[2], github=True)
    assert _tell(*judged, output, hints) == 1
    said = capsys.readouterr()
    return "\n".join([said.out, said.err, *(f.read_text() for f in files)])


@pytest.mark.parametrize("hints", [0, 1, 2, 3])
def test_below_three_no_right_value_is_told(hints, judged, tmp_path, capsys, monkeypatch):
    pytest.importorskip("jinja2")
    pytest.importorskip("matplotlib")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    text = everything_written(tmp_path, judged, hints, capsys)
    values = set(right_values(judged[0]))
    assert len(values) > 100
    text = re.sub(r'(seconds": |time=")[\d.e-]+', "", text)  # a time may begin as a value does
    told = {value for value in values if value in text}
    assert bool(told) == (hints == 3), told
    assert ("dW_hh" in text) == (hints > 0)
    assert ("The derivative of an already activated value" in text) == (hints > 1)
    assert ("With h = tanh(a) the derivative is 1 - h^2" in text) == (hints == 3)


def test_withholding_changes_no_verdict(judged):
    _, report = judged
    for level in range(4):
        told = withhold(report, level)
        assert [o.verdict for o in told.outcomes] == [o.verdict for o in report.outcomes]
        assert (told.exit_code, told.complete) == (1, True)


class Links(HTMLParser):
    """Whatever a page would fetch."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        if tag in ("script", "link", "img", "iframe", "object"):
            self.found.append(tag)
        self.found += [v for n, v in attrs if n in ("src", "href", "xlink:href") and v and not v.startswith("#")]


def test_the_page_stands_alone_and_shows_what_is_wrong(judged):
    pytest.importorskip("jinja2")
    from rnncheck.report import html

    page = html.dumps(judged[1], gather(*judged))
    links = Links()
    links.feed(page)
    assert links.found == []
    assert not re.search(r"url\((?!#|&quot;#)|@import|base64", page)
    assert page.count("<svg") == 3
    for words in ("DIFFER: ", "The first wrong array: dW_hh", ">candidate<", ">reference<", ">difference<"):
        assert words in page
    fault = FAULTS["derivative-of-the-activated"]
    assert f'class="wrong">{escape(fault.wrong_line)}<' in page
    assert f'class="right">{escape(fault.right_line)}<' in page
    assert page == html.dumps(judged[1], gather(*judged)), "the same run gives the same page"


def test_the_evidence_is_the_first_wrong_array(planted):
    def spoil(case, trace):
        if case.kind == "rnn":
            trace["dlogits"][0, 0, 0] += 1

    inquiry = Inquiry(planted(spoil), select="nodes and T=3")
    evidence = gather(inquiry, inquiry.report())
    assert evidence.array == "dlogits"
    wrong = np.argwhere(np.abs(evidence.candidate - evidence.reference) > 0.5)
    assert wrong.tolist() == [[0, 0, 0]]
    assert evidence.over_time["dlogits"].argmax() == 0


def test_the_steps_of_a_long_case_are_those_of_the_case_and_not_of_what_is_stored(planted):
    """Steps 48 to 50 stood at 4 to 6 in the picture: the first and the last three of a long case are stored."""
    html = pytest.importorskip("rnncheck.report.html")

    def spoil(case, trace):
        if case.kind == "rnn":
            trace["dh"][48] += 1

    inquiry = Inquiry(planted(spoil), select="nodes and T=50")
    report = inquiry.report()
    evidence = gather(inquiry, report)
    assert evidence.steps == evidence.longest_steps == (1, 2, 3, 48, 49, 50)
    assert evidence.longest_steps[evidence.over_time["dh"].argmax()] == 49
    page = html.dumps(report, evidence)
    assert f"The first wrong array: dh in {evidence.case.name}, step 49<" in page
    assert LEFT_OUT in page


def test_every_step_of_a_short_case_is_drawn(planted):
    html = pytest.importorskip("rnncheck.report.html")
    inquiry = Inquiry(
        planted(lambda case, trace: trace["dh"].fill(0) if case.kind == "rnn" else None), select="nodes and T=3"
    )
    report = inquiry.report()
    evidence = gather(inquiry, report)
    assert evidence.steps == (1, 2, 3)
    assert LEFT_OUT not in html.dumps(report, evidence)


def test_a_right_network_gives_no_evidence():
    inquiry = Inquiry("numpy_impl", select="nodes and T=3")
    assert gather(inquiry, inquiry.report()) is None


def failed_report(message):
    outcome = Outcome("forward[T=1]", "forward", Verdict.FAILED, (Comparison("h", Verdict.FAILED, 9.0),), message)
    return Report("net|<b>", "torch", 1, 0, [outcome])


def test_a_message_cannot_begin_a_command_of_its_own():
    (line,) = github.annotations(failed_report("50% off\r\n::set-output name=x::1"), Path("a,b.py"))
    assert line.startswith("::error file=a%2Cb.py,title=forward[T=1]::50%25 off%0D%0A::set-output")
    assert "\n" not in line


def test_a_summary_is_a_table():
    text = github.summary(failed_report(""))
    assert "### DIFFER: 1 of 1 checks failed" in text
    assert "| forward | 1 | 9 times its allowance in h at T = 1 | 1 failed |" in text
    assert text.endswith("planned 1 = run 1 = passed 0 + failed 1\n\n")


class RaisesApart(NumpyImpl):
    """What a file in a process of its own does to the judge: the sentence of its error says what was raised there."""

    name = "raises.py"

    def run(self, case):
        if len(case.x) > 1:
            raise self.error
        return super().run(case)


@pytest.mark.parametrize("select", ["T=1-B=2-float64 or T=3-B=2-float64"])
@pytest.mark.parametrize(
    ("error", "message", "cause"),
    [
        (
            TargetError("raised OverflowError: too large (line 9)"),
            "raised OverflowError: too",
            "the call ends in Overfl",
        ),
        (TargetError("no answer: it was ended"), "no answer: it was ended", "the call ends in no answer: it was ended"),
        (OverflowError("too large"), "raised OverflowError: too large", "the call ends in OverflowError: too large"),
    ],
    ids=["raised apart", "ended", "raised here"],
)
def test_no_name_of_ours_is_told_where_a_file_raises(error, message, cause, select):
    target = RaisesApart()
    target.error = error
    report = check_rnn(target, select=select)
    assert report.exit_code == 1
    assert all(o.message.startswith(message) for o, _ in report.failures)
    text = json.dumps(report)
    assert cause in text
    assert "TargetError" not in text


def test_two_outputs_in_one_file_are_refused(tmp_path, monkeypatch):
    pytest.importorskip("jinja2")
    pytest.importorskip("matplotlib")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="--junit and --html both name r"):
        Output(None, Path("r"), html=Path("r"))


def test_the_options_reach_the_report(tmp_path, monkeypatch, capsys):
    pytest.importorskip("jinja2")
    pytest.importorskip("matplotlib")
    monkeypatch.chdir(tmp_path)
    assert main(["check", "numpy_impl", "-k", "nodes and T=3", "--html", "r.html", "--github", "--hints", "1"]) == 0
    assert "AGREE" in (tmp_path / "r.html").read_text()
    assert main(["check", "numpy_impl", "--hints", "4"]) == 2
    assert "--hints" in capsys.readouterr().err
