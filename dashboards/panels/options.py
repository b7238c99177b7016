"""The panels of an option: what it promised, its KPI before and after commissioning, and its KPI's course."""

from __future__ import annotations

from datetime import datetime, time
from zoneinfo import ZoneInfo

from grafana_foundation_sdk.builders import stat, text, timeseries
from grafana_foundation_sdk.builders.common import ReduceDataOptions, VizTextDisplayOptions
from grafana_foundation_sdk.models.common import (
    BigValueColorMode,
    BigValueGraphMode,
    BigValueTextMode,
    VisibilityMode,
    VizOrientation,
)
from grafana_foundation_sdk.models.dashboard import DynamicConfigValue, Threshold
from grafana_foundation_sdk.models.text import TextMode

from dashboards.frame import Language, say, scope_titles, uid
from dashboards.panels.audit import ref
from dashboards.panels.common import GREEN, ORANGE, absolute, grafana_unit, over_time, pretty, steps
from dashboards.queries import audit as queries_audit
from dashboards.queries.audit import Whole
from dashboards.queries.common import SOURCE, Query, Target
from plant.model import SITE, Option, Plant, Text

TEXTS = {
    "scope": Text(en="process unit", zh="工序单元"),
    "promise": Text(en="Promised", zh="承诺"),
    "kind": Text(en="kind", zh="类别"),
    "commissioned": Text(en="commissioned", zh="投运"),
    "promised": Text(en="promised", zh="承诺节约"),
    "a year": Text(en="{} {} a year", zh="每年 {} {}"),
    "investment": Text(en="investment", zh="投资"),
    "judged": Text(en="watched by", zh="观察指标"),
    "before": Text(en="before", zh="投运前"),
    "after": Text(en="after", zh="投运后"),
    "change": Text(en="change", zh="变化"),
    "days before": Text(en="known days before", zh="投运前已知天数"),
    "days after": Text(en="known days after", zh="投运后已知天数"),
    "months before": Text(en="known months before", zh="投运前已知月数"),
    "months after": Text(en="known months after", zh="投运后已知月数"),
    "side by side": Text(en="Before and after commissioning", zh="投运前后"),
    "caution": Text(
        en="Sums over the whole known days of at most 365 days on either side that lie in the range shown. Production, "
        "weather and other options differ between the two: the change is not a verified saving.",
        zh="取所示时段内投运前后各至多 365 天的已知整日之和。两段的产量、气候和其他方案不同："
        "该变化不是经核证的节约量。",
    ),
}
KINDS = {
    "no_cost": Text(en="no cost", zh="无费"),
    "low_cost": Text(en="low cost", zh="低费"),
    "medium_cost": Text(en="medium cost", zh="中费"),
    "high_cost": Text(en="high cost", zh="高费"),
}
STAMP_MS = 60_000
"""A day's row stands at the day's end: the day before commissioning ends at midnight, and belongs to before."""


def promise(plant: Plant, option: Option, language: Language) -> text.Panel:
    """What an option promised, when it was commissioned, what it cost, and where to look on."""
    kpi = plant.kpis[option.kpi]
    amount = say(TEXTS["a year"], language).format(f"{option.promised:,.0f}", pretty(option.promised_unit))
    board = uid(plant, "site", language) if option.scope == SITE else uid(plant, "unit", language, option.scope)
    lines = {
        "kind": say(KINDS[option.kind], language),
        "commissioned": option.commissioned.isoformat(),
        "promised": f"**{amount}**",
        "investment": f"{option.investment:,.0f} {plant.site.currency}",
        "judged": f"{say(kpi.title, language)} [{pretty(kpi.unit)}]",
        "scope": f"[{scope_titles(plant, language)[option.scope]}](/d/{board})",
    }
    content = "\n".join(f"- {say(TEXTS[key], language)}: {value}" for key, value in lines.items())
    return (
        text.Panel().title(say(TEXTS["promise"], language)).mode(TextMode.MARKDOWN).content(content).height(8).span(6)
    )


