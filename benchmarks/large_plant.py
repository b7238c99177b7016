"""A plant of any size for measuring, and a seeded source of its readings that is much faster than what is measured.

Of twenty points of a process unit twelve are counters (one counts the output, every third of the others is watched by
it), five levels, two rates and one an interval, a count, a sample or a signed counter in turn; twenty points make a
device that is polled at an instant of its own. Six KPIs a unit, ten on the site, a baseline in every fifth unit.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plant.clock import to_us
from plant.model import Kind, Plant
from plant.reading import DAY, HOUR, MINUTE, SECOND, Readings

START = to_us(datetime(2026, 3, 2, tzinfo=UTC))
"""A Monday, 00:00 UTC."""

EACH = 20
OTHERS = (
    {"kind": "interval", "unit": "kWh", "span": "15 min", "per_hour": [0, 4000]},
    {"kind": "count", "unit": "piece", "heartbeat": "30 min"},
    {"kind": "sample", "unit": "mg/L", "valid": "8 h", "range": [0, 900]},
    {"kind": "net", "unit": "kvarh", "resolution": 0.01, "per_hour": [-50_000, 50_000]},
)
CARRIERS = (("kWh", "power"), ("m3", "water"), ("kg", "steam"), ("kWh", "power"))
SHIFTS = (("early", "06:00", "14:00"), ("late", "14:00", "22:00"), ("night", "22:00", "06:00"))
SITE_KPIS = 10
LOST, DOUBLED = 0.001, 0.0001
RESET_EVERY_US = 30 * DAY
POLL_US = 20_000


def plant(points: int = 10_000, per_unit: int = 200, interval: str = "1 s") -> Plant:
    """The description of a plant of so many points, as many in each process unit, whose devices are read so often."""
    units = [f"u{number:02}" for number in range(max(1, points // per_unit))]
    plain: dict[str, Any] = {
        "format": "keepclean/1",
        "site": {"id": "large", "name": "Large works", "time_zone": "Asia/Shanghai"},
        "audit": {"name": "a", "period": ["2026-01-01", "2026-12-31"], "baseline_year": 2025},
        "shifts": {
            name: {"title": name, "from": since, "to": until, "supervisor": "s", "route": "r"}
            for name, since, until in SHIFTS
        },
        "process_units": {unit: {"title": unit} for unit in units},
        "devices": {},
        "points": {},
        "factors": [_factor("power", 0.1229, "kgce/kWh"), _factor("steam", 0.0929, "kgce/kg")],
        "tariffs": [_tariff()],
        "kpis": {},
        "baselines": {},
    }
    for number, unit in enumerate(units):
        _add_unit(plain, number, unit, per_unit, interval)
    _add_site(plain, units, per_unit)
    return Plant.model_validate(plain)


def _factor(carrier: str, value: float, unit: str) -> dict[str, Any]:
    return {"carrier": carrier, "quantity": "energy", "value": value, "unit": unit, "edition": "2026", "source": "s"}


def _tariff() -> dict[str, Any]:
    bands = [
        {"name": "day", "price": 1.0, "hours": ["07:00-22:00"]},
        {"name": "night", "price": 0.4, "hours": ["22:00-07:00"]},
    ]
    return {"carrier": "power", "unit": "kWh", "source": "s", "bands": bands}


def _add_unit(plain: dict[str, Any], number: int, unit: str, size: int, interval: str) -> None:
    counters = 0
    for i in range(size):
        device = f"{unit}_d{i // EACH}"
        plain["devices"][device] = {
            "protocol": "modbus",
            "title": device,
            "address": f"10.0.0.{number % 250}:502",
            "device_id": i // EACH % 247 + 1,
            "profile": "profiles/plc.yaml",
            "interval": interval,
        }
        place, point = i % EACH, {"title": "t", "in": unit, "from": device, "read": f"r{i}"}
        if place < 12:
            measured, carrier = CARRIERS[counters % len(CARRIERS)]
            point |= {"kind": "counter", "unit": measured, "carrier": carrier, "resolution": 0.01}
            point |= {"per_hour": [0, 50_000]}
            if i == 0:
                point |= {"unit": "piece", "resolution": 1.0}
                del point["carrier"]
            elif counters % 3 == 2:
                point["moves_with"] = f"{unit}_p0"
            if counters % 10 == 9:
                point["modulus"] = 100_000.0
            counters += 1
        elif place < 17:
            point |= {"kind": "level", "unit": "degC", "range": [-40, 200]}
        elif place < 19:
            point |= {"kind": "rate", "unit": "m3/h", "range": [0, 400]}
        else:
            point |= OTHERS[(number + i // EACH) % len(OTHERS)]
        plain["points"][f"{unit}_p{i}"] = point
    out = [{"point": f"{unit}_p0"}]

    def named(*places: int, **more: Any) -> list[dict[str, Any]]:
        return [{"point": f"{unit}_p{place}", **more} for place in places if place < size]

    for name, numerator, denominator in (
        ("power", named(3, 4), out),
        ("kgce", named(3, 4, **{"as": "energy"}), out),
        ("cost", named(7, 8, **{"as": "cost"}), []),
        ("water", named(1, 5), out),
        ("flow", named(17, 18), out),
        ("steam", named(2, 6, 10, 22, 26, 30), out),
    ):
        plain["kpis"][f"{unit}_{name}"] = _kpi(unit, numerator, denominator)
    if number % 5 == 0:
        plain["baselines"][f"{unit}_power"] = {
            **{"title": "b", "scope": unit, "response": f"{unit}_p3", "drivers": out},
            **{"likely_cause": "c", "first_check": "f"},
        }


def _add_site(plain: dict[str, Any], units: list[str], size: int) -> None:
    for number in range(SITE_KPIS):
        members = units if number < 3 else units[number % 3 :: 3] or units
        place = min(1 + number, size - 1, 11)
        numerator = [{"point": f"{unit}_p{place}"} for unit in members]
        plain["kpis"][f"site_{number}"] = _kpi("site", numerator, [{"point": f"{unit}_p0"} for unit in members])


def _kpi(scope: str, numerator: list[dict[str, Any]], denominator: list[dict[str, Any]]) -> dict[str, Any]:
    return {"title": "k", "scope": scope, "numerator": numerator, "denominator": denominator, "unit": "1"}


def accepted(described: Plant, time_us: int) -> list[dict[str, Any]]:
    """A baseline by hand for each that is declared, as bodies for the journal, so that charts run."""
    fit = {
        **{"names": ["output"], "coefficients": [0.3], "intercept": 10.0, "sigma": 8.0, "rho": 0.0, "n": 600, "p": 2},
        **{"mean": 250.0, "cv_rmse": 0.03, "nmbe": 0.0, "held_out_sigma": 150.0, "held_out_cv_rmse": 0.03},
        **{"held_out_nmbe": 0.0, "ranges": [[0.0, 1e9]], "dropped": []},
    }
    told = {"charts": [0.5, 1.5], "limits": [5.0, 3.0], "span": [time_us - 28 * DAY, time_us]}
    return [
        {"baseline": name, "fit": fit | {"names": [baseline.drivers[0].point]}, **told, "time": time_us, "by": "a"}
        | {"why": "w"}
        for name, baseline in described.baselines.items()
    ]


class Feed:
    """Readings of a plant, beat after beat: regular points at every beat, the others in their own time.

    Counters rise by day and slower by night, some stand still by night; LOST of all polls fail, DOUBLED of all readings
    come twice, a counter starts again from 0 once in RESET_EVERY_US. Equal seeds and equal calls bring equal readings.
    """

    def __init__(self, described: Plant, seed: int = 1, start_us: int = START, beat_us: int = SECOND) -> None:
        self.names = tuple(described.points)
        self.now_us, self._beat_us = start_us, beat_us
        self._random = np.random.default_rng(seed)
        points = list(described.points.values())
        devices = {name: number for number, name in enumerate(described.devices)}
        device = np.array([devices[point.device] for point in points])
        phase = (np.arange(len(devices)) * 7919 % 900) * (SECOND // 1000)

        def of(*kinds: Kind) -> NDArray[np.int32]:
            found = np.array([i for i, point in enumerate(points) if point.kind in kinds], np.int32)
            return found[np.argsort(phase[device[found]], kind="stable")]

        self._counters, self._states = of(Kind.COUNTER, Kind.NET), of(Kind.LEVEL, Kind.RATE)
        self._others = {kind: of(kind) for kind in (Kind.INTERVAL, Kind.COUNT, Kind.SAMPLE)}
        self._regular = np.concatenate([self._counters, self._states])
        self._phase, self._device, self._polls = phase[device], device, len(devices)
        seeded = np.random.default_rng(7)
        n = len(self._counters)
        # amounts an hour; a third of all stands still at night
        self._use = seeded.uniform(200, 2000, n)
        self._night = np.where(np.arange(n) % 3 == 1, 0.0, 0.3)
        self._total = seeded.uniform(0, 90_000, n)
        self._resolution = np.array([points[i].resolution for i in self._counters])
        self._modulus = np.array([points[i].modulus or np.inf for i in self._counters])
        self._middle = seeded.uniform(20, 90, len(self._states))
        self._swing = seeded.uniform(1, 15, len(self._states))
        self._turn = seeded.uniform(0, 2 * np.pi, len(self._states))

    def beats(self, count: int = 1) -> Readings:
        """The next beats' readings: by beat, and within one in the order of their times."""
        now = self.now_us + np.arange(count, dtype=np.int64) * self._beat_us
        self.now_us += count * self._beat_us
        n = len(self._regular)
        values = np.empty((count, n))
        values[:, : len(self._counters)] = self._count(now)
        values[:, len(self._counters) :] = self._state(now)
        point = np.tile(self._regular, count)
        time = (now[:, None] + self._phase[self._regular]).ravel()
        got = (self._random.random((count, self._polls), np.float32) >= LOST)[:, self._device[self._regular]].ravel()
        value = values.ravel()
        if not got.all():
            point, time, value = point[got], time[got], value[got]
        parts = [(point, time, value), *self._irregular(now)]
        twice = self._random.integers(0, len(point), self._random.poisson(DOUBLED * len(point)))
        parts.append((point[twice], time[twice], value[twice]))
        point, time, value = (np.concatenate(columns) for columns in zip(*parts, strict=True))
        return Readings.build(self.names, point.astype(np.int32), time, time + POLL_US, value)

    def _count(self, now: NDArray[np.int64]) -> NDArray[np.float64]:
        hour = (now + 8 * HOUR) % DAY // HOUR
        by_day = ((hour >= 6) & (hour < 22))[:, None]
        noise = self._random.random((len(now), len(self._counters)), np.float32)
        share = np.where(by_day, 1.0, self._night) * (0.5 + noise)
        totals = self._total + np.cumsum(self._use * (self._beat_us / HOUR) * share, axis=0)
        expected = len(now) * len(self._counters) * self._beat_us / RESET_EVERY_US
        for _ in range(self._random.poisson(expected)):
            row, column = self._random.integers(0, len(now)), self._random.integers(0, len(self._counters))
            totals[row:, column] -= totals[row, column]
        self._total = totals[-1].copy()
        shown: NDArray[np.float64] = np.floor(totals % self._modulus / self._resolution) * self._resolution
        return shown

    def _state(self, now: NDArray[np.int64]) -> NDArray[np.float64]:
        angle = 2 * np.pi * ((now % DAY) / (2 * HOUR))[:, None]
        noise = self._random.random((len(now), len(self._states)), np.float32) - 0.5
        found: NDArray[np.float64] = self._middle + self._swing * (np.sin(angle + self._turn) + noise)
        return np.round(found, 1)

    def _irregular(self, now: NDArray[np.int64]) -> list[tuple[Any, Any, Any]]:
        found = []
        for kind, every, most in ((Kind.INTERVAL, 15 * MINUTE, 300), (Kind.SAMPLE, 4 * HOUR, 500)):
            at = np.unique(-(-now // every) * every)
            at = at[(at >= now[0]) & (at < now[-1] + self._beat_us)]
            points = self._others[kind]
            value = self._random.integers(0, most, (len(at), len(points))).astype(np.float64)
            found.append((np.tile(points, len(at)), np.repeat(at, len(points)), value.ravel()))
        points = self._others[Kind.COUNT]
        n = self._random.poisson(len(now) * len(points) * self._beat_us / (4 * MINUTE)) if len(points) else 0
        span = len(now) * self._beat_us
        time = np.sort(now[0] + self._random.integers(0, span // 1000, n) * 1000)
        found.append((self._random.choice(points, n) if n else points[:0], time, np.ones(n)))
        return found
