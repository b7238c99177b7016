"""The units of common pollutant codes: what a station means when it writes a bare number.

HJ 212-2017, annex B, tables B.1 (water, codes of HJ 525-2009) and B.2 (gas, codes of HJ 524-2009): the default unit of
the concentration and that of the amount discharged (`Cou`). The three-digit codes of HJ/T 212-2005 are not listed.
"""

from __future__ import annotations

AMOUNT = "Cou"

_MG, _UG, _NG = ("mg/L", "kg"), ("ug/L", "g"), ("ng/L", "mg")
_GAS = ("mg/m3", "kg")
UNITS: dict[str, tuple[str, str]] = {
    "w00000": ("L/s", "m3"),  # wastewater
    "w01001": ("pH", ""),
    "w01006": _MG,  # dissolved solids
    "w01009": ("mg/L", ""),  # dissolved oxygen
    "w01010": ("degC", ""),
    "w01012": _MG,  # suspended solids
    "w01014": ("uS/cm", ""),  # conductivity
    "w01017": _MG,  # BOD5
    "w01018": _MG,  # COD
    "w01019": _MG,  # permanganate index
    "w01020": _MG,  # TOC
    "w19001": _MG,  # surfactants
    "w19002": _MG,  # anionic surfactants
    "w20023": _MG,  # boron
    "w20038": _MG,  # cobalt
    "w20061": _MG,  # molybdenum
    "w20089": _NG,  # thallium
    "w20092": _MG,  # tin
    "w20111": _UG,  # mercury, total
    "w20115": _UG,  # cadmium, total
    "w20116": _MG,  # chromium, total
    "w20117": _UG,  # chromium VI
    "w20119": _UG,  # arsenic, total
    "w20120": _UG,  # lead, total
    "w20121": _MG,  # nickel, total
    "w20122": _MG,  # copper, total
    "w20123": _MG,  # zinc, total
    "w20124": _MG,  # manganese, total
    "w20125": _MG,  # iron, total
    "w20126": _MG,  # silver, total
    "w20127": _UG,  # beryllium, total
    "w20128": _UG,  # selenium, total
    "w20138": _MG,  # copper
    "w20139": _MG,  # zinc
    "w20143": _UG,  # cadmium
    "w20144": _MG,  # lead
    "w21001": _MG,  # nitrogen, total
    "w21003": _MG,  # ammonia nitrogen
    "w21004": _MG,  # Kjeldahl nitrogen
    "w21006": _MG,  # nitrite
    "w21007": _MG,  # nitrate
    "w21011": _MG,  # phosphorus, total
    "w21016": _MG,  # cyanide
    "w21017": _MG,  # fluoride
    "w21019": _MG,  # sulphide
    "w21022": _MG,  # chloride
    "w21038": _MG,  # sulphate
    "w22001": _MG,  # oil
    "w23002": _MG,  # volatile phenols
    "a00000": ("m3/s", "m3"),  # waste gas
    "a01001": ("degC", ""),
    "a01002": ("%", ""),  # humidity
    "a01006": ("kPa", ""),
    "a01007": ("m/s", ""),  # wind
    "a01011": ("m/s", ""),  # flue gas velocity
    "a01012": ("degC", ""),  # flue gas temperature
    "a01013": ("kPa", ""),  # flue gas pressure
    "a01014": ("%", ""),  # flue gas humidity
    "a01016": ("m2", ""),  # section of the flue
    "a01017": ("kPa", ""),  # dynamic pressure
    "a05001": _GAS,  # CO2
    "a19001": ("%", ""),  # oxygen
    "a20063": _GAS,  # nickel and its compounds
    "a21001": ("ng/m3", "g"),  # ammonia
    "a21002": _GAS,  # NOx
    "a21003": _GAS,  # NO
    "a21004": _GAS,  # NO2
    "a21005": _GAS,  # CO
    "a21017": _GAS,  # cyanide
    "a21018": _GAS,  # fluoride
    "a21022": _GAS,  # chlorine
    "a21024": _GAS,  # hydrogen chloride
    "a21026": _GAS,  # SO2
    "a21028": _GAS,  # hydrogen sulphide
    "a24087": _GAS,  # hydrocarbons
    "a24088": _GAS,  # non-methane hydrocarbons
    "a34013": _GAS,  # particles
    "a34039": _GAS,  # sulphuric acid mist
    "a34040": _GAS,  # chromic acid mist
}


def unit(code: str, field: str) -> str | None:
    """The unit of a field of a code: "" when the standard has no such amount, None for a code that is not listed.

    >>> unit("w01018", "Avg"), unit("w01018", "Cou"), unit("w01001", "Cou"), unit("w99999", "Rtd")
    ('mg/L', 'kg', '', None)
    """
    found = UNITS.get(code)
    return None if found is None else found[field == AMOUNT]