def side_by_side(plant: Plant, option: Option, language: Language) -> stat.Panel:
    """An option's KPI before and after commissioning, the change, and from how many known days it comes."""
    kpi = plant.kpis[option.kpi]
    whole, border = how_whole(plant, option.kpi), border_ms(plant, option)
    span = "months" if whole.window == "month" else "days"
    figures = {
        "before": queries_audit.before(whole, border),
        "after": queries_audit.after(whole, border),
        "change": queries_audit.change(whole, border),
        f"{span} before": queries_audit.known_days(whole, border, later=False),
        f"{span} after": queries_audit.known_days(whole, border, later=True),
    }
    panel = (
        stat.Panel()
        .title(say(TEXTS["side by side"], language))
        .description(say(TEXTS["caution"], language))
        .datasource(SOURCE)
        .unit(grafana_unit(kpi.unit))
        .decimals(kpi.decimals)
        .thresholds(absolute(steps(kpi)))
        .graph_mode(BigValueGraphMode.NONE)
        .color_mode(BigValueColorMode.VALUE)
        .text_mode(BigValueTextMode.VALUE_AND_NAME)
        .text(VizTextDisplayOptions().title_size(14).value_size(16))
        .orientation(VizOrientation.HORIZONTAL)
        .reduce_options(ReduceDataOptions().calcs(["lastNotNull"]))
        .height(8)
        .span(6)
    )
    for number, (key, query) in enumerate(figures.items()):
        panel.with_target(Target(Query(query, alias=say(TEXTS[key], language), ref=ref(number))))
    good_below, bad_above = (GREEN, ORANGE) if kpi.better == "lower" else (ORANGE, GREEN)
    changed = absolute([Threshold(None, good_below), Threshold(0.0, bad_above)]).build()
    panel.override_by_query(
        ref(2),
        [
            DynamicConfigValue("unit", "percent"),
            DynamicConfigValue("decimals", 1),
            DynamicConfigValue("thresholds", changed),
        ],
    )
    plain = absolute([Threshold(None, "text")]).build()
    for number in (3, 4):
        values = [("unit", "none"), ("decimals", 0), ("thresholds", plain)]
        panel.override_by_query(ref(number), [DynamicConfigValue(*value) for value in values])
    return panel


def course(plant: Plant, option: Option, language: Language) -> timeseries.Panel:
    """An option's KPI over time: one colour before commissioning, another after, and the lines of its targets."""
    whole, border = how_whole(plant, option.kpi), border_ms(plant, option)
    panel = over_time(plant, option.kpi, language).interval("1d").show_points(VisibilityMode.AUTO)
    for letter, key, colour in (("A", "before", "semi-dark-purple"), ("B", "after", "blue")):
        query = queries_audit.course(whole, border, later=key == "after")
        panel.with_target(Target(Query(query, alias=say(TEXTS[key], language), ref=letter)))
        panel.override_by_query(letter, [DynamicConfigValue("color", {"mode": "fixed", "fixedColor": colour})])
    return panel


def how_whole(plant: Plant, name: str) -> Whole:
    """How a KPI is taken together from whole days: ratio of sums; the mean where there is nothing to divide by.

    A demand charge is known of whole months only. A peak's mean is the mean of the days' peaks.
    """
    kpi = plant.kpis[name]
    window = "month" if kpi.by_months() else "day"
    if kpi.peak or not kpi.denominator:
        return Whole(name, window, 'mean("value")')
    return Whole(name, window, f'sum("numerator") / sum("denominator") * {kpi.times:.12g}')


def border_ms(plant: Plant, option: Option) -> int:
    """Where before ends and after begins: just behind the local midnight that begins the commissioning date [ms]."""
    midnight = datetime.combine(option.commissioned, time(), ZoneInfo(plant.site.time_zone))
    return round(midnight.timestamp() * 1000) + STAMP_MS
