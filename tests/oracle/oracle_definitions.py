"""The plant description as tables, and how the oracle reads what the definitions leave open.

The oracle knows only the design, the domain and the plant model's docstrings. Where they leave a choice, the most
natural reading was taken; where the product had taken another one that fits the definitions as well or better, the
oracle follows it since the two were first compared (*). DISAGREEMENTS.md has the story.

Readings
 1. The last tick at a reading's receipt is its time of receipt cut to the minute; more than 60 s ahead of it is future
    and never used, neither then nor later, nor does it conflict with anything.
 2. Late: more than 24 h behind the source's watermark, which is the newest source time that the device (all its points)
    brought before, less its disorder, at most the last tick. A late reading is not used. 1970 is simply late.
 3. Two values of one point and time after rounding to the resolution: a conflict, none is used. A bad or not finite
    value is not used and conflicts with nothing.
 4. A value outside `range` (an interval's beyond `per_hour` x span) is not used.
Counters
 5. Between two accepted readings the total rises evenly; a minute has the difference of the rounded running shares at
    its two ends, to 1e-6 of the unit, halves to the even digit. A `net` likewise, its differences of either sign.
 6. A gap is a stretch between neighbouring used readings that is longer than three intervals (or the heartbeat),
    whatever the reason that nothing between was used. Its total is spread evenly, estimated and not covered (*).
    From one and a half intervals on it is covered, and estimated (*).
 7. `gap: interpolate`: a gap up to `gap_limit` is covered, and estimated; a longer one is like any other. `gap: hold`
    holds a rate or level for at most `gap_limit` after the reading, estimated (*).
 8. "Within 3 readings or 15 min": whichever is longer. A rise beyond the rate that comes back to what the rate allows
    within that is a spike, dropped like a dip. What comes back must itself be possible by the rate.
 9. A reset's value since zero must be possible by the rate too, or it is an undeclared exchange: a meter that falls
    from 7 000 to 2 500 has not delivered 2 500 in a minute ("refuse what cannot be").
10. The step of a rollover or a declared exchange is spread evenly between the two readings beside it, and good: a
    notice marks it (*). A reset's is estimated, suspect and not covered: what was counted before it is lost (*).
11. An undeclared exchange has no total: the time between the readings beside it is unknown, at any length.
12. `on_fall: reset`: a fall of less than `dip_limit` of the last value is dropped until the counter is back; any other
    is a reset at once.
13. Frozen: unchanged readings during which the witness moved for more than `flat_limit` in sum; every reading after the
    first of the unchanged value is not used. When it moves again the difference is spread over the stretch, suspect:
    a meter that stood still may have lost what it did not show, and that would be a saving (*).
14. A flat counter without a witness: 0; from the reading on that comes `flat_after` after the first, suspect (*).
Others
15. A rate or level holds from a reading until the next, also one that cannot be used; for one and a half intervals as
    measured, then up to three as an estimate (*). The mean is weighted by time; min and max are of the values in force
    in the minute, last is the one in force at its end. Its quality is that of the values in force.
16. A sample holds until the next or for `valid`. Late samples count like late readings (none here is beyond 24 h).
17. A rate's amount is its integral; at coverage 0.9 to 1 it is scaled to the minute, the rest is estimated.
18. A count's minutes are covered that touch a stretch between neighbouring readings no further apart than the
    heartbeat, whole minutes (*); a reading of 0 is a sign of life. Longer silence is unknown back to the last reading.
19. mean, min and max belong to rate, level and sample; `last` of a counter or net is its last used reading at the
    minute's end, after rounding (*); of an interval or a count there is none.
20. coverage counts what was measured and what was filled by 6 and 7. An interval's minutes are covered, and estimated:
    its span was measured, not they (*). A minute's quality is the worst of what it is made of (*), of nothing bad.
KPIs
21. Derived amounts (energy, CO2, cost, load, cooling) are rounded to 1e-6 in every minute, halves to even; a tie that
    binary fractions decide is left to the product. A fuel's energy is ncv / 29.3076; its CO2 ncv x carbon x oxidation
    x 44/12. Load is mean mg/L x m3 / 1000 in kg. Cooling is mean flow x (return - supply) x 4.1868 / 3.6 kWh (*).
    `hours` is 1/60 h for every known minute, not rounded (*).
22. Dates and hours of the day are the plant's own; a change of edition or price holds from local midnight.
23. Unknown minutes of a KPI that follow one another are one piece if every term's total over them is known: all that is
    unknown of its points lies in gaps with a total (a reset's or frozen stretch has none). The piece reaches as far as
    these gaps do, and belongs to windows that hold all of it. A piece's cost needs one price, a load or cooling has no
    total over a gap. Derived amounts of its minutes are rounded like any others (*).
24. coverage is (known minutes + those of pieces) / all minutes of the window, minutes before the first data included; a
    window to date ends now.
25. value = times x numerator / denominator; a plain sum is scaled to the whole window, its numerator is not; scaled it
    stays within low and high (*). Below the coverage limit, or with a denominator below `minimum`, there is none.
26. low and high: every term that is unknown or estimated (an interval is not) takes the ends of its range for the whole
    minute (*), others what they have; low is lowest over highest. No range, or a divisor of 0: no bound.
27. Trailing windows are of fixed length (12 months by the calendar); "every hour" is the full hour, "every day" local
    midnight. A shift belongs to the instant just before the window's end.
28. A KPI's quality is the worst of its known minutes; a plain sum that was scaled is estimated, a ratio is not (*).
"""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import yaml

