"""KPIs as a page shows them: value or the reason why there is none, distance to both targets, expected, trend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import polars as pl

from console.figures import us
from console.views_drifts import Drift, standing, touches
from kpis.ratio import grade
from plant.model import SITE, Kpi, Plant, Text
from plant.reading import DAY

WINDOWS = ("1h", "shift", "day", "7d", "30d", "month")
JUDGED = ("30d", "month", "12mo", "year", "audit")
TO_DATE = ("shift", "day", "month", "year", "audit")
LONGEST = 400 * DAY
TREND_SPAN = {"1h": DAY, "shift": 7 * DAY, "day": 30 * DAY, "7d": 30 * DAY, "30d": 60 * DAY, "month": LONGEST}
JUDGED_SPAN = 28 * DAY
SPARK_POINTS = 96
CHART_POINTS = 600


@dataclass(frozen=True)
class Value:
    """A KPI over a window; `value` is None when unknown, and `reason` says why. Distances in %, positive = worse."""

    kpi: str
    scope: str
    product: str
    window: str
    title: Text
    unit: str
    decimals: int
    definition: Kpi
    value: float | None
    reason: str
    low: float | None = None
    high: float | None = None
    start: int | None = None
    end: int | None = None
    quality: str = ""
    coverage: float | None = None
    settled: bool = False
    grade: str = ""
    expected: float | None = None
    denominator: float | None = None
    config: str = ""
    factors: str = ""
    drifts: tuple[Drift, ...] = ()
    trend: tuple[float | None, ...] = ()

    @property
    def to_near(self) -> float | None:
        """Distance to the near-term target [%]."""
        return self._distance(self.definition.target.near_term if self.definition.target else None)

    @property
    def to_long(self) -> float | None:
        """Distance to the long-term target [%]."""
        return self._distance(self.definition.target.long_term if self.definition.target else None)

    @property
    def from_expected(self) -> float | None:
        """Actual against what this production should have needed [%], positive = worse."""
        return self._distance(self.expected)

    @property
    def judged(self) -> bool:
        """Whether targets are judged on its window: one of a month or longer, so far or as a whole."""
        if self.window in (*WINDOWS, *JUDGED):
            return self.window in JUDGED
        return self.start is not None and self.end is not None and self.end - self.start >= JUDGED_SPAN

    @property
    def achieved(self) -> float | None:
        """How much of the way from the baseline year's value to the near-term target is gone [%]."""
        target = self.definition.target
        if target is None or self.value is None or target.baseline == target.near_term:
            return None
        return (target.baseline - self.value) / (target.baseline - target.near_term) * 100

    def _distance(self, target: float | None) -> float | None:
        if self.value is None or not target:
            return None
        sign = 1 if self.definition.better == "lower" else -1
        return sign * (self.value - target) / abs(target) * 100


@dataclass(frozen=True)
class Course:
    """A KPI over time: rows of one window, times in µs UTC; a None is unknown and breaks the line."""

    times: list[int] = field(default_factory=list)
    values: list[float | None] = field(default_factory=list)
    lows: list[float | None] = field(default_factory=list)
    highs: list[float | None] = field(default_factory=list)
    expected: list[float | None] = field(default_factory=list)


def choices(plant: Plant) -> tuple[str, ...]:
    """The windows that a page offers: the fixed ones, then the plant's own periods."""
    return (*WINDOWS, *plant.periods)


def trend_span(window: str) -> int:
    """How far back the trend of a window goes [µs]."""
    return TREND_SPAN.get(window, LONGEST)


def values(
    latest: pl.DataFrame,
    plant: Plant,
    window: str,
    found: Sequence[Drift] = (),
    history: pl.DataFrame | None = None,
) -> list[Value]:
    """One value per KPI of the plant (and per scope and product that has a row), in the order of the description.

    `latest` holds the newest rows, `history` rows of the same window for the trends, both of table `kpi`. A period of
    the plant's own that is over, and so has no newest row, is shown by its last one.
    """
    rows: dict[str, list[dict[str, Any]]] = {}
    newest = latest.filter(pl.col("window") == window)
    if newest.is_empty() and window in plant.periods and history is not None:
        ordered = history.filter(pl.col("window") == window).sort("end")
        newest = ordered.unique(["kpi", "scope", "product"], keep="last", maintain_order=True)
    for row in newest.iter_rows(named=True):
        rows.setdefault(row["kpi"], []).append(row)
    trends = _trends(history, window) if history is not None else {}
    open_now = standing(found)
    result = []
    for name, kpi in plant.kpis.items():
        touching = tuple(drift for drift in open_now if touches(drift, name, plant))
        known = rows.get(name) or [{"scope": kpi.scope, "product": kpi.product or ""}]
        result += [
            _value(name, kpi, window, row, touching, trends.get((name, row["scope"], row["product"]), ()))
            for row in known
        ]
    return result


