"""Windows, formulas and coverages on the pages: the plant's own periods, every kind of KPI, what a share is of."""

from __future__ import annotations

import re

import pytest
import yaml
from fake_frames import NOW, ROOT, example_plant, frame, kpi_row

from console import charts, draw_health, draw_kpis
from console.figures import Moments
from console.formula import formula, notes
from console.texts import CODES
from console.views_health import counted, points
from console.views_kpis import Course, Value, choices, course, trend_span, values
from console.words import Words
from historian.tables import FACTS, KPI, READINGS
from pipeline.figures import REASONS
from plant.calendar import Calendar
from plant.clock import to_datetime
from plant.model import Plant, Term
from plant.reading import DAY, HOUR, MINUTE

PLANT = example_plant()
CALENDAR = Calendar(PLANT)
ENGLISH, CHINESE = Words("en", PLANT), Words("zh", PLANT)
SEASON = CALENDAR.named("heating_season", NOW - 60 * DAY)
assert SEASON is not None


def season_row(kpi: str, end: int, value: float | None, **more: object) -> dict[str, object]:
    """A row of the heating season so far."""
    assert SEASON is not None
    return kpi_row(kpi, "site", "heating_season", SEASON.start, end, value, **{"settled": end == SEASON.end, **more})


def shown(*rows: dict[str, object], kpi: str = "gas_per_m2", latest: bool = False) -> Value:
    """A KPI over the heating season; rows that are not the latest come from the stored history."""
    found = frame(KPI, rows)
    seen = values(found if latest else KPI.empty(), PLANT, "heating_season", (), found)
    return next(value for value in seen if value.kpi == kpi)


def test_the_plant_s_own_periods_are_offered_by_their_titles() -> None:
    """Beside the fixed windows, in both languages; each has a trend."""
    assert choices(PLANT)[-1] == "heating_season"
    assert [ENGLISH.window(name) for name in choices(PLANT)][-2:] == ["Month", "Heating season"]
    assert [CHINESE.window(name) for name in choices(PLANT)][-2:] == ["当月", "采暖季"]
    assert all(trend_span(name) >= DAY for name in choices(PLANT))


def test_a_period_that_is_over_is_shown_by_its_total() -> None:
    """Hours after its end nothing newer is stored: the last row stands, and from when to when it is of is said."""
    assert SEASON is not None
    value = shown(season_row("gas_per_m2", SEASON.end - HOUR, 1.0), season_row("gas_per_m2", SEASON.end, 2.0))
    assert value.value == 2.0 and value.settled
    for words, text in (
        (ENGLISH, "Heating season, over: 2025-11-15 to 2026-03-15"),
        (CHINESE, "采暖季（已结束）：2025-11-15 至 2026-03-15"),
    ):
        assert draw_kpis.period_line([value], "heating_season", words, Moments(CALENDAR, NOW)) == text
    assert draw_kpis.period_line([value], "month", ENGLISH, Moments(CALENDAR, NOW)) == ""


def test_a_period_under_way_and_one_without_results_say_so() -> None:
    """Promise 3: nothing stored is said to be nothing; a running period is told up to when it goes."""
    assert SEASON is not None
    moments = Moments(CALENDAR, NOW)
    running = shown(season_row("gas_per_m2", SEASON.start + 30 * DAY, 1.0), latest=True)
    line = draw_kpis.period_line([running], "heating_season", ENGLISH, moments)
    assert line == "Heating season so far: 2025-11-15 to 2025-12-15 00:00"
    nothing = shown()
    assert (nothing.value, nothing.reason) == (None, "no result")
    assert "11-15 to 03-15" in draw_kpis.period_line([nothing], "heating_season", ENGLISH, moments)


@pytest.mark.parametrize(("days", "judged"), [(27, False), (28, True)])
def test_targets_are_judged_on_a_period_once_it_spans_a_month(days: int, judged: bool) -> None:
    """Colour and grade come with the 28th day, as in the audit's tables."""
    assert SEASON is not None
    row = season_row("rinse_water_per_stage", SEASON.start + days * DAY, 20.0)
    value = shown(row, kpi="rinse_water_per_stage", latest=True)
    assert value.judged is judged
    assert value.grade == ("II" if judged else "")


