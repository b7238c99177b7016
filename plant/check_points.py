"""What a point's kind asks for and forbids."""

from __future__ import annotations

from collections.abc import Iterator

from plant.draft import Draft
from plant.errors import Fault
from plant.model import Baseline, Gap, Kind, Point
from plant.partial import tolerant

SUMMABLE = frozenset({Kind.COUNTER, Kind.NET, Kind.INTERVAL, Kind.RATE, Kind.COUNT})
_ONLY: dict[str, frozenset[Kind]] = {
    "span": frozenset({Kind.INTERVAL}),
    "stamp": frozenset({Kind.INTERVAL}),
    "valid": frozenset({Kind.SAMPLE}),
    "modulus": frozenset({Kind.COUNTER}),
    "on_fall": frozenset({Kind.COUNTER}),
    "dip_limit": frozenset({Kind.COUNTER}),
    "exchanges": frozenset({Kind.COUNTER, Kind.NET}),
    "per_hour": SUMMABLE,
    "change_per_hour": frozenset({Kind.RATE, Kind.LEVEL, Kind.SAMPLE}),
    "carrier": SUMMABLE | {Kind.LEVEL},
}
_NEEDED = {
    "span": (Kind.INTERVAL, "how long a span one value covers, as 'span: 15 min'"),
    "valid": (Kind.SAMPLE, "how long a sample speaks for, as 'valid: 8 h'"),
}


def check(draft: Draft) -> Iterator[Fault]:
    """Fields that a kind needs or does not know, bounds the wrong way round, witnesses that witness themselves."""
    for name, point in draft.plant.points.items():
        for one in (_fields, _bounds, _witness, _exchanges):
            yield from tolerant(one(draft, name, point))
    for name, baseline in draft.plant.baselines.items():
        yield from tolerant(_response(draft, name, baseline))


def _witness(draft: Draft, name: str, point: Point) -> Iterator[Fault]:
    if getattr(point, "moves_with", None) == name:
        where = ("points", name, "moves_with")
        yield draft.fault(where, f"points.{name}.moves_with: a point is no witness of itself", "name another meter")
    if point.gap_limit is not None and point.gap == Gap.UNKNOWN:
        hint = "write 'gap: hold' or 'gap: interpolate', or leave 'gap_limit' out"
        yield draft.fault(("points", name, "gap_limit"), f"points.{name}.gap_limit: gaps stay unknown here", hint)


def _exchanges(draft: Draft, name: str, point: Point) -> Iterator[Fault]:
    for index, exchange in enumerate(point.exchanges):
        if exchange.at.tzinfo is None:
            message = f"points.{name}.exchanges.{index}.at: has no time zone"
            hint = f"as {exchange.at.isoformat()}+08:00"
            yield draft.fault(("points", name, "exchanges", index, "at"), message, hint)


def _response(draft: Draft, name: str, baseline: Baseline) -> Iterator[Fault]:
    response = draft.plant.points.get(baseline.response)
    if response is not None and response.kind not in SUMMABLE:
        message = f"baselines.{name}.response: '{baseline.response}' is a {response.kind}, which has no amount"
        hint = "watch a counter, net, interval, rate or count point"
        yield draft.fault(("baselines", name, "response"), message, hint)


def _fields(draft: Draft, name: str, point: Point) -> Iterator[Fault]:
    for field, kinds in _ONLY.items():
        if field in point.model_fields_set and point.kind not in kinds:
            allowed = " or ".join(sorted(kinds))
            message = f"points.{name}.{field}: a {point.kind} has no '{field}'"
            yield draft.fault(("points", name, field), message, f"leave it out; it belongs to kind {allowed}")
    for field, (kind, hint) in _NEEDED.items():
        if point.kind == kind and getattr(point, field, "") is None:
            yield draft.fault(("points", name, "kind"), f"points.{name}: {kind} needs '{field}'", hint)


def _bounds(draft: Draft, name: str, point: Point) -> Iterator[Fault]:
    for field in ("range", "per_hour"):
        bounds: tuple[float, float] | None = getattr(point, field, None)
        if bounds is not None and bounds[0] >= bounds[1]:
            hint = f"write the lowest first: [{bounds[1]:g}, {bounds[0]:g}]"
            message = f"points.{name}.{field}: {bounds[0]:g} is not below {bounds[1]:g}"
            yield draft.fault(("points", name, field), message, hint)
    if getattr(point, "scale", 1) == 0:
        hint = "leave it out for 1"
        yield draft.fault(("points", name, "scale"), f"points.{name}.scale: 0 makes every value 0", hint)
    rises = point.kind in (Kind.COUNTER, Kind.COUNT)
    if rises and point.per_hour is not None and min(point.per_hour) < 0:
        hint = "begin with 0; a meter that may run backwards is of kind net"
        yield draft.fault(("points", name, "per_hour"), f"points.{name}.per_hour: a {point.kind} never falls", hint)
