"""Headers as people write them: which column is the time, which points the others are; strict, so that none is guessed.

A point goes by its name, by its `read`, or by its title in either language, if no other point does.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NoReturn

from collectors.files.layout import FOREIGN_POINT, UNCLEAR_POINT, Layout, imported, is_described, names
from collectors.files.table import Table
from plant.errors import ConfigurationError, Fault
from plant.model import Plant, Point

TIME = frozenset({"time", "timestamp", "date", "zeit", "datum", "时间", "日期", "抄表时间", "采样时间"})
SINCE = frozenset({"from", "von", "时间从", "从", "自"})
UNTIL = frozenset({"to", "until", "bis", "时间到", "到", "至"})
POINT = frozenset({"point", "messpunkt", "测点", "点位"})
VALUE = frozenset({"value", "wert", "数值", "值"})
QUALITY = frozenset({"quality", "qualität", "质量"})
REMARK = frozenset({"remark", "remarks", "note", "notes", "by", "bemerkung", "备注", "说明", "抄表人", "化验员"})
_UNIT = re.compile(r"^(.+?)\s*[\[(（]\s*([^\])）]*?)\s*[\])）]$")
_POWERS = str.maketrans({"²": "2", "³": "3"})


def aliases(plant: Plant, device: str | None) -> dict[str, int]:
    """What a device's points may be called, in lower case, and their numbers; of all points without `device`."""
    found: dict[str, set[int]] = {}
    foreign: set[str] = set()
    points = list(plant.points.items())
    for number, (_, point) in enumerate(points):
        own = device is None or point.device == device
        for text in {_plain(one) for one in (point.read, point.title.en, point.title.zh)} - {""}:
            if own:
                found.setdefault(text, set()).add(number)
            else:
                foreign.add(text)
    known = dict.fromkeys(foreign, FOREIGN_POINT)
    known |= {text: next(iter(some)) if len(some) == 1 else UNCLEAR_POINT for text, some in found.items()}
    for number, (name, point) in enumerate(points):
        known[name] = number if device is None or point.device == device else FOREIGN_POINT
    return known


def layout(table: Table, plant: Plant, device: str | None) -> Layout:
    """The layout of a file that a person or a laboratory wrote for a device (for any, without one).

    Raises ConfigurationError, with every column that is not understood, when it cannot be told for certain.
    """
    known = aliases(plant, device)
    if plant.import_ is not None and is_described(table, plant.import_):
        index = {name: known[name] for name in plant.points}
        return imported(table, index, plant.import_)
    header = _Header(table)
    until = header.one(UNTIL, "ends")
    time = header.one(SINCE if until is not None else SINCE | TIME, "times")
    if time is None:
        what = "says from when" if until is not None else "is the time"
        hint = f"name it '{'from' if until is not None else 'time'}'; one column holds day and time of day"
        header.fail(f"no column {what}; the columns are {names(table)}", hint)
    point, value = header.one(POINT, "points"), header.one(VALUE, "values")
    if point is not None and value is not None:
        quality = header.one(QUALITY, "qualities")
        header.end([name for name in header.rest() if _plain(name) not in REMARK])
        return Layout(time, until=until, point=point, value=value, quality=quality, names=known)
    columns = {name: header.number(name, known, plant) for name in table.schema if name not in (time, until)}
    wide = {name: number for name, number in columns.items() if number is not None}
    header.unique({name: number for name, number in wide.items() if number >= 0}, list(plant.points))
    header.end([name for name, number in columns.items() if number is None and _plain(name) not in REMARK])
    if not wide:
        header.fail(f"no column is a point; the columns are {names(table)}", "head the columns with the points' names")
    return Layout(time, until=until, columns=wide)


class _Header:
    """A table's columns, the faults found in them, and which are spoken for."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.faults: list[Fault] = []
        self._used: set[str] = set()

    def one(self, words: frozenset[str], what: str) -> str | None:
        """The column that is called one of some words; two of them are a fault."""
        found = [name for name in self.table.schema if _plain(name) in words and name not in self._used]
        if len(found) > 1:
            hint = "keep one; day and time of day stand together in one column"
            self.fail(f"{' and '.join(found)} are both {what}", hint)
        self._used.update(found)
        return found[0] if found else None

    def rest(self) -> list[str]:
        """The columns that are not spoken for."""
        return [name for name in self.table.schema if name not in self._used]

    def number(self, name: str, known: dict[str, int], plant: Plant) -> int | None:
        """The point that heads a wide column, maybe with its unit in brackets; None when there is none."""
        found = known.get(_plain(name))
        match = _UNIT.match(name)
        if found is None and match is not None:
            found = known.get(_plain(match[1]))
            if found is not None and found >= 0:
                self._unit(name, match[2], *list(plant.points.items())[found])
        if found == UNCLEAR_POINT:
            self._add(f"'{name}' is what more than one point is called", "head the column with the point's own name")
        return found

    def unique(self, wide: dict[str, int], points: list[str]) -> None:
        """Two columns for one point are a fault."""
        for number in sorted(set(wide.values())):
            same = [name for name, one in wide.items() if one == number]
            if len(same) > 1:
                self._add(f"{' and '.join(same)} are both the point '{points[number]}'", "keep one of them")

    def end(self, unknown: Iterable[str]) -> None:
        """Raises what was found, with the columns that nobody knows."""
        hint = "head it with a point's name, read or title, remarks with 'remark'; or map it with an `import:` block"
        for name in unknown:
            self._add(f"'{name}' is not a point", hint)
        if self.faults:
            raise ConfigurationError(self.faults)

    def fail(self, message: str, hint: str) -> NoReturn:
        """Raises all that was found so far, and this."""
        self._add(message, hint)
        raise ConfigurationError(self.faults)

    def _unit(self, name: str, written: str, point_name: str, point: Point) -> None:
        if written.translate(_POWERS) != point.unit.translate(_POWERS):
            message = f"the column '{name}' says {written}, the point '{point_name}' is read in {point.unit}"
            self._add(message, "write the values in the point's own unit")

    def _add(self, message: str, hint: str) -> None:
        self.faults.append(Fault(self.table.path, 1, message, hint))


def _plain(text: str) -> str:
    return text.strip().lower()
