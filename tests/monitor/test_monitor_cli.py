"""The command line as a user meets it: check, export, explain; each in a process-free call of the very commands."""

from __future__ import annotations

import json
import sqlite3
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from rich.console import Console
from test_monitor_steel import STEEL, look_alike
from typer.testing import CliRunner

from historian.chunks import decode, encode
from historian.reader import Reader
from historian.tables import FACTS
from monitor.cli import app
from monitor.describe import describe
from monitor.replay import replay
from plant.errors import ConfigurationError

RUN = CliRunner()


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The steel look-alike's results."""
    folder = tmp_path_factory.mktemp("cli")
    look_alike(folder / "steel.csv")
    span = (date(2018, 1, 1), date(2018, 1, 31))
    replay(describe(STEEL), [folder / "steel.csv"], folder / "data", span, Console(quiet=True))
    return folder / "data"


def test_help_is_the_tour() -> None:
    """Every command of the tour is there, and the processes' own are not."""
    text = RUN.invoke(app, ["--help"]).output
    for command in ("check", "demo", "run", "simulate", "replay", "export", "explain", "audit", "grafana"):
        assert command in text
    assert "collect" not in text


def test_check_reports_everything_and_connects_to_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Promise 8: all faults at once, with file, line and hint, and no socket is opened."""
    import socket

    def refuse(*_: object) -> None:
        raise AssertionError("check must not connect")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    text = (
        STEEL.read_text().replace("unit: kWh", "unit: kWhh", 1).replace("time_zone: Asia/Seoul", "time_zone: Asia/Soul")
    )
    path = tmp_path / "plant.yaml"
    path.write_text(text)
    done = RUN.invoke(app, ["check", str(path)])
    assert done.exit_code == 1
    assert "nothing was connected" in done.output
    lines = [number for number, line in enumerate(text.splitlines(), 1) if "kWhh" in line or "Soul" in line]
    for line in lines:
        assert f"plant.yaml:{line}: " in done.output
    assert RUN.invoke(app, ["check", str(STEEL)]).exit_code == 0


@pytest.mark.parametrize("form", ["csv", "parquet", "json"])
def test_export_writes_a_table(data: Path, tmp_path: Path, form: str) -> None:
    """`export` gives the same rows in every format."""
    out = tmp_path / f"out.{form}"
    arguments = ["export", str(STEEL), "--table", "blocks", "--data", str(data), "--format", form, "--out", str(out)]
    assert RUN.invoke(app, arguments).exit_code == 0
    read = {"csv": pl.read_csv, "parquet": pl.read_parquet, "json": pl.read_json}[form](out)
    assert len(read) == len(Reader(data).table("blocks")) > 0


def test_a_replay_into_old_results_is_refused(data: Path) -> None:
    """A replay never mixes with what a data folder already holds."""
    with pytest.raises(ConfigurationError, match="already holds results"):
        replay(describe(STEEL), [data.parent / "steel.csv"], data, None, Console(quiet=True))


def test_explain_leads_to_the_readings_and_names_a_tampered_fact(data: Path) -> None:
    """Promise 5: explain agrees; after one fact was altered it names that fact and says that the KPI disagrees."""
    arguments = ["explain", str(STEEL), "electricity", "--window", "day", "--data", str(data), "--json"]
    story = json.loads(RUN.invoke(app, arguments).output)
    assert story["agrees"]
    assert story["disagreements"] == []
    assert story["readings"]["electricity_kwh"] > 0
    tree = RUN.invoke(app, arguments[:-1])
    assert "agrees" in tree.output
    at = story["row"]["start"]
    day = data / "facts" / f"{at[:10]}.parquet"
    row = "2018-02-08T16:30:00+00:00"
    here = (pl.col("point") == "electricity_kwh") & (pl.col("minute") == pl.lit(row).str.to_datetime(time_zone="UTC"))
    changed = 0
    with sqlite3.connect(data / "historian.sqlite") as db:
        for number, body in db.execute("SELECT id, body FROM chunk WHERE name = 'facts'").fetchall():
            frame = decode(body, list(FACTS.schema))
            changed += len(frame.filter(here))
            edited = frame.with_columns(pl.col("amount") + here.cast(pl.Float64))
            db.execute("UPDATE chunk SET body = ? WHERE id = ?", (encode(edited), number))
    db.close()
    assert changed, (at, day)
    done = RUN.invoke(app, arguments)
    assert done.exit_code == 2
    story = json.loads(done.output)
    assert not story["agrees"]
    assert [(odd["point"], odd["minute"]) for odd in story["disagreements"]] == [("electricity_kwh", row)]
