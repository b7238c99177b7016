"""What persons put right about the past: one immutable set, applied to readings, plans and minute facts.

A correction never edits what was received: readings stay as they came, and this set says how they count. It is known
by the journal position of its message, which is also the revision of everything that was recomputed because of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from pipeline.minutes import STEP, Minutes
from pipeline.plans import UnitPlan
from plant.clock import to_us
from plant.model import Exchange
from plant.reading import MINUTE, NO_LONGER_VALID, STILL_VALID, Quality, Readings

CorrectionKind = Literal["scale", "exclude", "amount", "reading", "sample", "exchange"]
KINDS: tuple[str, ...] = get_args(CorrectionKind)
READ = frozenset({"scale", "exclude", "amount"})
ENTERED = frozenset({"reading", "sample"})


@dataclass(frozen=True)
class Correction:
    """One correction in force over [start, end) [µs UTC].

    scale: values × `times` / `over`, and `joins` (at µs, closing, opening) where a totaliser that counted wrongly goes
    on; amount: the `amount` of the whole span [the point's amount unit]; reading and sample: the `value`; exchange: one
    join. `facts` says that the readings of the span are no longer kept: facts alone are corrected. A sample that does
    not say when it `ends` speaks as long as its point declares.
    """

    name: str
    kind: str
    points: tuple[str, ...]
    start: int
    end: int
    by: str = ""
    why: str = ""
    evidence: str = ""
    time: int = 0
    times: float = 1.0
    over: float = 1.0
    amount: float = 0.0
    value: float = 0.0
    joins: tuple[tuple[int, float, float], ...] = ()
    facts: bool = False
    ends: bool = True

    @classmethod
    def of(cls, entry: Mapping[str, Any]) -> Correction:
        """The correction of a ledger entry, known by its position."""
        return cls(
            name=str(entry["position"]),
            kind=str(entry["kind"]),
            points=tuple(entry["points"]),
            start=int(entry["from"]),
            end=int(entry["to"]),
            by=str(entry.get("by") or ""),
            why=str(entry.get("why") or ""),
            evidence=str(entry.get("evidence") or ""),
            time=int(entry["time"]),
            times=float(entry.get("times", 1.0)),
            over=float(entry.get("over", 1.0)),
            amount=float(entry.get("amount", 0.0)),
            value=float(entry.get("value", 0.0)),
            joins=tuple((int(at), float(closing), float(opening)) for at, closing, opening in entry.get("joins", ())),
            facts=bool(entry.get("facts", False)),
            ends=bool(entry.get("ends", True)),
        )

    @property
    def finding(self) -> str:
        """The finding of a reading that does not count because of it."""
        return f"{'excluded' if self.kind == 'exclude' else 'replaced'} by correction {self.name}"

    def touches(self, points: Iterable[str], start: int, end: int) -> bool:
        """Whether it says something of one of the points within [start, end) [µs UTC]."""
        within = self.start < end and (self.end > start or self.start >= start)
        return within and not set(self.points).isdisjoint(points)

    def says(self) -> str:
        """What it does, in words."""
        match self.kind:
            case "scale":
                return f"values × {self.times / self.over:.6g}" + (", counted wrongly by the meter" * bool(self.joins))
            case "exclude":
                return "not used"
            case "amount":
                return f"the amount was {self.amount:g}"
            case "exchange":
                return f"meter exchanged: closing {self.joins[0][1]:g}, opening {self.joins[0][2]:g}"
        return f"{'laboratory value' if self.kind == 'sample' else 'read by hand'}: {self.value:g}"


@dataclass(frozen=True)
class Corrections:
    """The corrections in force, in the order in which they were made."""

    all: tuple[Correction, ...] = ()
    _of_point: dict[str, tuple[Correction, ...]] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        for correction in self.all:
            for name in correction.points:
                self._of_point[name] = (*self._of_point.get(name, ()), correction)

    @classmethod
    def of_ledger(cls, entries: Sequence[Mapping[str, Any]]) -> Corrections:
        """Those of the ledger "correction" that nobody has withdrawn."""
        gone = {int(entry["correction"]) for entry in entries if entry["act"] == "withdraw"}
        made = [entry for entry in entries if entry["act"] == "correct" and entry["position"] not in gone]
        return cls(tuple(Correction.of(entry) for entry in made))

    def __bool__(self) -> bool:
        return bool(self.all)

    def __hash__(self) -> int:
        return hash(self.all)

    def of(self, points: Iterable[str]) -> Corrections:
        """Those that say something of one of the points."""
        names = set(points)
        kept = tuple(one for one in self.all if not names.isdisjoint(one.points))
        return self if len(kept) == len(self.all) else Corrections(kept)

    def touching(self, points: Iterable[str], start: int, end: int) -> tuple[Correction, ...]:
        """Those that say something of one of the points within [start, end) [µs UTC]."""
        names = tuple(points)
        return tuple(one for one in self.all if one.touches(names, start, end))

    def apply(self, readings: Readings) -> Readings:
        """The readings as they count: scaled, or not used (BAD, with the correction as finding); the same object when
        no correction touches them."""
        if not self.all or not len(readings):
            return readings
        first, last = int(readings.time.min()), int(readings.time.max())
        here = [
            (number, one)
            for number, name in enumerate(readings.points)
            for one in self._of_point.get(name, ())
            if one.kind in READ and one.start <= last and one.end > first
        ]
        found = readings
        for number, one in sorted(here, key=lambda pair: pair[1].kind != "scale"):
            rows = (readings.point == number) & (readings.time >= one.start) & (readings.time < one.end)
            if rows.any():
                found = _applied(one, found, rows)
        return found

    def replaced(self, readings: Readings) -> NDArray[np.bool_]:
        """Which readings are not there at all, since a person entered something in their place."""
        gone = np.zeros(len(readings), np.bool_)
        for number, name in enumerate(readings.points):
            for one in self._of_point.get(name, ()):
                if one.kind in ENTERED:
                    gone |= (readings.point == number) & (readings.time >= one.start) & (readings.time < one.end)
        return gone

    def added(self, plan: UnitPlan, start: int, end: int) -> Readings:
        """What persons entered for the unit's points, with source times in [start, end) [µs UTC].

        A laboratory value is said again as often as its point's validity asks, and ends where it was said to end.
        """
        rows: list[tuple[str, int, float, str]] = []
        for one in self.all:
            name = one.points[0]
            if name not in plan.points or one.kind not in ENTERED:
                continue
            rows.append((name, one.start, one.value, ""))
            if one.kind == "sample" and one.ends:
                reach = plan.points[name].reach_us
                rows += [(name, at, one.value, STILL_VALID) for at in range(one.start + reach, one.end, reach)]
                # at its end the next value may begin
                rows.append((name, one.end - 1, np.nan, NO_LONGER_VALID))
        rows = [row for row in rows if start <= row[1] < end]
        names = tuple(dict.fromkeys(name for name, _, _, _ in rows))
        time = np.array([at for _, at, _, _ in rows], np.int64)
        findings = ("", STILL_VALID, NO_LONGER_VALID)
        return Readings.build(
            names,
            np.array([names.index(name) for name, _, _, _ in rows], np.int32),
            time,
            time,
            np.array([value for _, _, value, _ in rows], np.float64),
            finding=np.array([findings.index(found) for _, _, _, found in rows], np.uint8),
            findings=findings,
        )

    def plan(self, unit: UnitPlan) -> UnitPlan:
        """The unit's plan with the exchanges that were found late, and with those of meters that counted wrongly."""
        points = dict(unit.points)
        for one in self.all:
            for name in one.points if one.joins else ():
                if name in points:
                    more = [
                        Exchange(at=datetime.fromtimestamp(at / 1e6, UTC), closing=closing, opening=opening)
                        for at, closing, opening in one.joins
                    ]
                    known = sorted((*points[name].exchanges, *more), key=lambda exchange: to_us(exchange.at))
                    points[name] = replace(points[name], exchanges=tuple(known))
        return replace(unit, points=points) if points != unit.points else unit

    def overlay(self, name: str, minutes: Minutes) -> Minutes:
        """The minutes with amounts that are known for a span: spread evenly, known, marked as estimated.

        The same object when nothing applies.
        """
        found = minutes
        for one in self._of_point.get(name, ()):
            if one.kind == "amount" or (one.kind == "exclude" and one.facts):
                first, last = one.start // MINUTE, one.end // MINUTE
                low, high = max(first, minutes.start) - minutes.start, min(last, minutes.end) - minutes.start
                if low < high:
                    found = minutes.copy() if found is minutes else found
                    _put(one, found, low, high, first, last)
        return found


def _applied(one: Correction, readings: Readings, rows: NDArray[np.bool_]) -> Readings:
    """What one correction makes of some of the readings."""
    if one.kind == "scale":
        return replace(readings, value=np.where(rows, readings.value * one.times / one.over, readings.value))
    findings = tuple(dict.fromkeys((*readings.findings, one.finding)))
    finding = np.where(rows, findings.index(one.finding), readings.finding).astype(np.uint8)
    quality = np.where(rows, Quality.BAD, readings.quality).astype(np.uint8)
    return replace(readings, quality=quality, finding=finding, findings=findings)


def _put(one: Correction, minutes: Minutes, low: int, high: int, first: int, last: int) -> None:
    """Writes what one correction of facts says over the minutes [low, high) of what is here."""
    here = slice(low, high)
    known = one.kind == "amount"
    for name in ("mean", "min", "max", "last"):
        getattr(minutes, name)[here] = np.nan
    minutes.has[here], minutes.coverage[here], minutes.estimated[here] = known, float(known), float(known)
    minutes.quality[here] = Quality.ESTIMATED if known else Quality.BAD
    at = minutes.start + np.arange(low, high + 1) - first
    # differences of the rounded running share: the minutes sum to the amount
    running = np.rint(round(one.amount / STEP) * (at / (last - first))).astype(np.int64)
    minutes.amount[here] = np.diff(running) if known else 0


NONE = Corrections()
