"""The audit's options: what each promised, how its KPI stands, what endangers it. Savings are not verified here."""

from __future__ import annotations

from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from audit.targets import newest
from historian.tables import KPI
from plant.endangered import endangered
from plant.model import Option, Plant

NOW_WINDOWS = ("30d", "month", "12mo", "audit", "year")
OPEN_DRIFTS = ("open", "worse")
NOT_VERIFIED = "not verified yet"

OPTION_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "option": pl.String,
    "kind": pl.String,
    "scope": pl.String,
    "commissioned": pl.Date,
    "investment": pl.Float64,
    "promised": pl.Float64,
    "promised_unit": pl.String,
    "kpi": pl.String,
    "unit": pl.String,
    "before": pl.Float64,
    "now": pl.Float64,
    "window": pl.String,
    "start": KPI.schema["start"],
    "end": KPI.schema["end"],
    "improvement": pl.Float64,
    "reason": pl.String,
    "verification": pl.String,
    "endangered_by": pl.List(pl.String),
    "alarm_states": pl.List(pl.String),
    "endangered_cost_per_day": pl.Float64,
}


def option_table(plant: Plant, kpis: pl.DataFrame, drifts: pl.DataFrame, alarms: pl.DataFrame) -> pl.DataFrame:
    """One row for each option of the plant, in its order; frames have the schemas of tables kpi, drift and alarms.

    `promised` is a saving a year [`promised_unit`]; `before` the baseline year's value of the option's KPI and `now`
    its newest value of 30 days, or of a month or longer, wholly after commissioning [`unit`]; null with its `reason`
    where there is none. `improvement` is their difference [% of `before`, positive = better]; it says how the KPI
    moved, not what the option saved: that is `verification`, "not verified yet" for all. `endangered_by` names the
    open drifts that touch it, `alarm_states` how their alarms stand, `endangered_cost_per_day` what they cost
    [currency/day; null when none of them is priced].
    """
    latest = newest(kpis.filter(pl.col("window").is_in(NOW_WINDOWS)))
    by_kpi: dict[str, list[dict[str, Any]]] = {}
    for row in latest.iter_rows(named=True):
        by_kpi.setdefault(row["kpi"], []).append(row)
    threats = list(drifts.filter(pl.col("state").is_in(OPEN_DRIFTS)).sort("found", "drift").iter_rows(named=True))
    states = dict(alarms.sort("time", "revision").group_by("drift").last().select("drift", "to_state").iter_rows())
    rows = [
        {
            "option": name,
            "kind": option.kind,
            "scope": option.scope,
            "commissioned": option.commissioned,
            "investment": option.investment,
            "promised": option.promised,
            "promised_unit": option.promised_unit,
            "kpi": option.kpi,
            "verification": NOT_VERIFIED,
            **_standing(plant, option, by_kpi.get(option.kpi, [])),
            **_danger([row for row in threats if name in endangered(plant, row["kpi"], row["onset"])], states),
        }
        for name, option in plant.options.items()
    ]
    return pl.DataFrame(rows, schema=OPTION_SCHEMA)


def _standing(plant: Plant, option: Option, rows: list[dict[str, Any]]) -> dict[str, Any]:
    kpi = plant.kpis[option.kpi]
    before = kpi.target.baseline if kpi.target else None
    found: dict[str, Any] = {"unit": kpi.unit, "before": before, "reason": "no result of a month or longer yet"}
    zone = ZoneInfo(plant.site.time_zone)
    for window in NOW_WINDOWS:
        for row in rows:
            if row["window"] != window:
                continue
            begins: date = row["start"].astimezone(zone).date()
            if row["value"] is None:
                found["reason"] = row["reason"] or "unknown"
            elif (row["end"] - row["start"]).days < 28:
                found["reason"] = "the window does not yet span a month"
            elif begins < option.commissioned:
                found["reason"] = "the window begins before commissioning"
            else:
                sign = 1.0 if kpi.better == "lower" else -1.0
                better = sign * (before - row["value"]) / abs(before) * 100 if before else None
                span = {name: row[name] for name in ("window", "start", "end")}
                return {**found, **span, "now": row["value"], "improvement": better, "reason": ""}
    return found


def _danger(threats: list[dict[str, Any]], states: dict[str, str]) -> dict[str, Any]:
    costs = [row["cost_per_day"] for row in threats if row["cost_per_day"] is not None]
    return {
        "endangered_by": [row["drift"] for row in threats],
        "alarm_states": [states.get(row["drift"], "") for row in threats],
        "endangered_cost_per_day": sum(costs) if costs else None,
    }
