"""Targets, options and baselines as HTML tables for the audit team."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from markupsafe import Markup

from console.draw_kpis import against, measured
from console.draw_shift import excess
from console.figures import SPACE, Moments, number, percent, quantity, signed, unit
from console.markup import Column, Row, bar, chip, div, join, span, table, tag
from console.views_audit import JUDGING_WINDOWS, OptionState, Versions
from console.views_baselines import Fit
from console.views_kpis import Value
from console.words import Words
from plant.model import Plant

T = TypeVar("T", Value, Fit)


def head(plant: Plant, found: Sequence[Value], versions: Versions, words: Words) -> Markup:
    """The audit, how many targets are met, and which configuration these figures were computed with."""
    first, last = plant.audit.period
    judged = [value for value in found if value.to_near is not None]
    met = sum((value.to_near or 0.0) <= 0 for value in judged)
    return div(
        "kc-duty-box",
        div(
            "kc-duty",
            span("kc-duty-name", words.title(plant.audit.name)),
            span("kc-muted", words("audit_period", first=first, last=last, year=plant.audit.baseline_year)),
        ),
        div("kc-duty-figures", chip("plain", words("near_met", met=met, all=len(judged)))),
        div(
            "kc-versions",
            _version(words("config_version"), versions.config, words),
            _version(words("factor_edition"), versions.factors, words),
        ),
    )


def _version(name: str, version: str, words: Words) -> Markup:
    shown = version[:12] if version else words("not_known")
    return div("kc-fact", span("kc-fact-name", name), tag("code", shown, title=version or None))


def targets(found: Sequence[Value], words: Words) -> Markup:
    """Every target with its distance and grade, grouped by scope."""
    columns = [
        Column(words("kpi")),
        Column(words("baseline_year"), number=True, minor=True),
        Column(words("now"), number=True, lead=True),
        Column(words("near_term_target"), number=True),
        Column(words("way_gone"), minor=True),
        Column(words("long_term_target"), number=True),
        Column(words("grade")),
        Column(words("coverage"), number=True, minor=True),
    ]
    return table(columns, _grouped(found, lambda value: _target(value, words), words))


def _grouped(found: Sequence[T], row: Callable[[T], Row], words: Words) -> list[Row | str]:
    """Rows with a heading wherever the scope changes."""
    rows: list[Row | str] = []
    scope = None
    for item in found:
        if item.scope != scope:
            scope = item.scope
            rows.append(words.scope(scope))
        rows.append(row(item))
    return rows


def _target(value: Value, words: Words) -> Row:
    target = value.definition.target
    judged = value.judged
    if target is None:
        return (words.title(value.title), *[""] * 7)
    near, long = (
        against(level, worse, value, words, judged)
        for level, worse in ((target.near_term, value.to_near), (target.long_term, value.to_long))
    )
    name = join((words.title(value.title), _limiting(value, words)), between=" ")
    return (
        name,
        number(target.baseline, value.decimals),
        _now(value, words),
        near,
        _way(value),
        long,
        _grade(value, words),
        "" if value.coverage is None else percent(value.coverage * 100),
    )


def _now(value: Value, words: Words) -> Markup:
    """The value; another window than the one that the table is headed with is named."""
    other = value.value is not None and value.window in JUDGING_WINDOWS[1:]
    note = span("kc-small kc-block", words.long_window(value.window)) if other else None
    return join((measured(value, words), note))


def _limiting(value: Value, words: Words) -> Markup | None:
    target = value.definition.target
    return chip("plain", "*", title=words("limiting")) if target and target.limiting else None


def _way(value: Value) -> Markup | str:
    gone = value.achieved
    if gone is None:
        return ""
    kind = "good" if gone >= 100 else "bad" if gone < 0 else "info"
    return join((bar(gone / 100, kind), span("kc-small", percent(gone, 0))), between=" ")


def _grade(value: Value, words: Words) -> Markup | str:
    target = value.definition.target
    if target is None or target.grades is None:
        return ""
    limits = " / ".join(number(limit, value.decimals).rstrip("0").rstrip(".") for limit in target.grades)
    reached = chip("plain", words("grade_of", grade=value.grade)) if value.grade else span("kc-muted", words("none"))
    return join((reached, span("kc-small kc-block", f"I/II/III {limits}")))


def options(found: Sequence[OptionState], plant: Plant, words: Words) -> Markup:
    """Every implemented option: promised, before, after, and what endangers it."""
    if not found:
        return div("kc-empty", words("no_options"))
    columns = [
        Column(words("option")),
        Column(words("kpi"), wide=True),
        Column(words("before"), number=True),
        Column(words("after"), number=True),
        Column(words("change"), number=True),
        Column(words("promised"), number=True),
        Column(words("endangered_by"), wide=True),
    ]
    return table(columns, (_option(state, plant, words) for state in found))


def _option(state: OptionState, plant: Plant, words: Words) -> Row:
    option, value = state.option, state.now
    about = [words.code(option.kind), words.scope(option.scope), f"{words('commissioned')} {option.commissioned}"]
    if option.investment:
        about.append(f"{words('investment')} {quantity(option.investment, plant.site.currency, 0)}")
    target = state.kpi.target if state.kpi else None
    before = target.baseline if target else None
    decimals = state.kpi.decimals if state.kpi else 2
    return (
        join((span("kc-strong", words.title(option.title)), span("kc-small kc-block", " · ".join(about)))),
        words.title(state.kpi.title) if state.kpi else option.kpi,
        words("not_known") if before is None else quantity(before, state.kpi.unit if state.kpi else "", decimals),
        _after(value, words),
        _change(before, value, words),
        f"{number(option.promised, 0)}{SPACE}{unit(option.promised_unit)} {words('a_year')}",
        _endangering(state, plant, words),
    )


def _after(value: Value | None, words: Words) -> Markup:
    if value is None:
        return span("kc-unknown", words("unknown"))
    return _now(value, words)


def _change(before: float | None, value: Value | None, words: Words) -> Markup | str:
    if not before or value is None or value.value is None:
        return ""
    change = (value.value - before) / abs(before) * 100
    worse = change > 0 if value.definition.better == "lower" else change < 0
    return span("kc-bad" if worse else "kc-good", f"{signed(change)}{SPACE}%")


def _endangering(state: OptionState, plant: Plant, words: Words) -> Markup:
    if not state.endangered_by:
        return span("kc-muted", words("not_endangered"))
    lines = [
        div(
            "kc-danger",
            span("kc-bad", words.title(drift.title)),
            div("kc-danger-size", excess(drift, words)),
            span("kc-small", words("loss_now", money=quantity(drift.cost_per_day, plant.site.currency, 0)))
            if drift.cost_per_day is not None
            else None,
        )
        for drift in state.endangered_by
    ]
    return join(lines)


def baselines(found: Sequence[Fit], words: Words, moments: Moments) -> Markup:
    """The baselines in force and how good they are on data they have not seen."""
    columns = [
        Column(words("baseline")),
        Column(words("model"), wide=True),
        Column(words("rows"), number=True, minor=True),
        Column(words("cv"), number=True, minor=True),
        Column(words("cv_heldout"), number=True),
        Column(words("nmbe_heldout"), number=True),
        Column(words("span")),
        Column(words("fitted_by"), minor=True),
    ]
    reasons = dict.fromkeys((fit.by, fit.why) for fit in found if fit.why)
    notes = [div("kc-foot", words("accepted", name=by, why=why)) for by, why in reasons]
    return join((table(columns, _grouped(found, lambda fit: _fit(fit, words, moments), words)), *notes))


def _fit(fit: Fit, words: Words, moments: Moments) -> Row:
    mark = chip("warn", words("derived_driver")) if fit.derived else None
    name = join((words.title(fit.title), mark), between=" ")
    if fit.entry is None:
        return (name, span("kc-warn", words("not_fitted")), *[""] * 6)
    span_of_data: Markup | str = ""
    if fit.span_start is not None and fit.span_end is not None:
        first, last = moments.day(fit.span_start), moments.day(fit.span_end - 1)
        span_of_data = span("kc-whole", f"{first} – {last}")
    return (
        name,
        tag("code", fit.formula),
        "" if fit.n is None else number(fit.n, 0),
        "" if fit.cv_rmse is None else percent(fit.cv_rmse * 100),
        "" if fit.cv_rmse_heldout is None else percent(fit.cv_rmse_heldout * 100),
        "" if fit.nmbe_heldout is None else f"{signed(fit.nmbe_heldout * 100, 2)}{SPACE}%",
        span_of_data,
        span("", fit.by, title=fit.why or None),
    )
