"""`keepclean replay`: history from files through the very same step, day by day, process units side by side."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from alerts.lifecycle import step as step_alarms
from collectors.files import read_files
from historian.reader import Reader
from historian.spool import spools
from historian.store import Historian
from historian.tables import READINGS
from journal.journal import Journal
from journal.message import Kind, Message, encode_body
from monitor.describe import Described
from monitor.server import announce_plant
from pipeline.fitting import propose
from pipeline.messages import Results
from pipeline.receive import readings_frame, receive
from pipeline.recompute_history import Entry, History
from pipeline.router import Batch, Router
from pipeline.unit_state import UnitState
from plant.errors import ConfigurationError, Fault
from plant.reading import DAY, HOUR, MINUTE, Readings

ROWS_AT_ONCE = 2_000_000
FIRST, TICK, NEWEST, COUNT = "replay first", "replay tick", "replay newest", "replay readings"


@dataclass
class Replayed:
    """What a replay did."""

    readings: int = 0
    rejected: int = 0
    seconds: float = 0.0
    refused: dict[str, str] = field(default_factory=dict)


class _Replay:
    """One replay under way. What was done is kept: readings, by the time up to which they are stored, and facts."""

    def __init__(self, described: Described, data: Path) -> None:
        self.described, self.plan = described, described.plan
        self.journal, self.historian = Journal(data / "journal"), Historian(data, spools(described.plant))
        self.reader = Reader(data)
        self.first, self.tick, self.newest, self.count = map(self.historian.head, (FIRST, TICK, NEWEST, COUNT))
        self._before = self.newest
        self._router = Router()
        self._found, self._rows = Results(), 0

    def put(self, readings: Readings) -> None:
        """Takes a day's readings in, unless they were stored before it was killed."""
        newest = int(readings.time.max())
        if newest <= self._before:
            return
        self.first = min(self.first or newest, int(readings.time.min()))
        self.newest = max(self.newest, newest)
        # the first tick is that of the first day: what has sent nothing by then is unknown from then on
        self.tick = self.tick or self.newest // MINUTE * MINUTE + MINUTE
        self.count += len(readings)
        batch = Batch([Message(1, "readings", {}, readings)], self.newest, self._router)
        for unit in self.plan.units.values():
            own = batch.of(unit, 0, None, hold=False)
            # nothing is late or from the future here: what cannot be is marked as it would have been
            receive(unit, UnitState(), replace(own, now_us=own.readings.time), self._found)
        self._rows += len(readings)
        if self._rows >= ROWS_AT_ONCE:
            self.store()

    def store(self) -> None:
        """Stores the readings that wait."""
        if self._rows:
            heads = {FIRST: self.first, TICK: self.tick, NEWEST: self.newest, COUNT: self.count}
            frame = readings_frame(self._found.readings)
            self.historian.commit({READINGS.name: frame}, [], 0, self.newest, heads=heads)
        self._found, self._rows = Results(), 0

    def finish(self, baseline: tuple[date, date] | None, bar: Progress) -> dict[str, str]:
        """From readings to results; why baselines could not be fitted."""
        longest = max(device.interval for device in self.plan.plant.devices.values())
        # so late that nothing holds a minute back any more
        now = self.newest + max(HOUR, 4 * int(longest * 1e6))
        tasks: dict[str, TaskID] = {}

        def told(what: str, share: float) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=1.0, readings="")
            bar.update(tasks[what], completed=share)

        if not self.journal.last():
            announce_plant(self.journal, self.reader, self.described, self.first)
        history = History(self.plan, self.historian, (self.first, self.tick, now), self.count, told)
        history.facts()
        bodies, refused = self._fit(baseline) if baseline is not None else ([], {})
        first = self.journal.last() + 1
        self.journal.append([("baseline", encode_body(body)) for body in bodies])
        # a position for each day: the rows of a day share a revision, and what follows is sent on day by day
        ticks = range(now - history.days() * DAY, now, DAY)
        position = self.journal.append([("tick", encode_body({"time": tick})) for tick in (*ticks, now)])
        accepted = [{**body, "position": first + number} for number, body in enumerate(bodies)]
        ledger = [_entry("plant", self.described.config, self._announced(), 1)]
        ledger += [_entry("baseline", body["baseline"], body, body["position"]) for body in accepted]
        self._alarms(history.results(accepted, ledger, {"tick": now}, position), now, position)
        self.journal.publish_served(position)
        self.historian.compact()
        while self.journal.trim():
            pass
        return refused

    def _announced(self) -> dict[str, Any]:
        found = self.journal.read(0, 1)
        return found[0].body if found and found[0].kind == "plant" else {}

    def _fit(self, span: tuple[date, date]) -> tuple[list[dict[str, Any]], dict[str, str]]:
        """Fits every baseline on a span of local days, both included; why others could not be."""
        calendar = self.plan.calendar
        start, end = calendar.midnight(span[0]), calendar.midnight(span[1] + timedelta(days=1))
        why = f"fitted on {span[0]} to {span[1]}"
        return propose(self.plan, self.reader, list(self.plan.plant.baselines), start, end, end + DAY, "replay", why)

    def _alarms(self, drifts: Any, now: int, position: int) -> None:
        done = step_alarms({}, drifts, [], now, plant=self.plan.plant, revision=position)
        bodies = {"state": done.state, "position": position}
        state = [("alerts", kind, 0, msgspec.msgpack.encode(body)) for kind, body in bodies.items()]
        results = {"alarms": done.transitions, "notices": done.findings}
        self.historian.commit(results, state, position, self.historian.head("settled"))

    def close(self) -> None:
        """Closes the files."""
        self.journal.close()
        self.historian.close()


def _entry(kind: Kind, name: str, body: dict[str, Any], position: int) -> Entry:
    text = json.dumps({key: value for key, value in body.items() if key != "position"}, ensure_ascii=False)
    return (kind, name, int(body["time"]), str(body["by"]), str(body["why"]), text, position)


def replay(
    described: Described, files: Sequence[Path], data: Path, baseline: tuple[date, date] | None, screen: Console
) -> Replayed:
    """Replays files, merged by source time; with `baseline`, fits on that span, as an act of the day after it.

    A replay that was killed goes on where it was when it is called anew. Raises ConfigurationError when the data folder
    already holds newer results.
    """
    began = time.monotonic()
    done = Replayed()
    run = _Replay(described, data)
    if run.historian.head("position"):
        message = "this data folder already holds results; a replay starts from an empty one"
        raise ConfigurationError([Fault(data, 1, message, "name another folder with --data, or delete this one")])
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[readings]}"),
        TimeElapsedColumn(),
    )
    history = read_files(described.plant, files)
    try:
        with Progress(*columns, console=screen) as bar:
            task = bar.add_task("readings", total=len(history), readings="")
            for readings in history:
                run.put(readings)
                done.readings += len(readings)
                bar.update(task, completed=done.readings, readings=f"{done.readings:,}")
            run.store()
            if done.readings:
                done.refused = run.finish(baseline, bar)
    finally:
        run.close()
    done.rejected = sum(rows.count for rows in history.rejected)
    done.seconds = time.monotonic() - began
    return done
