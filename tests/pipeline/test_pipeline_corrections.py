"""Promise 9, one kind of correction after the other: what each makes of facts, and that withdrawing leaves no trace."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from pipeline_builders import at, readings
from pipeline_corrected import PER_DAY, STEP_MIN, Works, history, same

from historian.reader import Reader
from pipeline import recompute_run
from pipeline.corrections import Correction, Corrections
from pipeline.minutes import Minutes
from pipeline.recompute_facts import FOLDER as ORIGINALS
from pipeline.recompute_scratch import Scratch
from plant.clock import to_datetime
from plant.reading import MINUTE, Quality

DAYS = 6


@pytest.fixture(scope="module")
def fed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six days as they were, to be copied."""
    found = Works(tmp_path_factory.mktemp("fed") / "works")
    found.feed(history(DAYS), baseline_day=3)
    found.historian.close()
    return found.folder


@pytest.fixture
def works(fed: Path, tmp_path: Path) -> Works:
    """Six days as they were."""
    return Works(shutil.copytree(fed, tmp_path / "works"))


def facts(works: Works, point: str, first: float, end: float) -> pl.DataFrame:
    """A point's facts over [first, end) [min since START]."""
    whole = works.table("facts").filter(pl.col("point") == point)
    return whole.filter((pl.col("minute") >= to_datetime(at(first))) & (pl.col("minute") < to_datetime(at(end))))


def snapshot(works: Works) -> dict[str, pl.DataFrame]:
    """What is stored now."""
    return {name: works.table(name) for name in ("facts", "kpi", "blocks", "drift")}


def restored(works: Works, before: dict[str, pl.DataFrame]) -> None:
    """Withdraws the last correction; everything is as it was, to the bit."""
    works.withdraw(works.entries[-1]["position"])
    for name, frame in snapshot(works).items():
        if name != "drift":
            assert frame.equals(before[name]), name
        standing = (
            [part.filter(pl.col("state") != "withdrawn") for part in (frame, before[name])] if name == "drift" else []
        )
        assert not standing or standing[0].equals(standing[1])


def test_an_excluded_span_is_not_used(works: Works) -> None:
    """Readings of a bad hour do not count: unknown for a level, and nothing is lost of a counter."""
    before = snapshot(works)
    works.correct("exclude", ["ph"], 2 * 1440 + 60, 2 * 1440 + 120)
    inside = facts(works, "ph", 2 * 1440 + 61, 2 * 1440 + 119)
    assert inside["mean"].null_count() == len(inside) == 58
    assert inside["coverage"].max() == 0
    found = works.table("notices").filter(pl.col("finding") == f"excluded by correction {works.entries[0]['position']}")
    assert found["point"].to_list() == ["ph"]
    raw = Reader(works.folder).table("readings", where={"point": "ph"})
    assert set(raw["quality"]) == {"good"}
    restored(works, before)


def test_a_known_amount_is_spread_over_its_span(works: Works) -> None:
    """The amount read by hand is what the span adds up to, known and marked as estimated."""
    before = snapshot(works)
    works.correct("amount", ["kwh"], 1440, 1440 + 120, amount=777.7)
    inside = facts(works, "kwh", 1440, 1440 + 120)
    assert inside["amount"].sum() == pytest.approx(777.7, abs=1e-9)
    assert inside["coverage"].min() == 1
    assert set(inside["quality"]) == {"estimated"}
    assert works.table("kpi").filter(
        (pl.col("kpi") == "sec") & (pl.col("window") == "1h") & (pl.col("end") == to_datetime(at(1440 + 120)))
    )["numerator"].item() == pytest.approx(777.7 / 2)
    restored(works, before)


