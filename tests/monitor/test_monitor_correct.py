"""Promise 9 from the command line: refused as a whole when anything is wrong; made, listed, explained and withdrawn."""

from __future__ import annotations

import json
import re
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from historian.reader import Reader
from historian.store import Historian
from journal.journal import Journal
from journal.message import encode_body, encode_readings
from monitor.cli import app
from monitor.describe import Described, describe
from monitor.server import Server, announce_plant
from plant.reading import DAY, MINUTE, SECOND, Readings

PLANT = """
format: keepclean/1
site: {id: works, name: Works, time_zone: Europe/Berlin}
audit: {name: a, period: [2026-01-01, 2026-12-31], baseline_year: 2025}
alarms: {routes: {r: {to: [log], language: en}}}
shifts: {all: {title: all, from: "06:00", to: "06:00", supervisor: s, route: r}}
process_units: {hall: {title: Hall}}
devices:
  meter: {protocol: manual, title: Meter, interval: 5 min}
  lab: {protocol: manual, title: Lab, interval: 12 h}
points:
  kwh: {title: t, in: hall, kind: counter, unit: kWh, from: meter, read: kwh, per_hour: [0, 900], carrier: power}
  kw: {title: t, in: hall, kind: rate, unit: kW, from: meter, read: kw, range: [0, 900]}
  temp: {title: t, in: hall, kind: level, unit: degC, from: meter, read: temp, range: [-20, 60]}
  cod: {title: t, in: hall, kind: sample, unit: mg/L, valid: 12 h, from: lab, read: cod, range: [0, 900]}
factors:
  - {carrier: power, quantity: energy, value: 0.1229, unit: kgce/kWh, edition: old, source: s}
  - {carrier: power, quantity: energy, value: 0.3, unit: kgce/kWh, edition: new, source: s, from: 2026-04-03}
kpis:
  energy: {title: k, scope: hall, numerator: [{point: kwh, as: energy}], unit: kgce}
baselines:
  line: {title: b, scope: hall, response: kwh, likely_cause: c, first_check: f}
"""
START = int(datetime(2026, 3, 31, 22, tzinfo=UTC).timestamp()) * SECOND
"""A local midnight."""
DAYS = 12
RUN = CliRunner()


def readings(day: int) -> Readings:
    """A day, every five minutes; the laboratory twice."""
    rng = np.random.default_rng(day)
    i = np.arange(day * 288, day * 288 + 288)
    time = START + i * 5 * MINUTE + 15 * SECOND
    columns = {0: i * 10.0 + rng.integers(0, 3, 288), 1: 120.0 + rng.normal(0, 9, 288), 2: 20 + rng.normal(0, 3, 288)}
    point = np.concatenate([np.full(288, number) for number in columns] + [np.full(2, 3)]).astype(np.int32)
    value = np.concatenate([*columns.values(), [100.0, 200.0]])
    times = np.concatenate([time, time, time, time[[0, 144]]])
    return Readings.build(("kwh", "kw", "temp", "cod"), point, times, times, value)


class Plant:
    """A plant's folder, and serve's work on its journal."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.data = folder, folder / "data"

    @property
    def described(self) -> Described:
        return describe(self.folder / "plant.yaml")

    def serve(self) -> Server:
        """Steps what the journal holds, as serve does when it starts."""
        historian = Historian(self.data)
        server = Server(self.described.plan, Journal(self.data / "journal"), historian)
        while server.step():
            pass
        server.checkpoint()
        historian.close()
        return server

    def do(self, command: str, *arguments: str, code: int = 0) -> str:
        """A command's output; ends as it should."""
        found = RUN.invoke(app, [command, str(self.folder), *arguments], env={"COLUMNS": "250"})
        assert found.exit_code == code, found.output
        return found.output

    def correct(self, *arguments: str, code: int = 0) -> str:
        """`keepclean correct`, by somebody."""
        return self.do("correct", *arguments, "--by", "li", "--why", "photo of the plate", code=code)

    def table(self, name: str) -> Any:
        """A table's rows."""
        return Reader(self.data).table(name)

    def total(self, first: int, end: int) -> float:
        """The kWh of some days."""
        frame = Reader(self.data).table("facts", START + first * DAY, START + end * DAY, {"point": "kwh"})
        return float(frame["amount"].sum())


