"""What is drawn: unknown in words, everything escaped, every text in both languages."""

from __future__ import annotations

import doctest
import re
import string
from dataclasses import replace
from pathlib import Path

import pytest
from fake_frames import DRIFT_NAME, NOW, ROOT, alarm_row, drift_row, example_plant, frame, kpi_row

from console import charts, draw_kpis, draw_shift, figures, markup, words
from console.figures import Moments, duration
from console.markup import Column, spark, table
from console.texts import CODES, EVIDENCE, TEXTS
from console.views_drifts import costs_of_day, drifts
from console.views_kpis import Course, course, values
from console.views_shift import alarms
from console.words import Words
from historian.tables import ALARMS, DRIFT, KPI
from plant.calendar import Calendar
from plant.reading import DAY, HOUR, MINUTE, SECOND

PLANT = example_plant()
CALENDAR = Calendar(PLANT)
ENGLISH, CHINESE = Words("en", PLANT), Words("zh", PLANT)


def value_of(row: dict[str, object]):
    """One KPI's value."""
    return next(value for value in values(frame(KPI, [row]), PLANT, str(row["window"])) if value.kpi == row["kpi"])


@pytest.mark.parametrize("module", [figures, markup, words])
def test_examples_in_docstrings_hold(module: object) -> None:
    """Every example that a docstring shows is true."""
    assert doctest.testmod(module).failed == 0  # type: ignore[arg-type]


def test_an_unknown_kpi_is_drawn_as_unknown_with_its_reason() -> None:
    """Promise 3: the tile says unknown, why, and how much was covered; it shows neither 0 nor an empty place."""
    row = kpi_row("gas_per_m2", "site", "1h", NOW - HOUR, NOW, None, reason="coverage below limit", coverage=0.62)
    tile = draw_kpis.tile(value_of(row), ENGLISH)
    assert "unknown" in tile and "coverage below its limit: 62\u00a0% &lt; 90\u00a0% of the last hour" in tile
    assert "kc-figure" not in tile
    assert "未知" in draw_kpis.tile(value_of(row), CHINESE)
    assert "最近一小时仅 62\u00a0%" in draw_kpis.tile(value_of(row), CHINESE)


def test_targets_have_colour_only_where_they_are_judged() -> None:
    """An hour above target is no verdict on an audit; a month is."""
    for window, coloured in (("1h", False), ("month", True)):
        tile = draw_kpis.tile(value_of(kpi_row("gas_per_m2", "site", window, NOW - HOUR, NOW, 9.0)), ENGLISH)
        assert ("kc-bad" in tile) is coloured


def test_a_person_s_note_cannot_become_markup() -> None:
    """Notes, evidence and names are escaped."""
    hostile = "<img src=x onerror=alert(1)>"
    rows = [
        alarm_row("a", DRIFT_NAME, "zinc", NOW - HOUR, "unacknowledged"),
        alarm_row("a", DRIFT_NAME, "zinc", NOW, "acknowledged", by=hostile, note=hostile),
    ]
    found = drifts(
        frame(DRIFT, [drift_row(DRIFT_NAME, "zn_rinse1", "zinc", NOW, NOW, 1.0, "m3", evidence=hostile)]), PLANT
    )
    (alarm,) = alarms(frame(ALARMS, rows), found, PLANT, NOW)
    moments = Moments(CALENDAR, NOW)
    drawn = draw_shift.alarm(alarm, PLANT, ENGLISH, moments) + draw_shift.over([alarm], PLANT, ENGLISH, moments)
    assert "<img" not in drawn and "&lt;img" in drawn
    assert table([Column("<b>")], [["<i>"], "<u>"]).count("&lt;") == 4  # heading, label, cell, group


def test_an_alarm_says_all_that_a_person_needs() -> None:
    """Where, what, how much, money, since when, evidence, cause, first check, respond by, option (ISA-18.2)."""
    row = drift_row(DRIFT_NAME, "zn_rinse1", "zinc", NOW - 3 * HOUR, NOW - HOUR, 0.592, "m3", cost_per_day=105.0)
    found = drifts(frame(DRIFT, [row]), PLANT)
    (alarm,) = alarms(
        frame(ALARMS, [alarm_row("a", DRIFT_NAME, "zinc", NOW - HOUR, "unacknowledged")]), found, PLANT, NOW
    )
    for words_, needed in (
        (ENGLISH, ("Zinc line", "+0.592\u00a0m³ per hour", "105\u00a0CNY a day", "07:17", "07:03 to 07:26")),
        (CHINESE, ("镀锌线", "+0.592\u00a0m³ 每小时", "每天 105\u00a0CNY", "07:03 至 07:26", "经 3 个 1 h 时段")),
    ):
        drawn = draw_shift.alarm(alarm, PLANT, words_, Moments(CALENDAR, NOW))
        baseline = PLANT.baselines["zn_rinse1"]
        texts = [words_.title(one) for one in (baseline.title, baseline.likely_cause, baseline.first_check)]
        option = words_.title(PLANT.options["rinse_restrictors"].title)
        for text in (*needed, *texts, option, "13:17"):
            assert markup.escape(text) in drawn