def kinds() -> Plant:
    """The description that uses every kind."""
    text = (ROOT / "tests/cases/plant/sound_kinds/plant.yaml").read_text(encoding="utf-8")
    return Plant.model_validate(yaml.load(text, Loader=yaml.CSafeLoader))


@pytest.mark.parametrize(
    ("kpi", "english", "chinese"),
    [
        ("peak_load", "highest quarter hour of Σ (Electricity), as an amount per hour", "最高一刻钟"),
        ("power_cost", "demand charge of Electricity", "电量的需量电费"),
        ("oil_used", "Σ (Heating oil + stock drawn from Oil tank)", "油罐的库存减少量"),
        ("oil_energy", "− Steam × coal equivalent", "− 蒸汽 × 折标准煤系数"),
        ("shared_water", "Σ (Wastewater) × (Σ (Area) / Σ (Area + Pieces)) / Σ (Area)", "Σ (面积 + 件数)"),
        ("cod_at_reference_drainage", "Σ (Area × 200 L of reference drainage)", "基准排水量 200 L"),
        ("nox_at_oxygen", "NOx × (21 − 3.5) / (21 − Oxygen)", "（21 − 3.5）"),
        ("condensate_return", "100 × Σ (Condensate × density at Condensate temperature)", "密度（按 凝结水温度）"),
    ],
)
def test_the_formula_names_every_kind(kpi: str, english: str, chinese: str) -> None:
    """Peak, demand charge, stock, allocation, reference drainage, reference oxygen: by the titles of their points."""
    plant = kinds()
    definition = plant.kpis[kpi]
    assert english in formula(definition, Words("en", plant))
    assert chinese in formula(definition, Words("zh", plant))


def test_what_a_formula_leaves_unsaid_is_said() -> None:
    """Product and keys of a share, months of a demand charge, what bounds a denominator, how a stock counts."""
    plant = kinds()
    said = {name: " ".join(notes(kpi, Words("en", plant))) for name, kpi in plant.kpis.items()}
    assert "Allocated to Area: its share, by Area among Area, Pieces" in said["shared_water"]
    assert "whole months only" in said["power_cost"]
    assert "reference drainage at most" in said["cod_at_reference_drainage"]
    assert "level at the beginning less that at the end" in said["oil_used"] and said["oil_energy"] == said["oil_used"]
    assert said["electricity"] == ""
    chinese = {name: notes(kpi, Words("zh", plant)) for name, kpi in plant.kpis.items()}
    assert {name: len(texts) for name, texts in chinese.items()} == {
        name: len(notes(kpi, Words("en", plant))) for name, kpi in plant.kpis.items()
    }


def test_every_term_can_be_written_in_both_languages() -> None:
    """A term that the description gains and the texts lack would end a page."""
    annotation = str(Term.model_fields["as_"].annotation)
    for name in re.findall(r"'(\w+)'", annotation):
        for words in (ENGLISH, CHINESE):
            assert words(
                f"formula_as_{name}",
                **dict.fromkeys(
                    ("point", "flow", "content", "temperature", "supply", "return_", "oxygen", "reference", "per_unit"),
                    "x",
                ),
            )
    assert set(REASONS) - {""} <= set(CODES), "every reason is translated"


def test_a_kpi_of_a_product_names_it() -> None:
    """On its tile, in the table and in the formula; by the product's title."""
    plant = kinds()
    words = Words("en", plant)
    row = kpi_row("shared_water", "site", "1h", NOW - HOUR, NOW, 1.5, product="area", unit="m3/m2")
    value = next(one for one in values(frame(KPI, [row]), plant, "1h") if one.kpi == "shared_water")
    title = words.title(plant.products["area"].title)
    for drawn in (draw_kpis.tile(value, words), draw_kpis.kpi_table([("site", [value])], words)):
        assert f"· {title}" in drawn
    unknown = next(one for one in values(KPI.empty(), plant, "1h") if one.kpi == "shared_water")
    assert unknown.product == "area", "also before its first result"
    assert "Allocated to" in draw_kpis.made_of(value, words) and "[m³/m²]" in draw_kpis.made_of(value, words)