@pytest.fixture(scope="module")
def fed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve days, a baseline accepted on the tenth."""
    folder = tmp_path_factory.mktemp("fed")
    (folder / "plant.yaml").write_text(PLANT)
    plant = Plant(folder)
    journal = Journal(plant.data / "journal")
    Historian(plant.data).close()
    announce_plant(journal, Reader(plant.data), plant.described, START)
    for day in range(DAYS):
        tick = encode_body({"time": START + (day + 1) * DAY})
        journal.append([("tick", tick), ("readings", encode_readings(readings(day)))])
    plant.serve()
    plant.do("baseline", "line", "--from", "2026-04-01", "--to", "2026-04-10", "--accept", "--by", "li", "--why", "w")
    plant.do("recompute", "--from", "2026-04-01", "--by", "li", "--why", "w")
    plant.serve()
    return folder


@pytest.fixture
def plant(fed: Path, tmp_path: Path) -> Plant:
    """A copy to correct."""
    return Plant(shutil.copytree(fed, tmp_path / "plant"))


SPAN = ("--from", "2026-04-05", "--to", "2026-04-07")


def test_made_listed_explained_withdrawn(plant: Plant) -> None:
    """One command puts a wrong CT ratio right everywhere, says who and why, and one takes it back."""
    before, kpis = plant.total(0, DAYS), plant.table("kpi").drop("revision")
    said = plant.correct("scale", "--device", "meter", *SPAN, "--ratio-was", "100", "--ratio-is", "200")
    assert "2 point(s), 1,152 readings" in said
    assert "baseline line was fitted on" in said
    plant.serve()
    assert plant.total(4, 6) > 1.9 * before * 2 / DAYS
    number = json.loads(plant.do("corrections", "--json"))[0]["correction"]
    assert f"keepclean withdraw {plant.folder / 'plant.yaml'} {number}" in said.replace("\n", " ")
    assert json.loads(plant.do("corrections", "--json"))[0]["why"] == "photo of the plate"
    at = ("--at", "2026-04-07T00:00", "--window", "day")
    told = plant.do("explain", "energy", *at)
    assert f"{number}: kwh, kw, 2026-04-05 00:00 … 2026-04-07 00:00: values × 2" in told
    assert f"worked out again by correction {number} of li: photo of the plate" in told
    assert "agrees" in told
    story = json.loads(plant.do("explain", "energy", *at, "--json"))
    assert story["corrections"][0]["by"] == "li"
    assert story["row"]["revision"] == number
    notices = plant.table("notices")
    assert notices.filter(notices["finding"] == f"correction {number}")["point"].to_list() == ["kw", "kwh"]
    plant.do("withdraw", str(number), "--by", "wang", "--why", "the plate was another meter's")
    plant.serve()
    assert plant.total(0, DAYS) == before
    assert plant.table("kpi").drop("revision").equals(kpis)
    assert "wang" in plant.do("corrections")
    assert "the plate was another meter's" in plant.do("corrections", "--json")
    assert "is withdrawn already" in plant.do("withdraw", str(number), "--by", "a", "--why", "b", code=1)


def test_everything_wrong_is_said_at_once_and_nothing_is_written(plant: Plant) -> None:
    """Unknown points, a span beyond now, no name, no reason: all of it, with hints."""
    last = Journal(plant.data / "journal").last()
    arguments = ("scale", "--point", "kwhh", "--from", "2026-04-05", "--to", "2027-01-01", "--factor", "-2")
    said = plant.do("correct", *arguments, code=1)
    for part in ("does not say who", "does not say why", "no point 'kwhh'", "did you mean kwh", "beyond now"):
        assert part in said
    assert "4 things to put right first; nothing was written" in said
    assert Journal(plant.data / "journal").last() == last


@pytest.mark.parametrize(
    ("arguments", "objection"),
    [
        (("scale", "--point", "kwh", *SPAN, "--factor", "0"), "greater than 0"),
        (("scale", "--point", "kwh", *SPAN, "--factor", "1"), "nothing would change"),
        (("scale", "--point", "temp", *SPAN, "--factor", "2", "--in-meter"), "no totaliser"),
        (
            ("scale", "--point", "cod", "--from", "2026-04-05T05:00", "--to", "2026-04-05T06:00", "--factor", "2"),
            "no r",
        ),
        (("amount", "--point", "temp", *SPAN, "--amount", "3"), "it is a level"),
        (("amount", "--point", "kwh", *SPAN, "--amount", "1e9"), "is not what kwh can bring"),
        (("amount", "--point", "kwh", *SPAN), "needs the amount"),
        (("amount", "--point", "kwh", "--point", "kw", *SPAN, "--amount", "3"), "about one point"),
        (("amount", "--point", "kwh", "--from", "2026-04-05T00:00:30", "--to", "2026-04-06", "--amount", "3"), "whole"),
        (("sample", "--point", "kwh", *SPAN, "--value", "3"), "no laboratory value"),
        (("sample", "--point", "cod", *SPAN, "--value", "3000"), "not within 0 to 900"),
        (("reading", "--point", "kw", "--from", "2026-04-05", "--value", "3"), "can be read by hand"),
        (("exchange", "--point", "temp", "--from", "2026-04-05", "--closing", "3", "--opening", "0"), "no totaliser"),
        (("exchange", "--point", "kwh", "--from", "2026-04-05"), "--closing and --opening"),
        (("exclude", "--point", "kwh", "--from", "2026-04-06", "--to", "2026-04-05"), "before it begins"),
        (("nonsense", "--point", "kwh", *SPAN), "no correction of kind"),
        (("exclude", *SPAN), "names no point"),
    ],
)
def test_what_cannot_be_is_refused(plant: Plant, arguments: tuple[str, ...], objection: str) -> None:
    """Each kind has its own sense."""
    assert re.search(objection, plant.correct(*arguments, code=1))


def test_contradictions_are_refused(plant: Plant) -> None:
    """Two factors for one span cannot both be right; a hint says which to withdraw."""
    plant.correct("scale", "--point", "kwh", *SPAN, "--factor", "2")
    plant.serve()
    again = ("scale", "--point", "kwh", "--from", "2026-04-06", "--to", "2026-04-08", "--factor", "3")
    said = plant.correct(*again, code=1)
    assert "already corrects kwh" in said
    assert "withdraw it first" in said
    plant.correct("exclude", "--point", "kwh", "--from", "2026-04-06T12:00", "--to", "2026-04-06T13:00")


def test_beyond_the_readings_only_facts_can_be_corrected(plant: Plant) -> None:
    """Where readings were deleted the refusal says so, and what can still be told."""
    Historian(plant.data).close()
    for path in (plant.data / "readings").glob("*.parquet"):
        if path.stem[:10] < "2026-04-06":
            path.unlink()
    said = plant.correct("scale", "--point", "kwh", *SPAN, "--factor", "2", code=1)
    assert "beyond the retention of readings only facts can be corrected" in said
    said = plant.correct("exclude", "--point", "kwh", *SPAN, code=1)
    assert "make two corrections, parted at 2026-04-06 02:00" in said
    plant.correct("amount", "--point", "kwh", "--from", "2026-04-04", "--to", "2026-04-05", "--amount", "1000")
    plant.serve()
    frame = plant.table("facts").filter(plant.table("facts")["quality"] == "estimated")
    assert frame["amount"].sum() == pytest.approx(1000)
    told = plant.do("explain", "energy", "--at", "2026-04-05T00:00", "--window", "day")
    assert "the amount was 1000" in told
    assert "raw readings: none are kept of this window" in told


def test_a_dry_run_writes_nothing(plant: Plant) -> None:
    """It says what would be touched."""
    last = Journal(plant.data / "journal").last()
    assert "nothing was written" in plant.correct("exclude", "--point", "kwh", *SPAN, "--dry-run")
    assert Journal(plant.data / "journal").last() == last


def test_a_laboratory_value_without_an_end_speaks_as_long_as_its_point_says(plant: Plant) -> None:
    """Entered days later, recomputed at once."""
    plant.correct("sample", "--point", "cod", "--from", "2026-04-05T08:00", "--value", "555")
    plant.serve()
    at = datetime(2026, 4, 5, 6, 30, tzinfo=UTC)
    facts = plant.table("facts")
    mine = facts.filter(
        (facts["point"] == "cod") & (facts["minute"] >= at) & (facts["minute"] < at + timedelta(hours=5))
    )
    assert set(mine["mean"]) == {555.0}


def test_a_meter_that_counted_half(plant: Plant) -> None:
    """A ratio set wrongly in the meter: its display goes on at both ends, no reset is found."""
    before = plant.total(0, DAYS)
    plant.correct("scale", "--point", "kwh", *SPAN, "--factor", "2", "--in-meter")
    plant.serve()
    assert plant.total(0, DAYS) == pytest.approx(before + 2 * 2880, abs=15)
    assert not {"reset", "undeclared exchange"} & set(plant.table("notices")["finding"])


def test_recompute_is_a_persons_act_too(plant: Plant) -> None:
    """Without a correction everything comes out as it was."""
    before = plant.table("facts").drop("revision")
    plant.do("recompute", "--from", "2026-04-03", "--by", "li", "--why", "a logger came late")
    plant.serve()
    assert plant.table("facts").drop("revision").equals(before)
    assert plant.do("corrections").strip() == "nothing was ever corrected"


def test_a_baseline_is_proposed_beside_the_one_in_force(plant: Plant) -> None:
    """Shown with its figures; in force only when a person accepts it, by name and with a reason."""
    shown = plant.do("baseline", "line")
    assert "2026-04-01 … 2026-04-10" in shown
    assert len(Reader(plant.data).ledger("baseline")) == 1
    assert "accepted by a person" in plant.do("baseline", "line", "--accept", code=1)
    assert "there is no baseline 'lines'" in plant.do("baseline", "lines", code=1)


def test_a_window_across_a_change_of_factor_uses_both_editions(plant: Plant) -> None:
    """`explain` says so, with the day of the change and each edition's share of the numerator."""
    told = plant.do("explain", "energy", "--window", "month", "--at", "2026-04-05T00:00")
    assert "the window uses both" in told
    assert "old, 2026-04-01 00:00 … 2026-04-03 00:00" in told
    assert "new, 2026-04-03 00:00 … 2026-04-05 00:00" in told
    parts = json.loads(plant.do("explain", "energy", "--window", "month", "--at", "2026-04-05T00:00", "--json"))
    shares = [part["share"] for part in parts["editions"]]
    assert sum(shares) == pytest.approx(1)
    days = [plant.total(0, 3), plant.total(0, 5)]
    assert shares[1] > shares[0] > 0.1, days


