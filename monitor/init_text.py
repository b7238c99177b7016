"""The text of a first plant description: small, commented, and with what comes next ready to be uncommented. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from monitor.init_points import NO_TEXT, Drafted
from plant.model import Kind, Text

WIDE = 26
COVERAGE_LIMIT = 0.05
KINDS = {
    Kind.COUNTER: "a totaliser: it only rises",
    Kind.NET: "a totaliser that may fall",
    Kind.RATE: "an amount per time",
    Kind.LEVEL: "a state",
}
ELECTRICITY, OTHER = Text(en="Electricity", zh="用电量"), Text(en="Consumption", zh="消耗量")


@dataclass(frozen=True)
class Wanted:
    """What a newcomer says of the plant; `part` is the part of it that is measured."""

    name: str
    zone: str
    currency: str
    part: str
    today: date


@dataclass(frozen=True)
class Gauge:
    """A device to be written: its key, the lines below it, and its points.

    `ratio` says that it may stand behind transformers whose ratio it does not know.
    """

    name: str
    lines: tuple[tuple[str, str], ...]
    points: tuple[Drafted, ...]
    ratio: bool = False


def text(
    wanted: Wanted,
    gauges: Sequence[Gauge],
    broker: Sequence[tuple[str, str]] = (),
    product: tuple[str, str] | None = None,
) -> str:
    """The description. `product` is the point that counts what is made, and its unit; `broker` the broker's keys."""
    points = [point for gauge in gauges for point in gauge.points]
    first = main_point(points, product)
    blocks = [
        _head(wanted),
        _units(wanted, product),
        _broker(broker),
        _devices(gauges, product),
        _points(gauges, wanted, first, product),
        _kpis(first, wanted, product),
        _coefficients(first, wanted) if first else [],
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def main_point(points: Sequence[Drafted], product: tuple[str, str] | None = None) -> Drafted | None:
    """The point of the first KPI: what is counted, else what flows; never the product itself."""
    found = [one for one in points if one.summable and (product is None or one.name != product[0])]
    return min(found, key=lambda one: one.kind is Kind.RATE, default=None)


def kpi_name(first: Drafted) -> str:
    """The first KPI's name."""
    return "electricity" if first.amount in ("kWh", "MWh") else "consumption"


def site_id(name: str) -> str:
    """What identifies a plant of that name.

    >>> site_id("Works No. 2"), site_id("海宁电镀")
    ('works-no-2', 'my-plant')
    """
    plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    return plain if plain and plain[0].isalpha() else "my-plant"


def quoted(value: str) -> str:
    """A text as YAML takes it for a text."""
    return json.dumps(value, ensure_ascii=False)


def _plain(value: str) -> str:
    """A text as it is where YAML takes it for one."""
    plain = re.fullmatch(r"[A-Za-z][A-Za-z0-9_+/-]*", value) and value.lower() not in NO_TEXT
    return value if plain else quoted(value)


def part_name(wanted: Wanted) -> str:
    """The process unit's name."""
    plain = re.sub(r"[^a-z0-9]+", "_", wanted.part.lower()).strip("_")[:40]
    return plain if plain and plain[0].isalpha() and plain not in ("site", *NO_TEXT) else "production"


def _head(wanted: Wanted) -> list[str]:
    year, name = wanted.today.year, " ".join(wanted.name.split())
    return [
        f"# {name}: a first meter and a first KPI, written by `keepclean init` on {wanted.today}.",
        "# Where a # is followed by no space, the line is a setting to take: delete its #. After each change:",
        "#   keepclean check plant.yaml     every mistake at once, with its line and a hint",
        "#   keepclean run plant.yaml       reads the meter and shows the page (one that runs: Ctrl-C first)",
        '# A second source, with its lines: docs/first-plant.md of keepclean, "A second source".',
        "format: keepclean/1",
        "",
        "site:",
        _line(f"  id: {_plain(site_id(wanted.name))}", "tells plants apart where several share a server"),
        f"  name: {quoted(wanted.name)}",
        _line(f"  time_zone: {_plain(wanted.zone)}", "for days, months and shifts"),
        f"  currency: {_plain(wanted.currency)}",
        "",
        "audit:" + " " * (WIDE - 6) + "# the cleaner-production audit that is watched; without one, this year will do",
        f"  name: {quoted(f'Year {year}')}",
        _line(f"  baseline_year: {year - 1}", "the year that targets are measured from"),
        f"  period: [{year}-01-01, {year}-12-31]",
    ]


def _units(wanted: Wanted, product: tuple[str, str] | None) -> list[str]:
    lines = [
        "process_units:" + " " * (WIDE - 14) + "# the parts of the plant; a part may lie `within` another",
        f"  {part_name(wanted)}: {{title: {quoted(wanted.part)}}}",
        "",
    ]
    point, unit = product or ("pieces", "piece")
    mark = "" if product else "#"
    if not product:
        lines.append("# What is made: without it, nobody can say what a piece costs.")
    return [*lines, f"{mark}products:", f"  {mark}product: {{title: Product, unit: {_plain(unit)}, points: [{point}]}}"]


def _broker(keys: Sequence[tuple[str, str]]) -> list[str]:
    return ["broker:", *(f"  {key}: {value}" for key, value in keys)] if keys else []


def _devices(gauges: Sequence[Gauge], product: tuple[str, str] | None) -> list[str]:
    lines = ["devices:"]
    for gauge in gauges:
        lines.append(f"  {gauge.name}:")
        lines += [f"    {key}: {value}" for key, value in gauge.lines]
        if gauge.ratio:
            lines.append(_line("    #ct_ratio: 20", "behind 100/5 A transformers that the meter does not reckon in"))
    if not product:
        lines += [
            "  #production_list:"
            + " " * (WIDE - 18)
            + "# CSV files (time,point,value) put into the folder are read once each",
            "    #protocol: manual",
            '    #title: "Production list"',
            "    #folder: production",
        ]
    return lines


def _points(
    gauges: Sequence[Gauge], wanted: Wanted, first: Drafted | None, product: tuple[str, str] | None
) -> list[str]:
    lines = ["points:"]
    for gauge in gauges:
        for one in gauge.points:
            lines += _point(one, gauge.name, wanted, one is first)
    if not product:
        lines += [
            "  #pieces:",
            '    #title: "Pieces made"',
            f"    #in: {part_name(wanted)}",
            "    #from: production_list",
            "    #read: pieces",
            "    #kind: count",
            "    #unit: piece",
        ]
    return lines


def _point(one: Drafted, device: str, wanted: Wanted, is_first: bool) -> list[str]:
    title = (
        quoted(one.title.en) if one.title.en == one.title.zh else f"{{en: {quoted(one.title.en)}, zh: {one.title.zh}}}"
    )
    read = _plain(one.read)
    shown = "" if one.value is None else f"was {one.value:,.7g} {'' if one.unit == '1' else one.unit}".rstrip()
    if one.value is not None:
        shown += " when this was written"
    guess = " (a guess from the name: correct it)" if one.guessed else ""
    lines = [
        f"  {one.name}:",
        f"    title: {title}",
        f"    in: {part_name(wanted)}",
        f"    from: {device}",
        _line(f"    read: {read}", shown),
        _line(f"    kind: {one.kind}", KINDS[one.kind] + guess),
        _line(f"    unit: {_plain(one.unit)}", "a guess: is it what the meter's display says?" if one.guessed else ""),
    ]
    if one.kind in (Kind.COUNTER, Kind.RATE):
        key, why = (
            (
                "per_hour",
                f"your figure, the most {one.amount} in an hour: refuses leaps, bounds what a gap may have held",
            )
            if one.kind is Kind.COUNTER
            else ("range", "your figures, what can be at all: the rest is refused")
        )
        lines.append(_line(f"    #{key}: [0, 1000]", why))
    if is_first:
        lines.append(_line(f"    #carrier: {_carrier(one)}", "what its tariff and factors below are for"))
    return lines


def _kpis(first: Drafted | None, wanted: Wanted, product: tuple[str, str] | None) -> list[str]:
    if first is None:
        return ["# None of these points brings an amount, so that no KPI can be made of them alone.", "kpis: {}"]
    name, part = kpi_name(first), part_name(wanted)
    title = ELECTRICITY if name == "electricity" else OTHER
    point, unit = product or ("pieces", "piece")
    mark = "" if product else "#"
    sum_ = "a plain sum; its windows are 15 minutes, an hour, the day, the month, …"
    return [
        "kpis:",
        f"  {name}:",
        f"    title: {{en: {title.en}, zh: {title.zh}}}",
        f"    scope: {part}",
        _line(f"    numerator: [{{point: {first.name}}}]", sum_),
        f"    unit: {_plain(first.amount)}",
        _line(
            f"    coverage_limit: {COVERAGE_LIMIT}",
            "for the first day: a value after some minutes, scaled and marked as",
        ),
        _line("", "estimated. Delete the line tomorrow: below 90 % it is then unknown"),
        "    #target: {baseline: 120, near_term: 110, long_term: 100}",
        f"  {mark}{name}_per_product:"
        + " " * max(WIDE - len(f"  {mark}{name}_per_product:"), 2)
        + "# what a product costs",
        f"    {mark}title: {{en: {title.en} per product, zh: 单位产品{title.zh}}}",
        f"    {mark}scope: {part}",
        f"    {mark}numerator: [{{point: {first.name}}}]",
        f"    {mark}denominator: [{{point: {point}}}]",
        f"    {mark}unit: {_plain(f'{first.amount}/{unit}')}",
        f"    {mark}coverage_limit: {COVERAGE_LIMIT}",
        f"  #{name}_cost:",
        "    #title: {en: Cost, zh: 费用}",
        f"    #scope: {part}",
        f"    #numerator: [{{point: {first.name}, as: cost}}]",
        f"    #unit: {_plain(wanted.currency)}",
    ]


def _coefficients(first: Drafted, wanted: Wanted) -> list[str]:
    carrier, unit = _carrier(first), _plain(first.amount)
    lines = [
        "# What it costs and what it stands for; the point then needs its `carrier`. Both carry where they come from.",
        "#tariffs:",
        f'  #- {{carrier: {carrier}, unit: {unit}, price: 0.72, source: "supply contract {wanted.today.year}"}}',
    ]
    if carrier == "electricity":
        factor = f"carrier: {carrier}, quantity: energy, value: 0.1229, unit: kgce/kWh, edition: GB/T 2589-2020"
        lines += ["#factors:", f'  #- {{{factor}, source: "annex A, equivalent value"}}']
    return [*lines, "", "# Shifts, alarms, baselines and options: see examples/electroplating/plant.yaml of keepclean."]


def _carrier(one: Drafted) -> str:
    if one.amount in ("kWh", "MWh"):
        return "electricity"
    return "water" if one.amount in ("m3", "L") else "medium"


def _line(setting: str, comment: str) -> str:
    """A setting with its comment in a column of its own where there is room."""
    return f"{setting:<{WIDE}}{'' if len(setting) < WIDE else '  '}# {comment}".rstrip() if comment else setting
