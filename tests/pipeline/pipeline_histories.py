"""A small works and its nights: what its meters say, told in time or in odd ways; times are minutes since START."""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from pipeline_builders import Row, at, baseline, device, kpi, plant, point, readings

from journal.message import Message
from plant.model import Plant

FIRST = 26 * 1440 + 17 * 60
"""2026-03-28 17:00 UTC: the night in which Berlin's day has 23 hours follows."""
MINUTES = 12 * 60
ACCEPTED = FIRST + 6 * 60
TOLD = FIRST + MINUTES + 400
LAB_DELAY = 12 * 60
ZONES = ("Europe/Berlin", "Asia/Kathmandu", "America/St_Johns")
"""A night of 23 hours, and days that begin at a quarter and at half past an hour."""
ON = {"plc": ("kwh", "area", "flow", "temp", "steam"), "gate": ("water", "racks", "net")}
"""The points of two devices."""

Item = tuple[str, dict[str, Any], list[Row], float]
"""A message to come: kind, body, readings and when they were received."""


def works(zone: str = ZONES[0]) -> Plant:
    """Every kind of point, two process units, five sources, a witness, a load, factors, a tariff and a chart."""
    per_hour = {"per_hour": [0, 600]}
    gate = {"in": "yard", "from": "gate"}
    return plant(
        {
            "kwh": point("counter", "kWh", carrier="power", resolution=0.1, modulus=6553.6, **per_hour),
            "area": point("counter", "m2", **per_hour),
            "flow": point("rate", "m3/h", range=[0, 90]),
            "temp": point("level", "degC", range=[-40, 90]),
            "steam": point("counter", "kg", moves_with="kwh", **per_hour),
            "water": point("counter", "m3", gap="interpolate", gap_limit="60 min", **per_hour, **gate),
            "racks": point("count", "1", heartbeat="30 min", **gate),
            "grid": point("interval", "kWh", span="15 min", **{**gate, "from": "grid"}),
            "cod": point("sample", "mg/L", valid="4 h", range=[0, 900], **{**gate, "from": "lab"}),
            "net": point("net", "kWh", **gate),
        },
        zone=zone,
        devices={
            "plc": device(),
            "gate": device(disorder="120 s"),
            "grid": device(interval="15 min"),
            "lab": device(interval="240 min"),
        },
        factors=[
            {
                "carrier": "power",
                "quantity": "energy",
                "value": 0.1229,
                "unit": "kgce/kWh",
                "edition": "a",
                "source": "s",
            },
            {
                **{"carrier": "power", "quantity": "energy", "value": 0.13, "unit": "kgce/kWh", "edition": "b"},
                **{"source": "s", "from": "2026-03-29"},
            },
        ],
        tariffs=[
            {
                **{"carrier": "power", "unit": "kWh", "source": "s"},
                "bands": [
                    {"name": "day", "price": 1.0, "hours": ["07:00-22:00"]},
                    {"name": "night", "price": 0.4, "hours": ["22:00-07:00"]},
                ],
            }
        ],
        kpis={
            "power": kpi([{"point": "kwh"}], [{"point": "area"}]),
            "hall": kpi([{"point": "kwh"}], [{"point": "area"}], scope="hall"),
            "kgce": kpi([{"point": "kwh", "as": "energy"}], [{"point": "area"}], scope="hall"),
            "cost": kpi([{"point": "kwh", "as": "cost"}]),
            "load": kpi([{"point": "cod", "as": "load", "flow": "water"}], [{"point": "racks"}]),
            "steam": kpi([{"point": "steam"}, {"point": "flow", "times": 2.0}], scope="hall", coverage_limit=0.5),
            "grid": kpi([{"point": "grid"}, {"point": "net"}], scope="yard"),
        },
        baselines={"kwh": baseline("kwh", drivers=[{"point": "area"}])},
    )


@dataclass(frozen=True)
class History:
    """What the plant's meters say, each in order of time; which rows come from the laboratory, and which say something
    else than was said of the same instant."""

    rows: tuple[Row, ...]
    lab: frozenset[int]
    twice: frozenset[int]