def test_one_drift_is_told_once_whatever_is_recomputed(plant: Plant) -> None:
    """Promise 9: raised when a correction finds it open, not again by the next one, revised when it is taken back."""
    plant.correct(
        "scale",
        "--point",
        "kwh",
        "--from",
        "2026-04-11T12:00",
        "--to",
        "2026-04-12T23:30",
        "--factor",
        "2",
        "--in-meter",
    )
    plant.serve()
    drifts = plant.table("drift")
    assert drifts["state"].to_list() == ["open"]
    assert plant.table("alarms")["to_state"].to_list() == ["unacknowledged"]
    plant.correct("exclude", "--point", "temp", "--from", "2026-04-11", "--to", "2026-04-11T01:00")
    plant.serve()
    assert plant.table("alarms")["to_state"].to_list() == ["unacknowledged"]
    assert plant.table("drift")["drift"].to_list() == drifts["drift"].to_list()
    # the process dies after the recompute was stored and before its alarms were: they are told at the next start
    number = json.loads(plant.do("corrections", "--json"))[-1]["correction"]
    plant.do("withdraw", str(number), "--by", "li", "--why", "w")
    historian = Historian(plant.data)
    server = Server(plant.described.plan, Journal(plant.data / "journal"), historian)
    while server.step():
        pass
    historian.close()
    plant.serve()
    assert plant.table("drift")["state"].to_list() == ["withdrawn"]
    assert plant.table("alarms").sort("time")["to_state"].to_list() == ["unacknowledged", "revised"]
