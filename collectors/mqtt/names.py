"""The names that Tasmota and Shelly devices give their values, with the unit that each is in.

Sources: for Tasmota the table of units in the hatasmota library (`sensor.py`), Period from Tasmota's documentation of
power monitoring; for Shelly the Gen2 API documentation, components EM, EM1, EMData, EM1Data, PM1, Switch, Temperature,
Humidity, Voltmeter. Shelly counts energy in Wh, Tasmota in kWh.
"""

from __future__ import annotations

_TASMOTA_ENERGY = {
    "Total": "kWh",
    "TotalTariff": "kWh",
    "Yesterday": "kWh",
    "Today": "kWh",
    "ExportActive": "kWh",
    "ExportTariff": "kWh",
    "ImportActive": "kWh",
    "ImportReactive": "kvarh",
    "ExportReactive": "kvarh",
    "Period": "Wh",
    "Power": "W",
    "ActivePower": "W",
    "ApparentPower": "VA",
    "ReactivePower": "var",
    "Factor": "1",
    "Frequency": "Hz",
    "Voltage": "V",
    "Current": "A",
    "CurrentNeutral": "A",
    "PhaseAngle": "deg",
}
_TASMOTA_SENSOR = {"Humidity": "%"}
_SHELLY_POWER = {
    "act_power": "W",
    "aprt_power": "VA",
    "current": "A",
    "voltage": "V",
    "freq": "Hz",
    "pf": "1",
}
_SHELLY_ENERGY = {"total_act_energy": "Wh", "total_act_ret_energy": "Wh"}
_SHELLY_SWITCH = {
    "apower": "W",
    "aprtpower": "VA",
    "voltage": "V",
    "current": "A",
    "freq": "Hz",
    "pf": "1",
    "aenergy.total": "Wh",
    "ret_aenergy.total": "Wh",
    "temperature.tC": "degC",
    "temperature.tF": "degF",
}
_SHELLY = {
    "em": {f"{phase}_{name}": unit for phase in "abc" for name, unit in _SHELLY_POWER.items()}
    | {"n_current": "A", "total_current": "A", "total_act_power": "W", "total_aprt_power": "VA"},
    "emdata": {f"{phase}_{name}": unit for phase in "abc" for name, unit in _SHELLY_ENERGY.items()}
    | {"total_act": "Wh", "total_act_ret": "Wh"},
    "em1": _SHELLY_POWER,
    "em1data": _SHELLY_ENERGY,
    **dict.fromkeys(("switch", "pm1", "cover", "light", "cct", "rgb", "rgbw"), _SHELLY_SWITCH),
    "temperature": {"tC": "degC", "tF": "degF"},
    "humidity": {"rh": "%"},
    "voltmeter": {"voltage": "V"},
}
TEMPERATURES = ("Temperature", "DewPoint")


def native_unit(payload: str, read: str) -> str | None:
    """The unit in which a device sends what a point reads; None when the name does not tell.

    >>> native_unit("tasmota", "ENERGY.TotalTariff.0"), native_unit("shelly", "emdata:0.total_act")
    ('kWh', 'Wh')
    """
    if payload == "tasmota":
        sensor, *rest = read.split(".")
        name = next((step for step in reversed(rest) if not step.isdecimal()), "")
        return _TASMOTA_ENERGY.get(name) if sensor == "ENERGY" else _TASMOTA_SENSOR.get(name)
    if payload == "shelly":
        component, _, name = read.partition(".")
        return _SHELLY.get(component.partition(":")[0], {}).get(name)
    return None


def known_names(payload: str, component: str) -> list[str]:
    """The values of a component (a Shelly's "em", Tasmota's "ENERGY") whose names and units are known."""
    if payload == "tasmota":
        return sorted(_TASMOTA_ENERGY) if component == "ENERGY" else []
    return sorted(_SHELLY.get(component, {}))
