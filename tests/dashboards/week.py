"""A simulated week of the example plant that the tests of the boards ask about: made by the real pipeline in lock step.

Nine days go before it, for baselines and for what a week's windows reach back to; their closed days stay behind.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from journal.message import encode_body
from monitor.correct import Desk
from monitor.demo import local_midnight
from monitor.describe import Described, describe
from pipeline.fitting import propose
from plant.clock import to_datetime
from plant.reading import HOUR
from tests.monitor.plant_runs import MINUTES_PER_DAY, Plant, described, scenario

FIT_DAYS = 8
COMMISSIONED = "2026-03-13"
"""A day within the week: every option has days before and after it."""
WORK = "from: 2026-03-15 22:30, to: 2026-03-16 03:00"
"""Within the last day; there is a work of each process unit."""
COVERAGE = 0.001
"""Enough for a KPI to be known: of a year and of a month there is but a week."""
FAULTS: list[dict[str, Any]] = [
    {"fault": "rinse_valve", "target": "zn_rinse1", "at": "day 11 10:30"},
    {"fault": "rinse_valve", "target": "cr_rinse2", "at": "day 11 02:30", "until": "day 12 09:10"},
    {"fault": "air_leak", "target": "compressed_air", "at": "day 12 11:00"},
    {"fault": "steam_trap", "target": "chrome", "at": "day 12 11:00"},
    {"fault": "missing_hour", "target": "zn_aux_meter", "at": "day 13 06:20"},
    {"fault": "rinse_valve", "target": "ni_rinse1", "at": "day 14 06:00"},
    {"fault": "missing_hour", "target": "ro_plc", "at": "day 15 05:30", "until": "day 16"},
]
"""Drifts that stand, one that is mended, an hour without data, and a source that is silent when the week ends."""
SILENT = "ro_plc"
DRIFTING = {"zn_rinse1", "cr_rinse2", "compressor", "cr_steam", "ni_rinse1"}
"""Baselines at which a fault is planned. All others are taken for better than they are, so that they drift."""
FLATTERED = 0.8
UNKNOWN = ("ro_kwh", "ro_feed_pressure")


@dataclass(frozen=True)
class Week:
    """A week's data folder: the plant's description, the run itself, and the instant at which the week ends."""

    described: Described
    run: Plant
    end: datetime

    @property
    def data(self) -> Path:
        """The folder that the outbox reads."""
        return self.run.data

    def exclude(self) -> int:
        """A person's correction: some of yesterday's readings were wrong, and are known no more; its number."""
        now = self.run.simulator.now_us
        body = {"kind": "exclude", "points": list(UNKNOWN), "from": now - 6 * HOUR, "to": now - 3 * HOUR}
        number = Desk(self.described.plan, self.data).correct(
            {**body, "by": "Li Wei", "why": "the cabinet was open for maintenance"}
        )
        while self.run.server.step():
            pass
        self.run.server.checkpoint()
        return number


@contextmanager
def simulated(folder: Path) -> Iterator[Week]:
    """The week in a folder of its own; ends at 00:00 UTC, 08:00 of the plant."""
    plant = _described(folder / "plant")
    before = Plant.begin(plant, folder / "before", scenario(faults=FAULTS))
    before.advance((FIT_DAYS + 1) * MINUTES_PER_DAY)
    _accept_baselines(plant, before)
    before.historian.compact()
    week = before.copy(folder / "data")
    before.close()
    try:
        week.advance(4 * MINUTES_PER_DAY)
        alarm = week.table("alarms")["alarm"][0]
        week.act({"act": "acknowledge", "alarm": alarm, "by": "Chen Guoliang", "note": 'seen, "trap 3" is hot'})
        week.advance(MINUTES_PER_DAY + 8 * 60)
        yield Week(plant, week, to_datetime(week.simulator.now_us))
    finally:
        week.close()


def _described(folder: Path) -> Described:
    """The example, its options and works within the week and its KPIs known from little."""
    example = described(folder)
    path = example.path
    text = re.sub(r"\bcommissioned: [\d-]+", f"commissioned: {COMMISSIONED}", path.read_text(encoding="utf-8"))
    head, kpis, rest = re.split(r"(?<=\n)(?=kpis:\n|balances:\n)", text)
    kpis = re.sub(r"^    unit: .*$", rf"\g<0>\n    coverage_limit: {COVERAGE}", kpis, flags=re.MULTILINE)
    works = [f"  {name}: {{title: {{en: Work, zh: 检修}}, scope: {name}, {WORK}}}" for name in example.plant.scopes()]
    rest = re.sub(r"(?<=\nmaintenance:\n)(  .*\n)+", "\n".join(works) + "\n", rest)
    path.write_text(head + kpis + rest, encoding="utf-8")
    return describe(path)


def _accept_baselines(plant: Described, run: Plant) -> None:
    chosen = run.simulator.scenario
    start, end, now = (local_midnight(plant, chosen, day) for day in (0, FIT_DAYS, FIT_DAYS + 1))
    names = list(plant.plant.baselines)
    bodies, refused = propose(plant.plan, run.server.reader, names, start, end, now, "Li Wei", "the first days")
    assert not refused
    for body in bodies:
        if body["baseline"] not in DRIFTING:
            times = FLATTERED if plant.plant.baselines[body["baseline"]].drift == "rise" else 1 / FLATTERED
            fit = body["fit"]
            fit["coefficients"] = [one * times for one in fit["coefficients"]]
            fit["intercept"] *= times
    run.journal.append([("baseline", encode_body(body)) for body in bodies])
    run.server.step()
    run.server.checkpoint()
