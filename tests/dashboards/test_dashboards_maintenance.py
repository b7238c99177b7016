"""Maintenance as marks: what each board shows of it, in which language, from when to when; it changes nothing else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from influx_server import END, START, Influx, as_grafana_sends_it

from dashboards.alerting.rules import every as every_rule
from dashboards.boards import site as board_site
from dashboards.boards import unit as board_unit
from dashboards.boards.every import every
from dashboards.frame import LABELS, Language, say
from historian.influx.described import NO_NOTE, described_lines
from historian.influx.line_protocol import withdrawn
from plant.maintenance import works
from plant.model import Exchange, Plant

ROOT = Path(__file__).parents[2]


def mark(board: dict[str, Any], language: Language = "en") -> dict[str, Any]:
    """A board's annotation of maintenance."""
    named = say(LABELS["maintenance"], language)
    (one,) = (one for one in board["annotations"]["list"] if one["name"] == named)
    assert one["enable"] is True
    found: dict[str, Any] = one["target"]
    return found


def shown(influx: Influx, target: dict[str, Any], start: datetime, end: datetime) -> list[dict[str, Any]]:
    """What Grafana 9.4 makes of an annotation's rows: words, tags, and a time or a span."""
    rows = [
        dict(zip(one["columns"], values, strict=True))
        for one in influx.query(as_grafana_sends_it(target["query"], start, end))
        for values in one["values"]
    ]
    columns = {"title": "titleColumn", "text": "textColumn", "tags": "tagsColumn", "end": "timeEndColumn"}
    return [{"time": row["time"], **{key: row[target[column]] for key, column in columns.items()}} for row in rows]


@pytest.fixture(scope="module")
def exchanged(plant: Plant) -> Plant:
    """The example, in which a meter was exchanged as well."""
    exchange = Exchange(at=START + timedelta(hours=5), closing=15234.5)
    point = plant.points["zn_rinse1_water"].model_copy(update={"exchanges": [exchange]})
    return plant.model_copy(update={"points": {**plant.points, "zn_rinse1_water": point}})


@pytest.fixture(scope="module")
def filled(influx: Influx, exchanged: Plant) -> Influx:
    """The server with what the outbox sends of the description."""
    influx.write("\n".join(described_lines(exchanged)))
    return influx


@pytest.mark.server
def test_a_board_marks_the_maintenance_that_reaches_into_its_range(filled: Influx, exchanged: Plant) -> None:
    """A service of two days as a span, also where it began before the range; a moment and an exchange as a time; what
    was over before, nothing."""
    target = mark(board_site.build(exchanged, "en"))
    found = {one["title"]: one for one in shown(filled, target, START, END)}
    assert set(found) == {
        "Chiller service",
        "Filter of the chromium mist scrubber changed",
        f"Meter exchanged: {exchanged.points['zn_rinse1_water'].title.en}",
    }
    service = found["Chiller service"]
    begin, over = datetime(2026, 3, 2, 16, tzinfo=UTC), datetime(2026, 3, 4, 16, tzinfo=UTC)
    assert (service["time"], service["end"]) == (begin.timestamp() * 1000, over.timestamp() * 1000)
    assert (service["text"], service["tags"]) == (exchanged.maintenance["chiller_service"].note, "chiller")
    moment = found["Filter of the chromium mist scrubber changed"]
    # equal times are no span to Grafana; a column without a value would lose the row in later versions
    assert moment["time"] == moment["end"] and moment["text"] == NO_NOTE
    assert found[f"Meter exchanged: {exchanged.points['zn_rinse1_water'].title.en}"]["text"] == "15234.5 → 0 m3"

    within = shown(filled, target, begin + timedelta(hours=20), begin + timedelta(hours=21))
    assert [one["title"] for one in within] == ["Chiller service"]
    assert shown(filled, target, over + timedelta(minutes=1), END) == []
    due = shown(filled, target, datetime(2027, 3, 31, tzinfo=UTC), datetime(2027, 4, 1, tzinfo=UTC))
    assert due and all(one["title"].startswith("Calibration ends: ") for one in due)


@pytest.mark.server
def test_a_process_unit_s_board_marks_what_belongs_to_it(filled: Influx, exchanged: Plant) -> None:
    """Its parts' too, in the board's language."""
    of_chiller = shown(filled, mark(board_unit.build(exchanged, "zh", "chiller"), "zh"), START, END)
    assert [one["title"] for one in of_chiller] == ["冷水机组年度保养"]
    of_plating = shown(filled, mark(board_unit.build(exchanged, "en", "plating")), START, END)
    assert {one["tags"] for one in of_plating} == {"zinc", "chrome"}
    assert shown(filled, mark(board_unit.build(exchanged, "en", "boiler")), START, END) == []


@pytest.mark.server
def test_maintenance_that_was_withdrawn_is_marked_no_more(filled: Influx, exchanged: Plant) -> None:
    """What a description no longer names goes out as not valid."""
    target = mark(board_unit.build(exchanged, "en", "chrome"))
    assert len(shown(filled, target, START, END)) == 1
    line = next(line for line in described_lines(exchanged) if "maintenance=scrubber_filter," in line)
    filled.write(withdrawn(line))
    assert shown(filled, target, START, END) == []
    filled.write(line)


def test_every_board_with_drifts_and_alarms_marks_maintenance(plant: Plant) -> None:
    """In its language, to be switched off like the others; the audit's board marks its options alone."""
    for language, board in every(plant):
        if board["uid"].startswith(f"keepclean-audit-{language}"):
            continue
        assert f'"title{"_zh" if language == "zh" else ""}" AS "title"' in mark(board, language)["query"]


def test_no_alert_rule_and_no_panel_knows_of_maintenance(plant: Plant) -> None:
    """Rules and panels are the same with and without it."""
    without = plant.model_copy(update={"maintenance": {}})
    assert [*works(plant)] != [*works(without)]
    assert [*every_rule(plant)] == [*every_rule(without)]
    assert [*every(plant)] == [*every(without)]


@pytest.mark.parametrize("folder", ["kpis", "pipeline", "alerts", "audit", "journal"])
def test_nothing_that_computes_or_tells_reads_maintenance(folder: str) -> None:
    """No figure is left out and no alarm silenced for it: nobody who could asks for it."""
    for path in (ROOT / folder).rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert ".maintenance" not in text, path
