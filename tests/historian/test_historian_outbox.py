"""The outbox: a server that is down, refuses, limits or hangs up loses nothing; an unknown overwrites a value."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from works import PLANT, START

from historian.influx import line_protocol
from historian.influx.client import ServerError, influx_writer
from historian.influx.line_protocol import FORMS, SPOOLED, form_of, is_line, lines
from historian.influx.outbox import REFUSED, Outbox
from historian.tables import TABLES
from plant.load import load
from plant.maintenance import works
from plant.model import Influx, Plant

EXAMPLE = Path(__file__).parents[2] / "examples/electroplating/plant.yaml"


def facts(minutes: int, revision_of: Callable[[int], int], **changes: Any) -> pl.DataFrame:
    """One point's minute facts."""
    row = {"point": "water", "amount": 1.5, "mean": 1.5, "unit": "m3", "coverage": 1.0, "quality": "good", **changes}
    return pl.DataFrame(
        [{**row, "minute": START + timedelta(minutes=n), "revision": revision_of(n)} for n in range(minutes)],
        schema=TABLES["facts"].schema,
    )


class Rows:
    """Tables as the outbox asks for them; what is above `stored` is not whole yet."""

    def __init__(self, **tables: pl.DataFrame) -> None:
        self.tables, self.stored = tables, 2**62

    def head(self, key: str) -> int:
        """The revision up to which everything is stored."""
        assert key == "position"
        return self.stored

    def after(self, name: str, revision: int, limit: int) -> pl.DataFrame:
        """Rows after a revision."""
        frame = self.tables.get(name, TABLES[name].empty())
        return frame.filter(pl.col("revision") > revision).sort("revision").head(limit)

    def part(self, name: str, revision: int, since_us: int, limit: int) -> tuple[pl.DataFrame, int | None]:
        """Rows of one revision."""
        day = pl.col(TABLES[name].day).cast(pl.Int64)
        rows = self.tables[name].filter((pl.col("revision") == revision) & (day >= since_us)).sort(day)
        following = rows.slice(limit)
        return rows.head(limit), following[TABLES[name].day].cast(pl.Int64)[0] if len(following) else None


@dataclass
class Server:
    """A server in memory: upserts lines, or does what `answer` says."""

    answer: Callable[[list[str]], None] = lambda batch: None
    stored: dict[str, str] = field(default_factory=dict)
    requests: int = 0

    def write(self, text: str) -> None:
        self.requests += 1
        batch = text.split("\n")
        self.answer(batch)
        for line in batch:
            series, _, stamp = line.partition(" ")[0], None, line.rpartition(" ")[2]
            self.stored[f"{series} {stamp}"] = line


def outbox(folder: Path, server: Server, clock: list[float] | None = None, **tables: pl.DataFrame) -> Outbox:
    now = clock if clock is not None else [0.0]
    return Outbox(PLANT, folder, Rows(**tables), server.write, monotonic=lambda: now[0])


