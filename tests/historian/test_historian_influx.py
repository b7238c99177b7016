"""What the writer makes of the answers that a real InfluxDB 2.7.12 and 1.6 gave to lines they did not store."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from historian.influx.client import ServerError, influx_writer
from plant.model import Influx as Address

OLD = (
    "2026-11-22T20:41:38.136227794Z dropped because it violates a Retention Policy Lower Bound at 2026-11-22T21:41:38Z"
)
TOO_OLD = (
    "failure writing points to database: partial write: dropped 30 points outside retention policy of duration 1h0m0s"
    f" - oldest point facts,point=a,site=s at {OLD}, newest point facts,point=a,site=s at {OLD} dropped=30"
)
CONFLICT = (
    "failure writing points to database: partial write: field type conflict: input field"
    ' "amount" on measurement "facts" is type string, already exists as type float dropped=1'
)


@pytest.fixture
def answering() -> Iterator[tuple[str, list[tuple[int, str]]]]:
    """A server that gives the listed answers, one a request."""
    answers = list[tuple[int, str]]()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            status, message = answers.pop(0)
            data = json.dumps({"code": "unprocessable entity", "message": message}).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:
            """Keeps the test's output clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}", answers
    server.shutdown()
    server.server_close()


@pytest.mark.server
def test_lines_older_than_the_server_keeps_are_no_fault(
    answering: tuple[str, list[tuple[int, str]]], caplog: pytest.LogCaptureFixture
) -> None:
    """A backlog that begins before the retention goes through, told once; else its first lines would block it for ever.

    The server says this only when it has stored all else; what it says of a line at fault stays an error.
    """
    url, answers = answering
    caplog.set_level("INFO", "keepclean.outbox")
    write = influx_writer(Address(url=url, bucket="plant", org="works"))
    answers += [(422, TOO_OLD), (400, "partial write: points beyond retention policy dropped=2"), (422, CONFLICT)]
    write("facts,site=s valid=1i 1")
    write("facts,site=s valid=1i 2")
    assert [record.getMessage().count("older than it keeps") for record in caplog.records] == [1]
    with pytest.raises(ServerError, match=r"422: .*field type conflict") as refused:
        write("facts,site=s valid=1i 3")
    assert refused.value.status == 422
