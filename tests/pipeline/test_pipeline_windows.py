"""Windows: across midnight, daylight saving and the edges of what is held; and what a correction does."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from pipeline_builders import START, Run, at, device, kpi, plant, point

from historian.reader import Reader
from historian.store import Historian
from pipeline.engine import Engine
from plant.clock import to_us
from plant.model import Plant
from plant.reading import MINUTE

DAY = 1440


def counting(zone: str = "UTC", **more: Any) -> Plant:
    """A plant that counts one a minute."""
    return plant({"n": point("counter", "1")}, zone=zone, kpis={"n": kpi([{"point": "n"}])}, **more)


def minute(text: str, zone: str = "UTC") -> int:
    """Minutes since START of a local time."""
    local = datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))
    return (to_us(local.astimezone(UTC)) - START) // MINUTE


def count(run: Run, first: int, end: int, beat: int = 360) -> None:
    """One a minute over [first, end], in batches of `beat` minutes."""
    for start in range(first, end + 1, beat):
        stop = min(start + beat, end + 1)
        run.read([("n", i, float(i - first)) for i in range(start, stop)], tick=stop)
    run.settle(end + 1)


def values(run: Run, window: str) -> dict[int, tuple[float | None, bool]]:
    """Value and settledness by the window's end [min since START]."""
    rows = run.table("kpi").filter(pl.col("window") == window).iter_rows(named=True)
    return {(to_us(row["end"]) - START) // MINUTE: (row["value"], row["settled"]) for row in rows}


def test_trailing_windows_end_on_quarter_hours() -> None:
    """15 minutes hold 15, an hour 60; before the data began there is no value."""
    # minutes   0 ... 200, one a minute
    run = Run(counting())
    count(run, 0, 200)
    quarter, hour = values(run, "15min"), values(run, "1h")
    assert quarter[15] == (15, True)
    assert quarter[195] == (15, True)
    assert hour[60] == (60, True)
    assert hour[45] == (None, True)
    assert {end for end in quarter if end % 15 == 0 and end < 201} == set(range(15, 201, 15))


def test_a_shift_across_midnight() -> None:
    """The night shift is one window from 22:00 to 06:00; to date until its end, which is its total."""
    # hour   20   21   22   23   00   01 ... 06   07
    #        late     |------- night --------|early
    run = Run(counting())
    first = minute("2026-03-02T20:00")
    count(run, first, minute("2026-03-03T08:00"))
    found = values(run, "shift")
    assert found[minute("2026-03-02T23:00")] == (60, False)
    assert found[minute("2026-03-03T00:00")] == (120, False)
    assert found[minute("2026-03-03T06:00")] == (480, True)
    assert found[minute("2026-03-03T06:15")] == (15, False)


def test_a_shift_that_ends_between_quarter_hours_has_its_total(tmp_path: Path) -> None:
    """At a shift's end the row is its total, also when nobody changes shift on the quarter hour; it is kept."""
    shifts = {
        name: {"title": name, "from": since, "to": until, "supervisor": "s", "route": "r"}
        for name, since, until in (("day", "07:50", "19:50"), ("night", "19:50", "07:50"))
    }
    historian = Historian(tmp_path)
    run = Run(counting(shifts=shifts), historian)
    for start in range(0, 4 * DAY, 7 * 60 + 7):
        run.read([("n", i, float(i)) for i in range(start, start + 7 * 60 + 7)])
        run.engine.checkpoint()
    rows = Reader(tmp_path).table("kpi", where={"window": "shift"}).filter(pl.col("settled"))
    totals = {(to_us(row["end"]) - START) // MINUTE: row["value"] for row in rows.iter_rows(named=True)}
    ends = [day * DAY + clock for day in range(4) for clock in (470, 1190)]
    assert [totals.get(end) for end in ends[1:]] == [720] * 7
    historian.close()


@pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25)])
def test_days_of_23_and_25_hours(day: str, hours: int) -> None:
    """A local day is as long as it is; its night shift too; the hours of the change are counted once."""
    zone = "Europe/Berlin"
    run = Run(counting(zone))
    first = minute(f"{day}T00:00", zone)
    count(run, first - 180, first + 30 * 60)
    days, shifts = values(run, "day"), values(run, "shift")
    end = first + hours * 60
    assert days[end] == (hours * 60, True)
    assert days[end - 60] == ((hours - 1) * 60, False)
    assert shifts[minute(f"{day}T06:00", zone)] == ((hours - 24 + 8) * 60, True)


