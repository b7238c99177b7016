"""A stand-in for Grafana 9.4 on loopback: keeps what it is given, with what Grafana adds, and records every call."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

ALERTS = "/api/v1/provisioning"
SECRET_SETTINGS = {"wecom": ("url",), "webhook": ("password",)}


@dataclass
class Server:
    """What it holds, by uid or name; `refuse` is an HTTP status with which it answers everything, 400 what is
    written."""

    url: str = ""
    folders: dict[str, Any] = field(default_factory=dict)
    sources: dict[str, Any] = field(default_factory=dict)
    boards: dict[str, Any] = field(default_factory=dict)
    rules: dict[str, Any] = field(default_factory=dict)
    points: dict[str, Any] = field(default_factory=dict)
    timings: dict[str, Any] = field(default_factory=dict)
    policies: dict[str, Any] = field(default_factory=lambda: {"receiver": "grafana-default-email", "provenance": ""})
    written: list[tuple[str, str]] = field(default_factory=list)
    bodies: list[Any] = field(default_factory=list)
    headers: set[str] = field(default_factory=set)
    open_to_people: set[bool] = field(default_factory=set)
    refuse: int = 0

    def get(self, path: str) -> tuple[int, Any]:
        """What stands there. A single alert rule that is not there is answered 500, as 9.4 does."""
        kind, _, name = path.removeprefix("/api/").rpartition("/")
        if path == f"{ALERTS}/alert-rules":
            return 200, [{**rule, "provenance": "", "updated": "2026-01-01T00:00:00Z"} for rule in self.rules.values()]
        if path == f"{ALERTS}/contact-points":
            return 200, [_hidden(point) for point in self.points.values()]
        if path == f"{ALERTS}/mute-timings":
            return 200, list(self.timings.values())
        if path == f"{ALERTS}/policies":
            return 200, self.policies
        held = {"folders": self.folders, "datasources/uid": self.sources, "dashboards/uid": self.boards}.get(kind, {})
        return (200, held[name]) if name in held else (404, {"message": "not found"})

    def put(self, verb: str, path: str, body: dict[str, Any]) -> tuple[int, Any]:
        """Stores it, or refuses it as Grafana does."""
        self.written.append((verb, path))
        self.bodies.append(body)
        name = unquote(path.rpartition("/")[2])
        if path == "/api/folders":
            self.folders[body["uid"]] = {**body, "id": 1}
        elif path.startswith("/api/datasources"):
            secure = dict.fromkeys(body.get("secureJsonData", {}), True)
            stored = {key: value for key, value in body.items() if key != "secureJsonData"}
            stored["jsonData"] = {**body["jsonData"], "addedByGrafana": 1}
            self.sources[body["uid"]] = {**stored, "id": 2, "secureJsonFields": secure}
        elif path == "/api/dashboards/db":
            board = {**body["dashboard"], "id": 3, "version": len(self.written)}
            self.boards[board["uid"]] = {"dashboard": board, "meta": {"folderUid": body["folderUid"]}}
        elif path.startswith(f"{ALERTS}/alert-rules"):
            if verb == "POST" and (body["uid"] in self.rules or body["folderUID"] not in self.folders):
                return 409, {"message": "conflict"}
            self.rules[body["uid"]] = {"id": len(self.rules) + 1, **body}
        elif path.startswith(f"{ALERTS}/contact-points"):
            if (verb == "PUT") != (name in self.points):
                return 400, {"message": "bad contact point"}
            self.points[body["uid"]] = {**body, "provenance": "api"}
        elif path.startswith(f"{ALERTS}/mute-timings"):
            if (verb == "PUT") != (name in self.timings):
                return 400, {"message": "bad mute timing"}
            self.timings[body["name"]] = body
        elif path == f"{ALERTS}/policies":
            return self._put_policies(body)
        return 202, {"message": "stored"}

    def delete(self, path: str) -> tuple[int, Any]:
        """Removes it, unless a policy names it; a rule's removal is answered without content."""
        self.written.append(("DELETE", path))
        kind, _, name = path.removeprefix(f"{ALERTS}/").partition("/")
        name = unquote(name)
        if kind == "alert-rules":
            del self.rules[name]
            return 204, None
        held = {"contact-points": self.points, "mute-timings": self.timings}[kind]
        if held[name]["name"] in _named(self.policies):
            return 500, {"message": f"{kind} in use"}
        del held[name]
        return 202, {"message": "removed"}

    def _put_policies(self, tree: dict[str, Any]) -> tuple[int, Any]:
        known = {"grafana-default-email", *(point["name"] for point in self.points.values()), *self.timings}
        if not _named(tree) <= known:
            return 400, {"message": "names what is not there"}
        self.policies = {**tree, "provenance": self.policies.get("provenance", "")}
        return 202, {"message": "policies updated"}


def _named(policy: dict[str, Any]) -> set[str]:
    """The contact points and mute timings that a policy and those below it name."""
    own = {policy["receiver"]} if policy.get("receiver") else set()
    return own.union(policy.get("mute_time_intervals", []), *(_named(child) for child in policy.get("routes", [])))


def _hidden(point: dict[str, Any]) -> dict[str, Any]:
    secret = dict.fromkeys(SECRET_SETTINGS.get(point["type"], ()), "[REDACTED]")
    shown = {name: secret.get(name, value) for name, value in point["settings"].items()}
    return {**point, "settings": shown}


@contextmanager
def running() -> Iterator[Server]:
    """The stand-in on a free port."""
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def answer(self, status: int, content: Any, got: bytes = b"") -> None:
            if state.refuse and (got or state.refuse != 400):
                # a server that repeats what it was given, as proxies do
                seen = f"{self.headers.get('Authorization')} {got.decode()}"
                status, content = state.refuse, {"message": f"refused: {seen}"}
            body = b"" if content is None else json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            state.headers.add(self.headers.get("Authorization", ""))
            self.answer(*state.get(self.path))

        def do_POST(self) -> None:
            got = self.rfile.read(int(self.headers["Content-Length"]))
            self.note()
            self.answer(*state.put(self.command, self.path, json.loads(got)), got=got)

        do_PUT = do_POST

        def do_DELETE(self) -> None:
            self.note()
            self.answer(*state.delete(self.path))

        def note(self) -> None:
            if self.path.startswith(ALERTS):
                state.open_to_people.add("X-Disable-Provenance" in self.headers)

        def log_message(self, format: str, *args: object) -> None:
            """Keeps the test's output clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
