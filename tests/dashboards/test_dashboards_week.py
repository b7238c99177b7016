"""Every query of every board and alert rule, asked of a real InfluxDB about a simulated week: as our export says."""

from __future__ import annotations

import json
import math
import re
import urllib.parse
import urllib.request
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from alert_evaluation import state
from exported import exported
from influx_server import Influx, as_grafana_sends_it
from influxql_oracle import Measurement, Row, Series, answer, tag_values
from influxql_text import Unjudged
from week import SILENT, Week, simulated

from dashboards.alerting.rules import every as every_rule
from dashboards.boards.every import every as every_board
from historian.influx.client import influx_writer
from historian.influx.outbox import Outbox
from historian.reader import Reader
from plant.model import Influx as Address
from plant.model import Plant

INTERVALS = {"24h": ("5m", 300_000), "7d": ("1h", 3_600_000), "30d": ("6h", 21_600_000), "2y": ("1d", 86_400_000)}
"""What Grafana makes of `$__interval` by the range that a board opens with, about."""
SPANS = {"24h": timedelta(days=1), "7d": timedelta(days=7), "30d": timedelta(days=30), "2y": timedelta(days=730)}
CHOICES = 3
"""How many choices of its variables each query is asked with."""
RELATIVE = 1e-9
ALMOST_NOTHING = 1e-9
"""What sums that cancel may leave [unit of the value]."""


@dataclass
class Asked:
    """A query of a board or rule, where it was found, and with its variables filled in, once for each choice.

    `more` are choices to be tried while none has given a value: some KPIs are known over some windows only.
    """

    query: str
    where: str
    texts: list[str] = field(default_factory=list)
    more: list[str] = field(default_factory=list)


def board_queries(plant: Plant, end: datetime) -> dict[str, Asked]:
    """Every query text of every board, with each in the range of its board and several choices of its variables."""
    found: dict[str, Asked] = {}
    turn = 0
    for _, board in every_board(plant):
        opens = board["time"]["from"].removeprefix("now-")
        variables = {one["name"]: [*choices(one)] for one in board["templating"]["list"] if one["type"] == "custom"}
        for where, query in queries(board):
            if query in found:
                continue
            asked = found.setdefault(query, Asked(query, f"{board['uid']}: {where}"))
            used = [name for name in variables if re.search(rf"\${name}\b", query)]
            interval, interval_ms = INTERVALS[opens]
            fixed = {"__interval": interval, "__interval_ms": str(interval_ms)}
            texts = [
                as_grafana_sends_it(query, end - SPANS[opens], end, **fixed, **chosen)
                for chosen in chosen_of({name: variables[name] for name in used}, turn)
            ]
            asked.texts, asked.more = texts[:CHOICES], texts[CHOICES:]
            turn += 1
    return found


