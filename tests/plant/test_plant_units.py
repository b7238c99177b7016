"""Units of measurement: what is one, what it is worth, what a rate brings."""

from __future__ import annotations

import doctest

import pytest

from plant import units
from plant.units import amount_unit, conversion, hourly_factor, is_rate, parse

KNOWN = [
    *("kWh", "Wh", "kW", "W", "kvarh", "kvar", "Ah", "A", "V", "m2", "m3", "m3/h", "L/min", "m3/min", "kg/h", "t"),
    *("mg/L", "g/m2", "kg/m2", "kgce", "tce", "kgce/m2", "kgce/kWh", "CNY", "CNY/m2", "KRW", "NTU", "pH", "%", "1"),
    *("degC", "bar", "MPa", "uS/cm", "L/m2", "m3/t", "kWh/kWh", "Nm3", "Nm3/h", "rack", "piece", "GJ", "MJ", "rpm"),
]


@pytest.mark.parametrize("text", KNOWN)
def test_a_plant_s_units_are_units(text: str) -> None:
    """What stands on meters and in audit reports parses, and is worth one of itself."""
    assert conversion(text, text) == 1.0


@pytest.mark.parametrize("text", ["", " ", "qm", "Kwh", "m^", "kWh/", "cubic", "5", "kgCO2e x", "元"])
def test_what_is_no_unit_is_refused(text: str) -> None:
    """A slip of the pen does not become some unit of pint's."""
    with pytest.raises(ValueError, match="is not a unit"):
        parse(text)


@pytest.mark.parametrize(
    ("source", "target", "factor"),
    [
        ("kgce", "MJ", 29.3076),  # GB/T 2589-2020
        ("tce", "kgce", 1000),
        ("Wh", "kWh", 1e-3),
        ("m3/h", "L/min", 1000 / 60),
        ("kg/m2", "g/m2", 1000),
        ("m3/m2", "L/m2", 1000),
        ("1", "%", 100),
        ("mg/L*m3", "kg", 1e-3),
        ("varh", "kvarh", 1e-3),
        ("m3/kg", "m3/t", 1000),
        ("bar", "MPa", 0.1),
    ],
)
def test_conversion(source: str, target: str, factor: float) -> None:
    """How many of the second one of the first is, and the inverse back."""
    assert conversion(source, target) == pytest.approx(factor, rel=1e-12)
    assert conversion(target, source) == pytest.approx(1 / factor, rel=1e-12)


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("kWh", "m3"),
        ("m3", "Nm3"),
        ("CNY", "KRW"),
        ("kW", "kvar"),
        ("pH", "1"),
        ("NTU", "1"),
        ("degC", "K"),
        ("m2", "m3"),
    ],
)
def test_unlike_things_are_never_converted(source: str, target: str) -> None:
    """No exchange rate, no gas at another condition, no temperature by a factor."""
    with pytest.raises(ValueError, match=r"different|zeros"):
        conversion(source, target)


@pytest.mark.parametrize(
    ("unit", "amount", "per_hour"),
    [
        ("kW", "kWh", 1),
        ("W", "Wh", 1),
        ("kvar", "kvarh", 1),
        ("A", "Ah", 1),
        ("m3/h", "m3", 1),
        ("L/min", "L", 60),
        ("m3/min", "m3", 60),
        ("kg/h", "kg", 1),
        ("L/s", "L", 3600),
        ("t/d", "t", 1 / 24),
        ("Nm3/h", "Nm3", 1),
    ],
)
def test_a_rate_brings_an_amount(unit: str, amount: str, per_hour: float) -> None:
    """A rate of 1 brings so much of the amount's unit in an hour."""
    assert amount_unit("rate", unit) == amount
    assert hourly_factor(unit) == per_hour
    assert conversion(f"({unit})*h", amount) == pytest.approx(per_hour)


def test_only_rates_are_rates() -> None:
    """An amount is no rate, and keeps its own unit whatever its kind."""
    for unit in ("kWh", "m3", "degC", "mg/L", "kWh/m2", "1"):
        assert not is_rate(unit)
        assert amount_unit("counter", unit) == unit
        with pytest.raises(ValueError, match="not an amount per time"):
            hourly_factor(unit)


def test_the_examples_in_the_docstrings_run() -> None:
    """A public docstring's example is true."""
    assert doctest.testmod(units).failed == 0


@pytest.mark.parametrize("text", ["[", "kWh[", "(", "m3)", '"', "1/0", "\x00"])
def test_no_text_breaks_the_parser(text: str) -> None:
    """Promise 8: whatever stands where a unit should, it is refused and never an exception of another kind."""
    with pytest.raises(ValueError, match="is not a unit"):
        parse(text)