from plant.model import Plant

DESCRIPTION = Path(__file__).with_name("oracle_plant.yaml")
MICRO = 1_000_000
HOUR_US = 3_600_000_000
DURATION_US = {"kW": HOUR_US, "m3/h": HOUR_US, "L/min": HOUR_US // 60}
"""The time in a rate's unit."""
SIDES = {"numerator": 1, "denominator": -1}

TABLES = """
create table points(point text, device text, scope text, kind text, unit text, resolution bigint, silence bigint,
    disorder bigint, range_lo double, range_hi double, hour_lo double, hour_hi double, modulus bigint, on_fall text,
    dip_limit double, span bigint, stamp text, valid bigint, gap text, gap_limit bigint, witness text,
    flat_limit bigint, flat_after bigint, rate_unit bigint, carrier text);
create table exchanges(point text, moment bigint, closing bigint, opening bigint);
create table fuels(carrier text, since bigint, ncv double, carbon double, oxidation double);
create table factors(carrier text, quantity text, since bigint, value double);
create table prices(carrier text, since bigint, price double, month integer, from_minute integer, to_minute integer);
create table shifts(shift text, from_minute integer, to_minute integer);
create table kpis(kpi text, scope text, times double, minimum double, coverage_limit double, ratio boolean,
    n_scale double, d_scale double, derived boolean);
create table terms(kpi text, side text, term integer, form text, times double, point text, flow text, supply text,
    back text);
create table site(zone text, audit_from bigint);
"""


def plant() -> Plant:
    """The oracle's plant."""
    return Plant.model_validate(yaml.safe_load(DESCRIPTION.read_text()))


def load(db: duckdb.DuckDBPyConnection, described: Plant) -> None:
    """The description as tables; times [us], counter values [1e-6 of the unit]."""
    db.execute(TABLES)
    zone = ZoneInfo(described.site.time_zone)
    _points(db, described)
    _coefficients(db, described, zone)
    for name, shift in described.shifts.items():
        _put(db, "shifts", [name, _minute(shift.since), _minute(shift.until)])
    for name, kpi in described.kpis.items():
        derived = any(term.as_ != "amount" for term in kpi.terms())
        scales = [1 / 60 if side and all(term.as_ == "hours" for term in side) else 1.0
                  for side in (kpi.numerator, kpi.denominator)]  # fmt: skip
        _put(
            db,
            "kpis",
            [name, kpi.scope, kpi.times, kpi.minimum, kpi.coverage_limit, bool(kpi.denominator), *scales, derived],
        )
        for side in SIDES:
            for number, term in enumerate(getattr(kpi, side)):
                reads = [term.point, term.flow, term.supply, term.return_]
                _put(db, "terms", [name, side, number, term.as_, term.times, *reads])
    _put(db, "site", [described.site.time_zone, _midnight(described.audit.period[0], zone)])


def _points(db: duckdb.DuckDBPyConnection, described: Plant) -> None:
    for name, point in described.points.items():
        device = described.devices[point.device]
        silence = point.heartbeat if point.heartbeat is not None else 3 * device.interval
        span, per_hour = point.range or (None, None), point.per_hour or (None, None)
        row = [
            name, point.device, point.unit_of, point.kind.value, point.unit, round(point.resolution * MICRO),
            _us(silence), _us(device.disorder), *span, *per_hour,
            None if point.modulus is None else round(point.modulus * MICRO), point.on_fall, point.dip_limit,
            _us(point.span), point.stamp, _us(point.valid), point.gap.value, _us(point.gap_limit), point.moves_with,
            _us(point.flat_limit), _us(point.flat_after), DURATION_US.get(point.unit), point.carrier,
        ]  # fmt: skip
        _put(db, "points", row)
        for one in point.exchanges:
            at = round(one.at.timestamp() * MICRO)
            _put(db, "exchanges", [name, at, round(one.closing * MICRO), round(one.opening * MICRO)])


def _coefficients(db: duckdb.DuckDBPyConnection, described: Plant, zone: ZoneInfo) -> None:
    for carrier, editions in described.fuels.items():
        for fuel in editions:
            _put(db, "fuels", [carrier, _midnight(fuel.since, zone), fuel.ncv, fuel.carbon_content, fuel.oxidation])
    for factor in described.factors:
        _put(db, "factors", [factor.carrier, factor.quantity, _midnight(factor.since, zone), factor.value])
    for tariff in described.tariffs:
        since = _midnight(tariff.since, zone)
        for month in range(1, 13) if tariff.price is not None else ():
            _put(db, "prices", [tariff.carrier, since, tariff.price, month, 0, 1440])
        for band in tariff.bands:
            for month in band.months:
                for hours in band.hours:
                    ends = [_clock(part) for part in hours.split("-")]
                    _put(db, "prices", [tariff.carrier, since, band.price, month, *ends])


def _put(db: duckdb.DuckDBPyConnection, table: str, row: list[Any]) -> None:
    db.execute(f"insert into {table} values ({', '.join('?' * len(row))})", row)


def _us(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * MICRO)


def _midnight(day: date | None, zone: ZoneInfo) -> int:
    return 0 if day is None else round(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp()) * MICRO


def _minute(clock: Any) -> int:
    return int(clock.hour * 60 + clock.minute)


def _clock(text: str) -> int:
    hours, minutes = text.split(":")
    return int(hours) * 60 + int(minutes)
