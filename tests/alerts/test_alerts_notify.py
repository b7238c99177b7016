"""Sending: routed by shift, told once, tried again, never in the way of anything else."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from alerts_plant import description, drift, drifts, us

from alerts.check import check
from alerts.lifecycle import step
from alerts.notify import Notifier
from plant.model import Plant


@dataclass
class Webhook:
    """A loopback HTTP server that answers `status` and keeps what it got."""

    url: str
    status: int = 200
    bodies: list[dict[str, Any]] = field(default_factory=list)
    arrived: threading.Event = field(default_factory=threading.Event)
    gate: threading.Event = field(default_factory=threading.Event)


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    """A webhook that lets requests through at once; a test may close its gate."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            hook.arrived.set()
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            hook.gate.wait(10)
            hook.bodies.append(body)
            self.send_response(hook.status)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Keeps the test's output clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hook = Webhook(f"http://127.0.0.1:{server.server_address[1]}/hook")
    hook.gate.set()
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield hook
    hook.gate.set()
    server.shutdown()
    server.server_close()


@dataclass
class Clock:
    """Plant time in hours after Monday 08:00 local, real time in seconds."""

    hours: float = 3.0
    real: float = 1000.0


def plant_with(*addresses: str) -> Plant:
    text = description()
    text["alarms"]["routes"]["early"]["to"] = list(addresses)
    return Plant.model_validate(text)


def notifier(plant: Plant, folder: Path, clock: Clock) -> Notifier:
    return Notifier(plant, folder, base=folder, now_us=lambda: us(clock.hours), wall=lambda: clock.real)


def raised(plant: Plant, *names: str, hours: float = 3) -> tuple[pl.DataFrame, pl.DataFrame]:
    frame = drifts(*(drift(name) for name in names))
    return step({}, frame, [], us(hours), plant=plant, revision=1).transitions, frame


def logged(folder: Path) -> list[dict[str, Any]]:
    file = folder / "alerts.log"
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] if file.exists() else []


def test_a_restart_sends_nothing_twice(tmp_path: Path) -> None:
    """What was sent is in the ledger: submitted again, by this or the next process, it is not sent again."""
    plant, clock = plant_with("log"), Clock()
    first = notifier(plant, tmp_path, clock)
    assert first.submit(*raised(plant, "d1")) == 1
    assert first.work() == 1
    assert first.submit(*raised(plant, "d1")) == 0
    assert first.work() == 0
    first.stop()
    second = notifier(plant, tmp_path, clock)
    assert second.submit(*raised(plant, "d1", "d2")) == 1
    second.work()
    assert [line["alarms"] for line in logged(tmp_path)] == [["alarm:d1"], ["alarm:d2"]]
    second.stop()


def test_the_next_shift_is_not_told_again(tmp_path: Path) -> None:
    """A restart on another shift, with another route, does not send yesterday's news to new people."""
    text = description()
    text["alarms"]["routes"]["late"]["to"] = ["log", "console"]
    plant, clock = Plant.model_validate(text), Clock()
    first = notifier(plant, tmp_path, clock)
    first.submit(*raised(plant, "d1"))
    first.work()
    first.stop()
    clock.hours = 7
    assert notifier(plant, tmp_path, clock).submit(*raised(plant, "d1")) == 0


def test_what_was_not_sent_is_sent_by_the_next_process(tmp_path: Path) -> None:
    """A crash between raising and sending loses no message."""
    plant, clock = plant_with("log"), Clock()
    notifier(plant, tmp_path, clock).submit(*raised(plant, "d1"))
    second = notifier(plant, tmp_path, clock)
    assert second.work() == 1
    assert len(logged(tmp_path)) == 1


def test_five_a_shift_and_the_others_in_one_message(tmp_path: Path) -> None:
    """A flood of nine is five messages and, half an hour later, one; the next shift starts anew in its language."""
    plant, clock = plant_with("log"), Clock(hours=2.1)
    sender = notifier(plant, tmp_path, clock)
    sender.submit(*raised(plant, *(f"d{n}" for n in range(9))))
    assert sender.work() == 5
    assert sender.work() == 0
    clock.hours += 0.5
    assert sender.work() == 1
    lines = logged(tmp_path)
    assert [len(line["alarms"]) for line in lines] == [1, 1, 1, 1, 1, 4]
    assert lines[-1]["title"] == "4 more alarms in this shift"
    clock.hours = 7
    sender.submit(*raised(plant, "e1", hours=7))
    assert sender.work() == 1
    assert logged(tmp_path)[-1]["title"].startswith("[中]")
    assert logged(tmp_path)[-1]["supervisor"] == "Wang"


