"""The notifier: keeps transitions worth telling in a ledger and sends them on its own thread.

What it tells: alarms raised, worse or revised; returns and acknowledgements stand on the list only. Plant time decides
the shift, its limit and when a message is too old to be told; real time decides when to try again.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apprise
import polars as pl

from alerts import message, routing
from alerts.address import CONSOLE, LOG, is_local, resolve
from alerts.lifecycle import REVISED_NOTE
from alerts.message import Message
from alerts.outgoing import Entry, Outgoing
from alerts.words import Language
from plant.calendar import Calendar
from plant.clock import to_us
from plant.model import Plant
from plant.reading import DAY

TOLD_STATES = ("unacknowledged", "revised")
STALE_AFTER = DAY
RETRY_FIRST_S = 15.0
RETRY_MAX_S = 1800.0
ROUND_S = 5.0

_log = logging.getLogger("keepclean.alerts")


class Notifier:
    """Tells the shift on duty; `submit` returns at once, a slow or dead address delays nothing but itself.

    Where the description leaves telling to Grafana it tells nothing, nor what waited when that was decided.

    `folder` is the plant's data folder (ledger `alerts.sqlite`, log `alerts.log`), `base` the folder of the plant
    description, which `file:` addresses are relative to. `now_us` is plant time [µs UTC], `wall` real time [s].
    """

    def __init__(
        self,
        plant: Plant,
        folder: Path,
        *,
        base: Path,
        now_us: Callable[[], int],
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.plant, self.base, self.now_us, self.wall = plant, base, now_us, wall
        self.calendar = Calendar(plant)
        self.log_file = folder / "alerts.log"
        self.outgoing = Outgoing(folder / "alerts.sqlite")
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._stopping = False
        self._thread: threading.Thread | None = None
        self._left_to_grafana = plant.alarms is not None and plant.alarms.notify == "grafana"

    def submit(self, transitions: pl.DataFrame, drifts: pl.DataFrame) -> int:
        """Takes in transitions (table `alarms`) with the drifts they speak of (table `drift`); how many are to be told.

        On return they are in the ledger; one taken in before, on whatever shift, is not taken in again.
        """
        told = transitions.filter(pl.col("to_state").is_in(TOLD_STATES) & ~pl.col("note").str.starts_with(REVISED_NOTE))
        details = {row["drift"]: row for row in drifts.sort("revision").iter_rows(named=True)}
        entries: list[Entry] = []
        now = self.now_us()
        duty = routing.on_duty(self.plant, self.calendar, now)
        route = routing.route_of(self.plant, duty) if duty else None
        if duty is None or route is None or self._left_to_grafana:
            return 0
        for row in told.iter_rows(named=True):
            if row["drift"] not in details:
                _log.warning("alarm %s: its drift is not at hand, nothing is sent", row["alarm"])
                continue
            text = message.compose(self.plant, details[row["drift"]], row, route.language)
            entries += [
                Entry(
                    row["alarm"],
                    row["to_state"],
                    to_us(row["time"]),
                    address,
                    row["priority"],
                    duty.start,
                    duty.end,
                    duty.supervisor,
                    route.language,
                    text,
                )
                for address in route.to
            ]
        with self._lock:
            fresh = self.outgoing.add(
                entry for entry in entries if not self.outgoing.knows(entry.alarm, entry.to_state, entry.time)
            )
        self._wake.set()
        return fresh

    def start(self) -> None:
        """Starts the thread."""
        self._thread = threading.Thread(target=self._run, name="alerts", daemon=True)
        self._thread.start()

    def stop(self, timeout_s: float = 2.0) -> None:
        """Ends the thread; what it could not send stays in the ledger for the next start."""
        self._stopping = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join(timeout_s)
        if self._thread is None or not self._thread.is_alive():
            self.outgoing.close()

    def work(self) -> int:
        """Sends everything that is due, local addresses first; how many messages went out."""
        if self._left_to_grafana:
            return 0
        with self._lock:
            waiting = self.outgoing.waiting()
        groups: dict[tuple[str, str, int], list[Entry]] = defaultdict(list)
        for entry in waiting:
            groups[entry.address, entry.supervisor, entry.shift_start].append(entry)
        order = sorted(groups, key=lambda group: (not is_local(group[0]), group))
        return sum(self._work_address(*group, groups[group]) for group in order if not self._stopping)

    def _run(self) -> None:
        while not self._stopping:
            try:
                self.work()
            except Exception:  # noqa: BLE001 (the thread outlives whatever one message brings, and says so)
                _log.exception("alarms could not be sent, trying again")
            self._wake.wait(ROUND_S)
            self._wake.clear()

    def _work_address(self, address: str, supervisor: str, shift_start: int, entries: list[Entry]) -> int:
        now = self.now_us()
        old = [entry for entry in entries if now - entry.time > STALE_AFTER]
        fresh = {repr(entry.key): entry for entry in entries if now - entry.time <= STALE_AFTER}
        with self._lock:
            self.outgoing.mark([entry for entry in old if entry.attempts == 0], "stale", now)
            given_up = [entry for entry in old if entry.attempts]
            self.outgoing.mark(given_up, "failed", now)
            resting = self.outgoing.resting_until(address)
            alone = self.outgoing.sent_alone(address, supervisor, shift_start)
        if given_up:
            _log.error("%d alarm messages could not be sent to %s within a day", len(given_up), _shown(address))
        if not fresh or resting > self.wall():
            return 0
        limit = self.plant.alarms.per_shift if self.plant.alarms else 1
        end = next(iter(fresh.values())).shift_end
        waiting = [routing.Waiting(key, entry.priority, entry.time) for key, entry in fresh.items()]
        sent = 0
        for items in routing.plan(waiting, alone, limit, now, end):
            batch = [fresh[item.key] for item in items]
            if self._stopping or not self._tell(address, batch, now):
                break
            sent += 1
        return sent

    def _tell(self, address: str, batch: list[Entry], now: int) -> bool:
        language: Language = "zh" if batch[0].language == "zh" else "en"
        text = batch[0].message if len(batch) == 1 else message.group([entry.message for entry in batch], language)
        done = self._send(address, text, batch, now)
        with self._lock:
            if done:
                self.outgoing.mark(batch, "sent", now, alone=len(batch) == 1)
            else:
                attempts = max(entry.attempts for entry in batch)
                rest = min(RETRY_MAX_S, RETRY_FIRST_S * 2.0**attempts)
                self.outgoing.put_off(batch, self.wall() + rest)
                _log.warning("an alarm could not be sent to %s, trying again in %.0f s", _shown(address), rest)
        return done

    def _send(self, address: str, text: Message, batch: list[Entry], now: int) -> bool:
        if address == CONSOLE:
            _log.warning("%s\n%s", text.title, text.body)
            return True
        try:
            if address == LOG:
                self._append(text, batch, now)
                return True
            target = apprise.Apprise()
            known = target.add(resolve(address, self.base))
            return bool(known and target.notify(body=text.body, title=text.title))
        except OSError as error:
            _log.warning("%s: %s", _shown(address), error)
            return False

    def _append(self, text: Message, batch: list[Entry], now: int) -> None:
        line: dict[str, Any] = {
            "plant_time_us": now,
            "alarms": [entry.alarm for entry in batch],
            "to_state": batch[0].to_state,
            "priority": batch[0].priority,
            "supervisor": batch[0].supervisor,
            "title": text.title,
            "body": text.body,
        }
        with self.log_file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line, ensure_ascii=False) + "\n")


def _shown(address: str) -> str:
    """An address as it may stand in a log: without what follows its scheme, unless it is local or a file's name."""
    return address if is_local(address) or address.startswith("file:") else address.partition(":")[0] + ":…"
