"""What the serve process does with the journal: step, alarms, checkpoint, tell.

Nothing is told before it is stored; what was stored but not told when the process died is told at the next start.
"""

from __future__ import annotations

from typing import Any

import msgspec
import polars as pl

from alerts.lifecycle import AlarmState
from alerts.lifecycle import step as step_alarms
from alerts.notify import Notifier
from historian.reader import Reader
from historian.store import Historian
from historian.tables import ALARMS, DRIFT
from journal.journal import Journal
from journal.message import encode_body
from monitor.describe import Described
from pipeline.engine import Engine
from pipeline.plans import PlantPlan
from plant.reading import DAY

MESSAGES_AT_ONCE = 500


class Server:
    """One plant's journal turned into results; used by one thread."""

    def __init__(
        self, plan: PlantPlan, journal: Journal, historian: Historian, notifier: Notifier | None = None
    ) -> None:
        self.plan = plan
        self.engine = Engine(plan, historian)
        self.reader = Reader(historian.folder)
        self._journal = journal
        self._notifier = notifier
        stored = {kind: msgspec.msgpack.decode(body) for kind, _, body in historian.state("alerts")}
        self._alarms: AlarmState = stored.get("state", {})
        self._told: list[pl.DataFrame] = []
        self._drifts: dict[str, pl.DataFrame] = {}
        if stored.get("position", self.engine.position) < self.engine.position:
            # a recompute was stored, and the process died before its alarms were
            drifts = self.reader.table("drift").filter(pl.col("revision") > stored["position"])
            self._step_alarms(drifts, [], revised=True)
        if notifier is not None:
            since = historian.head("settled") - DAY
            self._tell(self.reader.table("alarms", start_us=since), self.reader.table("drift"))

    def step(self, limit: int = MESSAGES_AT_ONCE, units_at_once: int | None = None) -> int:
        """Steps up to `limit` messages that the journal holds beyond the last; how many there were.

        `units_at_once`: see `Engine.process`.
        """
        messages = self._journal.read(self.engine.position, limit)
        if not messages:
            return 0
        # a correction comes alone: what it withdraws must not be raised by rows from before it
        put_right = next((i for i, message in enumerate(messages) if message.kind == "correction"), len(messages))
        messages = messages[: max(put_right, 1)]
        if messages[0].kind == "correction":
            # what was found before it is stored with the alarms that it led to
            self.checkpoint()
        fresh = self.engine.process(messages, units_at_once)
        if "revised" in fresh:
            self._step_alarms(pl.concat(fresh["revised"]), [], revised=True)
        drifts = pl.concat(fresh["drift"]) if "drift" in fresh else DRIFT.empty()
        acts = [message.body for message in messages if message.kind == "act"]
        if len(drifts) or acts:
            self._step_alarms(drifts, acts)
        return len(messages)

    def _step_alarms(self, drifts: pl.DataFrame, acts: list[dict[str, Any]], revised: bool = False) -> None:
        done = step_alarms(
            self._alarms,
            drifts,
            acts,
            self.engine.tick_us or 0,
            plant=self.plan.plant,
            revision=self.engine.position,
            revised=revised,
        )
        self._alarms = done.state
        self.engine.add("alarms", done.transitions)
        self.engine.add("notices", done.findings)
        self._told.append(done.transitions)
        for (name,), rows in drifts.group_by("drift"):
            self._drifts[str(name)] = rows

    def checkpoint(self) -> None:
        """Stores everything up to the last message stepped, says so to collect, then tells of new alarms."""
        bodies = {"state": self._alarms, "position": self.engine.position}
        self.engine.checkpoint([("alerts", kind, 0, msgspec.msgpack.encode(body)) for kind, body in bodies.items()])
        self._journal.publish_served(self.engine.position)
        if self._told:
            drifts = pl.concat([DRIFT.empty(), *self._drifts.values()])
            self._tell(pl.concat([ALARMS.empty(), *self._told]), drifts)
        self._told, self._drifts = [], {}

    def _tell(self, transitions: pl.DataFrame, drifts: pl.DataFrame) -> None:
        if self._notifier is not None and len(transitions):
            missing = set(transitions["drift"]) - set(drifts["drift"])
            if missing:
                drifts = pl.concat([drifts, self.reader.table("drift", where={"drift": sorted(missing)})])
            self._notifier.submit(transitions, drifts)


def announce_plant(journal: Journal, reader: Reader, described: Described, time_us: int) -> None:
    """Enters the description into the journal, and so into its ledger, when it is not the last one entered."""
    known = reader.ledger("plant")
    if known and known[-1]["name"] == described.config:
        return
    body = {"hash": described.config, "text": described.text, "time": time_us, "by": "serve", "why": "loaded"}
    journal.append([("plant", encode_body(body))])