def test_costs_of_unknown_size_are_said() -> None:
    """Promise 3: an unknown cost is not printed as 0."""
    found = drifts(
        frame(DRIFT, [drift_row("d", "zn_rinse1", "zinc", NOW - HOUR, NOW, 1.0, "m3", cost_per_day=None)]), PLANT
    )
    drawn = draw_kpis.drift_costs(costs_of_day(found, CALENDAR, NOW), found, PLANT, ENGLISH, Moments(CALENDAR, NOW))
    assert drawn.count("not known") == 2


def test_every_text_is_there_twice_with_the_same_fields() -> None:
    """English and Chinese fill in the same values; no Chinese text is left in English."""
    for key, (english, chinese) in TEXTS.items():
        fields = [{field for _, field, _, _ in string.Formatter().parse(text) if field} for text in (english, chinese)]
        assert fields[0] == fields[1], key
        assert english and chinese, key
        if chinese == english:
            signs = not re.search("[A-Za-z]", re.sub(r"\{\w+\}", "", english))
            assert signs or key in {"rows", "cv"}, key
    assert all(english and chinese for english, chinese in CODES.values())
    assert all(re.compile(pattern) for pattern, _ in EVIDENCE)


def test_every_text_that_the_pages_ask_for_exists_and_is_used() -> None:
    """The table of texts has no hole and no leftover."""
    code = "".join(
        path.read_text(encoding="utf-8")
        for path in (ROOT / "console").glob("*.py")
        if not path.stem.startswith("texts")
    )
    asked = set(re.findall(r"[\"']([a-z0-9_]+)[\"']", code))
    made = ("page_", "title_", "theme_", "window_", "long_window_", "formula_as_", "correction_", "field_")
    written = {key for key in TEXTS if not key.startswith(made)}
    assert written <= asked, written - asked
    for key in re.findall(r'words\(\s*"([a-z0-9_]+)"', code):
        assert key in TEXTS, key


def test_no_style_names_another_host() -> None:
    """Nothing is fetched from elsewhere: no address in the console's own files."""
    for path in Path(ROOT / "console").iterdir():
        if path.suffix in {".py", ".css"}:
            hosts = re.findall(r"https?://[^\s\"'<>)]+", path.read_text(encoding="utf-8"))
            assert set(hosts) <= {"http://www.w3.org/2000/svg"}, path


@pytest.mark.parametrize(
    ("span", "text"),
    [
        (-5, "0\u00a0s"),
        (59 * SECOND, "59\u00a0s"),
        (61 * MINUTE, "1\u00a0h 01\u00a0min"),
        (26 * HOUR, "1\u00a0d 2\u00a0h"),
        (40 * DAY, "40\u00a0d"),
    ],
)
def test_durations(span: int, text: str) -> None:
    """In their two largest units."""
    assert duration(span) == text


def test_moments_are_as_short_as_they_can_be_read() -> None:
    """Today only the time, this year without the year; always the plant's zone."""
    moments = Moments(CALENDAR, NOW)
    assert [moments.short(NOW - back) for back in (0, DAY, 400 * DAY)] == ["10:17", "04-05 10:17", "2025-03-02 10:17"]


def test_a_trend_breaks_where_it_is_unknown() -> None:
    """Promise 3: a gap is a gap in the line, not a drop to the floor."""
    assert spark([1.0, 2.0, None, 2.0, 1.0]).count("<polyline") == 2
    assert spark([None, None, 1.0]) == "" and spark([]) == ""
    assert 'class="end"' not in spark([1.0, 2.0, None])


def test_the_chart_shows_unknown_as_a_gap_and_both_targets() -> None:
    """Promise 3: null in the data; the axis reaches to both targets."""
    target = PLANT.kpis["gas_per_m2"].target
    assert target is not None
    rows = [
        kpi_row(
            "gas_per_m2", "site", "1h", NOW - (n + 4) * HOUR, NOW - n * HOUR, None if n == 1 else 0.5, low=0.4, high=0.6
        )
        for n in range(4)
    ]
    seen = course(frame(KPI, rows), "gas_per_m2", "site")
    options = charts.kpi_chart(value_of(rows[0]), seen, (), CALENDAR, ENGLISH, NOW)
    line = next(one for one in options["series"] if one["name"] == "Actual")
    assert [value for _, value in line["data"]] == [0.5, 0.5, None, 0.5]
    assert line["data"][-1][0] == NOW // 1000 + 8 * 3_600_000  # drawn in the plant's own time
    assert options["yAxis"]["min"] <= target.long_term and options["yAxis"]["max"] >= target.near_term
    assert charts.kpi_chart(value_of(rows[0]), Course(), (), CALENDAR, ENGLISH, NOW)["series"]


def test_one_language_is_not_mixed_into_the_other() -> None:
    """A tile in Chinese has no English word but units, names of substances and the reason's numbers."""
    row = kpi_row("cod_generated_per_m2", "site", "1h", NOW - HOUR, NOW, 3.0, quality="estimated", expected=2.0)
    text = re.sub(r"<[^>]+>", " ", draw_kpis.tile(value_of(row), CHINESE))
    assert set(re.findall(r"[A-Za-z]{3,}", text)) <= {"COD"}
    assert replace(value_of(row), value=None).to_near is None
