"""What boards hold that the foundation SDK (Grafana 10.1) has no type for, after Grafana 9.4; and what it has types for
that 9.4 does not know yet."""

from __future__ import annotations

from typing import Any, Literal, TypedDict

from grafana_foundation_sdk.models import (
    barchart,
    bargauge,
    common,
    dashboard,
    stat,
    statetimeline,
    table,
    text,
    timeseries,
)

PANELS: dict[str, tuple[type, type | None]] = {
    "stat": (stat.Options, None),
    "bargauge": (bargauge.Options, None),
    "table": (table.Options, common.TableFieldOptions),
    "timeseries": (timeseries.Options, timeseries.FieldConfig),
    "barchart": (barchart.Options, barchart.FieldConfig),
    "state-timeline": (statetimeline.Options, statetimeline.FieldConfig),
    "text": (text.Options, None),
}
"""Types of panels that 9.4 has, of those that the boards draw: their options, and their own part of a field's."""


class RawQuery(TypedDict):
    """What every InfluxQL query has."""

    refId: str
    query: str
    rawQuery: Literal[True]
    datasource: dashboard.DataSourceRef


class InfluxQuery(RawQuery, total=False):
    """A panel's query of the InfluxDB data source."""

    alias: str
    resultFormat: Literal["time_series", "table", "logs"]
    hide: bool


class _MarkKeys(RawQuery):
    fromAnnotations: Literal[True]
    textColumn: str
    tagsColumn: str


class InfluxMarks(_MarkKeys, total=False):
    """The query of an annotation, with the columns that its words come from."""

    timeEndColumn: str
    titleColumn: str


class _LinkKeys(TypedDict):
    title: str
    url: str


class DataLink(_LinkKeys, total=False):
    """A link of a field; the SDK gives it the type of a board's."""

    targetBlank: bool


Reducer = Literal["sum", "max", "min", "mean", "last", "first", "count", "lastNotNull", "firstNotNull", "uniqueValues"]


class Names(TypedDict):
    """Columns by name."""

    names: list[str]


class Organize(TypedDict):
    """Options of `organize`."""

    indexByName: dict[str, int]
    renameByName: dict[str, str]
    excludeByName: dict[str, bool]


class SortField(TypedDict):
    """By what `sortBy` sorts."""

    field: str
    desc: bool


class SortBy(TypedDict):
    """Options of `sortBy`."""

    sort: list[SortField]


class GroupField(TypedDict):
    """What `groupBy` makes of a column."""

    operation: Literal["groupby", "aggregate"]
    aggregations: list[Reducer]


class GroupBy(TypedDict):
    """Options of `groupBy`."""

    fields: dict[str, GroupField]


class Pattern(TypedDict):
    """Options of the matcher `regex` of values."""

    value: str


class ValueMatcher(TypedDict):
    """A matcher of values."""

    id: Literal["regex"]
    options: Pattern


class Filter(TypedDict):
    """Which rows `filterByValue` means."""

    fieldName: str
    config: ValueMatcher


class FilterByValue(TypedDict):
    """Options of `filterByValue`."""

    filters: list[Filter]
    type: Literal["include", "exclude"]
    match: Literal["all", "any"]


class FilterByName(TypedDict, total=False):
    """Options of `filterFieldsByName`."""

    include: Names
    exclude: Names


class Binary(TypedDict):
    """A calculation of two columns."""

    left: str
    operator: Literal["+", "-", "*", "/"]
    right: str


class CalculateField(TypedDict):
    """Options of `calculateField`."""

    mode: Literal["binary"]
    alias: str
    binary: Binary
    replaceFields: bool


class JoinByField(TypedDict):
    """Options of `joinByField`."""

    byField: str
    mode: Literal["outer", "inner"]


class GroupingToMatrix(TypedDict):
    """Options of `groupingToMatrix`."""

    columnField: str
    rowField: str
    valueField: str
    emptyValue: Literal["true", "false", "null", "empty"]


class Merge(TypedDict):
    """Options of `merge`: none."""


TRANSFORMATIONS: dict[str, type] = {
    "merge": Merge,
    "organize": Organize,
    "sortBy": SortBy,
    "groupBy": GroupBy,
    "filterByValue": FilterByValue,
    "filterFieldsByName": FilterByName,
    "calculateField": CalculateField,
    "joinByField": JoinByField,
    "groupingToMatrix": GroupingToMatrix,
}
"""Transformations that 9.4 has, with their options; 9.4 has more, which the boards do not use."""

MATCHERS: dict[str, Any] = {"byName": str, "byFrameRefID": str}
"""Which fields an override means, with the matcher's options."""

LEFT_OUT = {"VariableModel.id", "Rule.folderUID", "Rule.orgID", "Rule.ruleGroup"}
"""Keys that the SDK wants and Grafana does not: an id of zeros keeps 9.4 from filling a variable in; where a rule is
found, its file says."""

LATER: dict[str, tuple[Any, ...]] = {
    # what 9.4 does anyway
    "bargauge.Options.valueMode": ("color",),
    "barchart.Options.fullHighlight": (False,),
    # 9.4 reads displayMode, which stands beside it
    "common.TableFieldOptions.cellOptions": ({"type": "color-text"},),
    "common.TableFieldOptions.hideHeader": (),
    "common.TableBarGaugeCellOptions.valueDisplayMode": (),
    "table.Options.cellHeight": (),
    "common.GraphFieldConfig.insertNulls": (),
    "dashboard.AnnotationQuery.filter": (),
}
"""Keys of the SDK's types that 9.4 does not know, with the values for which that makes no difference."""

LATER_MEMBERS: dict[type, set[str]] = {
    common.BigValueColorMode: {"background_solid"},
    common.TableCellDisplayMode: {"custom", "sparkline"},
    dashboard.FieldColorModeId: {"shades", "palette-classic-by-name"},
}
"""Members of the SDK's enumerations that 9.4 does not know."""
