"""What the tests of the boards share: the example's description and a real InfluxDB."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from influx_server import Influx, running

from plant.load import load
from plant.model import Plant
from tests.historian.conftest import victoria  # noqa: F401 (a fixture)

EXAMPLE = Path(__file__).parents[2] / "examples/electroplating/plant.yaml"


@pytest.fixture(scope="module")
def plant() -> Plant:
    """The electroplating example."""
    return load(EXAMPLE)


@pytest.fixture(scope="module")
def influx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Influx]:
    """A real InfluxDB, with an empty database."""
    binary = shutil.which("influxd")
    if binary is None:
        pytest.skip("influxd (InfluxDB 1.6) is not installed")
    with running(binary, tmp_path_factory.mktemp("influx")) as server:
        yield server
