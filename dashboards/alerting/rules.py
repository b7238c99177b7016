"""The alert rules that Grafana evaluates: drift, missed target, broken balance, silent source, with their messages."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from alerts.message import title_of
from alerts.priority import HIGH_COST_PER_DAY, MEDIUM_COST_PER_DAY
from alerts.words import WORDS
from dashboards.alerting.frame import FAMILIES, Family, Message, figure, options, rule, text
from dashboards.alerting.silent import nothing, silences, silent
from dashboards.frame import LANGUAGES, WINDOW_TITLES, Language, say
from dashboards.panels.common import pretty, watching
from dashboards.queries import rules as queries
from plant.accuracy import uncertainty
from plant.endangered import endangered
from plant.model import Kpi, Plant
from plant.units import amount_unit

INTERVAL_S = 60
"""How often a rule is evaluated; what Grafana 9 gives a new group by itself."""
DAY_S = 86400
STANDS_S = 90 * DAY_S
"""How long ago a drift that still stands may have been found, as on the boards."""
DAYS = "30d"
MONTHLY = {DAYS: ("last days", 30 * 24), "12mo": ("last months", 8766)}
"""The windows of a month and longer that are whole at any time, with their hours: a month or a year to date is a day
long on its second day, and says nothing yet."""
FRESH_S = 3 * DAY_S
"""How old the newest value of such a window may be: that of 12 months comes once a day."""
BEGINNING = ("shift", "day")
"""Windows to date that mean little until they are over: the last whole one is judged."""
RESPOND_TO_TARGET_S = 7.0 * DAY_S


def every(plant: Plant) -> Iterator[tuple[Family, dict[str, Any]]]:
    """All rules of a plant, by family."""
    for name in plant.baselines:
        yield "drift", _drift(plant, name)
    for name, kpi in plant.kpis.items():
        if kpi.target is not None:
            for window in MONTHLY:
                if window != DAYS or not kpi.by_months():
                    yield "target", _target(plant, name, kpi, window)
    for name in plant.balances:
        yield "balance", _balance(plant, name)
    for device, silence in silences(plant).items():
        yield "silent", silent(plant, device, silence)
    yield "silent", nothing(plant)


def grouped(plant: Plant) -> dict[Family, list[dict[str, Any]]]:
    """The rules by family, every family named."""
    found: dict[Family, list[dict[str, Any]]] = {family: [] for family in FAMILIES}
    for family, one in every(plant):
        found[family].append(one)
    return found


def group_name(plant: Plant, family: Family) -> str:
    """The name of the group that holds a family's rules."""
    return f"keepclean {plant.site.id} {family}"


def _drift(plant: Plant, name: str) -> dict[str, Any]:
    offset_s, _ = _clock(plant)
    figures = {
        "found": queries.drifts_open(plant, name),
        "size": queries.drift_figure(plant, name, "size_per_hour"),
        "low": queries.drift_figure(plant, name, "size_low"),
        "high": queries.drift_figure(plant, name, "size_high"),
        "cost": queries.drift_figure(plant, name, "cost_per_day"),
        "onset": queries.drift_onset(plant, name, offset_s),
    }
    return rule(
        plant,
        "drift",
        name,
        plant.baselines[name].title,
        plant.baselines[name].scope,
        figures,
        {language: _drift_message(plant, name, language) for language in LANGUAGES},
        priority=_priority(bool(endangered(plant, name))),
        range_s=STANDS_S,
        beyond=("gt", 0.0),
        # no drift was ever found: the good case
        no_data="OK",
    )


def _drift_message(plant: Plant, name: str, language: Language) -> Message:
    baseline = plant.baselines[name]
    point = plant.points[baseline.response]
    unit = pretty(amount_unit(point.kind, point.unit))
    side = WORDS[language]["above" if baseline.drift == "rise" else "below"]
    # an unknown cost is a null, and nought is not below what is no number
    cost = text("a day", language, cost='{{ printf "%.0f" .Value }}', currency=plant.site.currency)
    return {
        "what": text("drifted", language, what=title_of(plant, name, language), side=side),
        "size": text("an hour", language, size=figure("size"), unit=unit)
        + f"{{{{ with .Values.cost }}}}{{{{ if lt 0.0 .Value }}}}{cost}{{{{ end }}}}{{{{ end }}}}",
        "since": _since(plant),
        "evidence": text("chart", language, low=figure("low"), high=figure("high"), unit=unit),
        "cause": say(baseline.likely_cause, language),
        "check": say(baseline.first_check, language),
        "option": options(plant, name, language),
    }


