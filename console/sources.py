"""What the console is given: where results come from, where a person's acts go, what time it is in the plant.

`monitor` passes the real objects; nothing here knows how they are made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import polars as pl

from plant.calendar import Calendar
from plant.model import Plant

Where = Mapping[str, str | Sequence[str]]


class History(Protocol):
    """Results as frames in the schemas of `historian.tables`."""

    def table(
        self, name: str, start_us: int | None = None, end_us: int | None = None, where: Where | None = None
    ) -> pl.DataFrame:
        """Rows of a table whose day column is in [start_us, end_us) [µs UTC], sorted by key."""
        ...

    def latest_kpis(self) -> pl.DataFrame:
        """The newest row of each KPI, scope, product and window."""
        ...

    def latest_readings(self) -> pl.DataFrame:
        """The newest reading of each point."""
        ...

    def baselines(self) -> list[dict[str, Any]]:
        """The baselines in force, as the ledger has them: baseline, fit, span [µs UTC], by, why."""
        ...


class Clock(Protocol):
    """Plant time, and how many plant seconds pass in a real one."""

    @property
    def speed(self) -> float:
        """1 for a real plant."""
        ...

    def now_us(self) -> int:
        """The plant time now [µs UTC]."""
        ...


class Acts(Protocol):
    """Takes a person's act to the journal."""

    def __call__(self, body: dict[str, Any], /) -> None:
        """Appends an act, as {"act": "acknowledge", "alarm": …, "by": "local user", "note": …}."""
        ...


class Corrections(Protocol):
    """Where a person puts the past right; may be called from any thread."""

    def listed(self) -> Sequence[Mapping[str, Any]]:
        """Every correction, the newest first: correction (its number), points, from, to, says, by, why, evidence,
        withdrawn ("" or by whom and why)."""
        ...

    def correct(self, body: dict[str, Any], /) -> int:
        """Writes a correction into the journal; its number. Raises KeepcleanError with everything that is wrong."""
        ...

    def withdraw(self, number: int, by: str, why: str, /) -> int:
        """Takes a correction back; the number of the act. Raises KeepcleanError."""
        ...


class Status(Protocol):
    """How the processes are doing."""

    def __call__(self) -> Mapping[str, Any]:
        """Positions, backlog, disk use and devices; a key that is not known is left out.

        `position` and `served` are journal positions, `backlog` the messages between them, `journal_bytes`,
        `data_bytes` and `disk_free_bytes` sizes [B], `disk_limit_bytes` the plant's disk budget [B], `standstill_s` for
        how long messages have waited of which none was processed [s].

        `time`, `real_time` [µs UTC], `speed`, `broker`, `journal` and `devices` are the collectors' own report, as
        `collectors.status` writes it, `devices` a list with the name as `device`; `report_age_s` says how old it is in
        real time [s].
        """
        ...


class DemoControl(Protocol):
    """The simulated plant's faults, and its truth beside what was found."""

    speed: float

    def catalogue(self) -> Sequence[Mapping[str, Any]]:
        """Faults: fault, title and description {en, zh}, kind ("step", "slow" or "data"), while_running, and targets.

        A target has name, title {en, zh} and the point that shows the fault first.
        """
        ...

    def active(self) -> Sequence[Mapping[str, Any]]:
        """Faults switched on: fault, target, size."""
        ...

    def switch(self, fault: str, target: str, size: float, on: bool) -> None:
        """Switches a fault at a target on or off; `size` 1 is the catalogue's size."""
        ...

    def truth(self) -> Sequence[Mapping[str, Any]]:
        """What was really done: fault, target, kind, point, onset_us, end_us (None: lasts), size_per_hour, unit.

        `size_per_hour` is what the point really has too much an hour [unit]; of a slow fault at its end.
        """
        ...

    def advance(self, days: int) -> None:
        """Starts to run the plant ahead in lock step; returns at once."""
        ...

    def progress(self) -> Mapping[str, Any] | None:
        """How far an advance is: done and total [d]; None when none is under way."""
        ...


@dataclass(frozen=True)
class Context:
    """Everything the pages need."""

    plant: Plant
    calendar: Calendar
    clock: Clock
    history: History
    acts: Acts
    status: Status
    demo: DemoControl | None = None
    corrections: Corrections | None = None