def test_a_hand_read_value_counts_where_the_meter_was_silent(tmp_path: Path) -> None:
    """A gap of ten hours, parted by what somebody read off the meter."""
    values = history(DAYS)
    true = values["kwh"].copy()
    low, high = 2 * PER_DAY, 2 * PER_DAY + 120
    values["kwh"] = np.where((np.arange(len(true)) >= low) & (np.arange(len(true)) < high), np.nan, true)
    works = Works(tmp_path)
    works.feed(values)
    before = snapshot(works)
    middle = (low + 60) * STEP_MIN
    works.correct("reading", ["kwh"], middle, middle + 1e-6, value=float(true[low + 60]) - 100)
    first = facts(works, "kwh", low * STEP_MIN, middle)["amount"].sum()
    second = facts(works, "kwh", middle, high * STEP_MIN)["amount"].sum()
    assert first == pytest.approx(true[low + 60] - 100 - true[low - 1], abs=20)
    assert second == pytest.approx(true[high] - true[low + 60] + 100, abs=20)
    restored(works, before)


def test_a_laboratory_value_holds_from_to(works: Works) -> None:
    """Entered at any age, for as long as was said, in the place of what the laboratory had said before."""
    before = snapshot(works)
    works.correct("sample", ["cod"], 1440 + 7, 3 * 1440, value=4321.0)
    inside = facts(works, "cod", 1440 + 7, 3 * 1440 - 1)
    assert set(inside["mean"]) == {4321.0}
    assert inside["coverage"].min() == 1
    after = facts(works, "cod", 3 * 1440 + 1, 3 * 1440 + 2)
    assert (
        after["mean"].item()
        == before["facts"]
        .filter((pl.col("point") == "cod") & (pl.col("minute") == to_datetime(at(3 * 1440 + 1))))["mean"]
        .item()
    )
    restored(works, before)


def test_an_exchange_found_late(tmp_path: Path) -> None:
    """An undeclared exchange loses the gap before it; told of later, nothing is lost."""
    true = history(DAYS)
    values = {**true, "kwh": true["kwh"].copy()}
    swap = 2 * PER_DAY + 6
    closing = float(true["kwh"][swap - 1]) + 5
    values["kwh"][swap:] -= closing - 1000
    works, right = Works(tmp_path / "a"), Works(tmp_path / "b")
    works.feed(values)
    moment = swap * STEP_MIN - 1
    before = snapshot(works)
    works.correct("exchange", ["kwh"], moment, moment + 1e-6, joins=[[at(moment), closing, 1000.0]])
    right.feed(true)
    assert facts(works, "kwh", 0, DAYS * 1440)["amount"].sum() == pytest.approx(
        facts(right, "kwh", 0, DAYS * 1440)["amount"].sum(), abs=1e-6
    )
    restored(works, before)


def test_a_meter_that_counted_half_goes_on_from_where_it_is(tmp_path: Path) -> None:
    """A ratio set wrongly in the meter itself: what it counted in the span is doubled, its display is not."""
    true = history(DAYS)
    low, high = 2 * PER_DAY, 4 * PER_DAY
    rise = np.diff(true["kwh"], prepend=0.0)
    rise[low + 1 : high + 1] /= 2
    works, right = Works(tmp_path / "a"), Works(tmp_path / "b")
    counted = np.cumsum(rise)
    works.feed({**true, "kwh": counted})
    first, end = (low + 0) * STEP_MIN + 0.25, high * STEP_MIN + 0.25
    joins = [
        [at(first), float(counted[low]), float(counted[low]) * 2],
        [at(end), float(counted[high]) * 2, float(counted[high])],
    ]
    works.correct("scale", ["kwh"], first, end, times=2.0, over=1.0, joins=joins)
    right.feed(true)
    whole = [facts(one, "kwh", 0, DAYS * 1440)["amount"].to_numpy() for one in (works, right)]
    np.testing.assert_allclose(whole[0], whole[1], atol=0.02)


