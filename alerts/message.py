"""The words of an alarm: where, what, how much, since when, why, what to check first, by when, what is at stake."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from alerts.words import WORDS, Language
from plant.endangered import endangered
from plant.model import SITE, Plant, Text


@dataclass(frozen=True)
class Message:
    """A message as it is sent; `place` and `line` are what stands in a grouped one."""

    title: str
    body: str
    place: str
    line: str


def compose(
    plant: Plant, drift: Mapping[str, Any], transition: Mapping[str, Any], language: Language = "en"
) -> Message:
    """The message of one transition (row of table `alarms`) of a drift (row of table `drift`).

    Amounts are in the drift's unit per hour, money in the site's currency a day, times in the plant's zone.
    """
    words = WORDS[language]
    zone = ZoneInfo(plant.site.time_zone)
    colon = words["colon"]
    baseline = plant.baselines.get(drift["kpi"])
    place = where(plant, drift["scope"], language)
    what = title_of(plant, drift["kpi"], language)
    above = words["above"] if drift["direction"] != "fall" else words["below"]
    size = _size(drift["size_per_hour"], drift["unit"])
    money = words["cost"].format(cost=_number(drift["cost_per_day"]), currency=plant.site.currency)
    priority = words.get(transition["priority"], transition["priority"])
    mark = f"{words['comma']}{words['worse']}" if transition["note"].startswith("worse") else ""
    if transition["to_state"] == "revised":
        title = f"[{words['revised']}] {place}{colon}{what}"
        return Message(title, words["why_revised"], place, f"{what}{words['comma']}{words['revised']}")
    title = f"[{priority}{mark}] {place}{colon}{what} {size} {above}"
    respond = plant.alarms.respond_within if plant.alarms else 4 * 3600.0
    rows = [
        (words["where"], place),
        (words["what"], f"{what} {above}"),
        (words["size"], _how_much(drift, money, language)),
        (words["since"], _since(drift, zone, language)),
        (words["evidence"], _evidence(drift["evidence"], language)),
        (words["cause"], _text(baseline.likely_cause, language) if baseline else words["unknown"]),
        (words["check"], _text(baseline.first_check, language) if baseline else words["unknown"]),
        (words["respond"], _clock(transition["time"] + timedelta(seconds=respond), zone)),
        (words["option"], _options(plant, drift, language)),
    ]
    body = "\n".join(f"{name}{colon}{value}" for name, value in rows)
    return Message(title, body, place, f"[{priority}{mark}] {what} {size} {above}{words['comma']}{money}")


def group(messages: Sequence[Message], language: Language = "en") -> Message:
    """Several alarms as one message, grouped by place."""
    words = WORDS[language]
    places: dict[str, list[str]] = {}
    for message in messages:
        places.setdefault(message.place, []).append(message.line)
    lines = [words["group_body"]]
    for place, found in places.items():
        lines += [f"{place}{words['colon']}", *(f"  - {line}" for line in found)]
    return Message(words["group"].format(count=len(messages)), "\n".join(lines), "", "")


def where(plant: Plant, scope: str, language: Language = "en") -> str:
    """The title of a process unit with those that hold it, the outermost first; the site's own name for the site."""
    titles: list[str] = []
    while scope != SITE and scope in plant.process_units:
        titles.insert(0, _text(plant.process_units[scope].title, language))
        scope = plant.process_units[scope].within
    return " / ".join(titles) if titles else _text(plant.site.name, language)


def title_of(plant: Plant, watched: str, language: Language = "en") -> str:
    """The title of a baseline or KPI by its name; the name itself when neither has it."""
    if watched in plant.baselines:
        return _text(plant.baselines[watched].title, language)
    return _text(plant.kpis[watched].title, language) if watched in plant.kpis else watched


def _text(text: Text, language: Language) -> str:
    return text.zh if language == "zh" else text.en


def _number(value: float | None) -> str:
    """Three significant digits at least, whole numbers from 1000 on."""
    if value is None:
        return "?"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _size(value: float | None, unit: str) -> str:
    sign = "+" if value is not None and value > 0 else ""
    return f"{sign}{_number(value)} {unit}/h"


def _how_much(drift: Mapping[str, Any], money: str, language: Language) -> str:
    words = WORDS[language]
    size, unit = drift["size_per_hour"], drift["unit"]
    text = _size(size, unit)
    if drift["size_low"] is not None and drift["size_high"] is not None:
        band = words["band"].format(low=_number(drift["size_low"]), high=_number(drift["size_high"]))
        text += f" {words['open']}{band}{words['close']}"
    if size is not None:
        day = f"{_number(24 * size)} {unit}"
        text += words["comma"] + (f"{words['a_day']} {day}" if language == "zh" else f"{day} {words['a_day']}")
    return text + (words["comma"] + money if drift["cost_per_day"] is not None else "")


def _clock(moment: datetime | None, zone: ZoneInfo) -> str:
    return "?" if moment is None else moment.astimezone(zone).strftime("%Y-%m-%d %H:%M")


def _since(drift: Mapping[str, Any], zone: ZoneInfo, language: Language) -> str:
    words = WORDS[language]
    text = _clock(drift["onset"], zone)
    if drift["onset_low"] is not None and drift["onset_high"] is not None:
        between = words["between"].format(low=_clock(drift["onset_low"], zone), high=_clock(drift["onset_high"], zone))
        text += f" {words['open']}{between}{words['close']}"
    return text


def _evidence(evidence: str | None, language: Language) -> str:
    """A table's evidence is a sentence or a JSON object of named figures."""
    words = WORDS[language]
    if not evidence:
        return words["unknown"]
    try:
        figures = json.loads(evidence)
    except ValueError:
        return evidence
    if not isinstance(figures, dict):
        return evidence
    return words["comma"].join(
        f"{name} {_number(value) if isinstance(value, int | float) else value}" for name, value in figures.items()
    )


def _options(plant: Plant, drift: Mapping[str, Any], language: Language) -> str:
    words = WORDS[language]
    texts = []
    for name in endangered(plant, drift["kpi"], drift["onset"]):
        option = plant.options[name]
        promised = words["promised"].format(amount=_number(option.promised), unit=option.promised_unit)
        texts.append(f"{_text(option.title, language)} {words['open']}{promised}{words['close']}")
    return words["comma"].join(texts) or words["none"]