def test_to_date_totals() -> None:
    """Day, month and year run to date by the hour; at its end the row is the month's total."""
    run = Run(counting("Asia/Shanghai"))
    first = minute("2026-03-30T00:00", "Asia/Shanghai")
    count(run, first, first + 3 * DAY)
    days, months = values(run, "day"), values(run, "month")
    assert days[first + 5 * 60] == (300, False)
    assert days[first + DAY] == (DAY, True)
    april = minute("2026-04-01T00:00", "Asia/Shanghai")
    assert months[april][1] is True
    rows = run.table("kpi").filter((pl.col("window") == "month") & (pl.col("end").dt.timestamp("us") == at(april)))
    assert rows["numerator"].to_list() == [2 * DAY]
    assert rows["coverage"].to_list() == [pytest.approx(2 / 31)]
    assert months[april + 60] == (60, False)


def test_long_windows_across_what_is_held() -> None:
    """Promise 7 beside 2: minutes are held for a day, hours for a month, days for 13; sums never notice.

    Days are held for as long as a period that is still open needs: an audit of 14 months is whole to its end.
    """
    # a counter read once an hour, 240 kWh a day, for 430 days in batches of 10 days, restarted now and then
    described = plant(
        {"n": point("counter", "1", per_hour=[0, 100])},
        zone="Asia/Shanghai",
        devices={"plc": device(interval="60 min")},
        kpis={"n": kpi([{"point": "n"}])},
        audit={"name": "a", "period": ["2026-03-04", "2027-04-30"], "baseline_year": 2025},
    )
    run = Run(described)
    hours = 430 * 24
    for start in range(0, hours, 240):
        run.read([("n", hour * 60, float(hour * 10)) for hour in range(start, start + 240)])
        if start % 2400 == 0:
            run.engine.checkpoint()
            run.engine = Engine(run.plan, run.store)
    run.settle(hours * 60)
    last = (hours - 2) * 60
    offset = 8 * 60
    for name, length in (("7d", 7 * DAY), ("30d", 30 * DAY)):
        found = values(run, name)
        for end in (length, 100 * DAY, last):
            assert found[end] == (length / 6, True), (name, end)
        assert found[length // 60 // 2 * 60] == (None, True)
    year = values(run, "12mo")
    assert year[398 * DAY - offset] == (365 * 240, True)
    assert year[300 * DAY - offset] == (None, True)
    years = values(run, "year")
    closing = minute("2027-01-01T00:00", "Asia/Shanghai")
    assert years[closing][1] is True
    audit = values(run, "audit")
    audited = minute("2026-03-04T00:00", "Asia/Shanghai")
    assert audit[audited + 48 * 60] == (480, False)
    closing = minute("2027-05-01T00:00", "Asia/Shanghai")
    assert audit[closing] == ((closing - audited) / 6, True)
    assert closing + 60 not in audit
    state = run.engine._scopes["site"].sums
    assert (len(state.minutes) <= 29 * 60, len(state.hours) < 800, len(state.days) <= 401) == (True, True, True)


def test_named_periods_of_the_plants_own() -> None:
    """A season across New Year and a campaign run to date by the hour; at their ends the rows are their totals."""
    zone = "Asia/Shanghai"
    periods = {
        "heating_season": {"title": "h", "from": "11-15", "to": "03-15"},
        "campaign": {"title": "c", "from": date(2026, 4, 1), "to": date(2026, 4, 30)},
    }
    run = Run(counting(zone, periods=periods, devices={"plc": device(interval="60 min")}))
    first, last = minute("2026-03-10T00:00", zone), minute("2027-03-20T00:00", zone)
    for start in range(first, last, 10 * DAY):
        run.read([("n", at, float(at - first)) for at in range(start, min(start + 10 * DAY, last), 60)])
    run.settle(last)
    season, campaign = values(run, "heating_season"), values(run, "campaign")
    begun = minute("2026-11-15T00:00", zone)
    closing = minute("2027-03-16T00:00", zone)
    assert season[begun + 60] == (60, False)
    assert season[minute("2027-01-01T00:00", zone)] == (47 * DAY, False)
    assert season[closing] == (121 * DAY, True)
    assert season[minute("2026-03-16T00:00", zone)] == (None, True)
    assert not [end for end in season if minute("2026-03-16T00:00", zone) < end <= begun]
    assert closing + 60 not in season
    may = minute("2026-05-01T00:00", zone)
    assert campaign[may] == (30 * DAY, True)
    assert set(campaign) == set(range(may - 30 * DAY + 60, may + 1, 60))


def test_a_period_of_a_month_is_graded_and_a_week_is_not() -> None:
    """Index grades are judged on a month or longer, in the plant's own periods as in the fixed ones."""
    periods = {
        "campaign": {"title": "c", "from": date(2026, 3, 3), "to": date(2026, 4, 1)},
        "week": {"title": "w", "from": date(2026, 3, 3), "to": date(2026, 3, 9)},
    }
    target = {"baseline": 9e6, "near_term": 8e6, "long_term": 7e6, "grades": [1e6, 2e6, 3e6]}
    described = plant({"n": point("counter", "1")}, kpis={"n": kpi([{"point": "n"}], target=target)}, periods=periods)
    run = Run(described)
    count(run, 0, 2 * DAY)
    grades = dict(run.table("kpi").filter(pl.col("window").is_in(periods)).group_by("window").agg("grade").iter_rows())
    assert (set(grades["campaign"]), set(grades["week"])) == ({"I"}, {""})


def test_a_kpi_that_is_declared_later_knows_nothing_of_before() -> None:
    """Promise 3: sums follow their KPIs' names through a change of description; a new KPI begins where it was added."""
    points = {"n": point("counter", "1", per_hour=[0, 600]), "m": point("counter", "1", per_hour=[0, 600])}
    run = Run(plant(points, kpis={"a": kpi([{"point": "n"}]), "b": kpi([{"point": "m"}])}))

    def go(first: int, end: int) -> None:
        run.read([(name, i, float(i * by)) for i in range(first, end) for name, by in (("n", 1), ("m", 2))], tick=end)

    go(0, 300)
    run.engine.checkpoint()
    changed = plant(points, kpis={"new": kpi([{"point": "n"}]), "b": kpi([{"point": "m"}], peak="15 min")})
    later = Run(changed, run.store)
    later.position = run.position
    run = later
    go(300, 620)
    run.settle(620)
    for name, value in (("b", 120), ("new", None)):
        row = run.kpi(name, "day", 360)
        assert row is not None
        assert row["value"] == value, name
    for name, value in (("b", 120), ("new", 60)):
        row = run.kpi(name, "1h", 600)
        assert row is not None
        assert (row["value"], row["low"], row["high"]) == (value, value, value), name
    row = run.kpi("new", "shift", 480)
    assert row is not None
    assert row["high"] is None or row["high"] >= 120


def test_a_late_correction_is_told_in_every_window_that_holds_it() -> None:
    """Promise 2: a reading twenty hours late changes its quarter hour, shift and day, and the sums to come."""
    described = plant({"p": point("rate", "kW")}, kpis={"p": kpi([{"point": "p"}])})
    run = Run(described)
    for hour in range(24):
        run.read([("p", hour * 60 + i, 60.0) for i in range(60) if (hour, i) != (9, 5)])
    run.settle(DAY)
    before = {name: values(run, name) for name in ("15min", "1h", "shift", "day")}
    revisions = run.table("kpi")["revision"].max()
    run.read([("p", 545, 660.0)], tick=DAY + 60)
    after = {name: values(run, name) for name in ("15min", "1h", "shift", "day")}
    for name, ends in (("15min", (555,)), ("1h", (555, 600)), ("shift", (570, 840)), ("day", (600, DAY))):
        for end in ends:
            assert before[name][end][0] is not None
            assert after[name][end][0] == pytest.approx(before[name][end][0] + 10), (name, end)
    for name, end in (("15min", 540), ("1h", 540), ("day", 540), ("shift", 540)):
        assert after[name][end] == before[name][end]
    newest = run.table("kpi").filter(pl.col("revision") > revisions)
    assert (newest["end"].dt.timestamp("us") > at(545)).all()


def test_only_quarter_hours_and_the_latest_are_stored(tmp_path: Path) -> None:
    """Of windows that slide by the minute those on the quarter hour and the latest are kept."""
    historian = Historian(tmp_path)
    run = Run(counting(), historian)
    for start in range(0, 3 * DAY + 100, 37):
        run.read([("n", i, float(i)) for i in range(start, start + 37)])
        if start % 5 == 0:
            run.engine.checkpoint()
    run.engine.checkpoint()
    assert list((tmp_path / "kpi").glob("*.parquet"))
    rows = Reader(tmp_path).table("kpi", where={"window": ["15min", "1h", "shift"]})
    odd = rows.filter(pl.col("end").dt.timestamp("us") % (15 * MINUTE) != 0)
    assert odd.group_by("window").len()["len"].to_list() == [1, 1, 1]
    assert odd["end"].dt.timestamp("us").unique().to_list() == [run.engine.settled_us]
    historian.close()
