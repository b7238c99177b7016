"""Names that are referred to must be declared, and the tree of process units must be a tree."""

from __future__ import annotations

from collections.abc import Iterator

from plant.document import Where
from plant.draft import Draft, folded, suggestion
from plant.errors import Fault
from plant.model import SITE, Mqtt, Plant, Term

_Reference = tuple[Where, str, str | None]
_KINDS = {
    "points": "point",
    "devices": "device",
    "kpis": "KPI",
    "baselines": "baseline",
    "scopes": "process unit",
    "routes": "alarm route",
    "carriers": "carrier",
    "products": "product",
}


_BLOCKS = {"scopes": ("process_units",), "routes": ("alarms", "routes")}


def check(draft: Draft) -> Iterator[Fault]:
    """Dangling references, cycles of process units, and what needs a broker without one."""
    known = {
        **draft.declared,
        "scopes": draft.scopes(),
        "routes": _routes(draft),
        "carriers": carriers(draft),
    }
    for where, kind, name in _references(draft.plant):
        if name is None or kind in draft.unreadable or not draft.missing(name, known[kind]):
            continue
        alike = sorted(one for one in known[kind] if folded(one) == folded(name))
        # A declared name of a wrong form is a fault itself, which says how to write it.
        if name in map(folded, alike):
            continue
        message = f"{_dotted(where)}: there is no {_KINDS[kind]} '{name}'"
        hint = suggestion(name, known[kind])
        if alike:
            line = draft.document.line((*_BLOCKS.get(kind, (kind,)), alike[0]))
            hint = f"did you mean '{alike[0]}', on line {line}?"
        yield draft.fault(where, message, hint)
    yield from _tree(draft)
    if draft.plant.import_ is not None:
        columns: dict[str, str] | None = getattr(draft.plant.import_, "columns", None)
        for column in getattr(draft.plant.import_, "categories", ()):
            if columns is not None and column not in columns:
                message = f"import.categories.{column}: there is no such column under import.columns"
                yield draft.fault(("import", "categories", column), message, suggestion(column, columns))
    for name, device in draft.plant.devices.items():
        if isinstance(device, Mqtt) and "broker" not in (draft.document.data or {}):
            message = f"devices.{name}: an MQTT device needs a broker"
            yield draft.fault(("devices", name), message, 'add broker: {url: "mqtt://host:1883", client_id: …}')
            break


def carriers(draft: Draft) -> frozenset[str]:
    """Every carrier that is declared, or that a fuel, a factor or a tariff speaks of."""
    entries = (*draft.entries("factors"), *draft.entries("tariffs"))
    known = {str(entry["carrier"]) for entry in entries if "carrier" in entry}
    return draft.declared["fuels"] | draft.declared["carriers"] | known


def _routes(draft: Draft) -> frozenset[str]:
    data = draft.document.data if isinstance(draft.document.data, dict) else {}
    alarms = data.get("alarms")
    routes = alarms.get("routes") if isinstance(alarms, dict) else None
    return frozenset(routes) if isinstance(routes, dict) else frozenset()


def _references(plant: Plant) -> Iterator[_Reference]:
    """Every reference: where it stands, what it refers to, the name."""
    for name, shift in plant.shifts.items():
        yield ("shifts", name, "route"), "routes", getattr(shift, "route", None)
    for name, unit in plant.process_units.items():
        yield ("process_units", name, "within"), "scopes", getattr(unit, "within", None)
    for name, product in plant.products.items():
        for index, point in enumerate(getattr(product, "points", ())):
            yield ("products", name, "points", index), "points", point
    for name, one in plant.points.items():
        yield ("points", name, "in"), "scopes", getattr(one, "unit_of", None)
        yield ("points", name, "from"), "devices", getattr(one, "device", None)
        yield ("points", name, "moves_with"), "points", getattr(one, "moves_with", None)
        yield ("points", name, "carrier"), "carriers", getattr(one, "carrier", None)
    for name, carrier in plant.carriers.items():
        for index, source in enumerate(getattr(carrier, "made_of", ())):
            yield ("carriers", name, "made_of", index), "carriers", source
    yield from _results(plant)
    if plant.import_ is not None:
        for column, point in getattr(plant.import_, "columns", {}).items():
            yield ("import", "columns", column), "points", point


