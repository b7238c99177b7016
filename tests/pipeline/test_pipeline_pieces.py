"""Gaps with a known total: one piece of every window that contains them whole, and of no other."""

from __future__ import annotations

import random
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from pipeline_builders import PROPERTY, MemoryStore, Row, Run, at, kpi, plant, point, readings

from historian.reader import Reader
from historian.store import Historian
from journal.message import Message
from pipeline.engine import Engine
from pipeline.explain import explain
from pipeline.formulas import PIECE_MINUTES
from pipeline.minutes import Minutes
from pipeline.pieces import Piece
from pipeline.plans import compile_plant
from pipeline.sums import Field, KpiSums
from plant.calendar import Calendar
from plant.model import Plant
from plant.reading import Quality

DAY = 1440
FACTOR = {"carrier": "power", "quantity": "energy", "unit": "kgce/kWh", "source": "s"}


@cache
def works() -> Plant:
    """A ratio, sums by a factor and a price that change, a load and a peak."""
    per_hour = {"per_hour": [0, 600]}
    return plant(
        {
            "kwh": point("counter", "kWh", carrier="power", **per_hour),
            "area": point("counter", "m2", **per_hour),
            "water": point("counter", "m3", **per_hour),
            "cod": point("level", "mg/L", range=[0, 900]),
        },
        factors=[
            {**FACTOR, "value": 0.1229, "edition": "a"},
            {**FACTOR, "value": 0.13, "edition": "b", "from": "2026-03-03"},
        ],
        tariffs=[
            {
                **{"carrier": "power", "unit": "kWh", "source": "s"},
                "bands": [
                    {"name": "day", "price": 1.0, "hours": ["07:00-22:00"]},
                    {"name": "night", "price": 0.4, "hours": ["22:00-07:00"]},
                ],
            }
        ],
        kpis={
            "ratio": kpi([{"point": "kwh"}], [{"point": "area"}], coverage_limit=0.5),
            "cost": kpi([{"point": "kwh", "as": "cost"}], coverage_limit=0.5),
            "kgce": kpi([{"point": "kwh", "as": "energy"}], coverage_limit=0.5),
            "load": kpi([{"point": "cod", "as": "load", "flow": "water"}], coverage_limit=0.5),
            "peak": kpi([{"point": "kwh"}], peak="15 min", coverage_limit=0.5),
        },
    )


def rising(first: int, end: int, *gaps: tuple[int, int], second: float = 0.0) -> list[Row]:
    """Every meter by the minute, 5 kWh on 2 m2; kwh and water say nothing in the minutes [start, end) of gaps."""
    rows: list[Row] = []
    for minute in range(first, end):
        now = minute + second
        silent = any(start <= minute < stop for start, stop in gaps)
        rows += [("area", now, 2.0 * now), ("cod", now, 100.0)]
        rows += [] if silent else [("kwh", now, 5.0 * now), ("water", now, 1.0 * now)]
    return rows


def told(*gaps: tuple[int, int], end: int = DAY, second: float = 0.0) -> Run:
    """A day with gaps, told in time."""
    run = Run(works())
    for start in range(0, end, 60):
        run.read(rising(start, start + 60, *gaps, second=second), tick=start + 60)
    run.settle(end)
    return run


def row(run: Run, name: str, window: str, end: int) -> dict[str, Any]:
    """A KPI's row, which has to be there."""
    found = run.kpi(name, window, end)
    assert found is not None
    return found


def test_a_window_that_contains_a_gap_whole_has_its_total() -> None:
    """Design, Ratios: a gap with known total adds as one piece, for all terms together; nothing of it is left open."""
    run = told((500, 512))
    for window, end, minutes in (("1h", 540, 60), ("day", 540, 540)):
        found = row(run, "ratio", window, end)
        assert (found["numerator"], found["denominator"], found["coverage"]) == (5 * minutes, 2 * minutes, 1)
        assert (found["value"], found["low"], found["high"], found["quality"]) == (2.5, 2.5, 2.5, "estimated")
    for window in ("7d", "month", "30d"):
        assert row(run, "ratio", window, 540)["numerator"] == 5 * 540


def test_a_window_that_cuts_a_gap_has_nothing_of_it() -> None:
    """Design, Ratios: only windows that contain it whole; the others leave its minutes unknown, with their range."""
    run = told((533, 548))
    for end in (540, 600):
        found = row(run, "ratio", "1h", end)
        assert (found["numerator"], found["coverage"]) == (5 * 52, pytest.approx(52 / 60))
        assert found["low"] < 2.5 < found["high"]
    assert row(run, "ratio", "1h", 555)["numerator"] == 300
    assert row(run, "ratio", "day", 600)["numerator"] == 3000
    assert row(run, "ratio", "day", 540)["numerator"] == 5 * 532


