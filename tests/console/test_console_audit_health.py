"""Audit and data-health views: what is judged, what is endangered, which data are old or poor."""

from __future__ import annotations

import pytest
from fake_frames import NOW, drift_row, example_plant, frame, kpi_row
from fake_plant import FakeHistory, status

from console.views_audit import judged, options, versions
from console.views_baselines import blocks, fits
from console.views_collect import troubles
from console.views_drifts import drifts
from console.views_health import devices, notices, points
from console.views_kpis import values
from console.words import Words
from historian.tables import BLOCKS, DRIFT, FACTS, KPI, NOTICES, READINGS
from plant.clock import PlantClock, to_datetime
from plant.reading import HOUR, MINUTE, SECOND

PLANT = example_plant()


def judge(*rows: dict[str, object]):
    """KPIs by name as the audit page judges them."""
    latest = frame(KPI, rows)
    by_window = {window: values(latest, PLANT, window) for window in ("month", "30d", "7d", "day")}
    return {value.kpi: value for value in judged(by_window)}


def test_the_longest_known_window_is_judged() -> None:
    """An unknown month gives way to 30 days; with nothing known the month is shown as unknown."""
    month = kpi_row("gas_per_m2", "site", "month", NOW - HOUR, NOW, None, reason="coverage below limit")
    days = kpi_row("gas_per_m2", "site", "30d", NOW - HOUR, NOW, 0.5)
    day = kpi_row("gas_per_m2", "site", "day", NOW - HOUR, NOW, 9.9)
    found = judge(month, days, day)
    assert (found["gas_per_m2"].window, found["gas_per_m2"].value) == ("30d", 0.5)
    assert (found["steam_per_m2"].window, found["steam_per_m2"].value) == ("month", None)


def test_options_show_what_endangers_them() -> None:
    """A drift of a rinse endangers the restrictors and no other option."""
    open_drift = drifts(frame(DRIFT, [drift_row("d", "zn_rinse1", "zinc", NOW - HOUR, NOW, 0.6, "m3")]), PLANT)
    found = {state.name: state for state in options(PLANT, open_drift, list(judge().values()))}
    assert [drift.name for drift in found["rinse_restrictors"].endangered_by] == ["d"]
    assert all(not state.endangered_by for name, state in found.items() if name != "rinse_restrictors")
    assert set(found) == set(PLANT.options)


def test_versions_come_from_the_newest_row() -> None:
    """Highest revision wins; nothing computed says nothing."""
    old = kpi_row("gas_per_m2", "site", "1h", NOW - HOUR, NOW, 1.0, config="old", revision=1)
    new = kpi_row("gas_per_m2", "site", "1h", NOW - 2 * HOUR, NOW - HOUR, 1.0, config="new", revision=2)
    assert versions(frame(KPI, [new, old])).config == "new"
    assert versions(KPI.empty()).config == ""


def test_baselines_show_their_fit_and_those_without_one() -> None:
    """The fitted model in print, held-out figures, who and why; one that nobody fitted says so."""
    found = fits(FakeHistory(PLANT, PlantClock(NOW, 0.0)).baselines(), PLANT)
    assert [fit.name for fit in found] == list(PLANT.baselines)
    assert found[0].formula == "0.0412 + 0.0161·zn_area"
    assert (found[0].n, found[0].cv_rmse_heldout, found[0].by) == (672, 0.062, "scenario")
    assert found[-1].entry is None and found[-1].n is None


def block(hour: int, actual: float | None, cumulative: float | None) -> dict[str, object]:
    """A block of a baseline that expects 4."""
    return {
        "baseline": "zn_rinse1",
        "start": to_datetime(NOW + hour * HOUR),
        "end": to_datetime(NOW + (hour + 1) * HOUR),
        "actual": actual,
        "expected": None if actual is None else 4.0,
        "residual": None if actual is None else actual - 4.0,
        "cumulative": cumulative,
        "unit": "m3",
    }


def test_the_cumulative_sum_starts_where_the_chart_does() -> None:
    """Its slope is performance; what was lost before the chart begins is not in it. Unknown blocks stay unknown."""
    seen = blocks(frame(BLOCKS, [block(0, 5.0, 101.0), block(1, None, None), block(2, 6.0, 103.0)]), "zn_rinse1")
    assert seen.cumulative == [1.0, None, 3.0]
    assert seen.actual == [5.0, None, 6.0]
    assert seen.last_excess == 2.0
    assert blocks(BLOCKS.empty(), "zn_rinse1").times == []


def reading(point: str, age_us: int, **more: object) -> dict[str, object]:
    """The newest reading of a point."""
    return {"time": to_datetime(NOW - age_us), "point": point, "value": 1.0, "quality": "good", "finding": "", **more}


def health(readings: list[dict[str, object]], facts: list[dict[str, object]] | None = None):
    """Points by name."""
    seen = points(frame(READINGS, readings), frame(FACTS, facts or []), PLANT, NOW)
    return {point.name: point for point in seen}


def test_a_point_that_never_spoke_is_in_the_list() -> None:
    """Promise 3: no reading is said, and the point counts as poor."""
    silent = health([])["mains_kwh"]
    assert silent.time is None and silent.value is None and silent.late and silent.poor