def _results(plant: Plant) -> Iterator[_Reference]:
    """References of what is computed: KPIs, balances, baselines, options; and of what is marked, maintenance."""
    for name, kpi in plant.kpis.items():
        yield ("kpis", name, "scope"), "scopes", getattr(kpi, "scope", None)
        yield ("kpis", name, "product"), "products", getattr(kpi, "product", None)
        allocate = getattr(kpi, "allocate", None)
        for key in ("by", "among"):
            for index, point in enumerate(getattr(allocate, key, ())):
                yield ("kpis", name, "allocate", key, index), "points", point
        for side in ("numerator", "denominator", "no_more_than"):
            for index, term in enumerate(getattr(kpi, side, ())):
                for key, point in named_points(term):
                    yield ("kpis", name, side, index, key), "points", point
    for name, balance in plant.balances.items():
        yield ("balances", name, "scope"), "scopes", getattr(balance, "scope", None)
        for side, field in (("in", "in_"), ("out", "out"), ("estimated", "estimated")):
            for index, term in enumerate(getattr(balance, field, ())):
                for key, point in named_points(term):
                    yield ("balances", name, side, index, key), "points", point
        for index, point in enumerate(getattr(balance, "stock", ())):
            yield ("balances", name, "stock", index), "points", point
    for name, baseline in plant.baselines.items():
        yield ("baselines", name, "scope"), "scopes", getattr(baseline, "scope", None)
        yield ("baselines", name, "response"), "points", getattr(baseline, "response", None)
        for index, driver in enumerate(getattr(baseline, "drivers", ())):
            yield ("baselines", name, "drivers", index, "point"), "points", getattr(driver, "point", None)
    for name, option in plant.options.items():
        yield ("options", name, "scope"), "scopes", getattr(option, "scope", None)
        yield ("options", name, "kpi"), "kpis", getattr(option, "kpi", None)
        for index, one in enumerate(getattr(option, "baselines", ())):
            yield ("options", name, "baselines", index), "baselines", one
    for name, work in plant.maintenance.items():
        yield ("maintenance", name, "scope"), "scopes", getattr(work, "scope", None)


def named_points(term: Term) -> Iterator[tuple[str, str]]:
    """The points that a term names, each with its key."""
    for name, field in Term.model_fields.items():
        value = getattr(term, name, None)
        if name != "as_" and isinstance(value, str):
            yield field.alias or name, value


def _tree(draft: Draft) -> Iterator[Fault]:
    """The name `site` is taken, and no process unit may lie within itself."""
    units = {name: getattr(unit, "within", SITE) for name, unit in draft.plant.process_units.items()}
    if SITE in units:
        hint = "choose another name: 'site' is the plant as a whole"
        yield draft.fault(("process_units", SITE), f"process_units.{SITE}: this name is taken", hint)
    reported: set[str] = set()
    for name in units:
        path = [name]
        while path[-1] in units and units[path[-1]] not in path:
            path.append(units[path[-1]])
        last = path[-1]
        if last in units and last != SITE:
            circle = path[path.index(units[last]) :]
            if not reported & set(circle):
                reported |= set(circle)
                chain = " within ".join([*circle, circle[0]])
                hint = f"let one of them lie within '{SITE}' (leave 'within' out)"
                yield draft.fault(
                    ("process_units", circle[0], "within"), f"process_units: {chain} goes round in a circle", hint
                )


def _dotted(where: Where) -> str:
    return ".".join(str(step) for step in where)
