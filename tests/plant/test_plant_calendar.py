"""Days of 23 and 25 hours, shifts over midnight, months, years and the audit period in the plant's own zone."""

from __future__ import annotations

from datetime import UTC, date, datetime
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from plant.calendar import Calendar
from plant.clock import to_us
from plant.load import load_text
from plant.reading import HOUR, MINUTE

BASE = (Path(__file__).parent.parent / "cases" / "plant" / "sound" / "plant.yaml").read_text(encoding="utf-8")


def calendar(zone: str, text: str = BASE) -> Calendar:
    """The calendar of the small shop in a zone."""
    return Calendar(load_text(text.replace("Asia/Shanghai", zone), Path("plant.yaml")))


def at(zone: str, *moment: int, fold: int = 0) -> int:
    """A local moment as µs UTC."""
    return to_us(datetime(*moment, tzinfo=ZoneInfo(zone), fold=fold))  # type: ignore[arg-type,misc]


@pytest.mark.parametrize(
    ("day", "hours"),
    [(date(2026, 3, 28), 24), (date(2026, 3, 29), 23), (date(2026, 10, 25), 25), (date(2026, 7, 1), 24)],
)
def test_a_day_has_the_hours_that_the_zone_gives_it(day: date, hours: int) -> None:
    """A day is 23 hours long when the clocks go forward and 25 when they go back; every instant of it says so."""
    berlin = calendar("Europe/Berlin")
    start = berlin.midnight(day)
    for hour in range(hours):
        period = berlin.day(start + hour * HOUR + 30 * MINUTE)
        assert (period.name, period.start, period.end - period.start) == (day.isoformat(), start, hours * HOUR)
    assert berlin.day(start + hours * HOUR).name != day.isoformat()


def test_days_follow_each_other_without_gap_or_overlap() -> None:
    """A year of days, DST included, tiles the time line: what ends one day begins the next."""
    berlin = calendar("Europe/Berlin")
    period = berlin.day(at("Europe/Berlin", 2026, 1, 1))
    for _ in range(365):
        following = berlin.day(period.end)
        assert following.start == period.end
        period = following
    assert period.name == "2027-01-01"


def test_a_shift_over_midnight_belongs_to_the_day_on_which_it_begins() -> None:
    """
    day      06 ------------ 18
    night                    18 ------------ 06
    asked         ^05:59 ^06:00   ^17:59 ^18:00  ^00:30
    """
    shanghai = calendar("Asia/Shanghai")
    zone = "Asia/Shanghai"
    expected = {(2, 5, 59): "night", (2, 6, 0): "day", (2, 17, 59): "day", (2, 18, 0): "night", (3, 0, 30): "night"}
    for (day, hour, minute), name in expected.items():
        period = shanghai.shift(at(zone, 2026, 3, day, hour, minute))
        assert period is not None
        assert period.name == name
    night = shanghai.shift(at(zone, 2026, 3, 3, 0, 30))
    assert night is not None
    assert (night.start, night.end) == (at(zone, 2026, 3, 2, 18), at(zone, 2026, 3, 3, 6))


@pytest.mark.parametrize(("day", "hours"), [((2026, 3, 28), 11), ((2026, 10, 24), 13), ((2026, 6, 1), 12)])
def test_a_night_shift_is_as_long_as_the_clocks_make_it(day: tuple[int, int, int], hours: int) -> None:
    """From 18:00 to 06:00 are 11 hours in the night of spring and 13 in that of autumn."""
    berlin = calendar("Europe/Berlin")
    period = berlin.shift(at("Europe/Berlin", *day, 20))
    assert period is not None
    assert period.end - period.start == hours * HOUR


def test_no_shift_on_a_day_off() -> None:
    """Between shifts nobody is on duty; a shift lasts into a day on which it does not begin."""
    text = BASE.replace('    to: "06:00"\n', '    to: "06:00"\n    days: [mon, tue, wed, thu, fri]\n')
    shanghai = calendar("Asia/Shanghai", text)
    saturday = shanghai.shift(at("Asia/Shanghai", 2026, 3, 7, 3))
    assert saturday is not None
    assert saturday.name == "night"
    assert shanghai.shift(at("Asia/Shanghai", 2026, 3, 7, 20)) is None


def test_shifts_of_a_span_come_in_order() -> None:
    """Every shift that touches the span, each once."""
    shanghai = calendar("Asia/Shanghai")
    zone = "Asia/Shanghai"
    found = shanghai.shifts(at(zone, 2026, 3, 2, 7), at(zone, 2026, 3, 3, 7))
    assert [period.name for period in found] == ["day", "night", "day"]
    assert all(before.end == after.start for before, after in pairwise(found))


def test_month_year_and_audit_period_are_local() -> None:
    """The plant's midnight decides, not that of UTC; both days of the audit period belong to it."""
    shanghai = calendar("Asia/Shanghai")
    late = to_us(datetime(2026, 2, 28, 16, 30, tzinfo=UTC))  # 2026-03-01 00:30 in Shanghai
    assert shanghai.month(late).name == "2026-03"
    assert shanghai.year(to_us(datetime(2025, 12, 31, 16, 0, tzinfo=UTC))).name == "2026"
    audit = shanghai.audit()
    assert audit.start == at("Asia/Shanghai", 2026, 1, 1)
    assert audit.end == at("Asia/Shanghai", 2027, 1, 1)


PERIODS = """periods:
  heating: {title: h, from: "11-15", to: "03-15"}
  leap: {title: l, from: "02-01", to: "02-29"}
  once: {title: o, from: 2026-04-01, to: 2026-04-30}
"""


def test_periods_of_the_plants_own() -> None:
    """
    heating   2025-11-15 ----|New Year|---- 2026-03-15      2026-11-15 ---- …
    once                                04-01 -- 04-30
    """
    zone = "Asia/Shanghai"
    own = calendar(zone, BASE + PERIODS)
    for moment in ((2025, 11, 15), (2026, 1, 1), (2026, 3, 15, 23, 59)):
        season = own.named("heating", at(zone, *moment))
        assert season is not None
        assert (season.start, season.end) == (at(zone, 2025, 11, 15), at(zone, 2026, 3, 16))
    assert own.named("heating", at(zone, 2026, 3, 16)) is None
    assert own.named("heating", at(zone, 2026, 11, 14, 23, 59)) is None
    once = own.named("once", at(zone, 2026, 4, 30, 12))
    assert once is not None
    assert (once.start, once.end) == (at(zone, 2026, 4, 1), at(zone, 2026, 5, 1))
    assert own.named("once", at(zone, 2027, 4, 1)) is None
    for year, last in ((2027, 28), (2028, 29)):
        leap = own.named("leap", at(zone, year, 2, 1))
        assert leap is not None
        assert leap.end == at(zone, year, 2, last) + 24 * HOUR


def test_the_longest_period_that_is_open() -> None:
    """What must still be remembered begins with the first of the periods that hold a time."""
    zone = "Asia/Shanghai"
    own = calendar(zone, BASE + PERIODS)
    assert own.begun(at(zone, 2027, 2, 3)) == at(zone, 2026, 11, 15)
    assert own.begun(at(zone, 2027, 6, 1)) == at(zone, 2027, 1, 1)
    assert own.begun(at(zone, 2026, 6, 1)) == at(zone, 2026, 1, 1)
