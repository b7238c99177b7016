"""Brokers that cannot keep the promise are told from those that can; TLS, passwords and client certificates."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import trustme
from collectors_brokers import mosquitto, needs_mosquitto
from collectors_plant import mqtt as mqtt_device
from collectors_plant import until, written

from collectors.collect import collect
from collectors.mqtt.session import BROKER_DOUBT
from collectors.mqtt.trial import attempt
from collectors.mqtt.trust import FORGOTTEN, Dropped, doubts
from collectors.status import FILE
from journal.journal import Journal
from plant.clock import PlantClock
from plant.errors import DeviceError
from plant.model import Broker, Plant

TRIED = 1500


def test_what_a_connack_gives_cause_to_doubt() -> None:
    """A shorter session than asked for, and delivery at QoS 0 only; nothing said is nothing doubted."""
    given: Any = SimpleNamespace
    assert doubts(None, 100) == []
    assert doubts(given(SessionExpiryInterval=100), 100) == []
    assert "99 s only" in doubts(given(SessionExpiryInterval=99), 100)[0]
    assert "QoS 0 only" in doubts(given(MaximumQoS=0), 100)[0]


def test_a_rising_count_of_dropped_messages_is_heard() -> None:
    """The first count ever is nobody's news; a lower one is that of a broker begun anew; rubbish is no count."""
    dropped = Dropped(None)
    assert [dropped.more(payload) for payload in (b"5", b"5", b"x", b"8", b"0", b"2")] == [0, 0, 0, 3, 0, 2]
    assert Dropped(8).more(b"9") == 1, "while keepclean was away"
    assert Dropped(8).more(b"3") == 3, "the broker began anew and has dropped three since"


def described(port: int, scheme: str = "mqtt", **broker: Any) -> Plant:
    """A plant with one bare-number topic."""
    return Plant.model_validate(
        written(
            {"scale": mqtt_device("plant/weight", "number")},
            {"weight": ("scale", "weight", "level", "kg")},
            broker={"url": f"{scheme}://127.0.0.1:{port}", "client_id": "keepclean-test", **broker},
        )
    )


@pytest.mark.server
@needs_mosquitto
@pytest.mark.parametrize("version", ["", "?version=3.1.1"])
def test_the_shipped_broker_keeps_everything(tmp_path: Path, version: str) -> None:
    """Promise 1: with the shipped configuration nothing is lost while keepclean is away, in either version."""
    with mosquitto(tmp_path) as port:
        found = attempt(Broker(url="", client_id="x"), f"mqtt://127.0.0.1:{port}{version}", tmp_path, TRIED)
    assert (found.sent, found.kept, found.window) == (TRIED, TRIED, 1000)
    assert found.faults() == []


@pytest.mark.server
@needs_mosquitto
def test_mosquittos_defaults_are_found_wanting(tmp_path: Path) -> None:
    """Promise 1: a capped queue and a narrow window are found, with the setting that helps."""
    with mosquitto(tmp_path, shipped=False) as port:
        found = attempt(Broker(url="", client_id="x"), f"mqtt://127.0.0.1:{port}?version=3.1.1", tmp_path, TRIED)
    assert found.kept < TRIED
    lost, slow = found.faults()
    assert "max_queued_messages 0" in lost
    assert "max_inflight_messages 1000" in slow


@pytest.mark.server
def test_a_broker_that_is_not_there(tmp_path: Path) -> None:
    """A DeviceError that names it."""
    with pytest.raises(DeviceError, match="cannot be reached"):
        attempt(Broker(url="", client_id="x"), "mqtt://127.0.0.1:1", tmp_path, 1)


def collected(plant: Plant, folder: Path, deed: Any) -> list[dict[str, Any]]:
    """Collects while `deed` is done; the notices of the journal."""

    async def scenario() -> None:
        stop = asyncio.Event()
        task = asyncio.create_task(collect(plant, folder, folder, PlantClock.real(), {}, None, stop))
        await deed(task)
        stop.set()
        await task

    asyncio.run(scenario())
    journal = Journal(folder / "journal")
    found = [row.body for row in journal.read(0, 10_000) if row.kind == "notice"]
    journal.close()
    return found


