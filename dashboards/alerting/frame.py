"""What the alert rules share: identifiers, the figures that a template fills in, labels, and the message's rows.

A rule is a dict as Grafana's provisioning API has it, without what only a place in Grafana knows (folder, group).
What a template fills in is written `.Values`: provisioning files would take a dollar for a variable.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from alerts.message import where
from alerts.words import WORDS
from dashboards.alerting.policies import MANAGED, identifier
from dashboards.alerting.words import KINDS, TEXTS
from dashboards.frame import Language, say, uid
from dashboards.queries.common import SOURCE_UID
from plant.endangered import endangered
from plant.model import SITE, Plant, Text

Family = Literal["drift", "target", "balance", "silent"]
FAMILIES: tuple[Family, ...] = ("drift", "target", "balance", "silent")
Message = dict[str, str]
"""The rows of a message by their word in `alerts.words`; where and by when are the same for all of a kind."""

TITLE_MAX = 190
EXPRESSION = "__expr__"
EXPRESSION_UID = "-100"
"""What says outside of the model that a step is no query. Grafana 9.4 takes a step with any other for one of a data
source: without data a rule would stand on its list twice, once for the query and once for what is reckoned from it."""
ROWS = ("where", "what", "size", "since", "evidence", "cause", "check", "respond", "option")


def text(key: str, language: Language, **values: object) -> str:
    """One of the rules' texts with its values."""
    return say(TEXTS[key], language).format(**values)


def figure(name: str, form: str = "%.3g", otherwise: str = "?") -> str:
    """What a template fills in for a rule's figure; `otherwise` where there is none."""
    return f'{{{{ with .Values.{name} }}}}{{{{ printf "{form}" .Value }}}}{{{{ else }}}}{otherwise}{{{{ end }}}}'


def options(plant: Plant, watched: str, language: Language) -> str:
    """The options that something watched endangers, with what they promised."""
    return promised(plant, endangered(plant, watched), language)


def promised(plant: Plant, names: Iterable[str], language: Language) -> str:
    """Options with what they promised."""
    words = WORDS[language]
    found = []
    for name in names:
        option = plant.options[name]
        amount = words["promised"].format(amount=f"{option.promised:,.0f}", unit=option.promised_unit)
        found.append(f"{say(option.title, language)} {words['open']}{amount}{words['close']}")
    return words["comma"].join(found) or words["none"]


def rule(
    plant: Plant,
    family: Family,
    name: str,
    title: Text,
    scope: str,
    figures: Mapping[str, str],
    messages: Mapping[Language, Message],
    *,
    priority: str,
    range_s: int,
    beyond: tuple[str, *tuple[float, ...]],
    no_data: Literal["OK", "Alerting"],
    exec_err: Literal["OK", "Alerting"] = "OK",
    respond_s: float | None = None,
    group: str | None = None,
) -> dict[str, Any]:
    """A rule: figures by name with their InfluxQL, of which `found` is judged by `beyond` (Grafana's evaluator).

    `messages` are in both languages; `respond_s` is when to respond at the latest (the plant's own limit when left
    out). Rules of one `group` reach a person together; left out, a rule stands alone.
    """
    if respond_s is None:
        respond_s = plant.alarms.respond_within if plant.alarms else 4 * 3600.0
    annotations = {}
    for language, message in messages.items():
        words, after = WORDS[language], "" if language == "en" else f"_{language}"
        rows = {
            **message,
            "where": where(plant, scope, language),
            "respond": _within(respond_s, language),
        }
        annotations[f"summary{after}"] = f"{rows['where']}{words['colon']}{rows['what']}"
        annotations[f"description{after}"] = "\n".join(f"{words[key]}{words['colon']}{rows[key]}" for key in ROWS)
        board = uid(plant, "site", language) if scope == SITE else uid(plant, "unit", language, scope)
        annotations[f"board{after}"] = f"{{{{ externalURL }}}}d/{board}"
    kind, _, _ = name.partition(" ")
    ending = f" ({plant.site.id}/{name})"
    titles = " · ".join(dict.fromkeys((title.en, title.zh)))
    return {
        "uid": identifier(plant, family, name),
        "title": f"{KINDS[family].en} {KINDS[family].zh}: {titles}"[: TITLE_MAX - len(ending)] + ending,
        "condition": "judged",
        "data": [*_data(figures, range_s), _judged(beyond)],
        "noDataState": no_data,
        "execErrState": exec_err,
        "for": "0s",
        "annotations": annotations,
        "labels": {
            **MANAGED,
            "site": plant.site.id,
            "scope": scope,
            "kind": family,
            "priority": priority,
            "group": group or kind,
            "route": "shift" if plant.alarms and plant.alarms.notify == "grafana" else "none",
        },
    }


def _within(respond_s: float, language: Language) -> str:
    if respond_s >= 2 * 86400:
        return text("days", language, days=respond_s / 86400)
    return text("hours", language, hours=respond_s / 3600)


def _data(figures: Mapping[str, str], range_s: int) -> list[dict[str, Any]]:
    found = []
    for name, query in figures.items():
        source = {"type": "influxdb", "uid": SOURCE_UID}
        asked = {"query": query, "rawQuery": True, "resultFormat": "time_series", "datasource": source}
        found.append(_step(f"{name}_rows", SOURCE_UID, asked, range_s))
        found.append(_expression(name, {"type": "reduce", "expression": f"{name}_rows", "reducer": "last"}))
    return found


def _judged(beyond: tuple[str, *tuple[float, ...]]) -> dict[str, Any]:
    kind, *limits = beyond
    conditions = [{"evaluator": {"type": kind, "params": limits}}]
    return _expression("judged", {"type": "threshold", "expression": "found", "conditions": conditions})


def _expression(ref: str, model: dict[str, Any]) -> dict[str, Any]:
    return _step(ref, EXPRESSION_UID, {**model, "datasource": {"type": EXPRESSION, "uid": EXPRESSION}}, 0)


def _step(ref: str, source: str, model: dict[str, Any], range_s: int) -> dict[str, Any]:
    # what Grafana itself adds when it is left out, so that a rule read back is the rule written
    model = {"refId": ref, **model, "intervalMs": 1000, "maxDataPoints": 43200}
    span = {"from": range_s, "to": 0}
    return {"refId": ref, "queryType": "", "relativeTimeRange": span, "datasourceUid": source, "model": model}
