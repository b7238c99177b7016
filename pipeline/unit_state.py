"""State of a process unit between steps, and its rows.

Only what is not settled is held: the readings of open minutes, and before them those that the next minute's facts or
judgement begin from. Older readings lie in the historian; `odd` says which of those cannot be begun from.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from historian.store import StateRow
from pipeline.columns import Columns
from pipeline.plans import HORIZON
from pipeline.rows import pack, unpack
from pipeline.series import Floats, Ints
from plant.reading import HOUR, MINUTE

KEPT_US = HORIZON + 2 * HOUR
COLUMNS = ("point", "time", "value", "status", "suspect", "total")
NEVER = -(2**62)
PER_POINT: dict[str, tuple[str, float]] = {
    "complete_from": ("i8", NEVER),
    "run_since": ("i8", NEVER),
    "run_value": ("f8", np.nan),
    "frozen": ("?", False),
    "leap_from": ("i8", NEVER),
    "leap_time": ("i8", NEVER),
    "leap_value": ("f8", np.nan),
}


@dataclass
class Moved:
    """In which minutes, from `start` on, a witness is known to have moved."""

    start: int
    flags: NDArray[np.bool_]

    def put(self, start: int, flags: NDArray[np.bool_]) -> None:
        """Sets minutes from `start` on; what lies between was not seen to move."""
        first, end = min(start, self.start), max(start + len(flags), self.start + len(self.flags))
        whole = np.zeros(end - first, np.bool_)
        whole[self.start - first : self.start - first + len(self.flags)] = self.flags
        whole[start - first : start - first + len(flags)] = flags
        self.start, self.flags = first, whole

    def us(self, begin_us: int, end_us: int) -> int:
        """How long it moved within [begin, end), in whole minutes [µs]."""
        low, high = begin_us // MINUTE - self.start, -(-end_us // MINUTE) - self.start
        return int(np.count_nonzero(self.flags[max(low, 0) : max(high, 0)])) * MINUTE

    def drop_before(self, minute: int) -> None:
        """Forgets older minutes."""
        low = min(max(minute - self.start, 0), len(self.flags))
        self.start, self.flags = self.start + low, self.flags[low:]


@dataclass
class UnitState:
    """`settled` is the first minute not settled yet; `worked_us` when the unit began, as far as was known then; `heard`
    the newest source time of each device; `refused`, by point and finding, the span and number of the last readings
    refused; `clocks` how each device's source times follow those of receipt (`clocks.Clock`).

    Arrays have a row for each of `names`: readings before `complete_from` [µs] may have been forgotten; `run_since`
    and `run_value` tell of the stretch of equal values that the first one held lies in, `frozen` whether it was found
    frozen;
    `leap_time` and `leap_value` are those of the used reading before the first one held, at `leap_from`.
    `odd` holds, by point, spans [µs, both ends included] of readings that are used only by looking around, or not used.
    """

    position: int = 0
    settled: int | None = None
    tick_us: int | None = None
    began_us: int | None = None
    worked_us: int | None = None
    heard: dict[str, int] = field(default_factory=dict)
    refused: dict[str, list[int]] = field(default_factory=dict)
    clocks: dict[str, list[int]] = field(default_factory=dict)
    odd: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    moved: dict[str, Moved] = field(default_factory=dict)
    names: tuple[str, ...] = ()
    complete_from: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    run_since: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    run_value: Floats = field(default_factory=lambda: np.empty(0))
    frozen: NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, np.bool_))
    leap_from: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    leap_time: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    leap_value: Floats = field(default_factory=lambda: np.empty(0))
    held: Columns = field(default_factory=Columns.empty)
    incoming: list[Columns] = field(default_factory=list)
    stored: int = 0
    """How many of `incoming` are stored; they are rows of their own until they are merged."""
    merged: bool = True
    """Whether `held` has changed since it was stored."""
    rows: list[int] = field(default_factory=list)

    def align(self, names: tuple[str, ...]) -> None:
        """Puts the rows in the order of a plan's points; points that left it are forgotten, new ones begin."""
        if names == self.names:
            return
        was = {name: row for row, name in enumerate(self.names)}
        rows = np.array([was.get(name, -1) for name in names], np.int64)
        for name, (kind, none) in PER_POINT.items():
            old = np.append(getattr(self, name), np.array([none], kind))
            setattr(self, name, old[rows])
        to = np.full(len(self.names) + 1, -1, np.int64)
        to[rows[rows >= 0]] = np.flatnonzero(rows >= 0)
        self.incoming = [_moved(part, to) for part in self.incoming]
        self.held = _moved(self.held, to).sorted()
        self.names, self.merged = names, True

    def settle(self, held: Columns, incoming: list[Columns]) -> None:
        """Takes what is left once minutes have settled."""
        self.held = replace(held, fresh=np.zeros(len(held), np.bool_))
        self.incoming, self.stored, self.merged = incoming, 0, True
        assert self.settled is not None
        edge = self.settled * MINUTE - KEPT_US
        for one in self.moved.values():
            one.drop_before(edge // MINUTE)
        # a point that was silent for days goes on from readings as old
        row = {name: number for number, name in enumerate(self.names)} if self.odd else {}
        since = {name: min(edge, int(self.complete_from[row[name]]) - KEPT_US) for name in self.odd if name in row}
        for name in [name for name, spans in self.odd.items() if spans[0][1] < since.get(name, edge)]:
            kept = [span for span in self.odd[name] if span[1] >= since.get(name, edge)]
            self.odd[name] = kept
            if not kept:
                del self.odd[name]

    def checkpoint(self) -> list[StateRow]:
        """The rows touched since the last checkpoint (None: delete), the head always."""
        rows: list[StateRow] = []
        if self.merged:
            rows += [("", "in", number, None) for number in self.rows]
            moved = {
                f"moved {name}": {"start": np.array([one.start]), "flags": one.flags}
                for name, one in self.moved.items()
            }
            points = {name: getattr(self, name) for name in PER_POINT}
            groups = {"held": _packed(self.held), "points": points, **moved}
            rows.append(("", "held", 0, pack(groups, names=self.names, odd=self.odd)))
            self.rows, self.stored, self.merged = [], 0, False
        if len(self.incoming) > self.stored:
            number = self.position
            fresh = Columns.join(self.incoming[self.stored :])
            rows.append(("", "in", number, pack({"in": _packed(fresh)})))
            self.rows.append(number)
            self.stored = len(self.incoming)
        head = pack(
            {},
            position=self.position,
            settled=self.settled,
            tick_us=self.tick_us,
            began_us=self.began_us,
            worked_us=self.worked_us,
            heard=self.heard,
            refused=self.refused,
            clocks=self.clocks,
        )
        return [*rows, ("", "head", 0, head)]

    @classmethod
    def restore(cls, rows: list[tuple[str, int, bytes]]) -> UnitState:
        """The state that its rows describe; a fresh one without rows."""
        state = cls()
        for kind, start, body in sorted(rows):
            groups, head = unpack(body)
            if kind == "head":
                for name, value in head.items():
                    setattr(state, name, value)
            elif kind == "held":
                state.names, state.merged = tuple(head["names"]), False
                state.odd = {name: [(low, high) for low, high in spans] for name, spans in head["odd"].items()}
                state.held = _unpacked(groups.pop("held"), fresh=False)
                points = groups.pop("points")
                for name, (dtype, none) in PER_POINT.items():
                    # a state stored before a column was known has none of it
                    setattr(state, name, points.get(name, np.full(len(state.names), none, dtype)))
                for name, moved in groups.items():
                    state.moved[name.removeprefix("moved ")] = Moved(int(moved["start"][0]), moved["flags"])
            elif kind == "in":
                state.incoming.append(_unpacked(groups["in"], fresh=True))
                state.rows.append(start)
        state.stored = len(state.incoming)
        return state


def _packed(columns: Columns) -> dict[str, NDArray[np.generic]]:
    plain = {name: getattr(columns, name) for name in COLUMNS}
    return {**plain, "point": columns.point.astype(np.int32)}


def _unpacked(plain: dict[str, NDArray[np.generic]], fresh: bool) -> Columns:
    columns = {**plain, "point": plain["point"].astype(np.int64)}
    return Columns(**columns, fresh=np.full(len(columns["point"]), fresh))  # type: ignore[arg-type]


def _moved(columns: Columns, to: Ints) -> Columns:
    """Columns whose points have other rows now; those of points that left are dropped."""
    found = Columns(**{**columns.__dict__, "point": to[columns.point]})
    return found.take(found.point >= 0)