def test_everything_is_sent_once_oldest_first(tmp_path: Path) -> None:
    """All rows arrive, in the order of their revisions; a second round has nothing to send."""
    server = Server()
    box = outbox(tmp_path, server, facts=facts(12_000, lambda n: n // 7 + 1))
    assert box.drain().sent == 12_000
    assert len(server.stored) == 12_000
    assert [line.rpartition(" ")[2] for line in server.stored.values()] == sorted(
        line.rpartition(" ")[2] for line in server.stored.values()
    )
    requests = server.requests
    assert box.drain().sent == 0
    assert server.requests == requests


@pytest.mark.parametrize("rows", [4_999, 5_000, 5_001, 23_000])
def test_a_revision_larger_than_a_batch_is_sent_whole(tmp_path: Path, rows: int) -> None:
    """Many rows of one revision, as a long batch of history makes them, are not cut at the limit of a request."""
    frame = pl.concat([facts(rows, lambda n: 1), facts(3, lambda n: 2, point="gas")])
    server = Server()
    outbox(tmp_path, server, facts=frame).drain(100_000)
    assert len(server.stored) == rows + 3


def test_a_server_down_for_days_loses_nothing(tmp_path: Path) -> None:
    """While the server is down nothing moves and pauses grow; afterwards, in another process, everything arrives."""

    def down(batch: list[str]) -> None:
        raise ServerError("connection refused")

    server, clock = Server(down), [0.0]
    box = outbox(tmp_path, server, clock, facts=facts(100, lambda n: n + 1))
    attempts = []
    while clock[0] < 300:
        if box.drain().error:
            attempts.append(clock[0])
        clock[0] += 1.0
    assert [after - before for before, after in pairwise(attempts)] == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert box.cursor("facts") == 0
    box.close()
    server.answer = lambda batch: None
    assert outbox(tmp_path, server, facts=facts(100, lambda n: n + 1)).drain().sent == 100


def test_the_cursor_survives_a_restart(tmp_path: Path) -> None:
    """A restart sends only what the server has not yet taken."""
    server = Server()
    first = outbox(tmp_path, server, facts=facts(10, lambda n: n + 1))
    first.drain()
    first.close()
    assert outbox(tmp_path, server, facts=facts(15, lambda n: n + 1)).drain().sent == 5


def test_the_budget_ends_a_round(tmp_path: Path) -> None:
    """A backlog is worked off in portions, and no table waits for another's backlog."""
    notices = pl.DataFrame(
        [{"point": "water", "start": START, "end": START, "finding": "flat", "evidence": "", "revision": 1}],
        schema=TABLES["notices"].schema,
    )
    server, clock = Server(), [0.0]
    box = outbox(tmp_path, server, clock, facts=facts(40_000, lambda n: n), notices=notices)
    done = box.drain(6_000)
    assert 6_000 <= done.sent <= 11_000
    assert any(line.startswith("notices") for line in server.stored.values())
    while len(server.stored) < 40_000 and clock[0] < 20:
        clock[0] += 1.0
        box.drain(6_000)
    assert len(server.stored) == 40_000


def test_a_bad_line_is_set_aside_with_a_notice(tmp_path: Path) -> None:
    """A 400 stores nothing of the batch: the bad line is found by halving, kept apart and reported, the rest taken."""
    bad = (START + timedelta(minutes=321)).timestamp() * 1e9

    def answer(batch: list[str]) -> None:
        if any(line.endswith(f" {bad:.0f}") for line in batch):
            raise ServerError("unable to parse", 400)

    server = Server(answer)
    box = outbox(tmp_path, server, facts=facts(1_000, lambda n: n + 1))
    done = box.drain()
    assert (done.sent, done.aside, done.error) == (999, 1, "")
    assert len(server.stored) == 999
    assert server.requests < 40
    notice = done.notice_frame().row(0, named=True)
    assert (notice["point"], notice["start"], notice["finding"]) == ("water", START + timedelta(minutes=321), REFUSED)
    assert [line for _, line, _ in box.set_aside()] == [lines("facts", facts(1_000, lambda n: 1), PLANT)[321]]
    assert box.drain().sent == 0


def test_a_row_without_a_time_is_set_aside(tmp_path: Path) -> None:
    """A row that cannot be a line is kept apart, never written under a made-up time, and holds nothing up."""
    drift = {"drift": "a", "kpi": "water", "scope": "site", "state": "withdrawn", "revision": 1}
    frame = pl.DataFrame([drift, {**drift, "drift": "b", "found": START}], schema=TABLES["drift"].schema)
    server = Server()
    box = outbox(tmp_path, server, drift=frame)
    done = box.drain()
    assert (done.sent, done.aside, done.notices) == (1, 1, [])
    assert box.cursor("drift") == 1
    assert "'drift': 'a'" in box.set_aside()[0][1]


def test_a_field_conflict_is_told_apart(tmp_path: Path) -> None:
    """A 422 stores the good lines of a batch: halving finds the bad one, writing the others again is harmless."""
    server = Server()

    def answer(batch: list[str]) -> None:
        good = [line for line in batch if "amount=9.0" not in line]
        if len(good) < len(batch):
            for line in good:
                server.stored[line] = line
            raise ServerError("field type conflict", 422)

    server.answer = answer
    frame = pl.concat([facts(50, lambda n: n + 1), facts(1, lambda n: 99, amount=9.0, point="gas")])
    done = outbox(tmp_path, server, facts=frame).drain()
    assert (done.sent, done.aside) == (50, 1)


def test_a_server_that_refuses_everything_is_not_believed(tmp_path: Path) -> None:
    """A misconfigured server that calls every line bad empties nothing into the heap of refused lines."""

    def answer(batch: list[str]) -> None:
        raise ServerError("bad request", 400)

    server = Server(answer)
    box = outbox(tmp_path, server, facts=facts(5_000, lambda n: n + 1))
    done = box.drain()
    assert (done.sent, done.aside, done.error) == (0, 0, "bad request")
    assert server.requests < 100
    assert box.cursor("facts") == 0


@pytest.mark.parametrize(
    ("status", "retry_after_s", "pause"), [(401, None, 60), (403, None, 60), (429, 7.0, 7), (503, 90.0, 90)]
)
def test_the_server_is_left_alone_as_it_asks(
    tmp_path: Path, status: int, retry_after_s: float | None, pause: float
) -> None:
    """Refused credentials and a busy server hold everything back: Retry-After where given, a minute otherwise."""

    def answer(batch: list[str]) -> None:
        raise ServerError("not now", status, retry_after_s)

    server, clock = Server(answer), [0.0]
    box = outbox(tmp_path, server, clock, facts=facts(10, lambda n: n + 1))
    assert box.drain().error == "not now"
    clock[0] = pause - 0.5
    assert box.drain().error == ""
    assert server.requests == 1
    clock[0] = pause + 0.5
    server.answer = lambda batch: None
    assert box.drain().sent == 10


def test_an_unknown_overwrites_a_value_visibly() -> None:
    """Promise 3: a value that became unknown goes to the same series and time with valid=0 and without the value."""
    known = lines("facts", facts(1, lambda n: 1), PLANT)[0]
    unknown = lines("facts", facts(1, lambda n: 2, amount=None, mean=None, coverage=0.0, quality="bad"), PLANT)[0]
    assert known.split(" ")[0] == unknown.split(" ")[0]
    assert known.split(" ")[-1] == unknown.split(" ")[-1]
    assert "amount=1.5" in known
    assert "valid=1i" in known
    assert "amount" not in unknown
    assert "valid=0i" in unknown
    kpi = {"kpi": "e", "scope": "site", "product": "", "window": "1 h", "start": START, "end": START, "value": None}
    row = lines("kpi", pl.DataFrame([{**kpi, "reason": "coverage 0.4"}], schema=TABLES["kpi"].schema), PLANT)[0]
    assert 'reason="coverage 0.4"' in row
    assert "valid=0i" in row
    assert "value=" not in row


def test_tags_tell_where_a_point_is_and_which_shift_a_row_is_of() -> None:
    """Facts and notices name the point's process unit, rows of window `shift` the shift and its weekday."""
    plant = load(EXAMPLE)
    frame = facts(1, lambda n: 1).with_columns(point=pl.lit("city_water"))
    assert lines("facts", frame, plant)[0].startswith("facts,site=haining-plating,point=city_water,scope=site ")
    name, shift = next(iter(plant.shifts.items()))
    begun = datetime.combine(START, shift.since, ZoneInfo(plant.site.time_zone))
    row = {"kpi": "e", "scope": "site", "product": "", "start": begun, "end": begun + timedelta(hours=1), "value": 1.0}
    rows = pl.DataFrame([{**row, "window": "1h"}, {**row, "window": "shift"}], schema=TABLES["kpi"].schema)
    hour, whole = lines("kpi", rows, plant)
    assert hour.startswith("kpi,site=haining-plating,kpi=e,scope=site,window=1h ")
    assert whole.startswith(f"kpi,site=haining-plating,kpi=e,scope=site,window=shift,shift={name},weekday=mon ")


def test_options_and_maintenance_are_sent_once_and_what_goes_is_withdrawn(tmp_path: Path) -> None:
    """What boards mark goes out again when it changes; a server that dislikes it holds nothing back."""
    plant = load(EXAMPLE)
    written: list[str] = []

    def send(described: Plant, write: Callable[[str], None]) -> None:
        box = Outbox(described, tmp_path, Rows(), write)
        assert box.drain().error == box.drain().error == ""
        box.close()

    send(plant, lambda lines: written.extend(lines.split("\n")))
    measurements = [line.partition(",site=haining-plating,")[0] for line in written]
    assert measurements == ["maintenance"] * len([*works(plant)]) + ["options"] * len(plant.options)
    assert is_line(pl.Series(written)).all()
    first, *others = plant.options
    left = {"options": {name: plant.options[name] for name in others}, "maintenance": {}}
    fewer = plant.model_copy(update=left)
    send(fewer, lambda lines: written.extend(lines.split("\n")))
    gone = {line.split(",")[2] for line in written if "valid=0i" in line}
    assert gone == {f"option={first}", *(f"maintenance={name}" for name in plant.maintenance)}

    written.clear()
    renamed = fewer.options[others[0]].model_copy(update={"promised": 1.0})
    send(fewer.model_copy(update={"options": {**fewer.options, others[0]: renamed}}), written.append)
    assert "promised=1.0" in written[0] and "valid=0i" not in written[0]

    written.clear()
    name, work = next(iter(plant.maintenance.items()))
    longer = work.model_copy(update={"until": None, "note": 'asked, "twice"'})
    send(plant.model_copy(update={"maintenance": {name: work}}), lambda lines: None)
    send(plant.model_copy(update={"maintenance": {name: longer}}), written.append)
    assert 'note="asked, \\"twice\\"",end=1770422400000000i,valid=1i 1770422400000000000' in written[0]
    assert "valid=0i" not in written[0]

    def dislike(_: str) -> None:
        raise ServerError("no", 422)

    send(plant, dislike)


text = st.one_of(st.none(), st.text(max_size=12), st.text('ab ,=\\"\n\t\r', max_size=8))
number = st.one_of(st.none(), st.floats(), st.sampled_from([float("nan"), float("inf"), 1e-300, -0.0, 1e308, 5e-324]))
moment = st.datetimes(datetime(1971, 1, 1), datetime(2200, 1, 1)).map(lambda when: when.replace(tzinfo=UTC))


@st.composite
def any_rows(draw: st.DrawFn) -> tuple[str, pl.DataFrame]:
    """Rows of any table with whatever may stand in them."""
    name = draw(st.sampled_from(sorted({*FORMS, *SPOOLED})))
    kinds: dict[Any, st.SearchStrategy[Any]] = {pl.String: text, pl.Boolean: st.one_of(st.none(), st.booleans())}

    def value(column: str, kind: Any) -> Any:
        if isinstance(kind, pl.Datetime):
            return draw(moment if column == form_of(name).time else st.one_of(st.none(), moment))
        return draw(st.integers(0, 9) if kind == pl.Int64 else kinds.get(kind, number))

    schema = TABLES[name].schema
    found = [{column: value(column, kind) for column, kind in schema.items()} for _ in range(draw(st.integers(1, 3)))]
    return name, pl.DataFrame(found, schema=schema)


@settings(max_examples=150, deadline=None)
@given(any_rows())
def test_every_row_becomes_one_valid_line(rows: tuple[str, pl.DataFrame]) -> None:
    """Whatever names, texts and numbers a row holds, its line is one line and line protocol, without NaN or Inf."""
    name, frame = rows
    found = lines(name, frame, PLANT)
    assert len(found) == len(frame)
    assert is_line(found).all(), found.to_list()


@pytest.mark.parametrize("broken", ["a b", "a,b", "a\\", "a\nb", "a=b"])
def test_a_piece_that_would_make_no_line_never_leaves(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, broken: str
) -> None:
    """Should escaping fail one day, the rows at fault are set aside, and only they: each piece is checked by itself."""

    def unescaped(values: pl.Series) -> pl.Series:
        return pl.select(pl.format(",{}={}", pl.lit(values.name), values)).to_series()

    monkeypatch.setattr(line_protocol, "_tag", unescaped)
    plant = PLANT.model_copy(update={"points": load(EXAMPLE).points})
    good = facts(3, lambda n: 1, point="city_water")
    server = Server()
    rows = Rows(facts=pl.concat([good, facts(2, lambda n: 1, point=broken)]))
    box = Outbox(plant, tmp_path, rows, server.write)
    done = box.drain()
    assert (done.sent, done.aside) == (3, 2)
    assert len(server.stored) == 3
    assert is_line(pl.Series([*server.stored.values()])).all()


def test_lines_are_made_of_no_rows_and_of_equal_ones() -> None:
    """No row makes no line; a value that all rows share stands in each of them, an absent one in none."""
    assert len(lines("facts", facts(0, lambda n: 1), PLANT)) == 0
    same = lines("facts", facts(3, lambda n: 1, unit=None, quality=""), PLANT)
    assert len({line.rpartition(" ")[0] for line in same}) == 1
    assert "unit" not in same[0] and "quality" not in same[0]


@pytest.mark.parametrize(
    "line",
    [
        "",
        "facts",
        "facts,site=works amount=1.0",
        "facts,site=works amount=nan,valid=1i 1",
        "facts,site= amount=1.0 1",
        "facts,site=a b amount=1.0 1",
        'facts,site=works unit="m3 1',
        "facts,site=works amount=1.0 1\nfacts,site=works amount=1.0 2",
        "facts,site=works\\,amount=1.0 1",
        "facts,site=works ,amount=1.0 1",
    ],
)
def test_garbage_is_no_line(line: str) -> None:
    """VictoriaMetrics answers 204 to garbage, so we check ourselves."""
    assert not is_line(pl.Series([line]))[0]


@dataclass
class Answer:
    """What the stand-in HTTP server answers, and what it was asked."""

    status: int = 204
    headers: dict[str, str] = field(default_factory=dict)
    body: str = ""
    asked: list[tuple[str, str, str]] = field(default_factory=list)


@pytest.fixture
def stand_in() -> Iterator[tuple[str, Answer]]:
    """A stand-in for an InfluxDB v2 server on loopback."""
    answer = Answer()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            answer.asked.append((self.path, self.headers.get("Authorization", ""), body))
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body.encode())

        def log_message(self, format: str, *args: object) -> None:
            """Keeps the test's output clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}", answer
    server.shutdown()
    server.server_close()


@pytest.mark.server
def test_the_real_writer_speaks_v2(
    tmp_path: Path, stand_in: tuple[str, Answer], caplog: pytest.LogCaptureFixture
) -> None:
    """Bucket, precision and token go out as InfluxDB wants them; the token stands in no log and no message."""
    url, answer = stand_in
    (tmp_path / "token").write_text("top-secret\n", encoding="utf-8")
    caplog.set_level("DEBUG")
    write = influx_writer(Influx(url=url, bucket="plant", org="works", token_file="token"), tmp_path)
    box = Outbox(PLANT, tmp_path, Rows(facts=facts(3, lambda n: 1)), write)
    assert box.drain().sent == 3
    path, authorization, body = answer.asked[0]
    assert path.startswith("/api/v2/write?")
    assert {"bucket=plant", "org=works", "precision=ns"} <= set(path.partition("?")[2].split("&"))
    assert authorization == "Token top-secret"
    assert body.split("\n") == lines("facts", facts(3, lambda n: 1), PLANT).to_list()
    answer.status, answer.headers, answer.body = 429, {"Retry-After": "17"}, '{"message": "slow down"}'
    with pytest.raises(ServerError) as error:
        write("x y=1i 1")
    assert (error.value.status, error.value.retry_after_s, error.value.retryable) == (429, 17.0, True)
    answer.status = 401
    with pytest.raises(ServerError) as error:
        write("x y=1i 1")
    assert not error.value.retryable
    assert "top-secret" not in caplog.text + str(error.value)


@pytest.mark.server
def test_a_dead_server_is_an_error_to_try_again() -> None:
    """Nobody listening is a retryable error, at once."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(ServerError) as error:
        influx_writer(Influx(url=f"http://127.0.0.1:{port}", bucket="plant"))("x y=1i 1")
    assert error.value.retryable
