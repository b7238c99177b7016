"""ECharts options, as plain dictionaries; greys and colours that can be read on light and on dark ground."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from console.figures import unit
from console.views_baselines import Blocks
from console.views_drifts import Drift
from console.views_kpis import Course, Value
from console.words import Words
from plant.calendar import Calendar
from plant.reading import DAY, HOUR, SECOND

GREY = "#8a94a3"
GRID = "rgba(138,148,163,0.22)"
LINE = "#249a94"
EXPECTED = "#8a79dd"
BAD = "#d0493a"
GOOD = "#3f9a5f"
BAND = "rgba(31,138,138,0.14)"
DRIFT = "rgba(208,73,58,0.06)"
FEW = 12
LEAST_SPAN = {"1h": HOUR, "shift": 8 * HOUR, "7d": 3 * HOUR, "30d": 3 * HOUR}
FONT = '"Roboto","Noto Sans CJK SC","PingFang SC","Microsoft YaHei",sans-serif'
Options = dict[str, Any]
TIME_LABEL: Options = {
    "color": GREY,
    "hideOverlap": True,
    "formatter": {
        "year": "{yyyy}",
        "month": "{MM}-{dd}",
        "day": "{MM}-{dd}",
        "hour": "{HH}:{mm}",
        "minute": "{HH}:{mm}",
        "second": "{HH}:{mm}:{ss}",
        "millisecond": "{HH}:{mm}:{ss}",
    },
}


def kpi_chart(
    value: Value, course: Course, found: Sequence[Drift], calendar: Calendar, words: Words, now_us: int
) -> Options:
    """A KPI over time with its possible range, its targets, what is expected and the drifts that show in it."""
    target = value.definition.target
    local = [_local(time, calendar) for time in course.times]
    width = [
        None if low is None or high is None else high - low for low, high in zip(course.lows, course.highs, strict=True)
    ]
    levels = []
    if target:
        levels = [
            _level(target.baseline, words("baseline_year"), GREY),
            _level(target.near_term, words("near_term"), GOOD),
            _level(target.long_term, words("long_term"), GOOD, "dotted"),
        ]
    first = course.times[0] if course.times else now_us
    areas = [
        [{"xAxis": _local(max(drift.onset, first), calendar)}, {"xAxis": _local(drift.cleared or now_us, calendar)}]
        for drift in found
        if drift.onset is not None and (drift.cleared or now_us) > first
    ]
    name = words("actual")
    band = {"type": "line", "symbol": "none", "lineStyle": {"opacity": 0}, "stack": "range", "silent": True}
    return {
        **_common(),
        "grid": {"left": 52, "right": 84, "top": 34, "bottom": 28},
        "legend": _legend([name, words("expected")]),
        "tooltip": _tooltip(),
        "xAxis": {**_time_axis(), **_span(value.window, course, calendar)},
        "yAxis": {**_value_axis(unit(value.unit)), **_reach(value, course)},
        "series": [
            {**band, "name": "low", "data": _pairs(local, course.lows), "tooltip": {"show": False}},
            {
                **band,
                "name": "high",
                "data": _pairs(local, width),
                "areaStyle": {"color": BAND},
                "tooltip": {"show": False},
            },
            {
                "name": words("expected"),
                "type": "line",
                "symbol": "none",
                "lineStyle": {"color": EXPECTED, "width": 1.4, "type": "dashed"},
                "itemStyle": {"color": EXPECTED},
                "data": _pairs(local, course.expected),
            },
            {
                "name": name,
                "type": "line",
                # a line of one value is no line, and one of a few looks measured all along
                "symbol": "circle" if sum(value is not None for value in course.values) <= FEW else "none",
                "lineStyle": {"color": LINE, "width": 1.8},
                "itemStyle": {"color": LINE},
                "data": _pairs(local, course.values),
                "markLine": {"symbol": "none", "silent": True, "animation": False, "data": levels},
                "markArea": {"silent": True, "itemStyle": {"color": DRIFT}, "data": areas},
            },
        ],
    }


def baseline_chart(blocks: Blocks, found: Sequence[Drift], calendar: Calendar, words: Words) -> Options:
    """Three charts over one another: actual and expected, their cumulative difference, the control chart."""
    local = [_local(time, calendar) for time in blocks.times]
    grids = [
        {"left": 58, "right": 20, "top": 34, "height": 150},
        {"left": 58, "right": 20, "top": 236, "height": 84},
        {"left": 58, "right": 20, "top": 372, "height": 64},
    ]
    onsets = [
        {"xAxis": _local(drift.onset, calendar), "label": {"show": False}, "lineStyle": {"color": BAD, "width": 1.2}}
        for drift in found
        if drift.onset is not None and blocks.times and drift.onset >= blocks.times[0]
    ]
    mark = {"symbol": "none", "silent": True, "animation": False, "data": onsets}
    printed = unit(blocks.unit)
    return {
        **_common(),
        "title": [
            _heading(words("cumulative"), 208),
            _heading(words("control_chart"), 344),
        ],
        "grid": grids,
        "legend": _legend([words("actual"), words("expected")]),
        "tooltip": _tooltip(),
        "axisPointer": {"link": [{"xAxisIndex": "all"}]},
        "xAxis": [
            {**_time_axis(), "gridIndex": index, "axisLabel": {**TIME_LABEL, "show": index == 2}} for index in range(3)
        ],
        "yAxis": [
            {**_value_axis(printed), "gridIndex": 0, "min": 0},
            {**_value_axis(printed), "gridIndex": 1, "name": "", "splitNumber": 3},
            {**_value_axis(""), "gridIndex": 2, "splitNumber": 2},
        ],
        "series": [
            _line(words("actual"), local, blocks.actual, LINE, 0, markLine=mark),
            _line(words("expected"), local, blocks.expected, EXPECTED, 0, dashed=True),
            _line(words("cumulative"), local, blocks.cumulative, LINE, 1, areaStyle={"color": BAND}, markLine=mark),
            _line(words("control_chart"), local, blocks.chart, GREY, 2, markLine=mark),
            _line(words("chart_limit"), local, blocks.limit, BAD, 2, dashed=True),
        ],
    }


def _span(window: str, course: Course, calendar: Calendar) -> Options:
    """The ends of the time axis: from the first row that says anything to the newest, about which a short span is
    widened; left alone, a chart of one row is two days wide."""
    columns = (course.values, course.expected, course.highs)
    said = [row[0] for row in zip(course.times, *columns, strict=True) if any(one is not None for one in row[1:])]
    if not said:
        return {}
    first, last = said[0], course.times[-1]
    more = max(LEAST_SPAN.get(window, DAY) - (last - first), 0) // 2
    return {"min": _local(first - more, calendar), "max": _local(last + more, calendar)}


def _reach(value: Value, course: Course) -> Options:
    """The ends of the value axis: every value and both targets in, the range of unknowns cut off if need be."""
    target = value.definition.target
    held = [number for number in (*course.values, *course.expected) if number is not None]
    held += [target.near_term, target.long_term] if target else []
    if not held:
        return {}
    low, high = min(held), max(held)
    if target and low < target.baseline < high + (high - low):
        high = max(high, target.baseline)
    pad = (high - low) * 0.08 or abs(high) * 0.1 or 1.0
    bottom = max(low - pad, 0.0) if low >= 0 else low - pad
    return {"min": float(f"{bottom:.3g}"), "max": float(f"{high + pad:.3g}")}


def _line(
    name: str,
    times: Sequence[int],
    values: Sequence[float | None],
    colour: str,
    index: int,
    *,
    dashed: bool = False,
    **more: Any,
) -> Options:
    return {
        "name": name,
        "type": "line",
        "symbol": "none",
        "xAxisIndex": index,
        "yAxisIndex": index,
        "lineStyle": {"color": colour, "width": 1.5, "type": "dashed" if dashed else "solid"},
        "itemStyle": {"color": colour},
        "data": _pairs(times, values),
        **more,
    }


def _local(time_us: int, calendar: Calendar) -> int:
    """Milliseconds that a chart in UTC prints as the plant's local time."""
    moment = calendar.local(time_us)
    offset = moment.utcoffset()
    seconds = offset.total_seconds() if offset else 0.0
    return time_us // 1000 + int(seconds * SECOND // 1000)


