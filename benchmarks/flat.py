"""Promise 7 in figures: a tick after a month of history against one after an hour, and memory over a simulated week.

`python -m benchmarks.flat ticks POINTS PER_UNIT DAYS SECONDS` and `… week POINTS PER_UNIT DAYS BEAT_S` print what they
found as JSON. History is made at a slower beat than it is then lived at, so that it is soon there: what a step can hold
of it (minutes, sums, charts) is the same.
"""

from __future__ import annotations

import gc
import shutil
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import pinned
from benchmarks.large_plant import START, Feed, accepted, plant
from benchmarks.ticks import commit
from historian.store import Historian
from journal.journal import Journal
from journal.message import encode_body
from monitor.server import Server
from pipeline.plans import PlantPlan, compile_plant
from plant.model import Plant
from plant.reading import DAY, HOUR, MINUTE, SECOND

SLOW_US = 10 * MINUTE
MEASURED_FROM = START + 40 * DAY + 5 * HOUR - 5 * MINUTE
"""Five minutes before a full hour, whose windows are then part of what is measured, and no day closes."""


class Lived:
    """A plant's server with its journal, and the readings it gets."""

    def __init__(self, folder: Path, plan: PlantPlan) -> None:
        self.folder = folder
        self.journal, self.historian = Journal(folder / "journal"), Historian(folder)
        self.server = Server(plan, self.journal, self.historian)
        self._tick = 0

    def live(self, feed: Feed, beats: int) -> float:
        """Some beats as one batch with a tick before it: the seconds that serve's thread takes for it [s]."""
        batch = feed.beats(beats)
        tick = int(batch.time.max()) // MINUTE * MINUTE
        commit(self.journal, batch, tick if tick > self._tick else None)
        self._tick = max(tick, self._tick)
        self.journal.trim()
        began = time.perf_counter()
        while self.server.step():
            pass
        self.server.checkpoint()
        return time.perf_counter() - began

    def close(self) -> None:
        """Closes the files."""
        self.journal.close()
        self.historian.close()


def begun(folder: Path, described: Plant, days: float) -> None:
    """Some days of history at the slow beat, an hour at a time, that end as all of this module's do."""
    start = MEASURED_FROM - int(days * DAY)
    lived = Lived(folder, compile_plant(described, "bench"))
    lived.journal.append([("baseline", encode_body(body)) for body in accepted(described, start)])
    feed = Feed(described, start_us=start, beat_us=SLOW_US)
    for _ in range(int(days * DAY) // HOUR):
        lived.live(feed, HOUR // SLOW_US)
    # what closing days left to do is not part of a tick
    lived.historian.compact()
    lived.close()


def ticks(points: int, per_unit: int, days: float, seconds: int, folder: Path) -> dict[str, Any]:
    """The cost of a second's tick after some days of history, against that after an hour; both in turn."""
    slow = plant(points, per_unit, f"{SLOW_US // SECOND} s")
    described = plant(points, per_unit)
    plan, each = compile_plant(described, "bench"), []
    for name, span in (("hour", HOUR / DAY), ("days", days)):
        begun(folder / name, slow, span)
        lived = Lived(folder / name, plan)
        each.append((lived, Feed(described, start_us=MEASURED_FROM), []))
    for _ in range(seconds):
        for lived, feed, spent in each:
            spent.append(lived.live(feed, 1))
    hour, month = (spent for _, _, spent in each)
    return {
        "points": points,
        "days": days,
        "plant_s": seconds,
        "after_an_hour": pinned.times_ms(hour),
        "after_days": pinned.times_ms(month),
        "ratio_of_medians": round(median(month) / median(hour), 3),
        "ratio_of_sums": round(sum(month) / sum(hour), 3),
    }


def week(points: int, per_unit: int, days: float, beat_s: int, folder: Path) -> dict[str, Any]:
    """What the process holds in memory at the end of each simulated day [MiB]; readings come an hour at a time."""
    described = plant(points, per_unit, f"{beat_s} s")
    lived = Lived(folder, compile_plant(described, "bench"))
    lived.journal.append([("baseline", encode_body(body)) for body in accepted(described, START)])
    feed, held, most = Feed(described, beat_us=beat_s * SECOND), [], []
    for _ in range(int(days)):
        for _ in range(24):
            lived.live(feed, 3600 // beat_s)
        gc.collect()
        held.append(pinned.resident_mib())
        most.append(pinned.most_resident_mib())
    return {"points": points, "beat_s": beat_s, "resident_mib": held, "most_resident_mib": most}


def main() -> None:
    """Measures in this process, wherever it runs."""
    kind, points, per_unit, last = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[5])
    folder = Path(tempfile.mkdtemp(prefix="keepclean-bench-"))
    try:
        pinned.say((ticks if kind == "ticks" else week)(points, per_unit, float(sys.argv[4]), last, folder))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
