"""The site and the report in a real browser: no errors, no network, mathematics and pictures that can be seen.

Headless Chromium opens the site that `tox -e docs` has built, and reports of `rnncheck check`, at the width of a phone
and of a desk, in light and in dark. It needs Debian's `chromium` and `chromium-driver`, and selenium. Where one is
missing the tests are skipped; with RNNCHECK_BROWSER=required that is a failure. Screenshots are left in
docs/_build/screenshots.
"""

import base64
import functools
import http.server
import importlib.util
import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from rnncheck.cli import main

DOCS = Path(__file__).resolve().parent.parent / "docs"
SITE = DOCS / "_build" / "html"
SCREENSHOTS = DOCS / "_build" / "screenshots"
DRIVER = Path("/usr/bin/chromedriver")
BROWSERS = (Path("/usr/bin/chromium"), Path("/usr/bin/google-chrome"))
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)
NOWHERE = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
"""Whatever a page asks for, nothing leaves this machine. That it asked is in the log."""

SIZES = {"phone": (390, 844), "desk": (1280, 900)}
THEMES = ("light", "dark")
LOOK = Path(__file__).with_name("browser.js").read_text(encoding="utf-8")
SETTLED = """
const [done] = arguments;
const mathematics = window.MathJax?.startup?.promise ?? Promise.resolve();
mathematics.then(() => document.fonts.ready).then(() => done());
"""

WRITTEN = [p.relative_to(DOCS).with_suffix("") for p in DOCS.rglob("*.md")]
GENERATED = (
    "generated/cli",
    "generated/faults/index",
    "generated/faults/carry-not-transposed",
    "generated/faults/top-k-ignored",
    "generated/api/rnncheck",
    "generated/api/numpy_impl.rnn",
    "generated/api/rnncheck.judging.tolerance",
    "genindex",
    "search",
)
"""One of each kind: the others are made by the same few lines."""
PAGES = (*sorted(p.as_posix() for p in WRITTEN if p.parts[0] not in ("_build", "generated")), *GENERATED)


def missing() -> str:
    """Say what is not here."""
    needed = {"chromium-driver": DRIVER.exists(), "chromium": any(p.exists() for p in BROWSERS)}
    needed["selenium"] = importlib.util.find_spec("selenium") is not None
    return ", ".join(name for name, here in needed.items() if not here)


def refuse(why: str) -> None:
    """Skip, or fail where a browser is required."""
    (pytest.fail if os.environ.get("RNNCHECK_BROWSER") == "required" else pytest.skip)(why)


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    if lacking := missing():
        refuse(f"the browser's tests need {lacking}: tox -e docs,browser runs them")
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = str(next(p for p in BROWSERS if p.exists()))
    for flag in (*FLAGS, NOWHERE, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(str(DRIVER)))
    driver.set_script_timeout(300)  # mathematics on a machine that stands still
    driver.get("about:blank")  # away from the browser's own start page
    yield driver
    driver.quit()


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder on this machine, on any port that is free."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *words: Any) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture(scope="module")
def site():
    if not (SITE / "index.html").exists():
        refuse("the site is not built: tox -e docs builds it")
    with served(SITE) as home:
        yield home


def complaints(driver, url: str, home: str, name: str = "") -> list[str]:
    """Open a page at every width and in both themes, and say what is wrong; `name` it for its screenshots."""
    for log in ("browser", "performance"):
        driver.get_log(log)  # what the page before has left
    driver.get(url)
    driver.execute_async_script(SETTLED)
    found = []
    for size, (width, height) in SIZES.items():
        for theme in THEMES:
            metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
            driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
            scheme = {"name": "prefers-color-scheme", "value": theme}
            driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
            found += [f"{size}, {theme}: {complaint}" for complaint in driver.execute_script(LOOK)]
            if name:
                photograph(driver, SCREENSHOTS / f"{name.replace('/', '-')}.{size}.{theme}.png", width)
    found += [f"console: {line['message']}" for line in driver.get_log("browser") if line["level"] == "SEVERE"]
    return found + [f"asks for {request}" for request in requests(driver) if not allowed(request, home)]


def requests(driver) -> list[str]:
    """Return all addresses that the page has asked for."""
    messages = [json.loads(line["message"])["message"] for line in driver.get_log("performance")]
    asked = [m["params"].get("request", m["params"]) for m in messages if m["method"] in REQUESTS]
    return [request["url"] for request in asked]


REQUESTS = ("Network.requestWillBeSent", "Network.webSocketCreated", "Network.webTransportCreated")


def allowed(url: str, home: str) -> bool:
    """Tell whether an address is part of the page, of the site that it belongs to, or of the browser."""
    return url.startswith(home) or urlsplit(url).scheme in ("data", "blob", "chrome")


def photograph(driver, file: Path, width: int) -> None:
    """Keep a picture of the whole page, from top to bottom."""
    height = driver.execute_script("return document.documentElement.scrollHeight")
    clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
    shot = driver.execute_cdp_cmd("Page.captureScreenshot", {"clip": clip, "captureBeyondViewport": True})
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(base64.b64decode(shot["data"]))


