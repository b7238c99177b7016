"""Names that are referred to must be declared, and the tree of process units must be a tree."""

from __future__ import annotations

from collections.abc import Iterator

from plant.document import Where
from plant.draft import Draft, suggestion
from plant.errors import Fault
from plant.model import SITE, Mqtt, Plant, Term

_Reference = tuple[Where, str, str]
_KINDS = {
    "points": "point",
    "devices": "device",
    "kpis": "KPI",
    "baselines": "baseline",
    "scopes": "process unit",
    "routes": "alarm route",
    "carriers": "carrier",
}


def check(draft: Draft) -> Iterator[Fault]:
    """Dangling references, cycles of process units, and what needs a broker without one."""
    known = {
        **draft.declared,
        "scopes": draft.scopes(),
        "routes": _routes(draft),
        "carriers": carriers(draft),
    }
    for where, kind, name in _references(draft.plant):
        if draft.missing(name, known[kind]):
            message = f"{_dotted(where)}: there is no {_KINDS[kind]} '{name}'"
            yield draft.fault(where, message, suggestion(name, known[kind]))
    yield from _tree(draft)
    if draft.plant.import_ is not None:
        columns = draft.plant.import_.columns
        for column in draft.plant.import_.categories:
            if column not in columns:
                message = f"import.categories.{column}: there is no such column under import.columns"
                yield draft.fault(("import", "categories", column), message, suggestion(column, columns))
    for name, device in draft.plant.devices.items():
        if isinstance(device, Mqtt) and "broker" not in (draft.document.data or {}):
            message = f"devices.{name}: an MQTT device needs a broker"
            yield draft.fault(("devices", name), message, 'add broker: {url: "mqtt://host:1883", client_id: …}')
            break


def carriers(draft: Draft) -> frozenset[str]:
    """Every carrier that a fuel, a factor or a tariff speaks of."""
    entries = (*draft.entries("factors"), *draft.entries("tariffs"))
    return draft.declared["fuels"] | {str(entry["carrier"]) for entry in entries if "carrier" in entry}


def _routes(draft: Draft) -> frozenset[str]:
    data = draft.document.data if isinstance(draft.document.data, dict) else {}
    alarms = data.get("alarms")
    routes = alarms.get("routes") if isinstance(alarms, dict) else None
    return frozenset(routes) if isinstance(routes, dict) else frozenset()


def _references(plant: Plant) -> Iterator[_Reference]:
    """Every reference: where it stands, what it refers to, the name."""
    for name, shift in plant.shifts.items():
        yield ("shifts", name, "route"), "routes", shift.route
    for name, unit in plant.process_units.items():
        yield ("process_units", name, "within"), "scopes", unit.within
    for name, product in plant.products.items():
        for index, point in enumerate(product.points):
            yield ("products", name, "points", index), "points", point
    for name, one in plant.points.items():
        yield ("points", name, "in"), "scopes", one.unit_of
        yield ("points", name, "from"), "devices", one.device
        if one.moves_with is not None:
            yield ("points", name, "moves_with"), "points", one.moves_with
        if one.carrier is not None:
            yield ("points", name, "carrier"), "carriers", one.carrier
    yield from _results(plant)
    if plant.import_ is not None:
        for column, point in plant.import_.columns.items():
            yield ("import", "columns", column), "points", point


def _results(plant: Plant) -> Iterator[_Reference]:
    """References of what is computed: KPIs, baselines, options."""
    for name, kpi in plant.kpis.items():
        yield ("kpis", name, "scope"), "scopes", kpi.scope
        for side, terms in (("numerator", kpi.numerator), ("denominator", kpi.denominator)):
            for index, term in enumerate(terms):
                for key, point in named_points(term):
                    yield ("kpis", name, side, index, key), "points", point
    for name, baseline in plant.baselines.items():
        yield ("baselines", name, "scope"), "scopes", baseline.scope
        yield ("baselines", name, "response"), "points", baseline.response
        for index, driver in enumerate(baseline.drivers):
            yield ("baselines", name, "drivers", index, "point"), "points", driver.point
    for name, option in plant.options.items():
        yield ("options", name, "scope"), "scopes", option.scope
        yield ("options", name, "kpi"), "kpis", option.kpi
        for index, one in enumerate(option.baselines):
            yield ("options", name, "baselines", index), "baselines", one


def named_points(term: Term) -> Iterator[tuple[str, str]]:
    """The points that a term names, each with its key."""
    yield "point", term.point
    for name, field in Term.model_fields.items():
        value = getattr(term, name)
        if name not in ("point", "as_") and isinstance(value, str):
            yield field.alias or name, value


def _tree(draft: Draft) -> Iterator[Fault]:
    """The name `site` is taken, and no process unit may lie within itself."""
    units = draft.plant.process_units
    if SITE in units:
        hint = "choose another name: 'site' is the plant as a whole"
        yield draft.fault(("process_units", SITE), f"process_units.{SITE}: this name is taken", hint)
    reported: set[str] = set()
    for name in units:
        path = [name]
        while path[-1] in units and units[path[-1]].within not in path:
            path.append(units[path[-1]].within)
        last = path[-1]
        if last in units and last != SITE:
            circle = path[path.index(units[last].within) :]
            if not reported & set(circle):
                reported |= set(circle)
                chain = " within ".join([*circle, circle[0]])
                hint = f"let one of them lie within '{SITE}' (leave 'within' out)"
                yield draft.fault(
                    ("process_units", circle[0], "within"), f"process_units: {chain} goes round in a circle", hint
                )


def _dotted(where: Where) -> str:
    return ".".join(str(step) for step in where)
