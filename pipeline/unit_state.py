"""State of a process unit between steps, and its rows.

Readings and minute facts are held for the horizon and two hours more, so that a reading up to a day late can be judged
and counted anew where it belongs.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from historian.store import StateRow
from pipeline.minutes import COLUMNS, Minutes, chained
from pipeline.plans import HORIZON
from pipeline.rows import Columns, join, pack, unpack
from pipeline.series import Series
from plant.reading import HOUR, MINUTE

KEPT_US = HORIZON + 2 * HOUR
SERIES_COLUMNS = ("time", "value", "status", "suspect", "total")


@dataclass
class UnitState:
    """`settled` is the first minute not settled yet; `heard` the newest source time of each device; `whole`, for points
    whose older readings were forgotten, the first minute that can still be worked out from readings; `flat` when the
    flat stretch last found began; `refused`, by point and finding, the span and number of the last readings refused."""

    position: int = 0
    settled: int | None = None
    tick_us: int | None = None
    began_us: int | None = None
    heard: dict[str, int] = field(default_factory=dict)
    series: dict[str, Series] = field(default_factory=dict)
    minutes: dict[str, Minutes] = field(default_factory=dict)
    whole: dict[str, int] = field(default_factory=dict)
    flat: dict[str, int] = field(default_factory=dict)
    refused: dict[str, list[int]] = field(default_factory=dict)
    touched: set[int] = field(default_factory=set)
    stored: set[int] = field(default_factory=set)

    def trim(self) -> None:
        """Forgets what lies more than the horizon and two hours behind."""
        if self.settled is None:
            return
        edge = self.settled * MINUTE - KEPT_US
        for name, series in self.series.items():
            if len(series) and series.time[0] < edge - HOUR and series.drop_before(edge) and len(series):
                self.whole[name] = -(-int(series.time[0]) // MINUTE)
                self.touched.update((series.time[series.time < edge] // HOUR).tolist(), [edge // HOUR])
        for minutes in self.minutes.values():
            minutes.drop_before(edge // MINUTE)

    def checkpoint(self) -> list[StateRow]:
        """The rows touched since the last checkpoint (None: delete), the head always."""
        rows: list[StateRow] = []
        oldest = (self.settled * MINUTE - KEPT_US) // HOUR - 1 if self.settled is not None else 0
        # a silent point's last readings may lie far back: their hours stay, emptied of all else, not all hours since
        heads = {
            hour
            for series in self.series.values()
            for hour in (series.time[: np.searchsorted(series.time, oldest * HOUR)] // HOUR).tolist()
        }
        for hour in sorted(hour for hour in self.stored if hour < oldest and hour not in heads):
            rows.append(("", "hour", hour, None))
            self.stored.discard(hour)
        for hour in sorted(heads | {hour for hour in self.touched if hour >= oldest}):
            rows.append(("", "hour", hour, self._hour(hour)))
            self.stored.add(hour)
        self.touched.clear()
        head = pack(
            {},
            position=self.position,
            settled=self.settled,
            tick_us=self.tick_us,
            began_us=self.began_us,
            heard=self.heard,
            whole=self.whole,
            flat=self.flat,
            refused=self.refused,
        )
        return [*rows, ("", "head", 0, head)]

    def _hour(self, hour: int) -> bytes:
        groups: dict[str, Columns] = {}
        for name, series in self.series.items():
            low, high = np.searchsorted(series.time, [hour * HOUR, (hour + 1) * HOUR])
            if high > low:
                groups[f"r {name}"] = {column: getattr(series, column)[low:high] for column in SERIES_COLUMNS}
        for name, minutes in self.minutes.items():
            part = minutes.cut(hour * 60, hour * 60 + 60)
            if len(part.amount):
                groups[f"m {name}"] = {"start": np.array([part.start]), **{c: getattr(part, c) for c in COLUMNS}}
        return pack(groups)

    @classmethod
    def restore(cls, rows: list[tuple[str, int, bytes]]) -> UnitState:
        """The state that its rows describe; a fresh one without rows."""
        state = cls()
        hours = sorted((start, body) for kind, start, body in rows if kind == "hour")
        state.stored = {start for start, _ in hours}
        groups = [unpack(body)[0] for _, body in hours]
        for group, columns in join(groups).items():
            kind, name = group.split(" ", 1)
            if kind == "r":
                state.series[name] = Series(**{column: columns[column] for column in SERIES_COLUMNS})
            else:
                state.minutes[name] = chained(
                    [
                        Minutes(int(part[group]["start"][0]), **{c: part[group][c] for c in COLUMNS})
                        for part in groups
                        if group in part
                    ]
                )
        for kind, _, body in rows:
            if kind == "head":
                for name, value in unpack(body)[1].items():
                    setattr(state, name, value)
        return state
