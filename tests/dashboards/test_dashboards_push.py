"""Pushing to Grafana: what differs is changed, a second push changes nothing, a dry run only asks."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from dashboards.push import connect, push
from plant.errors import DeviceError
from plant.load import load
from plant.model import Plant

EXAMPLE = Path(__file__).parents[2] / "examples/electroplating/plant.yaml"


@dataclass
class Grafana:
    """A stand-in that keeps what it is given, as Grafana 9 does: it adds ids, versions and secure fields."""

    url: str = ""
    things: dict[str, Any] = field(default_factory=dict)
    written: list[tuple[str, str]] = field(default_factory=list)
    headers: set[str] = field(default_factory=set)
    refuse: int = 0

    def get(self, path: str) -> Any:
        return self.things.get(path)

    def put(self, verb: str, path: str, body: dict[str, Any]) -> Any:
        self.written.append((verb, path))
        if path == "/api/folders":
            self.things[f"/api/folders/{body['uid']}"] = {**body, "id": 1}
        elif path.startswith("/api/datasources"):
            secure = dict.fromkeys(body.get("secureJsonData", {}), True)
            stored = {name: value for name, value in body.items() if name != "secureJsonData"}
            stored["jsonData"] = {**body["jsonData"], "addedByGrafana": 1}
            self.things[f"/api/datasources/uid/{body['uid']}"] = {**stored, "id": 2, "secureJsonFields": secure}
        elif path == "/api/dashboards/db":
            board = {**body["dashboard"], "id": 3, "version": len(self.written)}
            meta = {"folderUid": body["folderUid"]}
            self.things[f"/api/dashboards/uid/{board['uid']}"] = {"dashboard": board, "meta": meta}
        else:
            return None
        return {"status": "success"}


@pytest.fixture
def grafana() -> Iterator[Grafana]:
    """The stand-in on loopback."""
    state = Grafana()

    class Handler(BaseHTTPRequestHandler):
        def answer(self, content: Any) -> None:
            status = state.refuse or (200 if content is not None else 404)
            body = json.dumps(content if status == 200 else {"message": "refused"}).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            state.headers.add(self.headers.get("Authorization", ""))
            self.answer(state.get(self.path))

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self.answer(state.put(self.command, self.path, body))

        do_PUT = do_POST

        def log_message(self, format: str, *args: object) -> None:
            """Keeps the test's output clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    yield state
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def plant() -> Plant:
    """The electroplating example."""
    return load(EXAMPLE)


@pytest.mark.server
def test_a_second_push_changes_nothing(grafana: Grafana, plant: Plant) -> None:
    """Pushing is idempotent, whatever Grafana adds to what it stores."""
    client = connect(grafana.url, "glsa_token")
    assert {change.done for change in push(plant, client, influx_token="secret")} == {"created"}
    before = list(grafana.written)
    assert {change.done for change in push(plant, client, influx_token="secret")} == {"unchanged"}
    assert grafana.written == before
    assert grafana.headers == {"Bearer glsa_token"}


@pytest.mark.server
def test_only_what_differs_is_changed(grafana: Grafana, plant: Plant) -> None:
    """A board or a data source changed by hand, or by a new description, is put right; the others are left alone."""
    client = connect(grafana.url, "admin:admin")
    push(plant, client)
    address = next(path for path in grafana.things if path.startswith("/api/dashboards"))
    grafana.things[address]["dashboard"]["title"] = "changed by hand"
    assert [change.done for change in push(plant, client)] == ["unchanged", "unchanged", "changed"]
    source = next(path for path in grafana.things if path.startswith("/api/datasources"))
    grafana.things[source]["url"] = "http://elsewhere"
    assert [change.done for change in push(plant, client)] == ["unchanged", "changed", "unchanged"]
    assert [change.done for change in push(plant, client, influx_token="new")] == ["unchanged", "changed", "unchanged"]
    assert [change.done for change in push(plant, client)] == ["unchanged"] * 3


@pytest.mark.server
def test_a_dry_run_only_asks(grafana: Grafana, plant: Plant) -> None:
    """A dry run says what would be done and writes nothing."""
    changes = push(plant, connect(grafana.url, "token"), dry_run=True)
    assert {change.done for change in changes} == {"created"}
    assert grafana.written == []


@pytest.mark.server
def test_a_refusal_is_a_device_error(grafana: Grafana, plant: Plant) -> None:
    """Wrong credentials are final, a server's trouble is not, a dead server neither."""
    client = connect(grafana.url, "token")
    for status, retryable in ((401, False), (503, True)):
        grafana.refuse = status
        with pytest.raises(DeviceError) as error:
            push(plant, client)
        assert error.value.retryable is retryable
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(DeviceError):
        push(plant, connect(f"http://127.0.0.1:{port}/grafana", "token"))
