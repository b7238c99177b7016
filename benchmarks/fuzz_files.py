"""Fuzz target: damaged CSV files: each is refused as a whole with what is wrong, or gives readings and rejects."""

from __future__ import annotations

import math
import tempfile
from functools import cache
from pathlib import Path
from random import Random

from benchmarks.fuzz_common import REJECTED, Tally, mutate, outcome, raised
from collectors.files import read_files
from plant.errors import ConfigurationError
from plant.model import Plant
from plant.reading import Quality, Readings

POINTS = {"kwh": "level", "load": "level"}
HEADERS = ("time,point,value,quality", "time,point,value")
ROWS = 6


@cache
def described() -> Plant:
    """Two points of a manual device, whose values are taken as they are written."""
    return Plant.model_validate(
        {
            "format": "keepclean/1",
            "site": {"id": "fuzz", "name": "Fuzz", "time_zone": "Europe/Berlin"},
            "audit": {"name": "Audit", "period": ["2026-01-01", "2026-12-31"], "baseline_year": 2025},
            "devices": {"file": {"title": "file", "protocol": "manual"}},
            "points": {
                name: {"title": name, "in": "site", "from": "file", "read": name, "kind": kind, "unit": "1"}
                for name, kind in POINTS.items()
            },
        }
    )


def table(chance: Random) -> bytes:
    """A long file."""
    header = chance.choice(HEADERS)
    lines = [header]
    for number in range(ROWS):
        time = f"2026-0{chance.randint(1, 9)}-1{chance.randint(0, 9)}T{chance.randrange(24):02}:{10 * number:02}:00"
        zone = chance.choice(("", "Z", "+02:00"))
        quality = "," + chance.choice(("", "good", "bad", "suspect")) if header == HEADERS[0] else ""
        value = chance.choice((str(round(chance.uniform(-99, 99), 2)), "", '"7.5"'))
        lines.append(f"{time}{zone},{chance.choice(list(POINTS))},{value}{quality}")
    return chance.choice(("\n", "\r\n")).join([*lines, ""]).encode()


def cells(data: bytes) -> set[float]:
    """Every number that stands in a file between commas, quotes, ends of lines and blanks."""
    found = set()
    text = data.decode("utf-8", "replace")
    for mark in ',"\r\n':
        text = text.replace(mark, "\n")
    for cell in text.split("\n"):
        try:
            found.add(float(cell.strip()))
        except ValueError:
            continue
    return found


def run(inputs: int, chance: Random, tally: Tally) -> None:
    """Files with bytes changed."""
    with tempfile.TemporaryDirectory(prefix="keepclean-fuzz-") as folder:
        path = Path(folder) / "file.csv"
        while tally.inputs < inputs:
            data = mutate(chance, table(chance), table(chance))
            path.write_bytes(data)
            try:
                history = read_files(described(), [path])
                readings = Readings.join(list(history))
            except ConfigurationError:
                tally.count(REJECTED)
                continue
            except BaseException as error:  # a panic of polars is no Exception
                if isinstance(error, KeyboardInterrupt):
                    raise
                tally.count(REJECTED)
                tally.finding(raised(error, data))
                continue
            _check(readings, data, tally)


def _check(readings: Readings, data: bytes, tally: Tally) -> None:
    sound, bad = cells(data), 0
    for value, quality in zip(readings.value.tolist(), readings.quality.tolist(), strict=True):
        if quality == Quality.BAD:
            bad += 1
        elif not math.isfinite(value) or value not in sound:
            tally.finding(f"{value} (quality {quality}) of {data!r}")
    tally.count(outcome(len(readings) - bad, bad))
