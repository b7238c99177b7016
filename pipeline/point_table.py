"""A process unit's points as columns, one row a point: what the step looks up for thousands of readings at once."""

from __future__ import annotations

from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from pipeline.minutes import STEP
from pipeline.point_plan import PointPlan
from pipeline.series import Floats, Ints
from plant.model import Gap, Kind

COUNTED = (Kind.COUNTER, Kind.NET)
HELD = (Kind.RATE, Kind.LEVEL, Kind.SAMPLE)
KINDS = (Kind.COUNT, *COUNTED, *HELD, Kind.INTERVAL)


@dataclass(frozen=True)
class PointTable:
    """Columns in the order of `names` (witnesses before the points they witness); times in µs.

    `counted`, `held`, `spread` and `events` are the rows of the ways of measuring; `depth` is 0 for a point without
    witness, 1 for one whose witness has none, and so on; `witness` is the witness's row or -1; `settling` are the
    devices that the unit's minutes wait for;
    `leaping` are the rows whose value may only change so fast; `silent_us` has a row a device.
    """

    names: tuple[str, ...]
    plans: tuple[PointPlan, ...]
    row: dict[str, int]
    counted: NDArray[np.bool_]
    net: NDArray[np.bool_]
    held: NDArray[np.bool_]
    rates: NDArray[np.bool_]
    spread: NDArray[np.bool_]
    events: NDArray[np.bool_]
    owned: NDArray[np.bool_]
    settles: NDArray[np.bool_]
    device: Ints
    devices: tuple[str, ...]
    resolution: Floats
    interval_us: Ints
    reach_us: Ints
    counted_reach_us: Ints
    held_reach_us: Ints
    speaks_us: Ints
    span_us: Ints
    begins: NDArray[np.bool_]
    per_us: Floats
    rise_per_us: Floats
    change_per_us: Floats
    leaping: tuple[int, ...]
    low: Floats
    high: Floats
    exchanged: tuple[int, ...]
    witness: Ints
    depth: Ints
    flat_us: Ints
    still: NDArray[np.bool_]
    calibrated_until: Ints
    settling: tuple[str, ...]
    clocked: NDArray[np.bool_]
    streams: NDArray[np.bool_]
    silent_us: Ints
    zone: ZoneInfo | None

    def __len__(self) -> int:
        return len(self.names)

    def steps(self, point: Ints, value: Floats) -> Ints:
        """Values rounded to their points' resolution, in STEP."""
        resolution = self.resolution[point]
        whole = np.rint(value / resolution)
        return np.rint(whole * (resolution / STEP)).astype(np.int64)

    @classmethod
    def of(cls, points: dict[str, PointPlan], owned: frozenset[str]) -> PointTable:
        """The columns of a unit's points."""
        plans = _ordered(points)
        names = tuple(one.name for one in plans)
        row = {name: number for number, name in enumerate(names)}
        devices = tuple(dict.fromkeys(one.device for one in plans))
        kind = [one.kind for one in plans]
        depth: list[int] = []
        for one in plans:
            depth.append(0 if one.witness is None else depth[row[one.witness]] + 1)

        def ints(values: list[int]) -> Ints:
            return np.array(values, np.int64)

        def flags(kinds: tuple[Kind, ...]) -> NDArray[np.bool_]:
            return np.array([one in kinds for one in kind], np.bool_)

        ranges = [_range(one) for one in plans]
        return cls(
            names=names,
            plans=plans,
            row=row,
            counted=flags(COUNTED),
            net=flags((Kind.NET,)),
            held=flags(HELD),
            rates=flags((Kind.RATE,)),
            spread=flags((Kind.INTERVAL,)),
            events=flags((Kind.COUNT,)),
            owned=np.array([name in owned for name in names], np.bool_),
            settles=np.array([one.settles() for one in plans], np.bool_),
            device=ints([devices.index(one.device) for one in plans]),
            devices=devices,
            resolution=np.array([one.resolution for one in plans]),
            interval_us=ints([one.interval_us for one in plans]),
            reach_us=ints([one.reach_us for one in plans]),
            counted_reach_us=ints(
                [max(one.reach_us, one.gap_limit_us) if one.gap is not Gap.UNKNOWN else one.reach_us for one in plans]
            ),
            held_reach_us=ints(
                [max(one.reach_us, one.gap_limit_us) if one.gap is Gap.HOLD else one.reach_us for one in plans]
            ),
            speaks_us=ints([one.speaks_us for one in plans]),
            span_us=ints([one.span_us for one in plans]),
            begins=np.array([one.begins for one in plans], np.bool_),
            per_us=np.array([one.per_us for one in plans]),
            rise_per_us=np.array([one.rise_per_us for one in plans]),
            change_per_us=np.array([one.change_per_us for one in plans]),
            leaping=tuple(number for number, one in enumerate(plans) if one.change_per_us < np.inf),
            low=np.array([low for low, _ in ranges]),
            high=np.array([high for _, high in ranges]),
            exchanged=tuple(number for number, one in enumerate(plans) if one.exchanges),
            witness=ints([row[one.witness] if one.witness is not None else -1 for one in plans]),
            depth=ints(depth),
            still=np.array([one.witness is not None or one.kind in COUNTED for one in plans], np.bool_),
            flat_us=ints([one.flat_limit_us if one.witness is not None else one.flat_after_us for one in plans]),
            calibrated_until=ints([one.calibrated_until_us for one in plans]),
            settling=tuple(dict.fromkeys(one.device for one in plans if one.settles())),
            clocked=np.array([one.clocked for one in plans], np.bool_),
            streams=np.array([one.streams for one in plans], np.bool_),
            silent_us=ints([max(one.silent_us for one in plans if one.device == device) for device in devices]),
            zone=plans[0].zone if plans else None,
        )


def _ordered(points: dict[str, PointPlan]) -> tuple[PointPlan, ...]:
    """Witnesses before the points they witness, and those that are measured alike side by side: what is done with them
    is then done with neighbouring columns."""
    depth: dict[str, int] = {}
    for name, one in points.items():
        depth[name] = 0 if one.witness is None else depth[one.witness] + 1
    return tuple(sorted(points.values(), key=lambda one: (depth[one.name], KINDS.index(one.kind))))


def _range(point: PointPlan) -> tuple[float, float]:
    """The values that a point can have; a totaliser that only rises is never negative."""
    return point.range or (0.0 if point.kind is Kind.COUNTER else -np.inf, np.inf)
