"""Our own export as measurements: each table's rows placed as docs/influx.md says, without the line protocol's code."""

from __future__ import annotations

import zlib
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import polars as pl
from influxql_oracle import Measurement

from historian.reader import Reader
from historian.tables import TABLES
from plant.model import Plant

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
TIME = {"facts": "minute", "kpi": "end", "blocks": "end", "drift": "found", "alarms": "time", "notices": "start"}
TAGS = {
    "facts": ("point", "scope"),
    "kpi": ("kpi", "scope", "product", "window", "shift", "weekday"),
    "blocks": ("baseline", "scope"),
    "drift": ("kpi", "scope"),
    "alarms": ("scope", "priority", "to_state", "shift"),
    "notices": ("point", "scope", "finding"),
}
APART = {"drift": "drift", "alarms": "alarm", "notices": "name"}
"""What keeps points of one instant and the same tags apart, by its checksum in the nanoseconds."""
NUMBERS = {
    "facts": ("amount", "mean", "min", "max", "last", "coverage", "estimated"),
    "kpi": ("value", "low", "high", "numerator", "denominator", "coverage", "target", "distance", "expected"),
    "blocks": (
        *("actual", "expected", "residual", "cost", "co2"),
        *("z", "chart", "limit", "cumulative", "coverage"),
    ),
    "drift": ("size_per_hour", "size_low", "size_high", "cost_per_day"),
}
TEXTS = {
    "facts": ("unit", "quality"),
    "kpi": ("unit", "quality", "reason", "grade"),
    "blocks": ("unit", "state"),
    "drift": ("drift", "unit", "direction", "state", "evidence"),
    "alarms": ("alarm", "drift", "from_state", "by", "note"),
    "notices": ("name", "evidence"),
}
TIMES = {
    "kpi": ("start",),
    "blocks": ("start",),
    "drift": ("onset", "onset_low", "onset_high", "cleared"),
    "notices": ("end",),
}
KNOWN = {
    "facts": pl.col("amount").is_not_null() | pl.col("mean").is_not_null(),
    "kpi": pl.col("value").is_not_null(),
    "blocks": pl.col("residual").is_not_null(),
    "drift": pl.col("state") != "withdrawn",
}
"""When a point is valid; alarms and notices always are."""


def exported(reader: Reader, plant: Plant) -> dict[str, Measurement]:
    """Every measurement with the newest row of each series and time."""
    return {name: _measurement(name, reader.table(name), plant) for name in TIME} | {
        "options": _options(plant),
        "maintenance": _maintenance(plant),
    }


def _measurement(name: str, frame: pl.DataFrame, plant: Plant) -> Measurement:
    assert set(frame.columns) == set(TABLES[name].schema)
    tags = ("site", *TAGS[name])
    frame = _tagged(name, frame, plant).with_columns(pl.lit(plant.site.id).alias("site"))
    stamp = pl.col(TIME[name]).dt.timestamp("us") * 1000
    if name in APART:
        marks = [zlib.crc32((value or "").encode()) % 1000 for value in frame[APART[name]]]
        stamp += pl.Series("marks", marks, pl.Int64)
    flags = [(pl.col("state").is_in(["open", "worse"])).cast(pl.Int64).alias("open")] if name == "drift" else []
    booleans = ["settled"] if name == "kpi" else []
    placed = frame.select(
        stamp.alias("time"),
        *(pl.col(tag).fill_null("") for tag in tags),
        # single precision as anybody reads it: nine tenths, not 0.8999999762
        *(pl.col(one).cast(pl.String).cast(pl.Float64) for one in NUMBERS.get(name, ())),
        *(pl.when(pl.col(one) != "").then(pl.col(one)).alias(one) for one in TEXTS[name]),
        *(pl.col(one).dt.timestamp("us") for one in TIMES.get(name, ())),
        *booleans,
        *flags,
        KNOWN.get(name, pl.lit(True)).cast(pl.Int64).alias("valid"),
        "revision",
    )
    newest = placed.sort("revision", maintain_order=True).unique([*tags, "time"], keep="last", maintain_order=True)
    return Measurement(newest.drop("revision"), tags)


