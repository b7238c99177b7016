"""Falling and leaping counters: dip, spike, rollover, reset or exchange, judged reading by reading.

A counter below its last used value, or above it by more than its greatest rate allows, is *pending*. It is judged when
it comes back (a dip or a spike: passed over) or after three readings or 15 minutes: within the modulus and the greatest
rate a rollover; with rising readings below 90 % of the last value a reset; else an undeclared exchange, which counts
from its first reading and leaves the gap before it unknown. Should it leap back to where it was within 15 minutes of a
fall, it had dipped after all. Amounts are exact int64 multiples of STEP.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.minutes import STEP
from pipeline.point_plan import PointPlan
from pipeline.series import Floats, Ints, Series, Status
from plant.clock import to_us
from plant.model import Kind
from plant.reading import MINUTE

PENDING_READINGS = 3
PENDING_US = 15 * MINUTE
RESET_SHARE = 0.9
LEAP_SHARE, LEAP_TIMES = 0.1, 3


@dataclass(frozen=True)
class Finding:
    """Something found out about a point's data: a name, a span [µs UTC] and the evidence."""

    name: str
    start: int
    end: int
    evidence: str


def steps(plan: PointPlan, value: Floats) -> Ints:
    """Values rounded to the point's resolution, in STEP."""
    whole = np.rint(value / plan.resolution)
    return np.rint(whole * (plan.resolution / STEP)).astype(np.int64)


def judge(plan: PointPlan, series: Series, first: int) -> tuple[int, list[Finding]]:
    """Judges a series anew from index `first` on: sets `status` and `total` in place.

    Returns the index from which totals may have changed (the reading before the first one judged) and the findings.
    BAD and FROZEN readings are passed over.
    """
    clean = np.flatnonzero(series.status[:first] == Status.USED)
    start = int(clean[-1]) if len(clean) else -1
    todo = np.flatnonzero(series.status[start + 1 :] < Status.FROZEN) + start + 1
    if not len(todo):
        return max(start, 0), []
    value = steps(plan, series.value[todo])
    time = series.time[todo]
    if start < 0:
        series.status[todo[0]], series.total[todo[0]] = Status.USED, 0
        last, last_time, total = int(value[0]), int(time[0]), 0
        todo, value, time = todo[1:], value[1:], time[1:]
    else:
        last = int(steps(plan, series.value[start : start + 1])[0])
        last_time, total = int(series.time[start]), int(series.total[start])
    if plan.kind is Kind.NET:
        series.status[todo] = Status.USED
        series.total[todo] = total + (value - last) + _exchanged(plan, last_time, time)
        return max(start, 0), []
    rise = np.diff(value, prepend=last)
    span = np.maximum(np.diff(time, prepend=last_time), plan.interval_us)
    exchanged = any(last_time < to_us(exchange.at) <= (time[-1] if len(time) else 0) for exchange in plan.exchanges)
    if not exchanged and bool(np.all((rise >= 0) & (rise <= _allowed(plan, span)))):
        series.status[todo] = Status.USED
        series.total[todo] = total + np.cumsum(rise)
        return max(start, 0), []
    run = _Run(plan, series, todo, value, time, last, last_time, total)
    run.go()
    return max(start, 0), run.findings


def _exchanged(plan: PointPlan, last_time: int, time: Ints) -> Ints:
    """What exchanges since `last_time` took from the display of a totaliser, at each reading [STEP]."""
    lost = np.zeros(len(time), np.int64)
    for exchange in plan.exchanges:
        closing, opening = steps(plan, np.array([exchange.closing, exchange.opening]))
        if (at := to_us(exchange.at)) > last_time:
            lost[time >= at] += closing - opening
    return lost


def _allowed(plan: PointPlan, span_us: Ints) -> Floats:
    """The greatest rise over a span [STEP]: the greatest rate, and one digit of the display."""
    return plan.rise_per_us * span_us.astype(np.float64) / STEP + plan.resolution / STEP


