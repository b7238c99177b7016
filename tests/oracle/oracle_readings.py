"""A seeded month of raw readings of the oracle's plant, with the pitfalls of the domain put in one by one.

Columns as the readings table has them: time and received [µs since 1970 UTC], point, value, quality (0 good,
1 estimated, 2 suspect, 3 bad), before anything is judged.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
from numpy.typing import NDArray

ZONE = ZoneInfo("Europe/Berlin")
FIRST, END = datetime(2026, 3, 1, tzinfo=ZONE), datetime(2026, 4, 1, tzinfo=ZONE)
SECOND, MINUTE, HOUR, DAY = 1_000_000, 60_000_000, 3_600_000_000, 86_400_000_000
START_US, END_US = int(FIRST.timestamp()) * SECOND, int(END.timestamp()) * SECOND
MINUTES = (END_US - START_US) // MINUTE

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

OFFSET_S = {"mains_meter": 12, "hall_plc": 25, "hall_meter": 40, "boiler_plc": 3, "chiller_plc": 50, "water_meter": 33}
"""The second of the minute at which a device is read; the others are given where their readings are made."""


def at(day: int, hour: int, minute: int = 0, second: int = 0) -> int:
    """A time in March 2026 [µs UTC]."""
    return int(datetime(2026, 3, day, hour, minute, second, tzinfo=UTC).timestamp()) * SECOND


@dataclass
class Month:
    """What every meter would read, as amounts per minute, and the readings made of it so far."""

    rng: np.random.Generator
    frames: dict[str, pl.DataFrame]

    def running(self) -> tuple[Floats, Floats]:
        """Whether the hall runs, and at what share of full output, in each minute (local weekdays and hours)."""
        share = np.zeros(MINUTES)
        for index in range(MINUTES):
            here = (FIRST.astimezone(UTC) + timedelta(minutes=index)).astimezone(ZONE)
            if (5, 30) <= (here.hour, here.minute) < (22, 30):
                share[index] = 0.25 if here.weekday() == 6 else 1.0
        return share > 0, share

    def amounts(self, mean: float, share: Floats) -> Floats:
        """Amounts per minute about a mean per hour, a share of it, never near zero while it runs."""
        noise = np.clip(1 + 0.15 * self.rng.standard_normal(MINUTES), 0.6, 1.4)
        return mean / 60 * noise * share

    def read(self, point: str, kind: str, minutely: Floats, offset_s: int, every: int, more: tuple[float, ...]) -> None:
        """Readings of a point every `every` minutes at a second; `more` is (opening value, resolution)."""
        rows = np.arange(0, MINUTES, every)
        opening, resolution = more
        if kind == "counter":
            before = opening + np.concatenate([[0.0], np.cumsum(minutely)])[rows]
            value = before + minutely[rows] * offset_s / 60
        else:
            value = minutely[rows]
        places = round(-np.log10(resolution))
        self.put(point, START_US + rows * MINUTE + offset_s * SECOND, np.round(value, places))

    def put(self, point: str, time: Integers, value: Floats, delay_us: int = 2 * SECOND) -> None:
        """Readings of a point that arrive shortly after they were taken."""
        self.frames[point] = pl.DataFrame(
            {"time": time, "received": time + delay_us, "value": value, "quality": np.zeros(len(time), np.uint8)},
            schema_overrides={"time": pl.Int64, "received": pl.Int64},
        )

    def span(self, point: str, first: int, end: int) -> pl.Expr:
        """The readings of a stretch."""
        return (pl.col("time") >= first) & (pl.col("time") < end)

    def drop(self, points: list[str], first: int, end: int) -> None:
        """Nothing comes from these points."""
        for point in points:
            self.frames[point] = self.frames[point].filter(~self.span(point, first, end))

    def change(self, points: list[str], first: int, end: int, **columns: pl.Expr) -> None:
        """Other times or values in a stretch."""
        for point in points:
            inside = self.span(point, first, end)
            changed = [
                pl.when(inside)
                .then(expression.cast(self.frames[point].schema[name]))
                .otherwise(pl.col(name))
                .alias(name)
                for name, expression in columns.items()
            ]
            self.frames[point] = self.frames[point].with_columns(changed)

    def again(self, points: list[str], first: int, end: int, value: pl.Expr, delay_us: int) -> None:
        """The same readings once more, later, with the same or another value."""
        for point in points:
            frame = self.frames[point]
            copy = frame.filter(self.span(point, first, end)).with_columns(
                value=value, received=pl.col("received") + delay_us
            )
            self.frames[point] = pl.concat([frame, copy])

    def all(self) -> pl.DataFrame:
        """Every reading in the order of arrival."""
        whole = pl.concat([frame.with_columns(point=pl.lit(point)) for point, frame in self.frames.items()])
        return whole.select("time", "received", "point", "value", "quality").sort("received", maintain_order=True)


def month(seed: int = 17) -> pl.DataFrame:
    """The month's raw readings in the order of arrival."""
    plain = Month(np.random.default_rng(seed), {})
    _well(plain)
    _breakages(plain)
    _clocks(plain)
    return plain.all()