def test_a_gap_reaches_into_minutes_that_are_known() -> None:
    """A gap from the last seconds of a minute on is not whole in a window that begins after them."""
    run = told((480, 492), second=-0.05)
    assert row(run, "ratio", "1h", 540)["coverage"] == pytest.approx(48 / 60)
    assert row(run, "ratio", "1h", 525)["coverage"] == 1


@pytest.mark.parametrize("end", [495, 480, 540])
def test_a_gap_that_ends_with_a_window_is_in_it(end: int) -> None:
    """Whether it is over shows a minute later: the window that ended with it is told again."""
    run = told((end - 11, end))
    assert row(run, "ratio", "1h", end)["coverage"] == 1
    assert row(run, "ratio", "15min", end)["numerator"] == 75


def test_what_comes_late_changes_or_fills_a_piece() -> None:
    """Promise 2: a known minute in a gap parts it, all of them fill it; a gap that is still open is no piece."""
    run = Run(works())
    missing = [one for one in rising(0, 300) if one not in rising(0, 300, (100, 200))]
    run.read([one for one in rising(0, 150) if one not in missing], tick=150)
    run.settle(150)
    assert row(run, "ratio", "day", 120)["coverage"] == pytest.approx(99 / 120)
    run.read([one for one in rising(150, 300) if one not in missing], tick=300)
    run.settle(300)
    whole = row(run, "ratio", "day", 240)
    assert (whole["numerator"], whole["coverage"], whole["quality"]) == (1200, 1, "estimated")
    assert row(run, "ratio", "1h", 180)["coverage"] == 0
    assert row(run, "ratio", "day", 180)["numerator"] == 5 * 99
    run.read([one for one in missing if one[1] in (160, 161)])
    assert row(run, "ratio", "day", 180)["numerator"] == 5 * 161
    assert row(run, "ratio", "day", 240)["numerator"] == 1200
    run.read(missing)
    filled = row(run, "ratio", "1h", 180)
    assert (filled["numerator"], filled["coverage"], filled["quality"]) == (300, 1, "good")
    assert row(run, "ratio", "day", 240)["quality"] == "good"


def test_a_total_is_not_parted_between_two_prices() -> None:
    """A piece's cost needs one price, its energy one factor; at one price it counts."""
    run = told((415, 425), (1435, 1445), (500, 510), end=2 * DAY)
    assert row(run, "cost", "1h", 450)["coverage"] == pytest.approx(49 / 60)
    assert row(run, "kgce", "1h", 450)["numerator"] == pytest.approx(300 * 0.1229)
    assert row(run, "cost", "1h", 540)["numerator"] == 300
    assert row(run, "kgce", "1h", 1470)["coverage"] == pytest.approx(49 / 60)
    assert row(run, "cost", "1h", 1470)["numerator"] == 120


def test_a_product_of_means_has_no_piece() -> None:
    """A load over a gap is not the product of what both were on average."""
    run = told((500, 512))
    assert row(run, "load", "1h", 540)["coverage"] == pytest.approx(47 / 60)


def test_a_peak_needs_quarter_hours() -> None:
    """A quarter hour that holds a gap whole knows its mean power; a longer gap hides which quarter was the highest."""
    run = told((500, 508), (620, 640))
    inside, across = row(run, "peak", "1h", 540), row(run, "peak", "1h", 660)
    assert (inside["value"], inside["low"], inside["high"], inside["coverage"]) == (300, 300, 300, 1)
    assert (across["coverage"], across["high"]) == (pytest.approx(39 / 60), 520)


def test_a_gap_too_long_to_be_remembered_is_none() -> None:
    """Promise 2: whether a gap is a piece must not depend on how far back a batch reaches."""
    for minutes, whole in ((PIECE_MINUTES, True), (PIECE_MINUTES + 1, False)):
        run = told((500, 500 + minutes - 1), end=2 * DAY)
        assert (row(run, "ratio", "7d", 2 * DAY - 60)["numerator"] == 5 * (2 * DAY - 60)) is whole


def facts_of(quality: Quality, n: int = 20) -> dict[str, Minutes]:
    """Twenty minutes of every point; of kwh five are spread, of a quality."""
    found = {}
    for name in works().points:
        minutes = Minutes.unknown(0, n)
        minutes.amount[:], minutes.has[:], minutes.coverage[:], minutes.quality[:] = 5_000_000, True, 1.0, Quality.GOOD
        minutes.mean[:] = 100.0
        found[name] = minutes
    found["kwh"].coverage[8:13], found["kwh"].estimated[8:13], found["kwh"].quality[8:13] = 0.0, 1.0, quality
    return found