class _Run:
    """The judging of one stretch: at once where each reading fits the one before, reading by reading around a fall or
    a leap."""

    def __init__(
        self,
        plan: PointPlan,
        series: Series,
        todo: Ints,
        value: Ints,
        time: Ints,
        last: int,
        last_time: int,
        total: int,
    ) -> None:
        self.plan, self.series, self.todo, self.value, self.time = plan, series, todo, value, time
        self.last, self.last_time, self.total = last, last_time, total
        self.exchanges = [(to_us(exchange.at), exchange) for exchange in plan.exchanges]
        self.pending: list[int] = []
        self.settled_until = -1
        self.findings: list[Finding] = []

    def go(self) -> None:
        rise, span = np.diff(self.value), np.maximum(np.diff(self.time), self.plan.interval_us)
        fits = (rise >= 0) & (rise <= _allowed(self.plan, span))
        for at, _ in self.exchanges:
            fits &= (at <= self.time[:-1]) | (at > self.time[1:])
        odd = np.append(np.flatnonzero(~fits) + 1, len(self.todo))
        i, accepted = 0, -1
        while i < len(self.todo):
            if i and accepted == i - 1 and not self.pending:
                end = int(odd[np.searchsorted(odd, i)])
                if end > i:
                    self._accept_all(i, end)
                    i, accepted = end, end - 1
                    continue
            self._exchange_before(int(self.time[i]))
            if self._fits(i):
                self._drop_pending(i)
                self._accept(i, self.total + int(self.value[i]) - self.last, Status.USED)
                accepted = i
            elif not self.pending and self.plan.on_fall == "reset" and self.value[i] < self.last:
                accepted = i if self._fall_known(i) else accepted
            else:
                self.series.status[self.todo[i]] = Status.PENDING
                self.pending.append(i)
                waited = int(self.time[i] - self.time[self.pending[0]])
                if len(self.pending) >= PENDING_READINGS or waited >= PENDING_US:
                    i = accepted = self._resolve(i)
            i += 1

    def _accept_all(self, begin: int, end: int) -> None:
        """Accepts the readings [begin, end), each of which fits the one before."""
        rows = self.todo[begin:end]
        ahead = np.arange(begin, end) < self.settled_until
        self.series.status[rows] = np.where(ahead, Status.RESOLVED, Status.USED)
        self.series.total[rows] = self.total + (self.value[begin:end] - self.last)
        self.total += int(self.value[end - 1]) - self.last
        self.last, self.last_time = int(self.value[end - 1]), int(self.time[end - 1])

    def _fits(self, i: int) -> bool:
        rise = int(self.value[i]) - self.last
        span = max(int(self.time[i]) - self.last_time, self.plan.interval_us)
        return 0 <= rise <= float(_allowed(self.plan, np.array(span)))

    def _accept(self, i: int, total: int, status: Status) -> None:
        # what was accepted by looking ahead is no place to judge anew from
        looked_ahead = status is Status.USED and i < self.settled_until
        self.series.status[self.todo[i]] = Status.RESOLVED if looked_ahead else status
        self.series.total[self.todo[i]] = total
        self.last, self.last_time, self.total = int(self.value[i]), int(self.time[i]), total

    def _find(self, name: str, i: int, evidence: str) -> None:
        self.findings.append(Finding(name, self.last_time, int(self.time[i]), evidence))

    def _drop_pending(self, i: int) -> None:
        if not self.pending:
            return
        odd = [int(self.value[p]) * STEP for p in self.pending]
        name = "dip" if odd[0] < self.last * STEP else "spike"
        self._find(name, i, f"read {odd[0]:g} between {self.last * STEP:g} and {int(self.value[i]) * STEP:g}")
        self.series.status[self.todo[self.pending]] = Status.DROPPED
        self.pending = []

    def _exchange_before(self, time: int) -> None:
        for at, exchange in self.exchanges:
            if self.last_time < at <= time:
                # the closing value has the last word on what the old meter showed
                self.series.status[self.todo[self.pending]] = Status.DROPPED
                self.pending = []
                closing, opening = steps(self.plan, np.array([exchange.closing, exchange.opening]))
                self.total += int(closing) - self.last
                self.last, self.last_time = int(opening), at
                text = f"closing {exchange.closing:g}, opening {exchange.opening:g}, as declared"
                self.findings.append(Finding("exchange", at, at, text))

    def _fall_known(self, i: int) -> bool:
        """A fall of a meter that is known to start from zero: whether it did."""
        value = int(self.value[i])
        if value < self.last * (1 - self.plan.dip_limit):
            self._find("reset", i, f"from {self.last * STEP:g} to {value * STEP:g}")
            self._accept(i, self.total + value, Status.BROKEN)
            return True
        self.series.status[self.todo[i]] = Status.DROPPED
        self._find("dip", i, f"{value * STEP:g} after {self.last * STEP:g}")
        return False

    def _fell_to_zero(self, values: list[int], was: int, span: int) -> bool:
        """Whether a counter began anew: well below where it was, rising, and no more than could come since then."""
        rising = values == sorted(values) and values[-1] > values[0]
        plausible = values[0] <= float(_allowed(self.plan, np.array(span)))
        return rising and plausible and all(v < RESET_SHARE * was for v in values)

    def _seen_by(self, time: int) -> int:
        """How many readings came until then, and before the next declared exchange."""
        ends = [at - 1 for at, _ in self.exchanges if at > self.last_time]
        return int(np.searchsorted(self.time, min([time, *ends]), "right"))

    def _back(self, head: int, begin: int, end: int, began_anew: bool) -> int | None:
        """Which of the readings [begin, end) after a fall at `head` is back where the counter was before it.

        A counter that seems to have begun anew may get there by counting. It is back when it leaps: by what it cannot
        have counted since the reading before, or where no greatest rate is declared by a tenth of what it showed before
        the fall, and three times any rise since.
        """
        rise = np.diff(self.value[head:end])
        back = np.ones(len(rise), np.bool_)
        if began_anew and np.isinf(self.plan.rise_per_us):
            largest = np.maximum.accumulate(np.append(0, rise[:-1]))[: len(rise)]
            back = (rise >= LEAP_SHARE * self.last) & (rise > LEAP_TIMES * largest)
        elif began_anew:
            back = rise > _allowed(self.plan, np.maximum(np.diff(self.time[head:end]), self.plan.interval_us))
        found = np.flatnonzero(back) + head + 1
        return next((int(at) for at in found if at >= begin and self._fits(int(at))), None)

    def _resolve(self, i: int) -> int:
        """Decides what the pending readings are; returns the index to go on after."""
        head = self.pending[0]
        values = [int(self.value[p]) for p in self.pending]
        first, was = values[0], self.last
        span = max(int(self.time[head]) - self.last_time, self.plan.interval_us)
        modulus = round(self.plan.modulus / STEP) if self.plan.modulus else 0
        around = modulus - was + first
        rolled = first < was and modulus > 0 and 0 <= around <= float(_allowed(self.plan, np.array(span)))
        began_anew = self._fell_to_zero(values, was, span)
        seen = self._seen_by(int(self.time[head]) + PENDING_US)
        if first < was and (back := self._back(head, i + 1, seen, rolled or began_anew)):
            self.pending = list(range(head, back))
            return back - 1
        total, status, name = self.total, Status.BROKEN, "undeclared exchange"
        if rolled:
            total, status, name = self.total + around, Status.RESOLVED, "rollover"
        elif began_anew:
            total, name = self.total + first, "reset"
        self._find(name, head, f"from {was * STEP:g} to {first * STEP:g}, then {values[-1] * STEP:g}")
        # while it may still come back, nothing after the fall is a place to judge anew from
        self.settled_until = max(i, seen) if first < was else i
        self.pending = []
        self._accept(head, total, status)
        return head