def _tagged(name: str, frame: pl.DataFrame, plant: Plant) -> pl.DataFrame:
    if name in ("facts", "notices"):
        units = {point: one.unit_of for point, one in plant.points.items()}
        frame = frame.with_columns(
            pl.col("point").replace_strict(units, default="", return_dtype=pl.String).alias("scope")
        )
    if name == "notices":
        words = pl.col("finding").str.split(" ")
        word, number = words.list.get(0), words.list.get(1, null_on_oob=True)
        corrected = word == "correction"
        frame = frame.with_columns(
            pl.when(corrected).then(number).alias("name"),
            pl.when(corrected).then(word).otherwise("finding").alias("finding"),
        )
    if name == "kpi":
        zone = ZoneInfo(plant.site.time_zone)
        starts = frame.filter(pl.col("window") == "shift")["start"].unique()
        local = [start.astimezone(zone) for start in starts]
        shifts = pl.DataFrame(
            {
                "start": starts,
                "window": "shift",
                "shift": [_shift(plant, moment) for moment in local],
                "weekday": [WEEKDAYS[moment.weekday()] for moment in local],
            },
            schema_overrides={"window": pl.String, "shift": pl.String, "weekday": pl.String},
        )
        frame = frame.join(shifts, on=["start", "window"], how="left")
    return frame


def _shift(plant: Plant, moment: datetime) -> str:
    """The shift that begins at a local time."""
    (found,) = [name for name, shift in plant.shifts.items() if shift.since == moment.time()]
    return found


def _ns(moment: date, plant: Plant) -> int:
    """A day's midnight, or a time, of the plant's clock."""
    found = moment if isinstance(moment, datetime) else datetime.combine(moment, time())
    return int(found.replace(tzinfo=ZoneInfo(plant.site.time_zone)).timestamp()) * 10**9


def _options(plant: Plant) -> Measurement:
    rows = [
        {
            "time": _ns(one.commissioned, plant),
            "site": plant.site.id,
            "option": name,
            "scope": one.scope,
            "title": one.title.en,
            "title_zh": one.title.zh,
            "promised": one.promised,
            "unit": one.promised_unit,
            "valid": 1,
        }
        for name, one in plant.options.items()
    ]
    return Measurement(pl.DataFrame(rows), ("site", "option", "scope"))


def _maintenance(plant: Plant) -> Measurement:
    """What the description lists, by time of day, with the ends of calibrations."""
    rows = []
    for name, one in plant.maintenance.items():
        end = one.until or one.since
        assert isinstance(one.since, datetime)
        assert isinstance(end, datetime)
        rows.append((name, one.scope, one.title.en, one.title.zh, one.note or "–", one.since, end))
    for name, device in plant.devices.items():
        last = getattr(device, "calibrated_until", None)
        if last is not None:
            units = {point.unit_of for point in plant.points.values() if point.device == name}
            scope = units.pop() if len(units) == 1 else "site"
            title = (f"Calibration ends: {device.title.en}", f"校准到期：{device.title.zh}")
            after = last + timedelta(days=1)
            rows.append(
                (f"calibration.{name}", scope, *title, getattr(device, "certificate", None) or "–", after, after)
            )
    assert not any(point.exchanges for point in plant.points.values())
    columns = ["maintenance", "scope", "title", "title_zh", "note", "time", "end"]
    placed = [(*row[:5], _ns(row[5], plant), _ns(row[6], plant) // 1000) for row in rows]
    frame = pl.DataFrame(placed, schema=columns, orient="row")
    frame = frame.with_columns(pl.lit(plant.site.id).alias("site"), pl.lit(1).alias("valid"))
    return Measurement(frame, ("site", "maintenance", "scope"))
