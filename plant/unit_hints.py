"""What a text that is no unit was meant to be: another case, full-width characters, Chinese names, l/m for L/min."""

from __future__ import annotations

import re
import unicodedata
from difflib import get_close_matches

_USUAL = 'write it as kWh, kW, m3/h, L/min, kg, mg/L, degC, bar, uS/cm, kgce, CNY, % or "1"'
_KNOWN = (
    *("kWh", "Wh", "MWh", "GWh", "kW", "W", "MW", "kvarh", "kvar", "kVAh", "kVA", "Ah", "A", "V", "kV", "Hz"),
    *("m3", "Nm3", "L", "mL", "m2", "m", "mm", "kg", "g", "mg", "t", "kgce", "tce", "MJ", "GJ", "kJ"),
    *("m3/h", "m3/min", "Nm3/h", "L/min", "L/h", "L/s", "kg/h", "t/h", "mg/L", "g/L", "ug/L"),
    *("degC", "K", "bar", "mbar", "Pa", "kPa", "MPa", "uS/cm", "mS/cm", "NTU", "pH", "h", "min", "s", "d"),
    *("CNY", "EUR", "USD", "rack", "piece", "%"),
)
_ALIASES = {
    "l/m": "L/min",
    "lpm": "L/min",
    "cbm": "m3",
    "nm3": "Nm3",
    "hr": "h",
    "hour": "h",
    "hours": "h",
    "sec": "s",
    "minute": "min",
    "day": "d",
    "ton": "t",
    "°c": "degC",
    "c": "degC",
    "celsius": "degC",
    "μs/cm": "uS/cm",
    "rmb": "CNY",
    "yuan": "CNY",
    "度": "kWh",
    "千瓦时": "kWh",
    "千瓦": "kW",
    "伏": "V",
    "安": "A",
    "立方米": "m3",
    "立方": "m3",
    "平方米": "m2",
    "升": "L",
    "毫克": "mg",
    "公斤": "kg",
    "千克": "kg",
    "吨": "t",
    "小时": "h",
    "分钟": "min",
    "分": "min",
    "天": "d",
    "兆帕": "MPa",
    "千帕": "kPa",
    "巴": "bar",
    "摄氏度": "degC",
    "元": "CNY",
    "个": "piece",
    "件": "piece",
    "挂": "rack",
}
_LOWER = {unit.lower(): unit for unit in reversed(_KNOWN)}


def suggest(text: str) -> str:
    """The hint for a text that is no unit.

    >>> suggest("kwh"), suggest("℃"), suggest("ｍ³／ｈ")
    ("did you mean 'kWh'?", "did you mean 'degC'?", "did you mean 'm3/h'?")
    """
    other = meant(text)
    return f"did you mean '{other}'?" if other is not None else _USUAL


def meant(text: str) -> str | None:
    """The unit that a text was plainly meant to be, None when nothing or the text itself comes to mind.

    >>> meant("l/m"), meant("m3/hr"), meant("kWh")
    ('L/min', 'm3/h', None)
    """
    other = _meant(text)
    return None if other == text else other


def _meant(text: str) -> str | None:
    plain = re.sub(r"\s+", "", unicodedata.normalize("NFKC", text)).replace("^", "").replace("**", "")
    plain = plain.strip("\"'“”‘’")
    whole = _one(plain)
    if whole is not None:
        return whole
    parts = [_one(part) for part in re.split(r"[/每]", plain)]
    if len(parts) > 1 and all(part is not None for part in parts):
        return "/".join(part for part in parts if part is not None)
    close = get_close_matches(plain, _KNOWN, n=1, cutoff=0.75)
    return close[0] if close else None


def _one(word: str) -> str | None:
    """A unit, or one of its other names, whatever the case."""
    if word in _KNOWN:
        return word
    return _ALIASES.get(word.lower()) or _LOWER.get(word.lower())
