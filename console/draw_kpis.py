"""KPI tiles and tables as HTML: a value with its unit and distances, or the word unknown with its reason."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from console import formula
from console.figures import Moments, duration, number, percent, quantity, unit
from console.markup import Column, Row, bar, chip, div, join, span, spark, table
from console.views_drifts import Cost, Drift, total
from console.views_kpis import Value
from console.words import Words
from plant.model import Plant

COVERAGE_REASON = "coverage below limit"


def tile(value: Value, words: Words) -> Markup:
    """A KPI's tile; it carries the KPI's name for whoever clicks it."""
    target = value.definition.target
    return div(
        "kc-tile" + (" drifting" if value.drifts else ""),
        div("kc-tile-title", title(value, words), scope_note(value, words)),
        div("kc-tile-value", figure(value, words), flags(value, words)),
        span("kc-reason", reason(value, words)) if value.value is None else None,
        div(
            "kc-tile-lines",
            target_line(words("near_term"), target.near_term, value.to_near, value, words) if target else None,
            target_line(words("long_term"), target.long_term, value.to_long, value, words) if target else None,
            target_line(words("expected"), value.expected, value.from_expected, value, words, judged=False)
            if value.expected is not None
            else None,
        ),
        spark(value.trend, target.near_term if target else None),
        role="button",
        tabindex="0",
        data_kpi=f"{value.kpi}|{value.scope}|{value.product}",
        title=details(value, words),
    )


def title(value: Value, words: Words) -> Markup:
    """The KPI's title, with the product that it is of."""
    product = span("kc-small", f"· {words.product(value.product)}") if value.product else None
    return join((words.title(value.title), product), between=" ")


def scope_note(value: Value, words: Words) -> Markup | None:
    """The scope in small print where the tile is not of the site."""
    return None if value.scope == "site" else span("kc-scope", words.scope(value.scope))


def figure(value: Value, words: Words) -> Markup:
    """The value with its unit; unknown is said in words."""
    if value.value is None:
        return span("kc-unknown", words("unknown"))
    return join((span("kc-figure", number(value.value, value.decimals)), span("kc-unit", unit(value.unit))))


def measured(value: Value, words: Words) -> Markup:
    """The value for a table, its unit in a column of its own width; an unknown one with its reason."""
    if value.value is None:
        return join((span("kc-unknown", words("unknown")), span("kc-reason", reason(value, words))), between=" ")
    return join(
        (span("kc-strong", number(value.value, value.decimals)), span("kc-unit kc-unit-column", unit(value.unit)))
    )


def reason(value: Value, words: Words) -> str:
    """Why a value is unknown; where its coverage is the cause, how much of which window is known."""
    text = words.code(value.reason)
    if value.reason != COVERAGE_REASON or value.coverage is None:
        return text
    return words(
        "coverage_reason",
        reason=text,
        share=percent(value.coverage * 100, 0),
        window=words.long_window(value.window),
        limit=percent(value.definition.coverage_limit * 100, 0),
    )


def flags(value: Value, words: Words) -> Markup:
    """Chips: a grade where it is judged, drifts that show in this KPI, an estimate."""
    chips = []
    if value.grade:
        chips.append(chip("plain", words("grade_of", grade=value.grade)))
    if value.drifts:
        text = words("drift") if len(value.drifts) == 1 else words("drifts", count=len(value.drifts))
        names = " · ".join(words.title(drift.title) for drift in value.drifts)
        chips.append(chip("bad", text, title=names))
    if value.quality in ("estimated", "suspect"):
        chips.append(chip("warn", words.code(value.quality)))
    return span("kc-flags", *chips)


def distance(
    percent_worse: float | None, words: Words, judged: bool, keys: tuple[str, str] = ("worse", "better")
) -> Markup:
    """A distance in words; it has a colour only where a target is judged."""
    if percent_worse is None:
        return Markup("")
    if abs(percent_worse) < 0.05:
        return span("kc-good" if judged else "kc-muted", words("met"))
    kind = ("kc-bad" if percent_worse > 0 else "kc-good") if judged else "kc-muted"
    return span(kind, words(keys[percent_worse < 0], percent=percent(abs(percent_worse))))


def target_line(
    name: str, target: float | None, worse: float | None, value: Value, words: Words, *, judged: bool | None = None
) -> Markup:
    """One line of a tile: a target (or what is expected) and how far the value is from it."""
    coloured = value.judged if judged is None else judged
    shown = "" if target is None else number(target, value.decimals)
    return div("kc-line", span("kc-muted", name), span("kc-line-value", shown), distance(worse, words, coloured))


