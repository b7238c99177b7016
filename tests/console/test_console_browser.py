"""The console in a real browser: live, complete in both languages, on a phone, asking no other host for anything."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Condition, Thread
from typing import Any
from urllib.request import Request, urlopen

import pytest
from fake_frames import ROOT
from playwright.sync_api import Browser, Page, expect, sync_playwright

CHROMIUM = Path("/usr/bin/chromium")
ARGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
ARGS += ["--disable-component-update", "--disable-sync"]
PAGES = ("/", "/audit", "/shift", "/health")
DEADLINE_S = 30.0

pytestmark = [
    pytest.mark.browser,
    pytest.mark.server,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="no Chromium on this machine: apt-get install chromium"),
]


class Console:
    """The made-up plant's console in a process of its own, and what it says."""

    def __init__(self) -> None:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        environment.pop("PYTEST_CURRENT_TEST", None)
        command = [sys.executable, str(ROOT / "tests/console/fake_plant.py"), "0"]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment, cwd=ROOT
        )
        self.said: list[dict[str, Any]] = []
        self.news = Condition()
        Thread(target=self._listen, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.wait_for(lambda entry: 'port' in entry)['port']}"
        self._until_up()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self.news:
                self.said.append(json.loads(line))
                self.news.notify_all()

    def wait_for(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The first thing said that is wanted, within the deadline."""
        with self.news:
            came = self.news.wait_for(lambda: any(wanted(entry) for entry in self.said), DEADLINE_S)
            assert came, f"never said: {self.said}"
            return next(entry for entry in self.said if wanted(entry))

    def _until_up(self) -> None:
        with urlopen(f"{self.url}/healthz", timeout=DEADLINE_S) as answer:
            assert answer.status == 200

    def stop(self) -> float:
        """Ends the process; how long that took [s]."""
        assert self.process.stdin is not None
        started = time.monotonic()
        self.process.stdin.close()
        self.process.wait(timeout=10)
        return time.monotonic() - started


@pytest.fixture(scope="module")
def console() -> Iterator[Console]:
    """One console for the tests of this file."""
    served = Console()
    yield served
    if served.process.poll() is None:
        served.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser."""
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        yield launched
        launched.close()


@pytest.fixture
def width() -> int:
    """A desktop, unless a test asks for both."""
    return 1440


both = pytest.mark.parametrize("width", [1440, 390], ids=["desktop", "phone"])


@pytest.fixture
def page(width: int, browser: Browser) -> Iterator[Page]:
    """A page at a width, with its complaints and requests noted."""
    phone = width < 500
    context = browser.new_context(
        viewport={"width": width, "height": 844}, is_mobile=phone, has_touch=phone, locale="en-GB"
    )
    opened = context.new_page()
    opened.complaints, opened.asked = [], []  # type: ignore[attr-defined]
    opened.on("console", lambda text: opened.complaints.append(text.text) if text.type == "error" else None)  # type: ignore[attr-defined]
    opened.on("pageerror", lambda error: opened.complaints.append(str(error)))  # type: ignore[attr-defined]
    opened.on("request", lambda asked: opened.asked.append(asked.url))  # type: ignore[attr-defined]
    opened.on("websocket", lambda socket: opened.asked.append(socket.url))  # type: ignore[attr-defined]
    yield opened
    context.close()


def visit(page: Page, console: Console, path: str, **query: str) -> None:
    """Opens a page and waits until it is drawn and live."""
    page.goto(console.url + path + "?" + "&".join(f"{key}={value}" for key, value in query.items()))
    expect(page.locator(".kc-main")).to_be_visible()
    page.wait_for_function("() => window.did_handshake !== false && document.querySelector('.kc-time')?.textContent")


@both
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_every_page_is_complete_and_asks_no_other_host(page: Page, console: Console, lang: str, width: int) -> None:
    """No request leaves the machine, no error, no sideways scrolling, and the language is the one asked for."""
    for path in PAGES:
        visit(page, console, path, lang=lang)
        page.wait_for_load_state("networkidle")
        assert page.complaints == [], path  # type: ignore[attr-defined]
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
        assert page.evaluate("document.body.scrollWidth") <= width, path
        texts = page.locator(".kc-main").inner_text()
        chinese, letters = len(re.findall(r"[\u4e00-\u9fff]", texts)), len(re.findall(r"[A-Za-z]", texts))
        assert (chinese > 150) if lang == "zh" else (letters > 400 and chinese < 10), path
    host = console.url.removeprefix("http://")
    foreign = [url for url in page.asked if not re.match(rf"(http|ws)://{host}/|data:|blob:", url)]  # type: ignore[attr-defined]
    assert foreign == [] and len(page.asked) > 10  # type: ignore[attr-defined]


def test_the_page_is_live(page: Page, console: Console) -> None:
    """Plant time and the hour's KPIs move without reloading."""
    visit(page, console, "/")
    before = page.locator(".kc-tile").first.inner_text()
    clock = page.locator(".kc-time").inner_text()
    page.wait_for_function("text => document.querySelector('.kc-time').textContent !== text", arg=clock)
    page.wait_for_function("text => document.querySelector('.kc-tile').innerText !== text", arg=before)


def test_charts_are_drawn(page: Page, console: Console) -> None:
    """Both charts have a canvas with ink on it, and a click on a tile changes the first one's KPI."""
    visit(page, console, "/")
    for chart in (".kc-chart canvas", ".kc-chart-tall canvas"):
        page.locator(chart).first.scroll_into_view_if_needed()
        page.wait_for_function(
            """selector => { const c = document.querySelector(selector); if (!c || !c.width) return false;
               const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
               return d.some((value, place) => place % 4 === 3 && value > 0) }""",
            arg=chart,
        )
    page.locator(".kc-tile", has_text="Water reuse rate").click()
    expect(page.locator(".kc-select").first).to_contain_text("Water reuse rate")


def test_the_window_is_chosen(page: Page, console: Console) -> None:
    """A month's targets are judged: distances take colour."""
    visit(page, console, "/")
    assert page.locator(".kc-tile .kc-line .kc-good").count() == 0
    page.get_by_role("button", name="Month", exact=True).click()
    expect(page.locator(".kc-tile .kc-line .kc-good").first).to_be_visible()


@both
@pytest.mark.parametrize(
    ("lang", "name", "said", "formula"),
    [
        ("en", "Heating season", "Heating season, over: 2025-11-15 to 2026-03-15", "Formula: "),
        ("zh", "采暖季", "采暖季（已结束）：2025-11-15 至 2026-03-15", "计算公式: "),
    ],
)
def test_a_period_of_the_plant_is_chosen(
    page: Page, console: Console, lang: str, name: str, said: str, formula: str, width: int
) -> None:
    """On Energy and on Audit; its values, its days and what the KPI is made of are shown, on a phone too."""
    for path in ("/", "/audit"):
        visit(page, console, path, lang=lang)
        page.get_by_role("button", name=name, exact=True).click()
        expect(page.get_by_text(said)).to_be_visible()
        expect(page.locator(".kc-unknown")).to_have_count(0)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    visit(page, console, "/", lang=lang, window="heating_season")
    expect(page.get_by_text(said)).to_be_visible()
    expect(page.get_by_text(formula)).to_be_visible()
    assert page.complaints == []  # type: ignore[attr-defined]


@both
def test_an_alarm_is_acknowledged_with_a_note(page: Page, console: Console, width: int) -> None:
    """The act names the alarm, the local user and the note; the button then waits for the pipeline."""
    visit(page, console, "/shift")
    note = f"valve shut, said at {width} pixels"
    page.get_by_role("button", name="Acknowledge").first.click()
    page.get_by_role("dialog").get_by_role("textbox").fill(note)
    page.get_by_role("dialog").get_by_role("button", name="Acknowledge").click()
    act = console.wait_for(lambda entry: entry.get("note") == note)
    assert act == {"act": "acknowledge", "alarm": "alarm:rinse", "by": "local user", "note": note}
    expect(page.get_by_role("button", name="being recorded")).to_be_disabled()


@both
def test_a_fault_is_started_and_stopped(page: Page, console: Console) -> None:
    """The demo's menu switches the fault chosen at the size chosen, and shows truth beside estimate."""
    visit(page, console, "/shift")
    console.said.clear()
    page.get_by_role("button", name="Break something").click()
    fault = page.locator(".kc-fault", has_text="Compressed-air leak")
    fault.get_by_role("button", name="a quarter").click()
    fault.get_by_role("button", name="Start").click()
    expected = {"switch": "air_leak", "target": "compressed_air", "size": 0.25, "on": True}
    assert console.wait_for(lambda entry: "switch" in entry) == expected
    fault.get_by_role("button", name="Stop").click()
    console.wait_for(lambda entry: entry.get("on") is False)
    truth = page.locator(".kc-verdict", has_text="Rinse valve")
    expect(truth).to_contain_text("0.600\u00a0m³ per hour")
    expect(truth).to_contain_text("+0.592\u00a0m³ per hour")
    expect(truth).to_contain_text("Detected after 2\u00a0h 56\u00a0min")
    page.get_by_role("button", name="Advance 30 days").click()
    assert console.wait_for(lambda entry: "advance" in entry) == {"advance": 30}
    expect(page.get_by_text("7.5 of 30 days")).to_be_visible()


@both
def test_a_rejected_message_is_shown_on_demand_and_stays(page: Page, console: Console, width: int) -> None:
    """Closed at first; once opened it stays open while the devices above it change each second."""
    visit(page, console, "/health")
    sample = page.get_by_text("alert(1)")
    expect(sample).to_be_hidden()
    page.get_by_text("Messages that could not be used").click()
    expect(sample).to_be_visible()
    clock = page.locator(".kc-time").inner_text()
    page.wait_for_function("text => document.querySelector('.kc-time').textContent !== text", arg=clock)
    page.wait_for_function("text => document.querySelector('.kc-time').textContent !== text", arg=clock)
    expect(sample).to_be_visible()


def test_only_this_machine_s_names_are_answered(console: Console) -> None:
    """A page elsewhere that lets its own name point here (DNS rebinding) gets nothing."""
    asked = Request(f"{console.url}/healthz", headers={"Host": "evil.example"})
    with pytest.raises(Exception, match="400"):
        urlopen(asked, timeout=5)


def test_the_console_ends_within_two_seconds_while_pages_are_open(browser: Browser) -> None:
    """A stop does not wait for browsers."""
    served = Console()
    opened = [browser.new_page() for _ in range(2)]
    for page in opened:
        page.goto(f"{served.url}/shift")
        page.wait_for_selector(".kc-alarm")
    assert served.stop() < 2.0
    assert served.process.returncode == 0
    for page in opened:
        page.close()