def test_readings_too_late_count_after_a_recompute(tmp_path: Path) -> None:
    """A logger that brings a day three days late: not counted live, and all of it after `recompute`."""
    values = history(DAYS)
    low, high = PER_DAY, 2 * PER_DAY
    early = {**values, "kwh": values["kwh"].copy()}
    early["kwh"][low:high] = np.nan
    works, right = Works(tmp_path / "a"), Works(tmp_path / "b")
    works.feed(early)
    rows = [("kwh", i * STEP_MIN + 0.25, float(values["kwh"][i])) for i in range(low, high)]
    works.run.engine.process([works.run.message("readings", {}, readings(rows, DAYS * 1440))])
    assert set(works.table("readings").filter(pl.col("finding") == "late")["quality"]) == {"bad"}
    works.act({"act": "recompute", "from": at(1440)})
    right.feed(values)
    for name in ("facts", "kpi"):
        same(works, right, name)
    counted = works.table("readings").filter(pl.col("finding") == "late")
    assert len(counted) == PER_DAY
    assert set(counted["quality"]) == {"good"}


def test_facts_alone_are_corrected_beyond_the_readings(works: Works) -> None:
    """Readings that are no longer kept: an amount or an exclusion still counts, and can be taken back."""
    for path in sorted((works.folder / "readings").glob("*.parquet"))[:3]:
        path.unlink()
    before = snapshot(works)
    works.correct("amount", ["kwh"], 1440, 1440 + 60, amount=50.0, facts=True)
    assert facts(works, "kwh", 1440, 1440 + 60)["amount"].sum() == pytest.approx(50, abs=1e-9)
    assert (
        snapshot(works)["facts"]
        .filter(pl.col("minute") >= to_datetime(at(1500)))
        .equals(before["facts"].filter(pl.col("minute") >= to_datetime(at(1500))))
    )
    restored(works, before)
    works.correct("exclude", ["kwh"], 1440, 1440 + 60, facts=True)
    assert facts(works, "kwh", 1440, 1440 + 60)["amount"].null_count() == 60
    restored(works, before)
    assert not list((works.folder / ORIGINALS).glob("*"))


def test_what_was_not_touched_is_not_written_again(works: Works) -> None:
    """Other points, other process units and days before keep their rows and revisions."""
    done = works.correct("amount", ["water"], 4 * 1440, 4 * 1440 + 60, amount=1.0)
    reader = Reader(works.folder)
    fresh = reader.table("facts").filter(pl.col("revision") == works.entries[0]["position"])
    assert set(fresh["point"]) == {"water"}
    # the span, and what is interpolated now between the readings on either side of it
    assert done.rows["facts"] == len(fresh) == 60 + 6
    kpis = reader.table("kpi").filter(pl.col("revision") == works.entries[0]["position"])
    assert set(kpis["kpi"]) == {"water"}
    assert kpis["end"].min() >= to_datetime(at(4 * 1440))
    assert len(done.drifts) == 0


class Killed(Exception):
    """The process died here."""