def details(value: Value, words: Words) -> str:
    """What a pointer that rests on a value reads."""
    parts = [words.title(value.title)]
    if bounds := possible_range(value):
        parts.append(f"{words('range')}: {bounds} {unit(value.unit)}")
    if value.coverage is not None:
        parts.append(f"{words('coverage')}: {percent(value.coverage * 100)}")
    if value.value is not None:
        parts.append(words("settled" if value.settled else "provisional"))
    return "\n".join(parts)


def possible_range(value: Value) -> str:
    """What the unknown minutes may have made of the value; "" where nothing is open."""
    if value.low is None or value.high is None:
        return ""
    low, high = number(value.low, value.decimals), number(value.high, value.decimals)
    return f"{low} … {high}" if low != high else ""


def kpi_table(groups: Sequence[tuple[str, Sequence[Value]]], words: Words) -> Markup:
    """All KPIs, grouped by scope."""
    columns = [
        Column(words("kpi")),
        Column(words("value"), number=True, lead=True),
        Column(words("near_term"), number=True),
        Column(words("long_term"), number=True),
        Column(words("against_expected"), number=True),
        Column(words("range"), number=True, minor=True),
        Column(words("coverage_of_window"), number=True, minor=True),
    ]
    rows: list[Row | str] = []
    for scope, group in groups:
        rows.append(words.scope(scope))
        rows += [_row(value, words) for value in group]
    return table(columns, rows)


def made_of(value: Value, words: Words) -> Markup:
    """What the KPI is made of: its formula, and what that leaves unsaid."""
    kpi = value.definition
    first = div("kc-foot", span("kc-strong", words("formula")), f": {formula.formula(kpi, words)} [{unit(kpi.unit)}]")
    return join((first, *(div("kc-foot", note) for note in formula.notes(kpi, words))))


def period_line(found: Sequence[Value], window: str, words: Words, moments: Moments) -> str:
    """From when to when a period of the plant's own is shown, and whether it is over; "" for another window."""
    period = words.plant.periods.get(window)
    if period is None:
        return ""
    title = words.title(period.title)
    for value in found:
        if value.start is not None and value.end is not None:
            last = moments.day(value.end - 1) if value.settled else moments.full(value.end)
            key = "period_over" if value.settled else "period_so_far"
            return words(key, title=title, first=moments.day(value.start), last=last)
    return words("period_without", title=title, first=period.since, last=period.until)


def against(target: float | None, worse: float | None, value: Value, words: Words, judged: bool) -> Markup:
    """A table cell: a target, and how far the value is from it."""
    shown = "" if target is None else number(target, value.decimals)
    return join((span("kc-target", shown), span("kc-delta", distance(worse, words, judged))))


def _row(value: Value, words: Words) -> Row:
    target, judged = value.definition.target, value.judged
    shown = join((flags(value, words), measured(value, words)))
    return (
        title(value, words),
        shown,
        against(target.near_term, value.to_near, value, words, judged) if target else "",
        against(target.long_term, value.to_long, value, words, judged) if target else "",
        against(value.expected, value.from_expected, value, words, False) if value.expected is not None else "",
        possible_range(value),
        _coverage(value.coverage),
    )


def _coverage(share: float | None) -> Markup | str:
    if share is None:
        return ""
    return span("kc-warn" if share < 0.9 else "", percent(share * 100))


def drift_costs(
    costs: Sequence[Cost], standing: Sequence[Drift], plant: Plant, words: Words, moments: Moments
) -> Markup:
    """What today's drifts have cost, one line each, and what they go on costing a day."""
    money = plant.site.currency
    so_far = total(costs)
    per_day = sum(drift.cost_per_day or 0.0 for drift in standing)
    if not costs:
        return div("kc-empty", words("no_drift_today" if plant.baselines else "no_watch"))
    head = div(
        "kc-cost-head",
        span("kc-figure", words("not_known") if so_far is None else number(so_far, 0)),
        span("kc-unit", money if so_far is not None else ""),
        span("kc-muted", words("so_far_today")),
        span("kc-cost-day", words("each_day", money=quantity(per_day, money, 0))) if per_day else None,
    )
    top = max((cost.money or 0.0 for cost in costs), default=0.0)
    lines = [
        div(
            "kc-cost-line",
            span("kc-cost-name", words.title(cost.drift.title), span("kc-scope", words.scope(cost.drift.scope))),
            span("kc-muted", words("since", time=moments.short(cost.drift.onset)) if cost.drift.onset else ""),
            span("num", words("not_known") if cost.money is None else quantity(cost.money, money, 0)),
            bar((cost.money or 0.0) / top if top else 0.0, "bad" if cost.drift.open else "plain"),
            title=duration(cost.until - cost.since),
        )
        for cost in costs
    ]
    return join((head, *lines))
