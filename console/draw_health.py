"""The state of points, journal and disk as HTML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from console.draw_collect import broker, journal, tile
from console.figures import Moments, duration, number, percent, quantity, size
from console.markup import Column, Row, bar, chip, div, join, span, table, tag
from console.views_health import Notice, PointHealth
from console.words import Words
from plant.reading import HOUR

QUALITY_KIND = {"good": "good", "estimated": "info", "suspect": "warn", "bad": "bad"}
NOTICES_SHOWN = 60


def head(status: Mapping[str, Any], points: Sequence[PointHealth], words: Words) -> Markup:
    """Tiles: points, journal, disk, broker."""
    good = sum(not point.poor for point in points)
    return div(
        "kc-facts",
        tile(
            words("points"),
            f"{good} / {len(points)}",
            words("points_summary", good=good, all=len(points)),
            bar(good / len(points) if points else 0.0, "good" if good == len(points) else "warn"),
        ),
        _backlog(status, words),
        journal(status, words),
        _disk(status, words),
        broker(status, words),
    )


def _backlog(status: Mapping[str, Any], words: Words) -> Markup:
    position, served, backlog = (status.get(key) for key in ("position", "served", "backlog"))
    if position is None:
        return tile(words("journal"), span("kc-unknown", words("unknown")))
    if backlog is None and served is not None:
        backlog = position - served
    shown = words("unknown") if backlog is None else number(backlog, 0)
    notes = [f"{words('position')} {number(position, 0)}"]
    if served is not None:
        notes.append(f"{words('served')} {number(served, 0)}")
    if status.get("journal_bytes") is not None:
        notes.append(size(status["journal_bytes"]))
    return tile(words("backlog"), shown, " · ".join(notes))


def _disk(status: Mapping[str, Any], words: Words) -> Markup:
    used, limit, free = (status.get(key) for key in ("data_bytes", "disk_limit_bytes", "disk_free_bytes"))
    if used is None:
        return tile(words("disk"), span("kc-unknown", words("unknown")))
    notes = [words("disk_used", used=size(used), limit=size(limit))] if limit else []
    if free is not None:
        notes.append(words("disk_free", free=size(free)))
    share = used / limit if limit else 0.0
    return tile(words("disk"), size(used), " · ".join(notes), bar(share, "bad" if share > 0.9 else "info"))


def points(found: Sequence[PointHealth], words: Words, now_us: int, counted: int = HOUR) -> Markup:
    """Points grouped by scope: last value, its age, quality, coverage of the last `counted` µs."""
    young = duration(counted) if counted < HOUR else ""
    covered = words("coverage_young", span=young) if young else words("coverage_1h")
    columns = [
        Column(words("point")),
        Column(words("last_value"), number=True, lead=True),
        Column(words("age"), number=True),
        Column(words("quality")),
        Column(covered, number=True),
        Column(words("device"), minor=True),
    ]
    rows: list[Row | str] = []
    scope = None
    for point in found:
        if point.scope != scope:
            scope = point.scope
            rows.append(words.scope(scope))
        rows.append(_point(point, words, now_us))
    if not rows:
        return div("kc-empty", words("all_good"))
    note = words("coverage_points_young", span=young) if young else words("coverage_points")
    return join((div("kc-foot", note), table(columns, rows, "kc-dense")))


def _point(point: PointHealth, words: Words, now_us: int) -> Row:
    if point.time is None:
        value, age = span("kc-unknown", words("unknown")), span("kc-bad", words("never"))
    else:
        value = (
            span("kc-unknown", words("unknown"))
            if point.value is None
            else span("", quantity(point.value, point.unit) if abs(point.value) < 1e6 else _large(point))
        )
        age = span("kc-bad" if point.late else "", duration(now_us - point.time))
    quality: Markup | str = ""
    if point.quality:
        text = words.code(point.quality)
        if point.finding:
            text = f"{text}: {words.code(point.finding)}"
        quality = chip(QUALITY_KIND.get(point.quality, "plain"), text)
    if point.coverage is None:
        coverage = span("kc-muted", words("arrives_every", span=duration(point.every)))
    else:
        kind = "" if point.coverage >= 0.9 else "kc-bad" if point.coverage < 0.5 else "kc-warn"
        coverage = span(kind, percent(point.coverage * 100, 0))
    name = join((words.title(point.title), tag("code", point.name, class_="kc-name")), between=" ")
    return (name, value, age, quality, coverage, span("kc-muted", point.device))


def _large(point: PointHealth) -> str:
    return quantity(point.value or 0.0, point.unit, 0)


def notices(found: Sequence[Notice], words: Words, moments: Moments) -> Markup:
    """What was found out about data, the newest first."""
    if not found:
        return div("kc-empty", words("no_notices"))
    columns = [
        Column(words("when")),
        Column(words("point")),
        Column(words("finding")),
        Column(words("evidence"), wide=True),
    ]
    shown = found[:NOTICES_SHOWN]
    listed = table(columns, (_notice(notice, words, moments) for notice in shown), "kc-dense")
    rest = len(found) - len(shown)
    return join((listed, div("kc-foot", words("more_notices", count=rest)) if rest else None))


def _notice(notice: Notice, words: Words, moments: Moments) -> Row:
    when = moments.short(notice.start)
    if notice.end is None:
        when += f" – {words('ongoing')}"
    elif notice.end > notice.start:
        when += f" – {moments.short(notice.end)}"
    names = [words.point(point) if point else words("whole_site") for point in notice.points]
    name: Markup | str = names[0]
    if len(names) > 1:
        name = span("", names[0], " ", chip("plain", f"+{len(names) - 1}"), title=", ".join(names))
    return (when, name, chip("plain", words.code(notice.finding)), words.evidence(notice.evidence))
