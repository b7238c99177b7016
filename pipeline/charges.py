"""Demand charges over windows of whole months: the price of each month times its highest quarter hour so far."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import numpy as np
from numpy.typing import NDArray

from pipeline.formulas import Charge
from pipeline.peaks import BOUNDLESS, HIGH, LOW, NONE, VALUE
from pipeline.sums import KpiSums
from pipeline.terms import STEPS
from pipeline.windows import Spans
from plant.calendar import Calendar
from plant.reading import MINUTE

Floats = NDArray[np.float64]


def charges(
    calendar: Calendar, demands: Sequence[Charge], sums: KpiSums, spans: Sequence[Spans]
) -> tuple[NDArray[np.bool_], Floats]:
    """Which windows a demand charge is counted in, and the charges [window, charge, (value, low, high)] [currency].

    A window counts when it begins with a month and is longer than a day by nature: months, years and named periods,
    to date or whole. Each month's price is the one in force on its first day. Unknown charges are nan.
    """
    n = sum(len(span.ends) for span in spans)
    charged = np.zeros(n, np.bool_)
    found = np.full((n, len(demands), 3), np.nan)
    row = 0
    for span in spans:
        for start, end in zip(span.starts.tolist(), span.ends.tolist(), strict=True):
            first = calendar.local(start * MINUTE)
            if demands and span.coarse == "day" and span.window != "day" and first.day == 1:
                charged[row] = True
                found[row] = _window(calendar, demands, sums, start, end)
            row += 1
    return charged, found


def _window(calendar: Calendar, demands: Sequence[Charge], sums: KpiSums, start: int, end: int) -> Floats:
    total = np.zeros((len(demands), 3))
    at = start
    while at < end:
        month = calendar.month(at * MINUTE)
        starts, ends = np.array([at]), np.array([min(month.end // MINUTE, end)])
        peaks = sums.peaks.between(starts, ends, "day", sums.day_spans(starts, ends))[0]
        day: date = calendar.local(at * MINUTE).date()
        for number, charge in enumerate(demands):
            peak, price = peaks[charge.peak], charge.prices.demand(day)
            value = np.nan if peak[VALUE] == NONE else peak[VALUE] / STEPS
            low = -np.inf if peak[LOW] == NONE else peak[LOW] / STEPS
            high = np.inf if peak[HIGH] == BOUNDLESS else peak[HIGH] / STEPS
            with np.errstate(invalid="ignore"):
                total[number] += np.array([value, low, high]) * price
        at = int(ends[0])
    return total