def connections(folder: Path) -> int:
    """How often the status says that the broker was connected, and is."""
    try:
        state = json.loads((folder / FILE).read_text())["broker"]
    except OSError:
        return 0
    return int(state["connections"]) if state["connected"] else 0


@pytest.mark.server
@needs_mosquitto
def test_a_broker_that_forgets_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Promise 1: a broker restarted without persistence has lost what came meanwhile; a notice says so."""
    monkeypatch.setattr("collectors.collect.STATUS_EVERY_S", 0.05)
    monkeypatch.setattr("collectors.mqtt.session.PAUSE_FIRST_S", 0.05)
    with mosquitto(tmp_path, shipped=False) as port:
        plant = described(port)

        async def once(task: asyncio.Task[None]) -> None:
            await until(lambda: task.done() or connections(tmp_path) == 1)

        assert collected(plant, tmp_path, once) == []

    async def restarted(task: asyncio.Task[None]) -> None:
        with mosquitto(tmp_path, shipped=False, port=port):
            await until(lambda: task.done() or connections(tmp_path) == 1)
        with mosquitto(tmp_path, shipped=False, port=port):
            await until(lambda: task.done() or connections(tmp_path) == 2)

    notices = collected(plant, tmp_path, restarted)
    assert (BROKER_DOUBT, FORGOTTEN) in [(notice["finding"], notice["evidence"]) for notice in notices]
    assert FORGOTTEN in json.loads((tmp_path / FILE).read_text())["broker"]["doubts"]


@pytest.mark.server
@needs_mosquitto
@pytest.mark.parametrize("sound", [True, False])
def test_tls_with_a_certificate_of_our_own(tmp_path: Path, sound: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """mqtts:// speaks TLS with the plant's own authority and our certificate; a broker of another is not spoken to."""
    monkeypatch.setattr("collectors.collect.STATUS_EVERY_S", 0.05)
    monkeypatch.setattr("collectors.mqtt.session.PAUSE_FIRST_S", 0.05)
    authority, stranger = trustme.CA(), trustme.CA()
    server = authority.issue_cert("127.0.0.1")
    server.cert_chain_pems[0].write_to_path(tmp_path / "server.pem")
    server.private_key_pem.write_to_path(tmp_path / "server.key")
    authority.cert_pem.write_to_path(tmp_path / "plant-ca.pem")
    (authority if sound else stranger).cert_pem.write_to_path(tmp_path / "ca.pem")
    ours = authority.issue_cert("keepclean@plant.example")
    ours.cert_chain_pems[0].write_to_path(tmp_path / "ours.pem")
    ours.private_key_pem.write_to_path(tmp_path / "ours.key")
    with mosquitto(
        tmp_path,
        f"cafile {tmp_path}/plant-ca.pem",
        f"certfile {tmp_path}/server.pem",
        f"keyfile {tmp_path}/server.key",
        "require_certificate true",
        shipped=False,
    ) as port:
        plant = described(port, "mqtts", ca_file="ca.pem", cert_file="ours.pem", key_file="ours.key")

        async def seen(task: asyncio.Task[None]) -> None:
            def error() -> str:
                try:
                    return str(json.loads((tmp_path / FILE).read_text())["broker"]["last_error"])
                except OSError:
                    return ""

            await until(lambda: task.done() or connections(tmp_path) == 1 or "CERTIFICATE_VERIFY_FAILED" in error())

        collected(plant, tmp_path, seen)
    state = json.loads((tmp_path / FILE).read_text())["broker"]
    assert state["connections"] == (1 if sound else 0)
    assert ("CERTIFICATE_VERIFY_FAILED" in state["last_error"]) == (not sound)
