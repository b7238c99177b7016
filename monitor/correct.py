"""`keepclean correct`, `withdraw`, `corrections`, `recompute`: a person's word about the past goes to the journal.

Everything is checked before anything is written. serve does what the message says, at once when it runs, else when it
starts; collect need not run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from historian.reader import Reader
from journal.journal import Journal
from journal.message import encode_body
from pipeline.correction_check import Kept, Objection, baselines_within, check
from pipeline.corrections import Correction, Corrections
from pipeline.plans import PlantPlan
from pipeline.recompute_readings import cut_off, last_readings
from plant.clock import to_datetime
from plant.errors import KeepcleanError
from plant.reading import MINUTE


class Refused(KeepcleanError):
    """A correction that cannot be made, with everything that is wrong with it."""

    def __init__(self, objections: Sequence[Objection]) -> None:
        self.objections = list(objections)
        number = len(self.objections)
        text = "\n".join(str(one) for one in self.objections)
        super().__init__(f"{text}\n{number} thing{'s' if number > 1 else ''} to put right first; nothing was written")


@dataclass(frozen=True)
class Preview:
    """What a correction touches: readings and minute facts in its span, and baselines that were fitted on it."""

    readings: int
    facts: int
    baselines: list[str]


class Desk:
    """Where corrections are made: one plant's results and journal."""

    def __init__(self, plan: PlantPlan, data: Path) -> None:
        """Raises StorageError when there are no results yet."""
        self.plan, self.data = plan, data
        self.reader = Reader(data)
        self.now_us = self.reader.head("tick")

    def entries(self) -> list[dict[str, Any]]:
        """The ledger of corrections, oldest first."""
        return self.reader.ledger("correction")

    def corrections(self) -> Corrections:
        """Those in force."""
        return Corrections.of_ledger(self.entries())

    def objections(self, body: dict[str, Any]) -> list[Objection]:
        """Everything that is wrong with a correction; sets what follows from the store (`facts`, `joins`) in `body`."""
        raw = cut_off(self.reader)
        body["facts"] = raw is not None and body["to"] <= raw
        if body["kind"] == "sample" and body["to"] == 0:
            reach = max(
                (self.plan.points[name].reach_us for name in body["points"] if name in self.plan.points), default=0
            )
            body |= {"to": min(body["from"] + reach, max(self.now_us, body["from"] + 1)), "ends": False}
        in_meter = body.pop("in_meter", False)
        found = check(self.plan, self.corrections(), body, Kept(self.now_us, raw), in_meter)
        if not found and body["kind"] in ("scale", "exclude") and not self.preview(body).readings and not body["facts"]:
            found.append(Objection("there is no reading of it in that span", "look at what there is: keepclean export"))
        if not found and in_meter:
            found += self._join(body)
        return found

    def _join(self, body: dict[str, Any]) -> list[Objection]:
        """Where a meter that counted wrongly began and ceased to: its display goes on, what it counted is scaled."""
        factor = body["times"] / body["over"]
        joins = []
        for at in (body["from"], body["to"]):
            shown = last_readings(self.reader, set(body["points"]), at + 1)
            if len(shown) != 1:
                return [
                    Objection(
                        "a meter that counted wrongly is corrected point by point", "name one --point that has readings"
                    )
                ]
            value = float(shown["value"].item())
            joins.append([at, value, value * factor] if at == body["from"] else [at, value * factor, value])
        body["joins"] = joins
        return []

    def preview(self, body: dict[str, Any]) -> Preview:
        """What a correction touches."""
        where = {"point": body["points"]}
        end = max(body["to"], body["from"] + 1)
        readings = self.reader.table("readings", body["from"], end, where, [])
        minutes = -(-end // MINUTE) - body["from"] // MINUTE
        one = Correction.of({**body, "position": 0, "time": 0})
        return Preview(
            len(readings), minutes * len(body["points"]), baselines_within(self.plan, self.reader.baselines(), one)
        )

    def correct(self, body: dict[str, Any]) -> int:
        """Writes a correction into the journal; its number. Raises Refused."""
        found = self.objections(body)
        if found:
            raise Refused(found)
        return self._append({"act": "correct", "correction": 0, **body})

    def withdraw(self, number: int, by: str, why: str) -> int:
        """Takes a correction back. Raises Refused."""
        made = {entry["position"]: entry for entry in self.entries() if entry["act"] == "correct"}
        in_force = {int(one.name) for one in self.corrections().all}
        found = [] if by.strip() else [Objection("it does not say who", "say who withdraws it with --by NAME")]
        found += [] if why.strip() else [Objection("it does not say why", "say why with --why TEXT")]
        if number not in made:
            found.append(Objection(f"there is no correction {number}", "keepclean corrections lists them"))
        elif number not in in_force:
            found.append(Objection(f"correction {number} is withdrawn already"))
        if found:
            raise Refused(found)
        gone = ("name", "position", "time")
        body = {key: value for key, value in made[number].items() if key not in gone}
        return self._append({**body, "act": "withdraw", "correction": number, "by": by, "why": why})

    def recompute(self, start_us: int, by: str, why: str) -> int:
        """Has everything from a time on worked out again. Raises Refused."""
        if start_us > self.now_us:
            raise Refused([Objection("that lies beyond now")])
        body = {"act": "recompute", "correction": 0, "from": start_us, "to": self.now_us, "points": []}
        return self._append({**body, "by": by, "why": why})

    def _append(self, body: dict[str, Any]) -> int:
        journal = Journal(self.data / "journal")
        try:
            return journal.append([("correction", encode_body({**body, "time": self.now_us}))])
        finally:
            journal.close()

    def waiting(self, number: int) -> bool:
        """Whether serve has not come to a message yet."""
        return self.reader.head("position") < number


class ConsoleDesk:
    """The console's way to the desk: each question sees what is stored by then."""

    def __init__(self, plan: PlantPlan, data: Path) -> None:
        self._plan, self._data = plan, data

    def listed(self) -> list[dict[str, Any]]:
        """Every correction, the newest first."""
        return listed(self._plan, Desk(self._plan, self._data).entries())

    def correct(self, body: dict[str, Any]) -> int:
        """Writes a correction into the journal; its number. Raises Refused."""
        return Desk(self._plan, self._data).correct(body)

    def withdraw(self, number: int, by: str, why: str) -> int:
        """Takes a correction back. Raises Refused."""
        return Desk(self._plan, self._data).withdraw(number, by, why)


def listed(plan: PlantPlan, entries: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Every correction with what became of it, the newest first; times in RFC 3339 of the plant."""
    gone = {entry["correction"]: entry for entry in entries if entry["act"] == "withdraw"}
    found = []
    for entry in entries:
        if entry["act"] != "correct":
            continue
        one = Correction.of(entry)
        withdrawn = gone.get(entry["position"])
        found.append(
            {
                "correction": entry["position"],
                "kind": one.kind,
                "points": list(one.points),
                "from": _time(plan, one.start),
                "to": _time(plan, one.end),
                "says": one.says(),
                "by": one.by,
                "why": one.why,
                "evidence": one.evidence,
                "time": _time(plan, one.time),
                "withdrawn": f"{withdrawn['by']}: {withdrawn['why']}" if withdrawn else "",
            }
        )
    return found[::-1]


def table(rows: Sequence[dict[str, Any]]) -> Table:
    """The list for the terminal."""
    found = Table(title="corrections")
    for column in ("correction", "points", "from", "to", "says", "by", "why", "evidence", "withdrawn"):
        found.add_column(column)
    for row in rows:
        shown = {**row, "correction": str(row["correction"]), "points": ", ".join(row["points"])}
        found.add_row(*(shown[str(column.header)] for column in found.columns))
    return found


def _time(plan: PlantPlan, time_us: int) -> str:
    return to_datetime(time_us).astimezone(plan.zone).isoformat(timespec="minutes")