def _well(plain: Month) -> None:
    """Every meter as it would read if nothing ever failed (rollovers included)."""
    running, share = plain.running()
    always = np.ones(MINUTES)
    area = plain.amounts(60, share)
    mains, gas = plain.amounts(180, 0.3 + share), plain.amounts(60, 0.4 + share)
    bath, wh = area * 0.55, plain.amounts(30_000, 0.05 + share)
    rinse, steam, feed = area * 0.03, gas * 12.5, gas * 0.013
    city, well, waste = rinse + plain.amounts(3, always), plain.amounts(2, always), plain.amounts(5, 0.2 + share)
    for minute in range(at(27, 0), at(28, 12), MINUTE):
        well[(minute - START_US) // MINUTE] = 0.0
    second = OFFSET_S["mains_meter"]
    plain.read("mains_kwh", "counter", mains, second, 1, (812_345.678, 0.001))
    plain.read("mains_kw", "rate", mains * 60, second, 1, (0, 0.01))
    plain.read("mains_kvarh", "counter", plain.amounts(20, share - 0.4), second, 1, (-52.125, 0.001))
    second = OFFSET_S["hall_plc"]
    plain.read("hall_area", "counter", area, second, 1, (5_900.0, 0.1))
    plain.read("hall_wh", "counter", wh, second, 1, (700_000.0, 0.1))
    plain.read("bath_temp", "level", 45 + 5 * share + 0.3 * plain.rng.standard_normal(MINUTES), second, 1, (0, 0.1))
    second = OFFSET_S["hall_meter"]
    plain.read("bath_kwh", "counter", bath, second, 1, (92_000.0, 0.01))
    plain.read("rinse_water", "counter", rinse, second, 1, (1_234.567, 0.001))
    second = OFFSET_S["boiler_plc"]
    plain.read("gas", "counter", gas, second, 1, (45_000.0, 0.01))
    plain.read("boiler_steam", "counter", steam, second, 1, (500_000.0, 0.1))
    plain.read("gas_flow", "rate", gas * 60, second, 1, (0, 0.01))
    plain.read("feedwater", "counter", feed, second, 1, (400.0, 0.001))
    plain.read("steam_temp", "level", 170 + plain.rng.standard_normal(MINUTES), second, 1, (0, 0.1))
    second = OFFSET_S["chiller_plc"]
    plain.read("chiller_kwh", "counter", plain.amounts(40, 0.2 + share), second, 5, (8_000.0, 0.1))
    plain.read("chw_flow", "rate", 40 + 10 * share + plain.rng.standard_normal(MINUTES), second, 5, (0, 0.01))
    plain.read("chw_supply", "level", 7 + 0.2 * plain.rng.standard_normal(MINUTES), second, 5, (0, 0.01))
    plain.read("chw_return", "level", 12 + 0.2 * plain.rng.standard_normal(MINUTES), second, 5, (0, 0.01))
    second = OFFSET_S["water_meter"]
    plain.read("city_water", "counter", city, second, 1, (49_000.0, 0.001))
    plain.read("water_flow", "rate", city * 1000, second, 1, (0, 0.1))
    plain.read("well_water", "counter", well, second, 1, (77.0, 0.001))
    plain.read("ww_total", "counter", waste, 21, 2, (20_000.0, 0.001))
    plain.read("cod", "level", 300 + 40 * plain.rng.standard_normal(MINUTES), 21, 2, (0, 0.1))
    plain.read("outdoor_temp", "level", 8 + 3 * plain.rng.standard_normal(MINUTES), 17, 15, (0, 0.1))
    _spans(plain, mains, running)
    for name, modulus in (("hall_area", 6553.6), ("hall_wh", 838_860.8), ("bath_kwh", 100_000.0)):
        rolled = (pl.col("value") % modulus).round(2 if name == "bath_kwh" else 1)
        plain.frames[name] = plain.frames[name].with_columns(value=rolled)


def _spans(plain: Month, mains: Floats, running: NDArray[np.bool_]) -> None:
    """Amounts of stated spans, events and samples."""
    quarter = mains.reshape(-1, 15).sum(axis=1).round(3)
    plain.put("grid_kwh", START_US + (np.arange(len(quarter)) + 1) * 15 * MINUTE, quarter, 8 * SECOND)
    hours = MINUTES // 60
    plain.put("chemicals", START_US + np.arange(hours) * 60 * MINUTE, plain.rng.uniform(5, 40, hours).round(1), HOUR)
    # a rack now and then, each at a second of its own; every ten minutes an empty message that shows the gateway lives
    events = np.flatnonzero(running & (plain.rng.random(MINUTES) < 0.3))
    time = np.concatenate([START_US + events * MINUTE + plain.rng.integers(1, 50, len(events)) * SECOND,
                           START_US + np.arange(0, MINUTES, 10) * MINUTE + 55 * SECOND])  # fmt: skip
    value = np.concatenate([plain.rng.integers(1, 4, len(events)).astype(float), np.zeros(-(-MINUTES // 10))])
    order = np.argsort(time, kind="stable")
    plain.put("racks", time[order], value[order])
    shifts = np.arange(3 * 31 + 1)
    taken = START_US - 2 * HOUR + shifts * 8 * HOUR + 7 * MINUTE
    plain.put("chromium", taken, plain.rng.uniform(20, 60, len(taken)).round(2))
    late = pl.Series(plain.rng.integers(60, 900, len(taken)) * MINUTE)
    plain.frames["chromium"] = plain.frames["chromium"].with_columns(received=pl.col("time") + late)


def _breakages(plain: Month) -> None:
    """What meters do: gaps, dips, spikes, resets, exchanges, a frozen one."""
    value = pl.col("value")
    mains, chiller = ["mains_kwh", "mains_kw", "mains_kvarh"], ["chiller_kwh", "chw_flow", "chw_supply", "chw_return"]
    boiler = ["gas", "boiler_steam", "gas_flow", "feedwater", "steam_temp"]
    plain.drop(mains, at(3, 2, 5), at(3, 3, 5))  # a missing hour, in one price band
    plain.drop(mains, at(24, 6, 30), at(24, 7, 30))  # a missing hour across two price bands
    plain.drop(["mains_kwh"], at(8, 9, 0), at(8, 9, 1))  # one reading missed: no gap
    plain.drop(boiler, at(21, 13, 0), at(21, 13, 30))
    plain.drop(["hall_area", "hall_wh", "bath_temp"], at(23, 9, 0), at(23, 9, 40))
    plain.drop(chiller, at(6, 10, 0), at(6, 11, 0))
    plain.drop(chiller, at(25, 8, 0), at(25, 13, 0))  # beyond the gap limit
    plain.drop(["ww_total", "cod"], at(26, 9, 0), at(26, 11, 0))
    plain.drop(["cod"], at(27, 9, 0), at(27, 9, 30))
    plain.drop(["racks"], at(10, 8, 0), at(10, 11, 0))
    plain.drop(["grid_kwh"], at(9, 12, 10), at(9, 12, 20))
    plain.drop(["chemicals"], at(9, 12, 0), at(9, 13, 0))
    plain.drop(["chromium"], at(13, 4, 0), at(13, 12, 0))
    plain.drop(["outdoor_temp"], at(13, 4, 0), at(13, 8, 0))
    early = plain.frames["chromium"].filter(plain.span("chromium", at(14, 4, 0), at(14, 12, 0)))
    sooner = early.with_columns(time=pl.col("time") + 5 * HOUR, received=pl.col("received") + 5 * HOUR, value=value + 3)
    plain.frames["chromium"] = pl.concat([plain.frames["chromium"], sooner])

    plain.change(["hall_wh"], at(5, 9, 0), at(5, 9, 1), value=pl.lit(0.0))  # one zero read
    plain.change(["hall_wh"], at(6, 9, 0), at(6, 9, 2), value=(value * 0.95).round(1))  # a dip of two readings
    plain.change(["hall_wh"], at(17, 9, 0), at(17, 9, 8), value=(value * 0.6).round(1))  # one of eight minutes
    plain.change(["bath_kwh"], at(16, 9, 30), at(16, 9, 31), value=(value + 500).round(2))  # a spike
    plain.change(["rinse_water"], at(19, 10, 0), END_US, value=(value + 6000).round(3))  # an exchange nobody declared
    plain.change(["rinse_water"], at(25, 10, 0), END_US, value=(value - 500).round(3))  # one that falls a little
    plain.change(["rinse_water"], at(28, 10, 0), END_US, value=(value - 4500).round(3))  # and one that falls far
    gas = plain.frames["gas"].filter(plain.span("gas", at(4, 10, 59), at(4, 11, 0)))["value"][0]
    plain.change(["gas"], at(4, 11, 0), END_US, value=(value - gas - 0.11).round(2))  # a reset
    feed = plain.frames["feedwater"].filter(plain.span("feedwater", at(15, 10, 59), at(15, 11, 0)))["value"][0]
    plain.change(["feedwater"], at(15, 11, 0), END_US, value=(value - feed).round(3))  # a reset at once
    plain.change(["feedwater"], at(20, 10, 0), at(20, 10, 1), value=(value * 0.97).round(3))  # a dip of such a device
    frozen = plain.frames["bath_kwh"].filter(plain.span("bath_kwh", at(11, 8, 0), at(11, 8, 1)))["value"][0]
    plain.change(["bath_kwh"], at(11, 8, 0), at(11, 14, 0), value=pl.lit(frozen))

    # the city-water meter is exchanged: fifteen minutes without an answer, then the new one from its opening value on
    plain.drop(["city_water", "water_flow", "well_water"], at(18, 10, 0), at(18, 10, 15))
    last = plain.frames["city_water"].filter(plain.span("city_water", at(18, 9, 59), at(18, 10, 0)))["value"][0]
    shift = 51_234.5 - 0.25 - last  # the old meter showed 0.25 m3 less than its closing value a few minutes later
    plain.change(["city_water"], START_US, at(18, 10, 0), value=(value + shift).round(3))
    new = plain.frames["city_water"].filter(plain.span("city_water", at(18, 10, 15), at(18, 10, 16)))["value"][0]
    plain.change(["city_water"], at(18, 10, 15), END_US, value=(value - new + 12.25 + 0.31).round(3))

    bad = {"value": pl.lit(float("nan")), "quality": pl.lit(3)}
    plain.change(["bath_temp", "hall_area"], at(9, 8, 0), at(9, 8, 10), **bad)  # "not available"
    plain.change(["bath_temp"], at(10, 8, 0), at(10, 9, 0), quality=pl.lit(2))
    plain.change(["cod"], at(11, 8, 0), at(11, 9, 0), quality=pl.lit(2))
    plain.change(["hall_wh", "mains_kwh"], at(13, 9, 0), at(13, 9, 30), quality=pl.lit(2))
    plain.change(["steam_temp"], at(5, 8, 0), at(5, 8, 5), value=pl.lit(999.0))  # out of range
    plain.change(["grid_kwh"], at(22, 9, 0), at(22, 9, 1), quality=pl.lit(1))


def _clocks(plain: Month) -> None:
    """What clocks and networks do: wrong stamps, duplicates, conflicts, readings that come late."""
    time, received, value = pl.col("time"), pl.col("received"), pl.col("value")
    mains, hall = ["mains_kwh", "mains_kw", "mains_kvarh"], ["bath_kwh", "rinse_water"]
    plain.change(mains, at(14, 14, 0), at(14, 14, 10), time=time - at(14, 14, 0) + 5 * SECOND)  # 1970
    plain.change(mains, at(13, 10, 0), at(13, 10, 20), time=time + HOUR)  # an hour ahead of its time: future
    plain.change(mains, at(12, 10, 0), at(12, 10, 30), time=time - HOUR)  # an hour behind: meets what stands there
    plain.change(["steam_temp"], at(12, 10, 0), at(12, 10, 20), time=time - HOUR + 7 * SECOND)  # and one that fits in
    plain.change(["bath_temp"], at(16, 10, 0), at(16, 10, 20), time=time + 40 * DAY)  # far in the future
    plain.again(mains, at(17, 9, 0), at(17, 10, 0), value, 5 * MINUTE)  # redelivered
    plain.again(["racks", "grid_kwh", "chemicals"], at(17, 9, 0), at(17, 12, 0), value, 3 * HOUR)
    plain.again(["mains_kwh", "mains_kw"], at(18, 9, 7), at(18, 9, 8), value + 1, 30 * SECOND)  # another value
    plain.again(["bath_temp"], at(18, 8, 0), at(18, 8, 6), value - 2, 40 * MINUTE)
    plain.again(["grid_kwh"], at(10, 9, 15), at(10, 9, 16), value + 1, 20 * MINUTE)
    plain.change(mains, at(20, 9, 0), at(20, 12, 0), received=received + 20 * HOUR)  # late, within the horizon
    plain.change(hall, at(20, 9, 0), at(20, 9, 30), received=pl.lit(at(20, 12, 0)))
    plain.change(["gas_flow", "gas"], at(7, 9, 0), at(7, 9, 20), received=received + 7 * HOUR)
    plain.change(mains, at(22, 9, 0), at(22, 10, 0), received=received + 30 * HOUR)  # too late
    plain.change(["grid_kwh"], at(23, 9, 0), at(23, 10, 0), received=received + 40 * HOUR)
