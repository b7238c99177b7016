"""Alarms as HTML: where, what, how much, since when, the evidence, the cause and what to check first."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from console.figures import SPACE, Moments, quantity, significant, unit
from console.markup import Column, chip, div, join, span, table
from console.views_drifts import Drift
from console.views_shift import Alarm, Duty
from console.words import Words
from plant.model import Plant

PRIORITY_KIND = {"high": "bad", "medium": "warn", "low": "info"}


def head(
    duty: Duty, standing: Sequence[Alarm], loss: float | None, plant: Plant, words: Words, moments: Moments
) -> Markup:
    """Who is on duty, how much is to do, what it costs."""
    to_do = sum(alarm.asks for alarm in standing)
    if duty.shift and duty.period:
        until = words("until", time=moments.short(duty.period.end))
        who = div(
            "kc-duty",
            span("kc-duty-name", duty.shift.supervisor),
            span(
                "kc-muted",
                f"{words.title(duty.shift.title)} {words('on_duty')} · {until}",
            ),
        )
    else:
        who = div("kc-duty", span("kc-duty-name", words("no_shift" if plant.shifts else "no_shifts")))
    figures = div(
        "kc-duty-figures",
        chip("bad" if to_do else "good", words("to_acknowledge", count=to_do)),
        span("kc-duty-loss", words("loss_open", money=quantity(loss, plant.site.currency, 0))) if loss else None,
    )
    return div("kc-duty-box", who, figures)


def alarm(item: Alarm, plant: Plant, words: Words, moments: Moments) -> Markup:
    """One alarm, complete: a person can act on it without another page."""
    drift = item.drift
    title = words.title(drift.title) if drift else item.name
    return div(
        "kc-alarm-body",
        div(
            "kc-alarm-head",
            chip(PRIORITY_KIND.get(item.priority, "info"), words.code(item.priority)),
            span("kc-alarm-title", title),
            span("kc-scope", words.scope(item.scope)),
            _state(item, words, moments),
        ),
        div("kc-alarm-facts", *_facts(item, plant, words, moments)),
        _texts(drift, plant, words) if drift else None,
        _line(words("note"), item.note) if item.note and not item.asks else None,
    )


def excess(drift: Drift, words: Words) -> Markup:
    """How much per hour, with its 90 % band: '+0.58 m³ per hour'."""
    if drift.size is None:
        return span("", words("not_known"))
    sign = "+" if drift.size > 0 else ""
    shown = f"{sign}{significant(drift.size)}{SPACE}{unit(drift.unit)} {words('per_hour')}"
    band = None
    if drift.size_low is not None and drift.size_high is not None:
        band = span("kc-small", f"{significant(drift.size_low)} … {significant(drift.size_high)} (90{SPACE}%)")
    return join((span("kc-strong", shown), band), between=" ")


def onset(drift: Drift, words: Words, moments: Moments) -> Markup:
    """Since when, with its 90 % interval."""
    if drift.onset is None:
        return span("", words("not_known"))
    band = None
    if drift.onset_low is not None and drift.onset_high is not None:
        low, high = moments.short(drift.onset_low), moments.short(drift.onset_high)
        band = span("kc-small", words("onset_between", low=low, high=high))
    return join((span("kc-strong", moments.short(drift.onset)), band), between=" ")


def over(items: Sequence[Alarm], plant: Plant, words: Words, moments: Moments) -> Markup:
    """The alarms that ended on this shift."""
    if not items:
        return div("kc-empty", words("none_over"))
    columns = [
        Column(words("standing_alarms")),
        Column(words("since_when")),
        Column(words("when")),
        Column(words("excess"), number=True),
        Column(words("cost"), number=True),
        Column(words("state"), wide=True),
    ]
    return table(columns, (_over_row(item, plant, words, moments) for item in items))


def _over_row(item: Alarm, plant: Plant, words: Words, moments: Moments) -> tuple[object, ...]:
    drift = item.drift
    state = words.code(item.state)
    if item.by:
        state = words("acknowledged_by", time=moments.short(item.acknowledged or item.changed), name=item.by)
    return (
        join(
            (words.title(drift.title) if drift else item.name, span("kc-scope", words.scope(item.scope))), between=" "
        ),
        moments.short(drift.onset) if drift and drift.onset else words("not_known"),
        words("ended", time=moments.short(item.changed)),
        excess(drift, words) if drift else "",
        _per_day(drift, plant, words) if drift else "",
        join((state, span("kc-small", item.note) if item.note else None), between=" "),
    )


def _state(item: Alarm, words: Words, moments: Moments) -> Markup:
    if item.asks:
        return join(
            (
                chip("bad" if item.overdue else "warn", words.code(item.state)),
                chip("bad", words("overdue")) if item.overdue else None,
            ),
            between=" ",
        )
    if item.by and item.acknowledged:
        return span("kc-muted", words("acknowledged_by", time=moments.short(item.acknowledged), name=item.by))
    return chip("plain", words.code(item.state))


def _facts(item: Alarm, plant: Plant, words: Words, moments: Moments) -> list[Markup]:
    drift = item.drift
    facts = []
    if drift:
        facts += [
            _fact(words("excess"), excess(drift, words)),
            _fact(words("cost"), _per_day(drift, plant, words)),
            _fact(words("since_when"), onset(drift, words, moments)),
        ]
    raised = join(
        (
            span("kc-strong", moments.short(item.respond_by)) if item.respond_by else span("", words("not_known")),
            span("kc-small", words("raised", time=moments.short(item.raised))),
        ),
        between=" ",
    )
    facts.append(_fact(words("respond_by"), raised))
    return facts


def _texts(drift: Drift, plant: Plant, words: Words) -> Markup:
    lines = []
    if drift.baseline:
        lines.append(_line(words("first_check"), words.title(drift.baseline.first_check), "kc-check"))
        lines.append(_line(words("likely_cause"), words.title(drift.baseline.likely_cause)))
    if drift.evidence:
        lines.append(_line(words("evidence"), words.evidence(drift.evidence)))
    if drift.options:
        names = join((words.title(plant.options[name].title) for name in drift.options), between="; ")
        lines.append(_line(words("endangers"), names, "kc-endangers"))
    return div("kc-alarm-texts", *lines)


def _per_day(drift: Drift, plant: Plant, words: Words) -> Markup:
    if drift.cost_per_day is None:
        return span("", words("not_known"))
    money = quantity(drift.cost_per_day, plant.site.currency, 0)
    return span("kc-strong", words("loss_now", money=money))


def _fact(name: str, value: object) -> Markup:
    return div("kc-fact", span("kc-fact-name", name), span("kc-fact-value", value))


def _line(name: str, text: object, class_: str = "") -> Markup:
    return div(f"kc-text {class_}".strip(), span("kc-text-name", name), span("kc-text-body", text))
