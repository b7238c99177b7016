"""KPI views: unknown is said with its reason, distances have one sign, drifts show where they waste."""

from __future__ import annotations

import polars as pl
import pytest
from fake_frames import DRIFT_NAME, NOW, drift_row, example_plant, frame, kpi_row

from console.views_drifts import drifts
from console.views_kpis import CHART_POINTS, by_scope, course, of_site, values
from historian.tables import DRIFT, KPI
from plant.reading import HOUR, MINUTE

PLANT = example_plant()


def row(kpi: str, value: float | None, window: str = "1h", **more: object) -> dict[str, object]:
    """A KPI row that ends now."""
    return kpi_row(kpi, more.pop("scope", "site"), window, NOW - HOUR, NOW, value, **more)


def of(kpi: str, *rows: dict[str, object], window: str = "1h", found: tuple[dict[str, object], ...] = ()):
    """The one value of a KPI."""
    seen = values(frame(KPI, rows), PLANT, window, drifts(frame(DRIFT, found), PLANT))
    return next(value for value in seen if value.kpi == kpi)


def test_a_kpi_without_a_row_is_unknown_with_a_reason() -> None:
    """Promise 3: nothing computed is shown as unknown, not as 0 and not as nothing."""
    value = of("electricity_per_m2")
    assert value.value is None
    assert value.reason == "no result"
    assert value.to_near is None and value.achieved is None


def test_an_unknown_row_keeps_its_reason() -> None:
    """Promise 3: the reason that the step gave reaches the page."""
    value = of("electricity_per_m2", row("electricity_per_m2", None, reason="production below minimum"))
    assert (value.value, value.reason) == (None, "production below minimum")


def test_an_unknown_row_without_a_reason_still_says_unknown() -> None:
    """Promise 3: even a row that names no reason is not blank."""
    assert of("electricity_per_m2", row("electricity_per_m2", None, reason="")).reason == "unknown"


def test_zero_is_a_value() -> None:
    """A consumption of 0 that was measured is shown as 0."""
    value = of("electricity_per_m2", row("electricity_per_m2", 0.0))
    assert value.value == 0.0 and value.reason == ""


@pytest.mark.parametrize(
    ("kpi", "factor", "worse"), [("electricity_per_m2", 1.1, True), ("water_reuse_rate", 1.1, False)]
)
def test_positive_distance_is_worse_whatever_the_direction(kpi: str, factor: float, worse: bool) -> None:
    """More electricity is worse than the target, more reuse is better."""
    target = PLANT.kpis[kpi].target
    assert target is not None
    value = of(kpi, row(kpi, target.near_term * factor))
    assert value.to_near == pytest.approx(10.0 if worse else -10.0)


def test_the_way_gone_counts_from_the_baseline_year() -> None:
    """Halfway between the baseline year's value and the near-term target is 50 %, for both directions."""
    for kpi in ("electricity_per_m2", "water_reuse_rate"):
        target = PLANT.kpis[kpi].target
        assert target is not None
        assert of(kpi, row(kpi, (target.baseline + target.near_term) / 2)).achieved == pytest.approx(50.0)


def test_windows_are_not_mixed() -> None:
    """The month's row is not shown under one hour."""
    rows = [row("electricity_per_m2", 1.0, "month"), row("electricity_per_m2", 2.0, "1h")]
    assert of("electricity_per_m2", *rows).value == 2.0
    assert of("electricity_per_m2", *rows, window="month").value == 1.0


def test_a_drift_shows_in_the_kpi_that_reads_its_meter() -> None:
    """Rinse 1 of the zinc line: its own line's KPI and the site's rinse KPI, not the nickel line's."""
    found = (drift_row(DRIFT_NAME, "zn_rinse1", "zinc", NOW - HOUR, NOW, 0.6, "m3"),)
    assert of("zn_rinse_water_per_stage", found=found).drifts
    assert of("rinse_water_per_stage", found=found).drifts
    assert not of("ni_rinse_water_per_stage", found=found).drifts


def test_a_drift_shows_in_the_carrier_that_it_wastes() -> None:
    """A compressor drift wastes the site's electricity, though the KPI reads the mains; gas is not touched."""
    found = (drift_row("d", "compressor", "compressed_air", NOW - HOUR, NOW, 18.0, "kWh"),)
    assert of("electricity_per_m2", found=found).drifts
    assert not of("gas_per_m2", found=found).drifts


def test_cleared_drifts_and_good_changes_are_not_flagged() -> None:
    """Only what stands and asks for a person is a flag."""
    cleared = drift_row("d", "zn_rinse1", "zinc", NOW - HOUR, NOW, 0.6, "m3", state="cleared", cleared=None)
    fallen = drift_row("e", "zn_rinse1", "zinc", NOW - HOUR, NOW, -0.6, "m3", direction="fall")
    assert not of("zn_rinse_water_per_stage", found=(cleared, fallen)).drifts


def test_the_trend_of_a_shift_is_made_of_totals() -> None:
    """Of a to-date window only the last row of each period is drawn."""
    rows = [
        kpi_row("electricity_per_m2", "site", "shift", NOW - start * HOUR, NOW - end * HOUR, value)
        for start, end, value in ((16, 12, 1.0), (16, 8, 2.0), (8, 4, 3.0), (8, 0, 4.0))
    ]
    history = frame(KPI, rows)
    seen = values(history, PLANT, "shift", (), history)
    assert next(value for value in seen if value.kpi == "electricity_per_m2").trend == (2.0, 4.0)


def test_a_long_course_is_thinned_and_keeps_the_newest() -> None:
    """A chart gets at most some hundred points; unknown ones stay unknown."""
    rows = [
        kpi_row("gas_per_m2", "site", "1h", NOW - (n + 4) * 15 * MINUTE, NOW - n * 15 * MINUTE, None if n == 0 else n)
        for n in range(2000)
    ]
    drawn = course(frame(KPI, rows), "gas_per_m2", "site")
    assert len(drawn.times) <= CHART_POINTS
    assert drawn.times[-1] == NOW and drawn.values[-1] is None


def test_values_are_grouped_in_the_order_of_the_plant() -> None:
    """The site first, then the process units as they are described; no KPI is lost."""
    seen = values(KPI.empty(), PLANT, "1h")
    groups = by_scope(seen, PLANT)
    assert groups[0][0] == "site"
    assert sum(len(group) for _, group in groups) == len(seen) == len(PLANT.kpis)
    assert {value.scope for value in of_site(seen)} == {"site"}


def test_a_plant_without_site_kpis_still_has_tiles() -> None:
    """Then every KPI is on the tiles."""
    seen = [value for value in values(pl.DataFrame(schema=KPI.schema), PLANT, "1h") if value.scope != "site"]
    assert of_site(seen) == seen
