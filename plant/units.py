"""Units of measurement: which text is a unit, what one is worth in another, what amount a rate brings.

Beside pint's own units: kgce and tce (GB/T 2589-2020: 1 kgce = 29.3076 MJ), currencies (no exchange rates), kvarh,
NTU, pH, Nm3 (gas at normal conditions, never mixed with m3) and counted things (rack, piece).
"""

from __future__ import annotations

import re
import tokenize
from functools import cache

import pint

from plant.model import Kind

CURRENCIES = ("CNY", "EUR", "USD", "GBP", "JPY", "KRW", "INR", "THB", "VND", "IDR", "MYR", "TWD", "HKD", "SGD", "BRL")
_ALSO_CURRENCIES = ("MXN", "ZAR", "TRY", "PLN", "CZK", "CHF", "SEK", "NOK", "DKK", "AUD", "CAD", "RUB", "PHP")
_DEFINITIONS = (
    "kgce = 29.3076 * megajoule",
    "tce = 1000 * kgce",
    "var = [reactive_power]",
    "varh = var * hour",
    "kvar = 1000 * var",
    "Mvar = 1000 * kvar",
    "kvarh = kvar * hour",
    "Mvarh = 1000 * kvarh",
    "kVAh = 1000 * volt_ampere * hour",
    "Nm3 = [normal_volume]",
    "NTU = [turbidity]",
    "pH = [acidity]",
    "rack = count",
    "piece = count",
)
POWERS = {
    "W": "Wh",
    "kW": "kWh",
    "MW": "MWh",
    "GW": "GWh",
    "var": "varh",
    "kvar": "kvarh",
    "Mvar": "Mvarh",
    "kVA": "kVAh",
    "A": "Ah",
}
_PER_HOUR = {"s": 3600.0, "min": 60.0, "h": 1.0, "d": 1 / 24}
# pint's smallest and largest prefixes make units of many a slip: qm, aL, Pg.
_NEVER_MEANT = re.compile(r"\b(quecto|ronto|yocto|zepto|atto|femto|peta|exa|zetta|yotta|ronna|quetta)")
_POWER_OF = re.compile(r"(?<![A-Za-z])(mm|cm|dm|m|km|ft|s)([23])(?![A-Za-z0-9])")


def _exponents(text: str) -> str:
    """'m3' as pint writes it: 'm**3'."""
    return _POWER_OF.sub(r"\1**\2", text)


@cache
def registry() -> pint.UnitRegistry[float]:
    """The unit registry; building it takes most of a second, so it is built when first asked for."""
    units: pint.UnitRegistry[float] = pint.UnitRegistry(preprocessors=[_exponents])
    for definition in _DEFINITIONS:
        units.define(definition)
    for currency in (*CURRENCIES, *_ALSO_CURRENCIES):
        units.define(f"{currency} = [currency_{currency}]")
    return units


# what pint and the tokenizer under it raise for texts that are no unit
_NOT_A_UNIT = (
    pint.errors.PintError,
    tokenize.TokenError,
    ValueError,
    TypeError,
    AttributeError,
    SyntaxError,
    AssertionError,
    ArithmeticError,
    LookupError,
)


@cache
def parse(text: str) -> pint.Unit:
    """The unit that a text names; "1" is the dimensionless one. Raises ValueError when it names none."""
    units = registry()
    try:
        if not text.strip():
            raise ValueError("an empty text")
        unit = units.Unit(units.dimensionless if text.strip() == "1" else text)
        if _NEVER_MEANT.search(str(unit)):
            raise ValueError("a prefix that no meter uses")
        return unit
    except _NOT_A_UNIT as error:
        raise ValueError(f"'{text}' is not a unit") from error


@cache
def conversion(from_unit: str, to_unit: str) -> float:
    """How many `to_unit` one `from_unit` is.

    Raises ValueError when either is not a unit, when they measure different things, or when their zeros differ (degC
    and K) so that no factor converts them.

    >>> conversion("m3", "L"), conversion("kgce", "MJ"), conversion("1", "%")
    (1000.0, 29.3076, 100.0)
    """
    source, target = parse(from_unit), parse(to_unit)
    if source == target:
        return 1.0
    units = registry()
    try:
        zero, one = (units.Quantity(value, source).to(target).magnitude for value in (0.0, 1.0))
    except pint.errors.PintError as error:
        raise ValueError(f"'{from_unit}' and '{to_unit}' measure different things") from error
    if zero != 0.0:
        raise ValueError(f"no factor converts '{from_unit}' to '{to_unit}': their zeros differ")
    return float(f"{one:.15g}")


def known_currency(text: str) -> bool:
    """Whether a text names a currency.

    >>> known_currency("CNY"), known_currency("kWh"), known_currency("XYZ")
    (True, False, False)
    """
    return text in (*CURRENCIES, *_ALSO_CURRENCIES)


def amount_unit(kind: Kind | str, unit: str) -> str:
    """The unit of a point's amount: a rate's is what it brings, every other kind's is its own unit.

    Raises ValueError when a rate's unit is not an amount per time.

    >>> amount_unit("rate", "kW"), amount_unit("rate", "L/min"), amount_unit("counter", "m3")
    ('kWh', 'L', 'm3')
    """
    return split_rate(unit)[0] if kind == Kind.RATE else unit


def hourly_factor(unit: str) -> float:
    """The amount that a rate of 1 brings in an hour, in the rate's amount unit.

    Raises ValueError when the unit is not an amount per time.

    >>> hourly_factor("L/min"), hourly_factor("kW"), hourly_factor("m3/h")
    (60.0, 1.0, 1.0)
    """
    return split_rate(unit)[1]


def split_rate(unit: str) -> tuple[str, float]:
    """A rate's amount unit and how much of it a rate of 1 brings in an hour. Raises ValueError when it is no rate."""
    if unit in POWERS:
        return POWERS[unit], 1.0
    amount, slash, time = unit.rpartition("/")
    if not slash or time.strip() not in _PER_HOUR or not amount.strip():
        raise ValueError(f"'{unit}' is not an amount per time")
    parse(amount)
    return amount.strip(), _PER_HOUR[time.strip()]


def is_rate(unit: str) -> bool:
    """Whether a unit is an amount per time."""
    try:
        split_rate(unit)
    except ValueError:
        return False
    return True
