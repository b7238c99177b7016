"""`make bench`: everything that is measured against a figure of its own; docs/benchmarks.md holds one run of it.

Medians over the runs of one call; the machine's load is printed beside, since figures of a busy machine are worth
little.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import decode, history, modbus, mqtt


def rows() -> Iterator[str]:
    """The table's rows, as they are measured."""
    found = mqtt.measure()
    for version in mqtt.VERSIONS:
        yield (
            f"| MQTT {version}, single values at QoS 1, queue to committed journal | {found[f'ours {version}']:,} /s"
            f" | bare paho {found[f'bare {version}']:,} /s: {found[f'ratio {version}']:.2f} × |"
        )
    arrays, fsync = found["arrays 5"], found["fsync ms"]
    yield f"| MQTT 5, arrays of 100 values with a time each | {arrays:,} readings/s | one fsync {fsync} ms |"
    polls = modbus.throughput()
    yield (
        f"| {polls['what']} | {polls['ours_per_s']:,} /s"
        f" | bare pymodbus {polls['bare_per_s']:,} /s: {polls['ratio']:.2f} × |"
    )
    times, one_poll = decode.ratio(), decode.single_poll_us()
    yield f"| decoding 100,000 float32 | {times:.2f} × NumPy's own time | one poll of 50: {one_poll:.0f} µs |"
    for name, unit, values in history.measure():
        yield f"| {name} | {median(values):,.0f} {unit} | {min(values):,.0f} – {max(values):,.0f} |"


def main() -> int:
    """Runs all of it and prints the table."""
    sys.stdout.write("| what | median | beside it |\n|---|---|---|\n")
    for row in rows():
        sys.stdout.write(row + "\n")
        sys.stdout.flush()
    sys.stdout.write(f"\nload averages {', '.join(f'{one:.1f}' for one in os.getloadavg())}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