def test_both_pages_say_what_their_coverage_is_of() -> None:
    """A plant of twelve minutes: full coverage of twelve minutes is no contradiction to 5 % of seven days."""
    newest = NOW // MINUTE * MINUTE
    minutes = [
        {"point": "mains_kwh", "minute": to_datetime(newest - back * MINUTE), "coverage": 1.0} for back in range(13)
    ]
    facts = frame(FACTS, minutes)
    assert counted(facts) == 12 * MINUTE and counted(FACTS.empty()) == HOUR
    found = points(frame(READINGS, []), facts, PLANT, NOW)
    drawn = draw_health.points(found, ENGLISH, NOW, counted(facts))
    assert "Coverage, 12\u00a0min" in drawn and "since the first reading" in drawn and "whole window" in drawn
    grown = draw_health.points(found, ENGLISH, NOW)
    assert "Coverage, last hour" in grown and "first reading" not in grown
    assert "最近一小时覆盖率" in draw_health.points(found, CHINESE, NOW)
    young = kpi_row("gas_per_m2", "site", "7d", NOW - 7 * DAY, NOW, None, coverage=0.05)
    value = next(one for one in values(frame(KPI, [young]), PLANT, "7d") if one.kpi == "gas_per_m2")
    assert draw_kpis.reason(value, ENGLISH).endswith("5\u00a0% < 90\u00a0% of the last 7 days")


def axis(window: str, ends: list[int], known: list[float | None]) -> tuple[float, float, str]:
    """The time axis [h before now] and the symbol of the line."""
    rows = [
        kpi_row("gas_per_m2", "site", window, NOW - back - DAY, NOW - back, value)
        for back, value in zip(ends, known, strict=True)
    ]
    seen = course(frame(KPI, rows), "gas_per_m2", "site", "", window)
    value = next(one for one in values(frame(KPI, rows), PLANT, window) if one.kpi == "gas_per_m2")
    options = charts.kpi_chart(value, seen, (), CALENDAR, ENGLISH, NOW)
    now = NOW // 1000 + 8 * 3_600_000
    line = next(one for one in options["series"] if one["name"] == "Actual")
    least, most = ((now - options["xAxis"][end]) / 3_600_000 for end in ("min", "max"))
    return least, most, line["symbol"]


@pytest.mark.parametrize(
    ("window", "ends", "known", "expected"),
    [
        ("1h", [0], [0.3], (0.5, -0.5)),
        ("1h", [0, HOUR // 4], [0.3, 0.3], (0.625, -0.375)),
        ("1h", [0, 6 * HOUR], [0.3, 0.3], (6.0, 0.0)),
        ("1h", [0, 6 * HOUR, 20 * HOUR], [0.3, 0.3, None], (6.0, 0.0)),
        ("1h", [0, 6 * HOUR], [None, 0.3], (6.0, 0.0)),
        ("day", [0], [0.3], (12.0, -12.0)),
    ],
    ids=["one", "two", "enough", "unknown before", "unknown after", "a day"],
)
def test_a_chart_of_few_values_is_no_wider_than_they_need(
    window: str, ends: list[int], known: list[float | None], expected: tuple[float, float]
) -> None:
    """From the first value to the newest row, at least an hour of hours or a day of days; few values are dots."""
    least, most, symbol = axis(window, ends, known)
    assert (least, most) == pytest.approx(expected)
    assert symbol == "circle"


def test_a_chart_of_many_values_is_a_line_and_one_of_none_is_left_alone() -> None:
    """Dots at every quarter of an hour would hide the line."""
    many = [back * HOUR // 4 for back in range(40)]
    assert axis("1h", many, [0.3] * 40)[2] == "none"
    value = next(one for one in values(KPI.empty(), PLANT, "1h"))
    assert "min" not in charts.kpi_chart(value, Course(), (), CALENDAR, ENGLISH, NOW)["xAxis"]