def test_a_doubtful_stretch_has_no_total() -> None:
    """Promise 3: what a reset or a frozen meter hides is lost; with what shows afterwards it would be a saving."""
    formulas = compile_plant(works(), "config").scopes["site"].formulas
    for quality, count in ((Quality.ESTIMATED, 4), (Quality.SUSPECT, 0)):
        _, pieces, _ = formulas.with_pieces(facts_of(quality), {}, 19, 0)
        assert len(pieces) == count
    partly = facts_of(Quality.ESTIMATED)
    partly["kwh"].estimated[10] = 0.4
    assert formulas.with_pieces(partly, {}, 19, 0)[1] == []
    both = facts_of(Quality.ESTIMATED)
    both["area"].has[10], both["area"].coverage[10] = False, 0.0
    names = [list(works().kpis)[piece.columns[0]] for piece in formulas.with_pieces(both, {}, 19, 0)[1]]
    assert sorted(names) == ["cost", "kgce", "peak"]


def test_what_is_estimated_beside_a_gap_stays_open() -> None:
    """Promise 3: the total of a gap is known; what another meter is guessed to have counted meanwhile is not."""
    formulas = compile_plant(works(), "config").scopes["site"].formulas
    facts = facts_of(Quality.ESTIMATED)
    facts["area"].estimated[10] = 0.3
    _, pieces, _ = formulas.with_pieces(facts, {}, 19, 0)
    piece = next(one for one in pieces if one.columns[0] == 0)
    sums, _, _ = formulas.with_pieces(facts, {}, 19, 0)
    total = sums[7:12, 0].sum(axis=0) + piece.amount[0]
    assert (total[Field.KNOWN], total[Field.NUMERATOR], total[Field.NUMERATOR_HIGH]) == (5, 25_000_000, 0)
    assert total[Field.DENOMINATOR_LOW] == -5_000_000


SPANS = st.lists(st.tuples(st.integers(1, 3 * DAY - 20), st.integers(1, 900)), max_size=8)


@settings(PROPERTY, max_examples=40)
@given(SPANS, st.integers(0, 2**32))
def test_a_window_holds_the_pieces_that_lie_in_it(spans: list[tuple[int, int]], luck: int) -> None:
    """Promise 2: against a plain list, in any batches, with restarts, long after minutes were forgotten."""
    chance = random.Random(luck)
    pieces, at_ = [], 0
    for start, length in sorted(spans):
        if start >= at_:
            at_ = start + length
            pieces.append(Piece(start, at_, np.array([0]), np.full((1, len(Field)), length)))
    calendar = Calendar(plant({"n": point("counter", "1")}, zone="Asia/Shanghai"))
    sums, minute, end = KpiSums(2, calendar), 0, 5 * DAY
    one = np.ones((end, 2, len(Field)), np.int64)
    stored: dict[tuple[str, int], bytes] = {}
    while minute < end:
        until = min(minute + chance.choice([7, 60, 1000, 1700]), end)
        sums.put(minute, one[minute:until], [piece for piece in pieces if minute < piece.end <= until])
        sums.trim()
        minute = until
        for kind, slot, body in sums.checkpoint():
            if body is None:
                stored.pop((kind, slot), None)
            else:
                stored[kind, slot] = body
        if chance.random() < 0.3:
            sums = KpiSums(2, calendar)
            sums.restore([(*key, body) for key, body in stored.items()], [0, 1])
    hours = np.arange(0, end + 1, 60)
    local = np.arange(-8 * 60, end, DAY)
    fine = np.arange(end - 20 * 60, end - 60, 7)
    for coarse, starts, ends in (
        ("hour", hours[:-1], np.full(len(hours) - 1, end)),
        ("day", local[1:], np.full(len(local) - 1, end)),
        ("", fine, fine + 60),
    ):
        found = sums.between(starts, ends, coarse)
        for number, (low, high) in enumerate(zip(starts.tolist(), ends.tolist(), strict=True)):
            inside = sum(piece.end - piece.start for piece in pieces if low <= piece.start and piece.end <= high)
            assert found[number, 0, Field.NUMERATOR] == high - low + inside, (coarse, low, high)
            assert found[number, 1, Field.NUMERATOR] == high - low


GAPS = ((175, 185), (190, 191), (290, 301), (405, 425), (700, 715), (870, 890), (900, 1100), (1435, 1450))