def _pairs(times: Sequence[int], values: Sequence[float | None]) -> list[list[float | int | None]]:
    return [[time, None if value is None else float(f"{value:.6g}")] for time, value in zip(times, values, strict=True)]


def _common() -> Options:
    return {"useUTC": True, "animation": False, "textStyle": {"fontFamily": FONT, "color": GREY}}


def _legend(names: Sequence[str]) -> Options:
    return {
        "data": list(names),
        "top": 0,
        "right": 0,
        "itemWidth": 18,
        "itemHeight": 8,
        "textStyle": {"color": GREY, "fontSize": 12},
    }


def _tooltip() -> Options:
    return {"trigger": "axis", "confine": True, "transitionDuration": 0, "textStyle": {"fontSize": 12}}


def _heading(text: str, top: int) -> Options:
    return {"text": text, "left": 0, "top": top, "textStyle": {"color": GREY, "fontSize": 12, "fontWeight": "normal"}}


def _time_axis() -> Options:
    return {
        "type": "time",
        "axisLabel": TIME_LABEL,
        "axisLine": {"lineStyle": {"color": GRID}},
        "axisTick": {"lineStyle": {"color": GRID}},
        "splitLine": {"show": False},
    }


def _value_axis(name: str) -> Options:
    return {
        "type": "value",
        "scale": True,
        "name": name,
        "nameTextStyle": {"color": GREY, "align": "left", "padding": [0, 0, 0, -44]},
        "axisLabel": {"color": GREY, "hideOverlap": True},
        "splitLine": {"lineStyle": {"color": GRID}},
    }


def _level(value: float, name: str, colour: str, kind: str = "dashed") -> Options:
    return {
        "yAxis": value,
        "lineStyle": {"color": colour, "type": kind, "width": 1.2},
        "label": {"formatter": name, "position": "end", "color": colour, "fontSize": 11},
    }