@pytest.mark.plant
@pytest.mark.parametrize("seed", range(4))
def test_a_killed_recompute_goes_on(
    works: Works, fed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Promise 9: killed at random saves and commits, called anew: the result is that of one that was left alone."""
    rng = np.random.default_rng(seed)
    plain, hurt = works, Works(shutil.copytree(fed, tmp_path / "hurt"))
    more: dict[str, Any] = {"times": 3.0, "over": 2.0}
    plain.correct("scale", ["kwh"], 1440, 3 * 1440, **more)
    monkeypatch.setattr(Scratch, "due", lambda self: True)
    kills = set(np.cumsum(rng.integers(1, 16, 5)).tolist())
    calls = iter(range(1000))

    def count() -> None:
        if next(calls) in kills:
            raise Killed

    save, commit = Scratch.save, hurt.historian.commit

    def dying_save(self: Scratch, **memory: Any) -> None:
        if rng.random() < 0.5:
            count()
            save(self, **memory)
        else:
            save(self, **memory)
            count()

    def dying_commit(*args: Any, **kwargs: Any) -> None:
        count()
        commit(*args, **kwargs)

    monkeypatch.setattr(Scratch, "save", dying_save)
    monkeypatch.setattr(hurt.historian, "commit", dying_commit)
    body = {"act": "correct", "kind": "scale", "points": ["kwh"], "from": at(1440), "to": at(3 * 1440), **more}
    died = 0
    position = hurt.run.position
    while True:
        hurt.run.position, hurt.entries = position, []
        try:
            hurt.act(body)
            break
        except Killed:
            died += 1
    assert died == len(kills)
    for name in ("facts", "kpi", "blocks", "drift"):
        same(hurt, plain, name)
    assert not list((hurt.folder / "recompute").glob("*"))


@pytest.mark.plant
def test_process_units_side_by_side_give_the_same(
    works: Works, fed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Promise 2: in processes of their own or one after the other."""
    other = Works(shutil.copytree(fed, tmp_path / "other"))
    body = {"act": "recompute", "from": at(1440)}
    works.correct("scale", ["kwh", "water"], 1440, 3 * 1440, times=3.0, over=2.0)
    monkeypatch.setattr(recompute_run, "ALONE_READINGS", 0)
    other.correct("scale", ["kwh", "water"], 1440, 3 * 1440, times=3.0, over=2.0)
    other.act(body, workers=2)
    for name in ("facts", "kpi", "blocks", "drift"):
        same(other, works, name)


def entry(position: int, **more: Any) -> dict[str, Any]:
    """A ledger entry."""
    return {
        "position": position,
        "act": "correct",
        "time": 0,
        "by": "a",
        "why": "w",
        "from": at(0),
        "to": at(10),
        **more,
    }


def test_a_withdrawn_correction_is_none() -> None:
    """What was withdrawn does not count; what is left does, in its order."""
    made = [
        entry(7, kind="scale", points=["a"], times=2.0),
        entry(8, kind="exclude", points=["a"]),
        {**entry(9, kind="scale", points=["a"]), "act": "withdraw", "correction": 7},
        {"position": 10, "act": "recompute", "from": 0, "time": 0},
    ]
    found = Corrections.of_ledger(made)
    assert [one.name for one in found.all] == ["8"]
    assert not Corrections.of_ledger([])
    assert found.of(["b"]).all == ()
    assert [one.name for one in found.touching(["a", "b"], at(9), at(20))] == ["8"]
    assert found.touching(["a"], at(10), at(20)) == ()


def test_readings_no_correction_touches_stay_the_same_object() -> None:
    """The live step pays nothing for corrections of the past."""
    found = Corrections((Correction("1", "exclude", ("a",), at(0), at(10)),))
    batch = readings([("a", 10, 1.0), ("b", 5, 1.0)])
    assert found.apply(batch) is batch
    other = found.apply(readings([("a", 9, 1.0), ("b", 9, 1.0), ("a", 11, 1.0)]))
    assert other.quality.tolist() == [Quality.BAD, Quality.GOOD, Quality.GOOD]
    minutes = Minutes.unknown(at(0) // MINUTE, at(5) // MINUTE)
    assert found.overlay("a", minutes) is minutes


def test_what_was_entered_takes_the_place_of_what_was_read() -> None:
    """A laboratory value that was put right is not the second of two: the first is not there."""
    found = Corrections((Correction("1", "sample", ("a",), at(0), at(10), value=4.0),))
    batch = readings([("a", 0, 1.0), ("b", 0, 1.0), ("a", 9, 1.0), ("a", 10, 1.0)])
    assert found.apply(batch) is batch
    assert found.replaced(batch).tolist() == [True, False, True, False]


def test_an_exclusion_beats_a_scale() -> None:
    """Both on one span: the value is scaled, and not used."""
    found = Corrections(
        (
            Correction("1", "exclude", ("a",), at(0), at(10)),
            Correction("2", "scale", ("a",), at(5), at(20), times=3.0, over=2.0),
        )
    )
    batch = found.apply(readings([("a", 4, 1.0), ("a", 6, 1.0), ("a", 12, 1.0)]))
    assert batch.quality.tolist() == [Quality.BAD, Quality.BAD, Quality.GOOD]
    assert batch.value.tolist() == [1.0, 1.5, 1.5]
    assert datetime.fromtimestamp(at(0) / 1e6, UTC).year == 2026
