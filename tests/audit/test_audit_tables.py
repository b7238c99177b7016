"""The audit's tables: distance and grade on a month or longer, options honestly unverified, unknown kept unknown."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from audit.options import NOT_VERIFIED, OPTION_SCHEMA, option_table
from audit.targets import JUDGED_WINDOWS, TARGET_SCHEMA, target_table
from historian.tables import ALARMS, DRIFT, KPI
from plant.model import NamedPeriod, Plant

END = datetime(2026, 4, 6, tzinfo=UTC)
TEXT = {"en": "Something", "zh": "某物"}


@pytest.fixture
def plant() -> Plant:
    """A plant with a KPI to lower, one to raise, one without a target, and two options."""
    point = {"title": TEXT, "in": "site", "kind": "counter", "unit": "m3", "from": "hand", "read": "x"}
    target = {"baseline": 30, "near_term": 18, "long_term": 14, "grades": [8, 24, 40], "limiting": True}
    kpi = {"title": TEXT, "numerator": [{"point": "water"}], "unit": "L/m2"}
    option = {"title": TEXT, "kind": "low_cost", "scope": "site", "promised": 27700, "promised_unit": "m3"}
    return Plant.model_validate(
        {
            "format": "keepclean/1",
            "site": {"id": "works", "name": TEXT, "time_zone": "Asia/Shanghai"},
            "audit": {"name": TEXT, "period": ["2026-01-01", "2026-12-31"], "baseline_year": 2024},
            "devices": {"hand": {"protocol": "manual", "title": TEXT}},
            "points": {"water": point, "reuse": point},
            "kpis": {
                "rinse": {**kpi, "target": target},
                "reuse": {**kpi, "better": "higher", "target": {"baseline": 18, "near_term": 30, "long_term": 40}},
                "plain": kpi,
            },
            "baselines": {
                "rinse1": {
                    "title": TEXT,
                    "scope": "site",
                    "response": "water",
                    "likely_cause": TEXT,
                    "first_check": TEXT,
                }
            },
            "options": {
                "restrictors": {**option, "commissioned": "2025-03-10", "kpi": "rinse", "baselines": ["rinse1"]},
                "membrane": {**option, "commissioned": "2026-03-20", "kpi": "reuse"},
            },
        }
    )


def row(kpi: str, value: float | None, window: str = "30d", days: float = 30, **changes: Any) -> dict[str, Any]:
    """One KPI row."""
    end = changes.pop("end", END)
    return {
        "kpi": kpi,
        "scope": "site",
        "product": "",
        "window": window,
        "start": end - timedelta(days=days),
        "end": end,
        "value": value,
        "unit": "L/m2",
        "coverage": 0.97,
        "quality": "good",
        "reason": "",
        "settled": True,
        "revision": 1,
        **changes,
    }


def kpis(*rows: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=KPI.schema)


@pytest.mark.parametrize(
    ("kpi", "value", "verdict", "distances", "achieved"),
    [
        ("rinse", 13.0, "long-term reached", (-56.7, -27.8, -7.1), 141.7),
        ("rinse", 18.0, "near-term reached", (-40.0, 0.0, 28.6), 100.0),
        ("rinse", 24.0, "improved", (-20.0, 33.3, 71.4), 50.0),
        ("rinse", 33.0, "not improved", (10.0, 83.3, 135.7), -25.0),
        ("reuse", 40.0, "long-term reached", (-122.2, -33.3, 0.0), 183.3),
        ("reuse", 24.0, "improved", (-33.3, 20.0, 40.0), 50.0),
        ("reuse", 9.0, "not improved", (50.0, 70.0, 77.5), -75.0),
    ],
)
def test_a_value_is_judged_against_baseline_year_and_targets(
    plant: Plant, kpi: str, value: float, verdict: str, distances: tuple[float, ...], achieved: float
) -> None:
    """Distances are positive when worse, whichever direction is better."""
    found = target_table(plant, kpis(row(kpi, value))).row(0, named=True)
    assert found["verdict"] == verdict
    assert (found["from_baseline"], found["to_near_term"], found["to_long_term"]) == pytest.approx(distances, abs=0.06)
    assert found["achieved"] == pytest.approx(achieved, abs=0.06)


@pytest.mark.parametrize(("value", "grade"), [(8.0, "I"), (24.0, "II"), (40.0, "III"), (40.1, "")])
def test_the_grade_is_that_of_the_limits(plant: Plant, value: float, grade: str) -> None:
    """A value on a limit reaches its grade; beyond the third it reaches none."""
    assert target_table(plant, kpis(row("rinse", value)))["grade"].item() == grade


def test_only_a_month_or_longer_is_judged(plant: Plant) -> None:
    """An hour or a week says nothing about a target; a month to date of six days is shown but not judged."""
    frame = kpis(
        *(row("rinse", 17.0, window, 1) for window in ("15min", "1h", "shift", "day", "7d")),
        row("rinse", 17.0, "month", 6),
        row("rinse", 17.0, "audit", 95),
    )
    found = target_table(plant, frame)
    assert dict(zip(found["window"], found["verdict"], strict=True)) == {
        "month": "too short",
        "audit": "near-term reached",
    }
    assert found["grade"].to_list() == ["", "II"]
    assert set(found["window"]) <= set(JUDGED_WINDOWS)


def test_the_plant_s_own_periods_are_judged(plant: Plant) -> None:
    """A campaign stands beside month and audit period, after them; one of less than 28 days is shown, not judged."""
    campaign = {"title": TEXT, "from": "2026-02-01", "to": "2026-03-20"}
    sprint = {"title": TEXT, "from": "2026-03-01", "to": "2026-03-14"}
    own = {name: NamedPeriod.model_validate(one) for name, one in {"campaign": campaign, "sprint": sprint}.items()}
    with_own = plant.model_copy(update={"periods": own})
    frame = kpis(row("rinse", 17.0, "campaign", 48), row("rinse", 17.0, "sprint", 14), row("rinse", 17.0, "audit", 95))
    found = target_table(with_own, frame)
    assert found.select("window", "verdict", "grade").rows() == [
        ("audit", "near-term reached", "II"),
        ("campaign", "near-term reached", "II"),
        ("sprint", "too short", ""),
    ]
    assert target_table(plant, frame)["window"].to_list() == ["audit"], "a period that is no longer described"


def test_an_unknown_value_is_not_judged(plant: Plant) -> None:
    """Promise 3: a KPI without a value has no distance, no grade and no verdict but "unknown", with the reason."""
    found = target_table(plant, kpis(row("rinse", None, reason="coverage below limit"))).row(0, named=True)
    assert (found["verdict"], found["grade"], found["reason"]) == ("unknown", "", "coverage below limit")
    assert [found[name] for name in ("value", "from_baseline", "to_near_term", "to_long_term", "achieved")] == [
        None
    ] * 5


def test_the_newest_row_counts_and_kpis_without_target_are_left_out(plant: Plant) -> None:
    """One row for each KPI and window: the newest, of rows with the same span the highest revision."""
    old = row("rinse", 33.0, end=END - timedelta(hours=1), revision=9)
    frame = kpis(row("rinse", 17.0, revision=2), row("rinse", 30.0, revision=1), old, row("plain", 1.0))
    found = target_table(plant, frame)
    assert found.select("kpi", "value").rows() == [("rinse", 17.0)]
    assert dict(found.schema) == TARGET_SCHEMA
    assert dict(target_table(plant, KPI.empty()).schema) == TARGET_SCHEMA


def drift(name: str, **changes: Any) -> dict[str, Any]:
    return {
        "drift": name,
        "kpi": "rinse1",
        "scope": "site",
        "onset": END - timedelta(days=2),
        "found": END - timedelta(days=1),
        "cost_per_day": 120.0,
        "state": "open",
        "revision": 1,
        **changes,
    }


def alarm(name: str, to_state: str, hours: float) -> dict[str, Any]:
    return {"alarm": f"alarm:{name}", "drift": name, "time": END - timedelta(hours=hours), "to_state": to_state}


def table(plant: Plant, frame: pl.DataFrame, *drifts: dict[str, Any], alarms: tuple[Any, ...] = ()) -> pl.DataFrame:
    drift_frame = pl.DataFrame(list(drifts), schema=DRIFT.schema)
    return option_table(plant, frame, drift_frame, pl.DataFrame(list(alarms), schema=ALARMS.schema))


def test_an_option_shows_before_and_now_and_claims_no_saving(plant: Plant) -> None:
    """What the KPI was and is, what was promised; no saving is claimed before it is verified."""
    found = table(plant, kpis(row("rinse", 18.0), row("rinse", 17.0, "7d", 7))).row(0, named=True)
    assert (found["before"], found["now"], found["window"]) == (30.0, 18.0, "30d")
    assert found["improvement"] == pytest.approx(40.0)
    assert (found["promised"], found["promised_unit"]) == (27700.0, "m3")
    assert found["verification"] == NOT_VERIFIED
    assert not [name for name in OPTION_SCHEMA if "saving" in name or "saved" in name]


def test_a_window_that_reaches_back_before_commissioning_is_no_now(plant: Plant) -> None:
    """An option commissioned 17 days ago has no month of its own yet, and the row says so."""
    found = table(plant, kpis(row("reuse", 35.0))).row(1, named=True)
    assert found["now"] is None
    assert found["improvement"] is None
    assert found["reason"] == "the window begins before commissioning"
    unknown = table(plant, kpis(row("rinse", None, reason="no data"))).row(0, named=True)
    assert (unknown["now"], unknown["reason"]) == (None, "no data")
    nothing = table(plant, KPI.empty()).row(0, named=True)
    assert nothing["reason"] == "no result of a month or longer yet"


def test_open_drifts_endanger_their_options(plant: Plant) -> None:
    """Open and worsened drifts of an option's baselines count, cleared and foreign ones do not; alarms show."""
    found = table(
        plant,
        KPI.empty(),
        drift("a"),
        drift("b", state="worse", cost_per_day=None),
        drift("c", state="cleared"),
        drift("d", state="withdrawn", onset=None, found=None),
        drift("e", kpi="elsewhere"),
        alarms=(alarm("a", "unacknowledged", 5), alarm("a", "acknowledged", 4)),
    )
    first, second = found.iter_rows(named=True)
    assert first["endangered_by"] == ["a", "b"]
    assert first["alarm_states"] == ["acknowledged", ""]
    assert first["endangered_cost_per_day"] == 120.0
    assert second["endangered_by"] == []
    assert second["endangered_cost_per_day"] is None
    assert dict(found.schema) == OPTION_SCHEMA
