"""Tables of a board: columns put in order and renamed, rows sorted, grouped, joined; what Grafana 9.4 has of these."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from grafana_foundation_sdk.builders import table
from grafana_foundation_sdk.models.dashboard import DataTransformerConfig, DynamicConfigValue

from dashboards.queries.common import SOURCE

TIME = "dateTimeAsIso"


def listing(title: str, description: str, *, height: int, span: int) -> table.Panel:
    """A table without queries as yet."""
    return table.Panel().title(title).description(description).datasource(SOURCE).height(height).span(span)


def organize(names: Mapping[str, str], hidden: tuple[str, ...] = ()) -> DataTransformerConfig:
    """Columns in the order of `names`, renamed; those `hidden` are left out."""
    return transformation(
        "organize",
        indexByName={name: number for number, name in enumerate(names)},
        renameByName=dict(names),
        excludeByName=dict.fromkeys(hidden, True),
    )


def sort(column: str, *, falling: bool) -> DataTransformerConfig:
    """Rows by a column."""
    return transformation("sortBy", sort=[{"field": column, "desc": falling}])


def group(key: str, **calculations: str) -> DataTransformerConfig:
    """A row for each value of `key`; `calculations` say what becomes of other columns, called 'column (first)' then."""
    fields: dict[str, Any] = {
        column: {"operation": "aggregate", "aggregations": [one]} for column, one in calculations.items()
    }
    return transformation("groupBy", fields={key: {"operation": "groupby", "aggregations": []}} | fields)


def only(column: str, pattern: str) -> DataTransformerConfig:
    """The rows in which a column is like a pattern."""
    one = {"fieldName": column, "config": {"id": "regex", "options": {"value": pattern}}}
    return transformation("filterByValue", filters=[one], type="include", match="all")


def calculated(name: str, left: str, operator: str, right: str) -> DataTransformerConfig:
    """A further column: `left operator right`, both names of columns or numbers."""
    binary = {"left": left, "operator": operator, "right": right}
    return transformation("calculateField", mode="binary", alias=name, binary=binary, replaceFields=False)


def transformation(name: str, **options: Any) -> DataTransformerConfig:
    """One of Grafana's transformations."""
    return DataTransformerConfig(name, options=options)


def coloured() -> list[DynamicConfigValue]:
    """A cell's text in the colour of its threshold or mapping; Grafana 9.4 reads the first, later ones the second."""
    return [
        DynamicConfigValue("custom.displayMode", "color-text"),
        DynamicConfigValue("custom.cellOptions", {"type": "color-text"}),
    ]


def inspected() -> DynamicConfigValue:
    """A cell whose whole text opens with a click."""
    return DynamicConfigValue("custom.inspect", True)


def wide(pixels: int) -> DynamicConfigValue:
    """How wide a column is at least."""
    return DynamicConfigValue("custom.minWidth", pixels)


def mapped(words: Mapping[str, str]) -> DynamicConfigValue:
    """Names shown by their titles."""
    found: list[Any] = [{"type": "value", "options": {word: {"text": shown} for word, shown in words.items()}}]
    return DynamicConfigValue("mappings", found)
