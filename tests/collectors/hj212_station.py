"""A described HJ 212 station, and packets as it sends them, for the tests of that collector."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from collectors_plant import plant

from plant.model import Plant
from simulators.hj212_station import MINUTE, Logger, Pollutant, Report

MN = "010000A8900016F000169DC0"
LOGGER = Logger(MN)
START = datetime(2026, 5, 1, 8, 0)
POINTS = {
    "cod": ("station", "w01018-Avg", "level", "mg/L"),
    "ph": ("station", "w01001-Avg", "level", "pH"),
    "flow": ("station", "w00000-Avg", "rate", "m3/h"),
    "water": {
        "from": "station",
        "read": "w00000-Cou",
        "kind": "interval",
        "unit": "m3",
        "stamp": "begin",
        "span": "10 min",
    },
}


def station(listen: str = "127.0.0.1:9002", **more: Any) -> dict[str, Any]:
    """A station that reports every ten minutes."""
    return {"protocol": "hj212", "listen": listen, "mn": MN, "interval": "10 min", **more}


def described(listen: str = "127.0.0.1:9002", **more: Any) -> Plant:
    """A plant with one station and its points."""
    return plant({"station": station(listen, **more)}, POINTS)


def minute(number: int, flag: str = "N", logger: Logger = LOGGER, cod: str | None = None) -> Report:
    """The report of the `number`th ten minutes; its COD is 40 + number unless given."""
    pollutants = [
        Pollutant("w00000", {"Cou": "10.5", "Min": "16.4", "Avg": "17.5", "Max": "20.1"}),
        Pollutant("w01001", {"Min": "7.1", "Avg": "7.5", "Max": "7.8"}),
        Pollutant("w01018", {"Cou": "0.42", "Avg": cod if cod is not None else str(40 + number)}, flag),
    ]
    begin = START + timedelta(minutes=10 * number)
    [report] = logger.report(MINUTE, begin, pollutants, begin + timedelta(minutes=10, milliseconds=number % 1000))
    return report