def queries(board: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The texts of a board's panels, annotations and variables."""
    for panel in board["panels"]:
        for one in (panel, *panel.get("panels", [])):
            for target in one.get("targets", []):
                yield one["title"], target["query"]
    for one in board["annotations"]["list"]:
        yield one["name"], one["target"]["query"]
    for one in board["templating"]["list"]:
        if one["type"] == "query":
            yield one["name"], one["query"]


def choices(variable: dict[str, Any]) -> Iterator[str]:
    """What a variable may stand for in a query: all, each choice, and two of them as Grafana joins them."""
    values = [option["value"] for option in variable["options"] if option["value"] != "$__all"]
    shown = variable["current"]["value"]
    if shown in values:
        values.sort(key=lambda value: value != shown)
    if variable["includeAll"]:
        yield variable["allValue"]
        yield f"({'|'.join(values[1:3])})"
    yield from values


def chosen_of(variables: dict[str, list[str]], turn: int) -> Iterator[dict[str, str]]:
    """The first choice of each; some others, beginning elsewhere for each query; then each choice with the firsts."""
    firsts = {name: values[0] for name, values in variables.items()}
    yield firsts
    for number in range(1, CHOICES if variables else 1):
        yield {name: values[(turn + number) % len(values)] for name, values in variables.items()}
    for name, values in variables.items():
        yield from ({**firsts, name: value} for value in values[1:])


def rule_queries(plant: Plant, *times: datetime) -> dict[str, Asked]:
    """Every query text of every rule, asked at some times."""
    found: dict[str, Asked] = {}
    for _, rule in every_rule(plant):
        for step in rule["data"]:
            if "query" in step["model"]:
                asked = found.setdefault(
                    step["model"]["query"], Asked(step["model"]["query"], f"{rule['title']}: {step['refId']}")
                )
                first, last = (timedelta(seconds=step["relativeTimeRange"][side]) for side in ("from", "to"))
                for now in times:
                    text = as_grafana_sends_it(step["model"]["query"], now - first, now - last)
                    if text not in asked.texts:
                        asked.texts.append(text)
    return found


def served(influx: Influx, text: str) -> list[Series]:
    """What the server answers."""
    return [Series(one.get("tags", {}), one["columns"], one["values"]) for one in influx.query(text)]


def expected(text: str, export: dict[str, Measurement]) -> list[Series]:
    """What our export says, times in milliseconds as the server was asked for them."""
    return [
        Series(one.tags, one.columns, [[row[0] // 1_000_000, *row[1:]] for row in one.rows])
        for one in answer(text, export)
    ]


def difference(found: list[Series], wanted: list[Series]) -> str:
    """The first thing in which two answers differ; empty when they are the same."""
    by_tags = [{tuple(sorted(one.tags.items())): one for one in some} for some in (found, wanted)]
    if by_tags[0].keys() != by_tags[1].keys():
        return f"series {by_tags[0].keys() ^ by_tags[1].keys()}"
    for tags, one in by_tags[0].items():
        other = by_tags[1][tags]
        if one.columns != other.columns or len(one.rows) != len(other.rows):
            return f"{tags}: {one.columns} × {len(one.rows)}, wanted {other.columns} × {len(other.rows)}"
        if [row[0] for row in one.rows] != [row[0] for row in other.rows]:
            return f"{tags}: the times differ: {one.rows[0]}, wanted {other.rows[0]}"
        for row, right in zip(in_order(one.rows), in_order(other.rows), strict=True):
            if not all(map(same, row, right)):
                return f"{tags}: {row}, wanted {right}"
    return ""


def in_order(rows: list[Row]) -> list[Row]:
    """Rows of one instant in an order that hangs on nothing but what stands in them."""
    return sorted(rows, key=lambda row: (row[0], repr([one for one in row if not isinstance(one, float)]), repr(row)))


def same(found: object, wanted: object) -> bool:
    """Counts, texts and times exactly, other numbers to 1e-9."""
    if isinstance(found, int | float) and isinstance(wanted, float):
        return math.isclose(found, wanted, rel_tol=RELATIVE, abs_tol=ALMOST_NOTHING)
    return found == wanted and isinstance(found, bool) == isinstance(wanted, bool)


def has_value(series: list[Series]) -> bool:
    """Whether a panel has something to show."""
    return any(value is not None for one in series for row in one.rows for value in row[1:])


def compared(influx: Influx, text: str, export: dict[str, Measurement]) -> tuple[bool, str]:
    """Whether the server's answer has a value, and in what it differs from our export."""
    if text.startswith("SHOW"):
        found = {value for one in influx.query(text) for _, value in one["values"]}
        return bool(found), "" if found == tag_values(text, export) else f"{found}"
    answered = served(influx, text)
    try:
        return has_value(answered), difference(answered, expected(text, export))
    except Unjudged as error:
        return has_value(answered), f"not judged: {error}"


def never(plant: Plant) -> dict[str, str]:
    """What can have no value whatever the week brings, by a pattern of the query: why."""
    return {
        "'electricity_bill_per_m2' AND \"window\"='12mo'": "no month is over within the week",
        "\"cost_per_day\".*'ro_output'": "permeate has no price",
    }


class Posted:
    """The outbox's way to both servers: the same bytes to each, and how many lines of each measurement there were."""

    def __init__(self, influx: Influx, victoria: str) -> None:
        self._influx, self._victoria = influx, influx_writer(Address(url=victoria, bucket="plant"))
        self.lines: Counter[str] = Counter()
        self.valid: Counter[str] = Counter()

    def __call__(self, lines: str) -> None:
        self._influx.write(lines)
        self._victoria(lines)
        for line in lines.split("\n"):
            name = line[: line.index(",")]
            self.lines[name] += 1
            self.valid[name] += "valid=1i" in line


def drain(box: Outbox) -> int:
    """Sends everything that waits; how many lines."""
    sent = 0
    while (done := box.drain(10**9)).sent:
        assert (done.aside, done.error) == (0, "")
        sent += done.sent
    return sent


def counted(victoria: str, metric: str) -> int:
    """How many samples of a metric VictoriaMetrics has."""
    urllib.request.urlopen(f"{victoria}/internal/force_flush").close()
    asked = urllib.parse.urlencode({"query": f"sum(count_over_time({metric}[10y]))", "time": "2026-12-31T00:00:00Z"})
    with urllib.request.urlopen(f"{victoria}/api/v1/query?{asked}") as reply:
        found = json.load(reply)["data"]["result"]
    return int(found[0]["value"][1]) if found else 0


def valid(influx: Influx, name: str) -> int:
    """How many points of a measurement are valid on the server."""
    (series,) = influx.query(f'SELECT count("valid") FROM "{name}" WHERE "valid"=1')
    return int(series["values"][0][1])


@pytest.fixture(scope="module")
def week(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Week]:
    """The simulated week."""
    with simulated(tmp_path_factory.mktemp("week")) as found:
        yield found


@pytest.mark.server
def test_every_query_answers_what_our_export_says(week: Week, influx: Influx, victoria: str, tmp_path: Path) -> None:
    """Promise 3: every query of every board and rule, of lines sent byte for byte by the outbox, each value compared.

    In the middle a correction takes readings back: what was known is overwritten with `valid=0` and gone for all of
    them. One test, so that the week is made once: asking without the values before and after would prove little.
    """
    plant, reader = week.described.plant, Reader(week.data)
    posted = Posted(influx, victoria)
    box = Outbox(plant, tmp_path / "outbox", reader, posted)
    assert drain(box) == sum(posted.lines.values()) - posted.lines["options"] - posted.lines["maintenance"]
    # before the correction
    known = reader.table("kpi").filter(pl.col("value").is_not_null())
    assert valid(influx, "kpi") == len(known)
    number = week.exclude()
    drain(box)
    box.close()
    # since
    unknown = reader.table("kpi").filter((pl.col("revision") == number) & pl.col("value").is_null())
    keys = ["kpi", "scope", "product", "window", "start", "end"]
    assert len(unknown.join(known, on=keys, how="semi")) > 10
    assert posted.lines["facts"] > posted.valid["facts"]
    export = exported(reader, plant)
    assert {name: valid(influx, name) for name in export} == {
        name: one.frame["valid"].sum() for name, one in export.items()
    }
    now, earlier = week.end, week.end - timedelta(hours=12)
    wrong, empty = [], []
    for asked in (*board_queries(plant, now).values(), *rule_queries(plant, now, earlier).values()):
        some = False
        for number, text in enumerate((*asked.texts, *asked.more)):
            if some and number >= len(asked.texts):
                break
            there, differs = compared(influx, text, export)
            some |= there
            wrong += [f"{asked.where}: {text}\n    {differs}"] if differs else []
        empty += [] if some else [asked.query]
    assert not wrong, f"{len(wrong)} answers differ:\n" + "\n".join(wrong[:20])
    reasons = never(plant)
    assert [one for one in empty if not any(re.search(pattern, one) for pattern in reasons)] == []
    assert [one for one in reasons if not any(re.search(one, query) for query in empty)] == []
    (silent,) = [rule for _, rule in every_rule(plant) if rule["title"].endswith(f"/{SILENT})")]
    assert (state(influx, silent, earlier), state(influx, silent, now)) == ("Normal", "Alerting")
    # ends of calibrations lie years ahead, which VictoriaMetrics does not keep
    past = {name: count for name, count in posted.lines.items() if name != "maintenance"}
    assert {name: counted(victoria, f"{name}_valid") for name in past} == past


def test_both_languages_ask_the_same(plant: Plant) -> None:
    """What holds for the English boards holds for the Chinese ones: their queries differ in a title's field alone."""
    asked: dict[str, set[str]] = {"en": set(), "zh": set()}
    for language, board in every_board(plant):
        asked[language] |= {query.replace('"title_zh"', '"title"') for _, query in queries(board)}
    assert asked["en"] == asked["zh"]


SPIKED = Measurement(
    pl.DataFrame(
        {
            "time": [0, 10**9, 2 * 10**9, 3 * 10**9],
            "of": ["a", "a", "b", ""],
            "value": [1.0, None, 2.0, 4.0],
            "valid": [1, 1, 1, 0],
        }
    ),
    ("of",),
)


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ('SELECT "value" FROM "m" WHERE "valid"=1 ORDER BY time DESC', [[2 * 10**9, 2.0], [0, 1.0]]),
        ('SELECT sum("value") / 4 AS "s" FROM "m" WHERE time >= 0s AND time < 3s', [[0, 0.75]]),
        ('SELECT last("value") AS "v", "of" FROM "m" WHERE "of" =~ /^(a|b)$/', [[2 * 10**9, 2.0, "b"]]),
        (
            'SELECT mean("value") AS "v" FROM "m" WHERE time >= 1s AND time <= 5s GROUP BY time(2s) fill(null)',
            [[0, None], [2 * 10**9, 3.0], [4 * 10**9, None]],
        ),
        ('SELECT count("n") AS "c" FROM (SELECT max("value") AS "n" FROM "m" GROUP BY "of")', [[0, 3]]),
    ],
)
def test_the_oracle_by_hand(text: str, rows: list[Row]) -> None:
    """What a text answers, worked out by hand: a missing value is no row, an empty bucket is null."""
    (series,) = answer(text, {"m": SPIKED})
    assert series.rows == rows


@pytest.mark.parametrize(
    "text",
    [
        'SELECT median("value") AS "m" FROM "m"',
        'SELECT "value" FROM "m" WHERE "value" > 3',
        'SELECT "value" FROM "m" WHERE "of" !~ /a/',
        'SELECT "nothing" FROM "m"',
        'SELECT sum("value") AS "v" FROM "m" GROUP BY "value"',
        'SELECT sum("value") AS "v" FROM "m" WHERE time >= 0s AND time <= 5s GROUP BY time(1s) fill(previous)',
        'SELECT "value" FROM "m" LIMIT 1 OFFSET 1',
        'SELECT "value" / 0 AS "v" FROM "m"',
    ],
)
def test_the_oracle_refuses_what_it_does_not_know(text: str) -> None:
    """No query passes without having been judged."""
    with pytest.raises(Unjudged):
        answer(text, {"m": SPIKED})
