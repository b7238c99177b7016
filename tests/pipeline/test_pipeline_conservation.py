"""Promise 4: whatever a counter does, its minutes sum to its own difference."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from pipeline_builders import PROPERTY, START, UnitRun, at, plant, point, readings

from pipeline.judge import STEP
from plant.clock import to_datetime
from plant.reading import MINUTE

TENTH = round(0.1 / STEP)
RATE = 10
"""Greatest rise [tenths of a kWh a minute]."""


@dataclass
class Meter:
    """A counter as a person sees it, in tenths of a kWh: what it shows and what was really counted."""

    modulus: int | None
    shown: int
    second: int
    minute: int = 0
    counted: int = 0
    rows: list[tuple[float, int]] = field(default_factory=list)
    sure: list[tuple[int, int]] = field(default_factory=list)
    """Minutes at which the count is known, and the count."""
    exchanges: list[dict[str, object]] = field(default_factory=list)

    def rise(self, by: int, minutes: int = 1) -> None:
        """Time and consumption go on; the display rolls over."""
        self.minute += minutes
        self.counted += by
        self.shown = (self.shown + by) % self.modulus if self.modulus else self.shown + by
        self.rows.append((self.minute, self.shown))
        self.sure.append((self.minute, self.counted))

    def odd(self, value: int) -> None:
        """A reading that is nobody's consumption."""
        self.minute += 1
        self.rows.append((self.minute, value))

    def rest(self) -> None:
        """Plain readings: enough to tell what was before."""
        for _ in range(5):
            self.rise(1)

    def past_rollover(self, ahead: int) -> None:
        """Goes on until no rollover is due: what else befalls a meter within minutes of one nobody could tell apart."""
        while self.modulus and not 10 < self.shown < self.modulus - ahead:
            self.rise(RATE - 1)

    def far_from_rollover(self) -> bool:
        """Whether a fall to near zero is too much for one."""
        return self.modulus is None or self.shown < self.modulus // 2


def act(meter: Meter, name: str, size: int, length: int) -> None:
    """One thing that happens to a meter."""
    if name not in ("run", "gap", "long gap"):
        meter.past_rollover(100)
    if name == "run":
        for _ in range(length):
            meter.rise(size % RATE)
    elif name == "gap":
        meter.rise(min(size, RATE * length, meter.modulus // 2 if meter.modulus else size), length * 5)
    elif name == "long gap":
        meter.rise(min(size, RATE), length * 60)
    elif name == "dip":
        for _ in range(1 + length % 14):
            meter.odd(meter.shown * (size % 10) // 10)
        meter.rise(size % RATE)
    elif name == "spike":
        for _ in range(1 + length % 2):
            meter.odd(meter.shown + 10 * RATE + size)
        meter.rise(size % RATE)
    elif name == "reset" and meter.shown > 200 and meter.far_from_rollover():
        meter.shown = 0
        meter.rise(size % RATE)
        # a leap back to where it was, within a quarter of an hour, nobody could tell from the end of a dip
        for _ in range(3):
            meter.rest()
    elif name == "exchange" and meter.exchanges == []:
        opening = meter.shown // 3 + 7
        when = to_datetime(at(meter.minute + 0.5 + meter.second / 60))
        meter.exchanges.append({"at": when, "closing": (meter.shown + 3) / 10, "opening": opening / 10})
        meter.counted += 3
        meter.shown = opening
        meter.rise(size % RATE)
    elif name == "other meter" and meter.far_from_rollover():
        meter.shown += 40 * RATE
        meter.minute += 1
        meter.rows.append((meter.minute, meter.shown))
        meter.sure.append((meter.minute, meter.counted))
    meter.rest()


ACTS = ("run", "run", "gap", "long gap", "dip", "spike", "reset", "exchange", "other meter")
STORY = st.lists(st.tuples(st.sampled_from(ACTS), st.integers(0, 400), st.integers(1, 40)), min_size=1, max_size=14)


@PROPERTY
@given(
    st.sampled_from([None, 10_000]), st.integers(0, 9_999), STORY, st.integers(0, 59), st.randoms(use_true_random=False)
)
def test_minutes_sum_to_the_counters_own_difference(modulus, shown, story, second, chance) -> None:  # type: ignore[no-untyped-def]
    """Promise 4: resets, rollovers, exchanges, dips, spikes, gaps of any length, in any chunks, some late."""
    meter = Meter(modulus, shown, second)
    meter.rise(0)
    for name, size, length in story:
        act(meter, name, size, length)
    meter.past_rollover(0)
    more = {"modulus": modulus / 10} if modulus else {}
    declared = point("counter", "kWh", resolution=0.1, per_hour=[0, RATE * 6], exchanges=meter.exchanges, **more)
    run = UnitRun(plant({"p": declared}))
    arrivals = sorted((minute + chance.choice([0, 0, 0, 0, 2, 30, 400]), minute, value) for minute, value in meter.rows)
    while arrivals:
        size = chance.randint(1, 60)
        batch, arrivals = arrivals[:size], arrivals[size:]
        chance.shuffle(batch)
        came = [arrival + 1 for arrival, _, _ in batch]
        run.step(readings([("p", minute + second / 60, value / 10) for _, minute, value in batch]), max(came), came)
        if chance.random() < 0.2:
            run.restart()
    run.step(readings([]), meter.minute + 5000)
    minutes = run.found["p"]
    assert int(minutes.amount[minutes.has].sum()) == meter.counted * TENTH
    assert (minutes.amount[minutes.has] >= 0).all()
    if second == 0:
        running = np.concatenate([[0], np.cumsum(np.where(minutes.has, minutes.amount, 0))])
        for minute, counted in meter.sure:
            assert running[START // MINUTE + minute - minutes.start] == counted * TENTH
