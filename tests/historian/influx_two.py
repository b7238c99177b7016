"""A stand-in for InfluxDB 2 on loopback, which records what it is told and answers as InfluxDB 2.7.12 did."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass
class Two:
    """What the server holds: buckets, tasks and mappings, and the calls that changed them.

    A mapping's "default" is what was asked for; `mappings` says what the server makes of it.
    """

    buckets: list[dict[str, Any]] = field(default_factory=list)
    tasks: list[dict[str, Any]] = field(default_factory=list)
    dbrps: list[dict[str, Any]] = field(default_factory=list)
    calls: list[tuple[str, str, Any]] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)
    orgs: list[dict[str, Any]] = field(default_factory=lambda: [{"id": "0f", "name": "works"}])
    version: str = "v2.7.12"
    status: int = 200

    def mappings(self) -> list[dict[str, Any]]:
        """The mappings that were made, and one for each bucket's own name unless there is one of these two names.

        Of those that were made one is always the default, the first if none asked for it; the others only if none is.
        """
        made = []
        for row in self.dbrps:
            rows = [one for one in self.dbrps if one["database"] == row["database"]]
            chosen = next((one for one in reversed(rows) if one["default"]), rows[0])
            made.append({**row, "default": row is chosen, "virtual": False})
        names = {(row["database"], row["retention_policy"]) for row in made}
        own = [
            {
                "id": bucket["id"],
                "orgID": "0f",
                "bucketID": bucket["id"],
                "database": bucket["name"],
                "retention_policy": "autogen",
                "default": bucket["name"] not in {row["database"] for row in made},
                "virtual": True,
            }
            for bucket in self.buckets
            if (bucket["name"], "autogen") not in names
        ]
        return made + own

    def default(self, database: str) -> str:
        """The id of the bucket that a query finds which names no retention policy."""
        (row,) = (row for row in self.mappings() if row["database"] == database and row["default"])
        return str(row["bucketID"])


@contextmanager
def serving() -> Iterator[tuple[str, Two]]:
    """The stand-in on loopback: its address and what it holds."""
    state = Two()

    class Handler(BaseHTTPRequestHandler):
        def answer(self, status: int, body: Any = None) -> None:
            data = json.dumps(body).encode() if body is not None else b""
            self.send_response(status)
            self.send_header("X-Influxdb-Version", state.version)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def handle_any(self) -> None:
            parts = urlsplit(self.path)
            asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
            state.tokens.add(self.headers.get("Authorization", ""))
            length = int(self.headers.get("Content-Length") or 0)
            body: Any = json.loads(self.rfile.read(length)) if length else None
            if parts.path == "/ping":
                self.answer(204)
                return
            if state.status != 200:
                self.answer(state.status, {"code": "unauthorized", "message": "unauthorized access"})
                return
            kind, _, one = parts.path.removeprefix("/api/v2/").partition("/")
            held: list[dict[str, Any]] = getattr(state, kind, [])
            if self.command == "GET" and kind == "orgs":
                self.answer(200, {"orgs": state.orgs})
            elif self.command == "GET" and kind == "dbrps":
                self.answer(200, {"content": [row for row in state.mappings() if row["database"] == asked["db"]]})
            elif self.command == "GET":
                self.answer(200, {kind: [row for row in held if row["name"] == asked["name"]]})
            elif self.command == "POST":
                state.calls.append(("POST", kind, body))
                name = body["flux"].partition('name: "')[2].partition('"')[0] if kind == "tasks" else body.get("name")
                row = {"id": f"{len(state.calls):x}", "orgID": "0f", **({"name": name} if name else {}), **body}
                if kind == "buckets":
                    row["retentionRules"] = [
                        {**rule, "shardGroupDurationSeconds": 7 * 86400} for rule in body["retentionRules"]
                    ]
                held.append(row)
                self.answer(201, row)
            else:
                state.calls.append((self.command, kind, body))
                (row,) = [row for row in held if row["id"] == one]
                row.update(body)
                if kind == "tasks" and "every" in body:
                    # what is sent beside the text is written into it
                    row["flux"] = re.sub(r"every: 1[hd], off", f"every: {body['every']}, off", row["flux"])
                self.answer(200, {"content": row} if kind == "dbrps" else row)

        do_GET = do_POST = do_PATCH = handle_any

        def log_message(self, format: str, *args: object) -> None:
            """Keeps the test's output clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}", state
    server.shutdown()
    server.server_close()
