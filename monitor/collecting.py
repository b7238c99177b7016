"""The collect process: up again within a second or two after a power cut or a kill.

It reads the description without the frames, pages and notifications that other processes need; `keepclean run` has
checked all of it before it starts this.
"""

from __future__ import annotations

import argparse
import json
import logging
from pathlib import Path

import collectors.collect
from monitor.clock_file import read_clock
from monitor.processes import end_with_parent
from plant.errors import KeepcleanError
from plant.load import load


def main() -> None:
    """`python -m monitor collect PLANT --data … --clock … [--addresses …] [--broker …] [--parent …]`."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    parser = argparse.ArgumentParser(prog="keepclean collect")
    parser.add_argument("process", choices=["collect"])
    parser.add_argument("plant", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--clock", type=Path, required=True)
    parser.add_argument("--addresses", type=Path)
    parser.add_argument("--broker")
    parser.add_argument("--parent", type=int, default=0)
    told = parser.parse_args()
    end_with_parent(told.parent)
    addresses = json.loads(told.addresses.read_text()) if told.addresses else {}
    try:
        plant, clock = load(told.plant), read_clock(told.clock)
        collectors.collect.run(plant, told.plant.parent, told.data, clock, addresses, told.broker)
    except KeepcleanError as error:
        raise SystemExit(f"collect: {error}") from error
