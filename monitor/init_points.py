"""What a first meter's points are: which of its values, of which kind, in which unit. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from collectors.mqtt.suggest import Found, Suggestion
from plant.model import Kind, Text
from plant.units import amount_unit, conversion, is_rate, parse

AMOUNTS = ("kWh", "Wh", "MWh", "kvarh", "varh", "kVAh", "m3", "Nm3", "L", "kg", "t", "MJ", "GJ")
# what a description has instead of a device's own unit
WRITTEN = {"Wh": "kWh", "W": "kW", "VA": "kVA", "var": "kvar", "varh": "kvarh"}
# words that YAML, or some readers of it, take for something else than a text
NO_TEXT = ("null", "true", "false", "yes", "no", "on", "off", "y", "n")
FIRST_AMOUNTS = ("energy_import", "energy_total", "energy_net", "volume")
FIRST_RATES = ("active_power", "flow")
_GUESSES: tuple[tuple[str, Kind, str], ...] = (
    (r"kwh|energy|electricity|dian", Kind.COUNTER, "kWh"),
    (r"total|volume|water|m3|gas|steam", Kind.COUNTER, "m3"),
    (r"count|pieces|racks|units", Kind.COUNTER, "piece"),
    (r"power|load|kw", Kind.RATE, "kW"),
    (r"flow", Kind.RATE, "m3/h"),
    (r"temp", Kind.LEVEL, "degC"),
    (r"volt", Kind.LEVEL, "V"),
    (r"current|amp", Kind.LEVEL, "A"),
)


@dataclass(frozen=True)
class Drafted:
    """A point to be written.

    `value` is what was read of it, in its unit; `guessed` says that kind and unit are guesses.
    """

    name: str
    title: Text
    read: str
    kind: Kind
    unit: str
    value: float | None = None
    guessed: bool = False

    @property
    def summable(self) -> bool:
        """Whether it brings amounts that a KPI can sum."""
        return self.kind in (Kind.COUNTER, Kind.NET, Kind.RATE)

    @property
    def amount(self) -> str:
        """The unit of its amounts."""
        return amount_unit(self.kind, self.unit)


@dataclass(frozen=True)
class Offered:
    """A value that a device has: its name there, title, unit, and what was read of it (None: nothing, or not asked)."""

    read: str
    title: Text
    unit: str
    value: float | None
    answered: bool


def kind_of(name: str, unit: str) -> Kind:
    """What a value in a unit is.

    >>> kind_of("energy_import", "Wh").value, kind_of("active_power", "W").value, kind_of("voltage_l1", "V").value
    ('counter', 'rate', 'level')
    """
    if unit in AMOUNTS:
        return Kind.NET if "net" in name.split("_") else Kind.COUNTER
    return Kind.RATE if is_rate(WRITTEN.get(unit, unit)) and unit != "A" else Kind.LEVEL


def drafted(one: Offered) -> Drafted:
    """A value of a meter whose unit is known, as a point."""
    unit = WRITTEN.get(one.unit, one.unit)
    value = None if one.value is None else one.value * conversion(one.unit, unit)
    return Drafted(slug(one.read), one.title, one.read, kind_of(one.read, one.unit), unit, value)


def first_choice(offered: Sequence[Offered]) -> list[Offered]:
    """What one wants of a meter first: what it counts and how fast; of what was answered."""
    there = {one.read: one for one in offered if one.answered}
    counters = [one.read for one in there.values() if kind_of(one.read, one.unit) is Kind.COUNTER]
    rates = [one.read for one in there.values() if kind_of(one.read, one.unit) is Kind.RATE]
    chosen = [
        next((name for name in (*wanted, *others) if name in there), None)
        for wanted, others in ((FIRST_AMOUNTS, counters), (FIRST_RATES, rates))
    ]
    return [there[name] for name in chosen if name is not None] or list(there.values())[:3]


def of_topic(
    suggestion: Suggestion, wanted: Sequence[str], units: Mapping[str, str], kinds: Mapping[str, Kind]
) -> list[Drafted]:
    """The values of a topic as points: the `wanted` ones, or all (ten at most) when none is named.

    Kinds and units come from `units` and `kinds` by the value's name, else from the device's own unit, else they are
    guessed from the name.
    """
    found = [one for one in suggestion.values if not wanted or one.read in wanted][:10]
    points = []
    used: set[str] = set()
    for one in found:
        guess_kind, guess_unit = guessed(one.read)
        own = one.unit
        unit = units.get(one.read) or (WRITTEN.get(own, own) if own else guess_unit)
        kind = kinds.get(one.read) or (kind_of(one.read, unit) if own or one.read in units else guess_kind)
        value = one.example
        if value is not None and own and own != unit:
            value *= conversion(own, unit)
        name = slug(one.read)
        while name in used:
            name += "_"
        used.add(name)
        sure = bool(own) or (one.read in units and one.read in kinds)
        points.append(Drafted(name, Text(en=one.read, zh=one.read), one.read, kind, unit, value, guessed=not sure))
    return points


def applied(
    values: Sequence[Found], named: Sequence[str], unit: str | None, kind: Kind | None, *, naming: bool
) -> list[str]:
    """The values that a told unit and kind are meant for.

    A value whose unit is known takes them only where they fit it. One whose unit is not known takes them when it is
    named or alone; else when its name does not speak against them, but not beside values that name theirs (`naming`).
    """
    offered = [one for one in values if not named or one.read in named]
    unknown = [one for one in offered if not one.unit]
    if not naming and (named or len(offered) == 1):
        return [one.read for one in offered]
    found = [one.read for one in offered if one.unit and _fits(one.read, one.unit, unit, kind)]
    for one in unknown:
        guess = guessed(one.read)[1]
        if (
            (one.read in named)
            or (not naming and guess == "1")
            or (guess != "1" and _fits(one.read, guess, unit, kind))
        ):
            found.append(one.read)
    return found if naming else found or [one.read for one in offered]


def _fits(read: str, own: str, unit: str | None, kind: Kind | None) -> bool:
    if unit is not None:
        parse(unit)
        try:
            conversion(own, unit)
        except ValueError:
            return False
    return kind in (None, Kind.LEVEL, kind_of(read, own))


def guessed(read: str) -> tuple[Kind, str]:
    """What a value may be that says nothing but its name.

    >>> guessed("energy"), guessed("line1/flow")[1], guessed("x")[1]
    ((<Kind.COUNTER: 'counter'>, 'kWh'), 'm3/h', '1')
    """
    for pattern, kind, unit in _GUESSES:
        if re.search(pattern, read.lower()):
            return kind, unit
    return Kind.LEVEL, "1"


def slug(text: str) -> str:
    """A name that a description accepts: small letters, digits and underscores.

    >>> slug("ENERGY.Total"), slug("3phase")
    ('energy_total', 'p_3phase')
    """
    plain = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")[:48] or "value"
    return plain if plain[0].isalpha() and plain not in NO_TEXT else f"p_{plain}"