def test_yesterdays_alarm_is_not_told(tmp_path: Path) -> None:
    """A message older than a day is stale: it stands on the list, nobody is called for it."""
    plant, clock = plant_with("log"), Clock(hours=27)
    sender = notifier(plant, tmp_path, clock)
    sender.submit(*raised(plant, "d1", hours=27))
    assert sender.work() == 0
    assert sender.outgoing.counts() == {"stale": 1}


@pytest.mark.server
def test_a_webhook_gets_the_message(tmp_path: Path, webhook: Webhook) -> None:
    """A real HTTP request with title and text arrives; the address may come from a file."""
    (tmp_path / "hook").write_text(webhook.url + "\n", encoding="utf-8")
    plant, clock = plant_with("file:hook"), Clock()
    sender = notifier(plant, tmp_path, clock)
    sender.submit(*raised(plant, "d1"))
    assert sender.work() == 1
    (body,) = webhook.bodies
    assert body["title"] == "[medium] Plating / Nickel line: Rinse 1 water +0.6 m3/h above expected"
    assert "Check first: the hand valve at rinse 1" in body["message"]


@pytest.mark.server
def test_a_failed_send_is_tried_again_with_backoff(tmp_path: Path, webhook: Webhook) -> None:
    """A webhook that answers 500 gets the message later, not at once and not twice; the log has it at once."""
    webhook.status = 500
    plant, clock = plant_with(webhook.url, "log"), Clock()
    sender = notifier(plant, tmp_path, clock)
    sender.submit(*raised(plant, "d1"))
    assert sender.work() == 1
    assert len(logged(tmp_path)) == 1
    assert sender.work() == 0
    assert len(webhook.bodies) == 1, "no second attempt before the pause is over"
    clock.real += 16
    assert sender.work() == 0
    assert len(webhook.bodies) == 2
    webhook.status = 200
    clock.real += 16
    assert sender.work() == 0, "the pause has doubled"
    clock.real += 16
    assert sender.work() == 1
    assert len(webhook.bodies) == 3
    assert sender.outgoing.counts() == {"sent": 2}


@pytest.mark.server
def test_a_slow_webhook_delays_nothing(tmp_path: Path, webhook: Webhook) -> None:
    """While a webhook hangs, submitting returns and the log is written; stopping leaves the rest in the ledger."""
    webhook.gate.clear()
    plant, clock = plant_with(webhook.url, "log"), Clock()
    sender = notifier(plant, tmp_path, clock)
    sender.start()
    sender.submit(*raised(plant, "d1"))
    assert webhook.arrived.wait(10)
    assert len(logged(tmp_path)) == 1
    assert sender.submit(*raised(plant, "d1", "d2")) == 2
    webhook.gate.set()
    sender.stop(timeout_s=10)
    assert len(webhook.bodies) >= 1


def test_check_names_addresses_that_cannot_work(tmp_path: Path) -> None:
    """Promise 8: unknown schemes, missing or wrong secret files and secrets in the open, all at once, with lines."""
    (tmp_path / "wrong").write_text("nowhere", encoding="utf-8")
    (tmp_path / "right").write_text("mailtos://user:secret@example.com", encoding="utf-8")
    plant = plant_with(
        "console",
        "log",
        "https://example.com/hook",
        "file:right",
        "carrierpigeon://roof",
        "file:missing",
        "file:wrong",
        "mailtos://user:hunter2@example.com",
        "https://example.com/hook?access_token=hunter2",
        "json://example.com/?+Authorization=hunter2",
    )
    faults = check(plant, tmp_path / "plant.yaml", lambda place: 10 + int(place[-1]))
    assert [fault.line for fault in faults] == [14, 15, 16, 17, 18, 19]
    assert all(fault.hint for fault in faults)
    assert "hunter2" not in " ".join(map(str, faults))