@pytest.mark.parametrize(("age", "late"), [(3 * MINUTE, False), (4 * MINUTE, True)])
def test_a_minute_meter_is_late_after_three_intervals(age: int, late: bool) -> None:
    """Three polls of a minute."""
    assert health([reading("mains_kwh", age)])["mains_kwh"].late is late


def test_laboratory_values_come_by_the_shift() -> None:
    """A sample of 6 h ago is not late, and minutes say nothing of its coverage."""
    sample = health([reading("cr_in", 6 * HOUR)])["cr_in"]
    assert not sample.late and sample.coverage is None


def test_coverage_counts_missing_minutes_as_zero() -> None:
    """Thirty whole minutes of sixty are one half, for a point whose minutes are missing altogether 0."""
    facts = [
        {"point": "mains_kwh", "minute": to_datetime(NOW - back * MINUTE), "coverage": 1.0} for back in range(0, 60, 2)
    ]
    seen = health([reading("mains_kwh", MINUTE), reading("gas", MINUTE)], facts)
    assert seen["mains_kwh"].coverage == pytest.approx(0.5)
    assert seen["gas"].coverage == 0.0 and seen["gas"].poor


def test_a_plant_of_ten_minutes_is_not_poor_for_its_youth() -> None:
    """What lies before the first minute, and the first itself, is no gap; a point that came later has one."""
    minutes = [{"point": "mains_kwh", "minute": to_datetime(NOW - back * MINUTE), "coverage": 1.0} for back in range(9)]
    first = {"point": "mains_kwh", "minute": to_datetime(NOW - 9 * MINUTE), "coverage": 0.2}
    late = [{"point": "gas", "minute": to_datetime(NOW - back * MINUTE), "coverage": 1.0} for back in range(3)]
    seen = health([reading("mains_kwh", 10 * SECOND), reading("gas", 10 * SECOND)], [first, *minutes, *late])
    assert seen["mains_kwh"].coverage == 1.0
    assert not seen["mains_kwh"].poor
    assert seen["gas"].coverage == pytest.approx(1 / 3)


def test_notices_are_the_newest_first_and_may_name_no_point() -> None:
    """A notice on the disk has no point of the plant."""
    rows = [
        {"point": "gas", "start": to_datetime(NOW - HOUR), "finding": "gap", "evidence": "61 min"},
        {"point": "", "start": to_datetime(NOW), "finding": "disk budget nearly used up", "evidence": "46 of 50 GiB"},
    ]
    found = notices(frame(NOTICES, rows))
    assert [notice.points for notice in found] == [("",), ("gas",)]


def test_what_befell_many_points_alike_is_one_notice() -> None:
    """A gateway that was away is one line, not one for each of its points."""
    rows = [
        {"point": point, "start": to_datetime(NOW), "finding": "gap", "evidence": "8 min"}
        for point in ("gas", "zn_area")
    ]
    (found,) = notices(frame(NOTICES, rows))
    assert found.points == ("gas", "zn_area")


def test_a_fast_plant_is_given_real_seconds() -> None:
    """At 60 times the speed four plant minutes are four real seconds: still on their way."""
    readings = frame(READINGS, [reading("mains_kwh", 4 * MINUTE)])
    seen = {point.name: point for point in points(readings, FACTS.empty(), PLANT, NOW, speed=60.0)}
    assert not seen["mains_kwh"].late


def test_a_device_that_stopped_answering_is_silent() -> None:
    """And one without any report is unknown, not well."""
    found = {device.name: device for device in devices(status(PLANT), PLANT, NOW)}
    states = {device.state for name, device in found.items() if PLANT.devices[name].interval == 60}
    assert found["zn_aux_meter"].state == "silent" and found["zn_aux_meter"].error
    assert states == {"ok", "silent"}
    assert {device.state for device in devices({}, PLANT, NOW)} == {"unknown"}
    assert devices(status(PLANT), PLANT, NOW)[0].name == "zn_aux_meter"  # what needs a look comes first


@pytest.mark.parametrize(("age", "unknown"), [(9.9, False), (10.1, True), (3600.0, True), (-60.0, True)])
def test_an_old_report_does_not_call_a_device_fine(age: float, unknown: bool) -> None:
    """Promise 3: collectors that died or hang know nothing of now; the age of the last answer goes on."""
    seen = devices({**status(PLANT), "report_age_s": age}, PLANT, NOW + 5 * MINUTE)
    ok = next(device for device in seen if device.name == "mains_meter")
    assert (ok.state == "unknown") is unknown
    assert (ok.latency_ms is None and ok.failed is None and ok.rate is None and ok.lag_s is None) is unknown
    assert ok.age == 20_000_000 + (5 * MINUTE if unknown else 0)


def test_troubles_are_said_but_not_while_the_demo_runs_ahead() -> None:
    """Then nobody collects, and everybody knows."""
    old = {**status(PLANT), "report_age_s": 95.0}
    for lang, text in (("en", "last reported 1\u00a0min ago"), ("zh", "1\u00a0min 前")):
        (said,) = (trouble.text(Words(lang, PLANT)) for trouble in troubles(old, PLANT))
        assert text in said
    assert troubles(old, PLANT, ahead=True) == []
    assert troubles(status(PLANT), PLANT) == []
    assert [trouble.key for trouble in troubles({"devices": []}, PLANT)] == ["no_status"]
