"""`make bench`: everything that is measured against a figure of its own; docs/benchmarks.md holds one run of it.

Medians over the runs of one call; the machine's load is printed beside, since figures of a busy machine are worth
little. `make bench ARGS="ticks windows"` measures some parts only, `--small` a small plant for a short time, to see
that it runs.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import decode, lockstep, modbus, mqtt, outbox, pinned


class Sizes(NamedTuple):
    """Points, points of a process unit, and how long, for each measurement of the pipeline."""

    hold: tuple[int, int, int] = (10_000, 200, 1800)
    live: tuple[int, int, int] = (10_000, 200, 600)
    ticks: tuple[int, int, int, int] = (1_000, 100, 30, 600)
    week: tuple[int, int, int, int] = (1_000, 100, 7, 10)
    history: tuple[int, int, int, int] = (1_000, 100, 14, 3)
    windows: tuple[int, int, int, int] = (200, 100, 31, 120)
    outbox: tuple[int, int, int] = (1_000, 400, 5)


SMALL = Sizes(
    (200, 100, 120),
    (200, 100, 20),
    (100, 50, 2, 60),
    (100, 50, 3, 60),
    (200, 100, 1, 1),
    (40, 20, 31, 70),
    (200, 100, 3),
)


def of_mqtt(_: Sizes) -> Iterator[str]:
    """Messages from a broker's queue to the journal."""
    found = mqtt.measure()
    for version in mqtt.VERSIONS:
        yield (
            f"| MQTT {version}, single values at QoS 1, queue to committed journal | {found[f'ours {version}']:,} /s"
            f" | bare paho {found[f'bare {version}']:,} /s: {found[f'ratio {version}']:.2f} × |"
        )
    arrays, fsync = found["arrays 5"], found["fsync ms"]
    yield f"| MQTT 5, arrays of 100 values with a time each | {arrays:,} readings/s | one fsync {fsync} ms |"


def of_modbus(_: Sizes) -> Iterator[str]:
    """Polls, and their decoding."""
    polls = modbus.throughput()
    yield (
        f"| {polls['what']} | {polls['ours_per_s']:,} /s"
        f" | bare pymodbus {polls['bare_per_s']:,} /s: {polls['ratio']:.2f} × |"
    )
    times, one_poll = decode.ratio(), decode.single_poll_us()
    yield f"| decoding 100,000 float32 | {times:.2f} × NumPy's own time | one poll of 50: {one_poll:.0f} µs |"


def of_lockstep(_: Sizes) -> Iterator[str]:
    """The whole way with the simulated shop."""
    for name, unit, values in lockstep.measure():
        yield f"| {name} | {median(values):,.0f} {unit} | {min(values):,.0f} – {max(values):,.0f} |"


def of_ticks(sizes: Sizes) -> Iterator[str]:
    """A large plant at 1 Hz on one core, and together with the collectors on two."""
    found = pinned.run("benchmarks.ticks", "hold", *sizes.hold)
    yield (
        f"| {found['points']:,} points at 1 Hz for {found['plant_s']:,} s, pipeline on one core | a second's tick"
        f" {_times(found)} | {found['cpu_s']:,} s of CPU; resident {found['resident_mib']:,} MiB, at most"
        f" {found['most_resident_mib']:,}; backlog {found['backlog']} |"
    )
    found = pinned.run("benchmarks.ticks", "live", *sizes.live)
    yield (
        f"| the same at the wall clock's pace for {found['plant_s']:,} s, collectors on the other core | a pass"
        f" {_times(found)} | pipeline {found['core']:.0%} of its core, collectors {found['collectors']['core']:.0%};"
        f" at most {found['messages_waiting_most']} messages waiting after a checkpoint, at the end"
        f" {found['backlog']} |"
    )


def of_flat(sizes: Sizes) -> Iterator[str]:
    """Ticks after a long history, memory over a week."""
    found = pinned.run("benchmarks.flat", "ticks", *sizes.ticks)
    yield (
        f"| a second's tick of {found['points']:,} points after {found['days']:g} days of history |"
        f" {_times(found['after_days'])} | after an hour {_times(found['after_an_hour'])}: medians"
        f" {found['ratio_of_medians']:.2f} ×, sums {found['ratio_of_sums']:.2f} × |"
    )
    found = pinned.run("benchmarks.flat", "week", *sizes.week)
    days = ", ".join(f"{size:,}" for size in found["resident_mib"])
    yield (
        f"| resident at the end of each day, {found['points']:,} points every {found['beat_s']} s | {days} MiB"
        f" | at most {found['most_resident_mib'][-1]:,} MiB |"
    )


def of_history(sizes: Sizes) -> Iterator[str]:
    """Stored readings to minute facts."""
    found = pinned.run("benchmarks.history", *sizes.history, cores=(0, 1))
    yield (
        f"| {found['readings']:,} stored readings to minute facts, two processes | {found['per_s']:,} readings/s"
        f" | Polars group-by of the same files {found['bare_per_s']:,} /s: {found['ratio']:.2f} × |"
    )


def of_windows(sizes: Sizes) -> Iterator[str]:
    """The same windows by other engines."""
    found = pinned.run("benchmarks.windows", *sizes.windows)
    others = [f"Polars {_times(found['polars'])}", f"DuckDB {_times(found['duckdb'])}"]
    if "bytewax" in found:
        others.append(f"Bytewax {found['bytewax']['mean_ms']} ms for {found['bytewax']['kpis']} of them")
    yield (
        f"| {found['kpis']} Σ/Σ KPIs a minute after {found['days']} days: KPIs and charts |"
        f" {_times(found['ours, KPIs and charts of it'])} (whole step {_times(found['ours, the whole step'])})"
        f" | windows alone: {'; '.join(others)} |"
    )


def of_outbox(sizes: Sizes) -> Iterator[str]:
    """From the store to a time-series server."""
    found = outbox.measure(*sizes.outbox)
    yield (
        f"| {found['lines']:,} minute facts from the store to a time-series server | {found['ours_per_s']:,} lines/s"
        f" | bare influxdb-client with ready-made lines {found['bare_per_s']:,} /s: {found['ratio']:.2f} ×; two days'"
        f" backlog ({found['two_days']:,} lines) at the default pace {found['two_days_s']} s |"
    )


def _times(found: dict[str, Any]) -> str:
    return f"{found['p50_ms']:g} ms (p99 {found['p99_ms']:g}, max {found['max_ms']:g})"


PARTS: dict[str, Callable[[Sizes], Iterator[str]]] = {
    "mqtt": of_mqtt,
    "modbus": of_modbus,
    "lockstep": of_lockstep,
    "ticks": of_ticks,
    "flat": of_flat,
    "history": of_history,
    "windows": of_windows,
    "outbox": of_outbox,
}


def main() -> int:
    """Runs the parts asked for, or all, and prints the table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    options.add_argument("--small", action="store_true")
    chosen = options.parse_args()
    if unknown := set(chosen.parts) - set(PARTS):
        options.error(f"there is no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    sys.stdout.write("| what | median | beside it |\n|---|---|---|\n")
    for name in chosen.parts or PARTS:
        for row in PARTS[name](SMALL if chosen.small else Sizes()):
            sys.stdout.write(row + "\n")
            sys.stdout.flush()
    sys.stdout.write(f"\nload averages {', '.join(f'{one:.1f}' for one in os.getloadavg())}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