@cache
def history(seed: int) -> History:
    """A night and a morning with a rollover, a reset, a frozen meter, gaps, dips and a step of use."""
    rng = np.random.default_rng(seed)
    area = np.cumsum(rng.integers(0, 4, MINUTES) * (rng.random(MINUTES) < 0.9))
    used = np.cumsum(rng.integers(0, 6, MINUTES) + np.diff(area, prepend=0) + np.where(np.arange(MINUTES) > 400, 3, 0))
    kwh = ((6200 + used) * 10 % 65536) / 10
    steam = np.cumsum(rng.integers(0, 5, MINUTES)) + 500.0
    frozen = int(rng.integers(150, 500))
    steam[frozen : frozen + 45] = steam[frozen]
    reset = int(rng.integers(520, 640))
    steam[reset:] -= steam[reset - 1] - 3
    water = 40 + np.cumsum(rng.random(MINUTES)).round(3)
    net = np.cumsum(rng.normal(0, 2, MINUTES)).round(2)
    rows: list[Row] = []
    second = float(rng.integers(0, 60)) / 60
    dead = int(rng.integers(100, 600))
    for i in range(MINUTES):
        now = FIRST + i + second
        if not dead <= i < dead + 40:
            rows += [("kwh", now, float(kwh[i]) if i % 401 != 400 else 0.0), ("area", now, float(area[i]))]
            rows += [("flow", now, float(rng.random() * 40)), ("temp", now, float(rng.normal(20, 5)))]
            rows += [("steam", now, float(steam[i]))]
        if rng.random() < 0.98:
            rows += [("water", FIRST + i + 0.3, float(water[i])), ("net", FIRST + i + 0.3, float(net[i]))]
        if rng.random() < 0.15:
            rows += [("racks", FIRST + i + float(rng.random()), 1.0)]
        if (FIRST + i) % 15 == 0 and rng.random() < 0.95:
            rows += [("grid", FIRST + i, float(rng.integers(0, 300)))]
        if i % 240 == 30:
            rows += [("cod", FIRST + i, float(rng.integers(50, 500)))]
    known = len(rows)
    again = [row for row in rows if row[0] in ("flow", "kwh", "steam") and rng.random() < 0.003]
    rows += [("flow", FIRST + 500 + second, 44.4), *((row[0], row[1], row[2] + 1) for row in again)]
    twice = frozenset(range(known, len(rows)))
    rows += [("temp", FIRST + 600.5, 300.0)]
    return History(tuple(rows), frozenset(i for i, row in enumerate(rows) if row[0] == "cod"), twice)


def accepted() -> dict[str, Any]:
    """A baseline by hand: 3.5 kWh a minute and 1 a square metre, 8 kWh of scatter an hour."""
    fit = {
        **{"names": ["area"], "coefficients": [1.0], "intercept": 150.0, "sigma": 8.0, "rho": 0.0, "n": 600, "p": 2},
        **{"mean": 250.0, "cv_rmse": 0.03, "nmbe": 0.0, "held_out_sigma": 15.0, "held_out_cv_rmse": 0.03},
        **{"held_out_nmbe": 0.0, "ranges": [[0.0, 200.0]], "dropped": []},
    }
    span = [at(FIRST - 28 * 1440), at(FIRST)]
    body = {"baseline": "kwh", "fit": fit, "charts": [0.5, 1.5], "limits": [5.0, 3.0], "span": span}
    return {**body, "time": at(ACCEPTED), "by": "a", "why": "w"}


def plain_delivery(told: History) -> list[Item]:
    """Everything in time, a message an hour."""
    items: list[Item] = []
    for now in range(FIRST + 60, FIRST + MINUTES + 61, 60):
        items.append(("tick", {"time": at(now)}, [], now))
        items.append(("readings", {}, [row for row in told.rows if now - 60 <= row[1] < now], now))
        if now == ACCEPTED:
            items.append(("baseline", accepted(), [], now))
    return [*items, ("tick", {"time": at(TOLD)}, [], TOLD)]


def odd_delivery(told: History, chance: random.Random) -> list[Item]:
    """Late, shuffled, doubled, in messages of any size, a device's backlog at once; nothing later than the horizon."""
    beat = chance.choice([20, 45, 120, 240])
    slow, share = chance.choice([0, 0, 3, 50, 600, 1300]), chance.choice([0.01, 0.1])
    silent = ON.get(chance.choice(["", "", *ON]), ())
    back = FIRST + chance.randint(60, MINUTES)
    since = back - chance.choice([4, 70, 400])
    arrivals: list[tuple[float, float, Row]] = []
    for number, row in enumerate(told.rows):
        most = LAB_DELAY if number in told.lab else slow
        often = 1.0 if number in told.lab or number in told.twice else share
        for _ in range(1 + (chance.random() < 0.05)):
            late = chance.random() * most if chance.random() < often else 0.0
            if row[0] in silent and since <= row[1] < back:
                late = max(late, back - row[1])
            arrivals.append((row[1] + late, chance.random(), row))
    arrivals.sort()
    items: list[Item] = []
    start = 0
    now = FIRST
    while start < len(arrivals):
        now, end = now + beat, start
        while end < len(arrivals) and arrivals[end][0] < now:
            end += 1
        here = [row for _, _, row in arrivals[start:end]]
        chance.shuffle(here)
        start = end
        items.append(("tick", {"time": at(min(now, TOLD))}, [], now))
        cut = chance.randint(0, len(here))
        items += [("readings", {}, part, now) for part in (here[:cut], here[cut:]) if part]
        if now - beat < ACCEPTED <= now:
            items.append(("baseline", accepted(), [], now))
    return [*items, ("tick", {"time": at(TOLD)}, [], TOLD), ("tick", {"time": at(TOLD + 1)}, [], TOLD)]


def messages(items: list[Item]) -> list[Message]:
    """Items as the journal's rows."""
    return [
        Message(number, kind, body, readings(rows, now) if kind == "readings" else None)  # type: ignore[arg-type]
        for number, (kind, body, rows, now) in enumerate(items, start=1)
    ]