def of_site(found: Sequence[Value]) -> list[Value]:
    """The values that belong on the site's tiles: those of the site, or all when the site has none."""
    return [value for value in found if value.scope == SITE] or list(found)


def by_scope(found: Sequence[Value], plant: Plant) -> list[tuple[str, list[Value]]]:
    """The values grouped by scope, in the order of the description; scopes without any are left out."""
    groups = [(scope, [value for value in found if value.scope == scope]) for scope in plant.scopes()]
    return [(scope, group) for scope, group in groups if group]


def course(history: pl.DataFrame, kpi: str, scope: str, product: str = "", window: str = "1h") -> Course:
    """A KPI's rows as lines of at most some hundred points."""
    rows = history.filter(
        (pl.col("kpi") == kpi)
        & (pl.col("scope") == scope)
        & (pl.col("product") == product)
        & (pl.col("window") == window)
    )
    rows = _thin(_totals(rows.sort("end"), window), CHART_POINTS)
    return Course(
        times=[us(moment) or 0 for moment in rows["end"]],
        values=rows["value"].to_list(),
        lows=rows["low"].to_list(),
        highs=rows["high"].to_list(),
        expected=rows["expected"].to_list(),
    )


def _value(
    name: str, kpi: Kpi, window: str, row: dict[str, Any], found: tuple[Drift, ...], trend: Sequence[float | None]
) -> Value:
    value = row.get("value")
    reason = "" if value is not None else (row.get("reason") or ("no result" if "end" not in row else "unknown"))
    shown = Value(
        kpi=name,
        scope=row["scope"],
        product=row["product"] or "",
        window=window,
        title=kpi.title,
        unit=row.get("unit") or kpi.unit,
        decimals=kpi.decimals,
        definition=kpi,
        value=value,
        reason=reason,
        low=row.get("low"),
        high=row.get("high"),
        start=us(row.get("start")),
        end=us(row.get("end")),
        quality=row.get("quality") or "",
        coverage=row.get("coverage"),
        settled=bool(row.get("settled")),
        grade=row.get("grade") or "",
        expected=row.get("expected"),
        denominator=row.get("denominator"),
        config=row.get("config") or "",
        factors=row.get("factors") or "",
        drifts=found,
        trend=tuple(trend),
    )
    # the step grades the windows that every plant has
    grades = kpi.target.grades if kpi.target else None
    if value is not None and grades and window not in (*WINDOWS, *JUDGED) and shown.judged:
        return replace(shown, grade=grade(value, grades, kpi.better))
    return shown


def _trends(history: pl.DataFrame, window: str) -> dict[tuple[str, str, str], list[float | None]]:
    rows = history.filter(pl.col("window") == window).sort("end")
    groups = rows.partition_by("kpi", "scope", "product", as_dict=True, maintain_order=True)
    return {
        (str(kpi), str(scope), str(product)): _thin(_totals(group, window), SPARK_POINTS)["value"].to_list()
        for (kpi, scope, product), group in groups.items()
    }


def _totals(rows: pl.DataFrame, window: str) -> pl.DataFrame:
    """Of a shift, day or month only its total, the newest row; a sliding window and a period of the plant's own, which
    comes once a year at most, as they went."""
    if window not in TO_DATE:
        return rows
    return rows.unique(subset=["start"], keep="last", maintain_order=True)


def _thin(rows: pl.DataFrame, most: int) -> pl.DataFrame:
    """Every n-th row, counted from the newest, which always stays."""
    step = -(-rows.height // most)
    return rows if step <= 1 else rows[(rows.height - 1) % step :: step]
