"""What goes into the step and what comes out of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import polars as pl

from pipeline.kpi_rows import KpiPart
from pipeline.minutes import FactBlock
from plant.errors import KeepcleanError
from plant.reading import Readings

if TYPE_CHECKING:
    from pipeline.corrections import Corrections


class StaleState(KeepcleanError):
    """A partition was stepped from a state that is not the one its messages follow: nothing may be published."""


@dataclass(frozen=True)
class UnitMessages:
    """Messages of one process unit: one batch, in the journal's order.

    `position` is the last one's journal row, `previous` that of the unit's last message before the batch. `readings`
    are those of its points; `now_us` holds, for each of them, the last tick before it. `tick_us` is the last tick up to
    the batch's end, `first_tick_us` the first one in the batch. With `hold` they are only received: what settles is
    worked out at a later step.
    """

    position: int
    previous: int
    readings: Readings
    now_us: Any
    tick_us: int | None
    first_tick_us: int | None = None
    corrections: Corrections | None = None
    hold: bool = False


class Stored(Protocol):
    """Readings as they were received and stored; what the step asks for when one comes too late to be held."""

    def __call__(self, points: Sequence[str], start_us: int, end_us: int) -> Readings:
        """Those of `points` with start_us <= time < end_us that were neither late nor from the future."""


@dataclass(frozen=True)
class ScopeMessages:
    """What a scope is told: changed minutes of its points, up to where they are settled, and accepted baselines."""

    position: int
    previous: int
    facts: list[FactBlock]
    settled: int | None
    baselines: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True)
class Received:
    """Readings of a unit as they are stored: columns of equal length; `point` indexes into `points`, `quality` holds
    `Quality` codes, `finding` indexes into `findings`."""

    points: tuple[str, ...]
    point: Any
    time: Any
    received: Any
    value: Any
    quality: Any
    finding: Any
    findings: tuple[str, ...]


@dataclass
class Results:
    """Frames by table name; readings, minute facts and KPI parts, which become rows when they are stored."""

    frames: dict[str, list[pl.DataFrame]] = field(default_factory=dict)
    readings: list[Received] = field(default_factory=list)
    facts: list[FactBlock] = field(default_factory=list)
    kpis: list[KpiPart] = field(default_factory=list)
    settled: int | None = None

    def add(self, table: str, frame: pl.DataFrame) -> None:
        """Adds rows to a table."""
        if not frame.is_empty():
            self.frames.setdefault(table, []).append(frame)


def check_position(held: int, position: int, previous: int) -> bool:
    """Whether a batch is to be stepped: False when it is not above the state's position (it was stepped already).

    Raises StaleState when the batch follows another state than the one held.
    """
    if position <= held:
        return False
    if previous != held:
        raise StaleState(f"messages follow position {previous}, the state is at {held}")
    return True
