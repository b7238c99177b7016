"""A simulated plant in lock step for tests: 29 days once, then copies of that state that go their own ways."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import polars as pl
import yaml

from historian.store import Historian
from journal.journal import Journal
from journal.message import encode_body
from monitor.demo import BASELINE_DAYS, accept_baselines
from monitor.describe import Described, describe
from monitor.lockstep import LockStepRun
from monitor.server import Server
from plant.reading import MINUTE
from simulators.lockstep import LockStep
from simulators.main import STATE, TRUTH
from simulators.scenario import Scenario

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "electroplating"
MINUTES_PER_DAY = 24 * 60
KEPT = ("historian.sqlite", "historian.sqlite-wal", STATE, TRUTH)


def scenario(**changes: Any) -> Scenario:
    """The example's scenario with other values."""
    body = yaml.safe_load((EXAMPLE / "scenario.yaml").read_text())
    return Scenario.model_validate({**body, **changes})


def described(folder: Path, names: dict[str, str] | None = None) -> Described:
    """The example plant written into a folder, its points renamed by prefix."""
    text = (EXAMPLE / "plant.yaml").read_text()
    for prefix, other in (names or {}).items():
        text = re.sub(rf"\b{prefix}(?=[a-z])", other, text)
        # what the meters call a register does not change with the point's name
        text = re.sub(rf"(read: ){other}", rf"\g<1>{prefix}", text)
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copytree(EXAMPLE / "profiles", folder / "profiles", dirs_exist_ok=True)
    path = folder / "plant.yaml"
    path.write_text(text)
    return describe(path)


class Plant:
    """One plant under way."""

    def __init__(self, plant: Described, data: Path, simulator: LockStep) -> None:
        self.described, self.data, self.simulator = plant, data, simulator
        self.journal, self.historian = Journal(data / "journal"), Historian(data)
        self.server = Server(plant.plan, self.journal, self.historian)
        self._run = LockStepRun(plant.plant, plant.folder, simulator, self.journal, self.server)

    @classmethod
    def begin(cls, plant: Described, data: Path, chosen: Scenario) -> Plant:
        """A plant at the scenario's start."""
        data.mkdir(parents=True)
        return cls(plant, data, LockStep(chosen, truth=data / TRUTH))

    def advance(self, minutes: int) -> None:
        """Goes on by whole minutes and stores everything."""
        self._run.run(minutes)

    def fit(self) -> None:
        """Accepts the baselines of the first 28 days."""
        refused = accept_baselines(self.described, self.journal, self.server, self.simulator.scenario)
        assert not refused

    def table(self, name: str, **conditions: Any) -> pl.DataFrame:
        """Rows of a table."""
        return self.server.reader.table(name, **conditions)

    def act(self, body: dict[str, Any]) -> None:
        """A person's act, stepped and stored."""
        self.journal.append([("act", encode_body({"time": self.simulator.now_us, **body}))])
        self.server.step()
        self.server.checkpoint()

    def copy(self, data: Path) -> Plant:
        """The same plant at the same instant, in a folder of its own (closed days stay behind)."""
        self.simulator.save(self.data / STATE)
        self.historian.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        data.mkdir(parents=True)
        for name in KEPT:
            if (self.data / name).exists():
                shutil.copy(self.data / name, data / name)
        shutil.copytree(self.data / "journal", data / "journal")
        return Plant(self.described, data, LockStep.load(data / STATE, truth=data / TRUTH))

    def close(self) -> None:
        """Closes the files."""
        self.simulator.close()
        self.journal.close()
        self.historian.close()

    @property
    def now(self) -> int:
        """The plant's time [min since 1970]."""
        return self.simulator.now_us // MINUTE


def fitted(plant: Described, data: Path, chosen: Scenario) -> Plant:
    """A plant of 29 days with its baselines in force."""
    found = Plant.begin(plant, data, chosen)
    found.advance((BASELINE_DAYS + 1) * MINUTES_PER_DAY)
    found.fit()
    return found