def journal(chance: random.Random | None) -> list[Message]:
    """A day and a half with gaps over quarter hours, hours, shifts and midnight; some readings in gaps come late."""
    rows = [one for one in rising(0, 36 * 60, second=0.4) if one[0] != "cod"]
    gone = {one for one in rows if any(low <= int(one[1]) < high for low, high in GAPS) and one[0] != "area"}
    gone |= {one for one in rows if one[0] == "area" and 712 <= int(one[1]) < 724}
    late = {one for one in gone if int(one[1]) in (180, 412, 950, 1000, 1446) or 870 <= int(one[1]) < 890}
    arrivals = [(one[1], 0.0, one) for one in rows if one not in gone]
    for one in sorted(late):
        delay = 0.0 if chance is None else chance.choice([0, 30, 300, 1300])
        arrivals.append((one[1] + delay, 0.0 if chance is None else chance.random(), one))
    arrivals.sort()
    found: list[Message] = []
    step = 60 if chance is None else chance.choice([15, 35, 240])
    start = 0
    for now in range(step, 36 * 60 + 1400, step):
        end = next((i for i in range(start, len(arrivals)) if arrivals[i][0] >= now), len(arrivals))
        here = [one for _, _, one in arrivals[start:end]]
        if chance is not None:
            chance.shuffle(here)
        start = end
        found.append(Message(len(found) + 1, "tick", {"time": at(min(now, 36 * 60 + 30))}))
        if here:
            found.append(Message(len(found) + 1, "readings", {}, readings(here, now)))
    return [*found, Message(len(found) + 1, "tick", {"time": at(36 * 60 + 1500)})]


def values(store: Any) -> pl.DataFrame:
    """KPI rows on the quarter hours, without what depends on the way."""
    quarter = pl.col("end").cast(pl.Int64) % (15 * 60 * 1_000_000) == 0
    inside = quarter & (pl.col("end").cast(pl.Int64) <= at(36 * 60))
    found: pl.DataFrame = store.table("kpi").filter(inside).drop("revision")
    return found.sort("kpi", "scope", "window", "start", "end")


@cache
def straight() -> pl.DataFrame:
    """The KPIs of a history told in time and stepped in one go."""
    store: Any = MemoryStore()
    engine = Engine(compile_plant(works(), "config"), store)
    engine.process(journal(None))
    engine.checkpoint()
    return values(store)


@settings(PROPERTY, max_examples=6, phases=[Phase.generate])
@given(st.integers(0, 2**32))
def test_gaps_over_the_edges_of_windows_in_any_way(luck: int) -> None:
    """Promise 2: gaps that begin, end or lie across edges of windows, filled late, in any batches, with restarts."""
    chance, plan = random.Random(luck), compile_plant(works(), "config")
    store: Any = MemoryStore()
    engine, messages = Engine(plan, store), journal(chance)
    while engine.position < messages[-1].position:
        engine.process(messages[engine.position : engine.position + chance.choice([1, 5, 40])])
        if chance.random() < 0.3:
            engine.checkpoint()
            engine = Engine(plan, store)
    engine.checkpoint()
    one, other = straight(), values(store)
    for column in one.columns:
        if one[column].dtype == pl.Float64:
            assert ((one[column] - other[column]).abs() <= 1e-9 * one[column].abs()).all(), column
            assert one[column].is_null().equals(other[column].is_null()), column
        else:
            assert one[column].equals(other[column]), column
    hours = one.filter(pl.col("kpi") == "ratio", pl.col("window") == "1h", pl.col("quality") == "estimated")
    assert len(hours.filter(pl.col("coverage") == 1)) > 10


def test_explain_adds_the_same_pieces(tmp_path: Path) -> None:
    """Promise 5: from stored facts every window has the pieces that it has live."""
    historian = Historian(tmp_path)
    engine = Engine(compile_plant(works(), "config"), historian)
    engine.process(journal(random.Random(3)))
    engine.checkpoint()
    historian.close()
    reader, plan = Reader(tmp_path), compile_plant(works(), "config")
    windows = pl.col("window").is_in(["15min", "1h", "shift", "day"]) & (pl.col("end").cast(pl.Int64) <= at(36 * 60))
    stored = reader.table("kpi").filter(windows, pl.col("kpi") == "ratio", pl.col("quality") == "estimated")
    rows = stored.filter(pl.col("start").cast(pl.Int64) >= at(0)).sort("window", "end").gather_every(4)
    assert len(rows) > 15
    assert set(rows["window"]) == {"15min", "1h", "shift", "day"}
    for one in rows.iter_rows(named=True):
        found = explain(plan, reader, one)
        assert (found.agrees, found.disagreements) == (True, []), (one["window"], one["end"])