def _target(plant: Plant, name: str, kpi: Kpi, window: str) -> dict[str, Any]:
    assert kpi.target is not None
    span, hours = MONTHLY[window]
    limit, worse = kpi.target.near_term, "gt" if kpi.better == "lower" else "lt"
    figures = {"found": queries.kpi_value(plant, name, window)}
    # only what is used per something made has an amount beyond its target
    counted = bool(kpi.denominator) and "/" in kpi.unit and worse == "gt"
    if counted:
        figures["excess"] = queries.kpi_excess(plant, name, window, limit, hours)
    watched = watching(plant, name)
    messages = {}
    for language in LANGUAGES:
        of, unit = text(span, language), pretty(kpi.unit)
        size = text("value", language, value=figure("found"), unit=unit, target=limit, baseline=kpi.target.baseline)
        beyond = text("beyond", language, excess=figure("excess"), unit=unit.partition("/")[0]) if counted else ""
        names = WORDS[language]["comma"].join(title_of(plant, one, language) for one in watched)
        messages[language] = {
            "what": text("missed", language, what=say(kpi.title, language), window=of),
            "size": size + beyond,
            "since": text("window", language, window=of),
            "evidence": text("of known minutes", language, window=of),
            "cause": text("drifts behind", language, names=names) if watched else text("no drift", language),
            "check": text("look at drifts", language),
            "option": options(plant, name, language),
        }
    return rule(
        plant,
        "target",
        f"{name} {window}",
        kpi.title,
        kpi.scope,
        figures,
        messages,
        priority="medium" if kpi.target.limiting else "low",
        range_s=FRESH_S,
        beyond=(worse, limit),
        # what is not known is not worse than anything; the board of data health says why it is not
        no_data="OK",
        respond_s=RESPOND_TO_TARGET_S,
    )


def _balance(plant: Plant, name: str) -> dict[str, Any]:
    balance = plant.balances[name]
    kpi, window = f"{name}_closure", balance.over
    # what the meters alone may be off by is not missing
    limit = balance.limit + uncertainty(plant, balance)
    messages = {}
    for language in LANGUAGES:
        of = say(WINDOW_TITLES[window], language)
        messages[language] = {
            "what": text("open balance", language, what=say(balance.title, language)),
            "size": text("closure", language, value=figure("found"), window=of, limit=limit),
            "since": text("window", language, window=of),
            "evidence": text("of known minutes", language, window=of),
            "cause": text("balance cause", language),
            "check": text("balance check", language),
            "option": options(plant, kpi, language),
        }
    return rule(
        plant,
        "balance",
        name,
        balance.title,
        balance.scope,
        {"found": queries.kpi_value(plant, kpi, window, whole=window in BEGINNING)},
        messages,
        priority="medium",
        range_s=FRESH_S,
        beyond=("outside_range", -limit, limit),
        # a balance with an unknown term is not open but unknown
        no_data="OK",
    )


def _priority(endangers: bool) -> str:
    """As `alerts.priority`, worked out by Grafana from the drift's cost a day."""
    limits = (MEDIUM_COST_PER_DAY, HIGH_COST_PER_DAY)
    names = ("medium", "high", "high") if endangers else ("low", "medium", "high")
    return (
        f"{{{{ with .Values.cost }}}}{{{{ if le {limits[1]:.1f} .Value }}}}{names[2]}"
        f"{{{{ else if le {limits[0]:.1f} .Value }}}}{names[1]}{{{{ else }}}}{names[0]}{{{{ end }}}}"
        f"{{{{ else }}}}{names[0]}{{{{ end }}}}"
    )


def _since(plant: Plant) -> str:
    """When the drift began; Grafana's templates know no time zone and print seconds and '+0000 UTC', which go."""
    _, zone = _clock(plant)
    cut = r'reReplaceAll ":[0-9]+([.][0-9]+)? [+]0000 UTC" ""'
    return f"{{{{ with .Values.onset }}}}{{{{ {cut} (humanizeTimestamp .Value) }}}} {zone}{{{{ else }}}}?{{{{ end }}}}"


def _clock(plant: Plant) -> tuple[int, str]:
    """What is added to UTC [s] for the plant's clock, and its name: UTC itself where clocks are put forward."""
    zone, year = ZoneInfo(plant.site.time_zone), plant.audit.period[1].year
    offsets = {datetime(year, month, 1, tzinfo=zone).utcoffset() for month in range(1, 13)}
    (offset, *others) = offsets
    if others or offset is None:
        return 0, "UTC"
    return round(offset.total_seconds()), plant.site.time_zone