@pytest.mark.parametrize("page", PAGES)
def test_a_page_of_the_site_is_as_it_should_be(driver, site, page):
    drawn = page == "index" or 'class="picture"' in (SITE / f"{page}.html").read_text(encoding="utf-8")
    assert complaints(driver, f"{site}{page}.html", site, page if drawn else "") == []


def test_the_search_finds_without_a_network(driver, site):
    assert complaints(driver, f"{site}search.html?q=carry", site) == []
    assert driver.find_elements("css selector", "ul.search li a")


def test_mathematics_is_there_at_all(driver, site):
    driver.get(f"{site}tutorials/02-cross-entropy.html")
    driver.execute_async_script(SETTLED)
    assert len(driver.find_elements("css selector", "mjx-container")) >= 8
    fonts = [url for url in requests(driver) if url.endswith(".woff")]
    assert fonts, "MathJax has not loaded its fonts"


@pytest.mark.parametrize(("fault", "code"), [("carry-not-transposed", 1), (None, 0)], ids=["wrong", "right"])
def test_a_report_is_as_it_should_be(driver, tmp_path, monkeypatch, capfd, fault, code):
    from rnncheck.lab.plants import PLANTS
    from rnncheck.lab.write import exercise

    text = exercise("carry-not-transposed")
    for right, wrong in PLANTS["carry-not-transposed"] if fault is None else ():
        text = text.replace(wrong, right)
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text(text, encoding="utf-8")
    assert main(["check", "mine.py", "--html", "report.html"]) == code, capfd.readouterr().err
    capfd.readouterr()
    url = (tmp_path / "report.html").as_uri()
    assert complaints(driver, url, url, f"report-{'wrong' if fault else 'right'}") == []
    assert driver.find_elements("css selector", "figure svg")


PAGE = '<!doctype html><meta name="viewport" content="width=device-width"><link rel="icon" href="data:,">'


@pytest.mark.parametrize(
    ("planted", "complaint"),
    [
        ("<script>throw new Error('planted')</script>", "console: "),
        ("<script src='nothing.js'></script>", "console: "),
        ("<img src='http://elsewhere.invalid/x.png'>", "asks for http://elsewhere.invalid/x.png"),
        ("<link rel='stylesheet' href='https://cdn.invalid/x.css'>", "asks for https://cdn.invalid/x.css"),
        ("<script>new WebSocket('ws://elsewhere.invalid/')</script>", "asks for ws://elsewhere.invalid/"),
        ("<link rel='preconnect' href='https://fonts.invalid'>", "the page prepares to ask https://fonts.invalid/"),
        (r"<p>so \(a = b\)</p>", r"raw mathematics: so \(a = b\)"),
        ("<p>so $$a = b$$</p>", "raw mathematics: so $$a = b$$"),
        ("<span class='math'>a = b</span>", "mathematics is not rendered: a = b"),
        ("<mjx-container><mjx-merror>Undefined</mjx-merror></mjx-container>", "not mathematics: Undefined"),
        ("<div style='width: 600px'>wide</div>", "phone, light: the page can be scrolled sideways"),
        ("<img alt='a' src='data:image/png;base64,AAAA'>", 'picture "a" is empty'),
        ("<svg class='picture' aria-label='b' width='0'></svg>", 'picture "b" is empty'),
        ("<img alt='c' style='position: absolute; left: -9px' src='DOT'>", 'picture "c" lies from -9'),
        ("<svg class='picture' aria-label='d'><path d='M0 0H9V9Z' fill='#ddd'/></svg>", 'light: picture "d": rgb'),
    ],
)
def test_a_planted_fault_is_seen(driver, tmp_path, planted, complaint):
    dot = "data:image/svg+xml,<svg xmlns=%22http://www.w3.org/2000/svg%22 width=%2220%22 height=%2220%22/>"
    (tmp_path / "page.html").write_text(PAGE + planted.replace("DOT", dot), encoding="utf-8")
    with served(tmp_path) as home:
        assert any(complaint in found for found in complaints(driver, f"{home}page.html", home))


def test_an_innocent_page_is_not_complained_about(driver, tmp_path):
    body = r"<p>fine</p><code>\(a\)</code><svg class='picture' width='9'><path d='M0 0H9V9Z' fill='#777'/></svg>"
    (tmp_path / "page.html").write_text(PAGE + body, encoding="utf-8")
    with served(tmp_path) as home:
        assert complaints(driver, f"{home}page.html", home) == []


def test_a_missing_browser_is_an_error_where_it_is_required(monkeypatch):
    monkeypatch.setenv("RNNCHECK_BROWSER", "required")
    with pytest.raises(pytest.fail.Exception, match="not here"):
        refuse("not here")
    monkeypatch.delenv("RNNCHECK_BROWSER")
    with pytest.raises(pytest.skip.Exception, match="not here"):
        refuse("not here")
