"""The plant as its description declares it: the vocabulary that every other folder speaks.

The models are strict (unknown keys are refused) and frozen. They check only what one block can know of itself; what
needs two blocks is checked in `plant.check`. Names of points, units, devices and so on are the keys of their maps.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from plant.block import SITE, WEEKDAYS, Block, ClockTime, Moment, Name, Seconds, Text, Title, Weekday, YearDay
from plant.model_computed import (
    Allocation,
    Balance,
    Band,
    Baseline,
    Carrier,
    Driver,
    Factor,
    Fuel,
    Kpi,
    Option,
    Target,
    Tariff,
    Term,
)
from plant.model_measured import (
    Broker,
    Device,
    Exchange,
    Gap,
    Hj212,
    Influx,
    Kind,
    Manual,
    Modbus,
    Mqtt,
    Own,
    Point,
    Serial,
    Wide,
)

__all__ = [
    "SITE",
    "WEEKDAYS",
    "Alarms",
    "Allocation",
    "Audit",
    "Balance",
    "Band",
    "Baseline",
    "Block",
    "Broker",
    "Carrier",
    "ClockTime",
    "Device",
    "Driver",
    "Exchange",
    "Factor",
    "Fuel",
    "Gap",
    "Hj212",
    "Influx",
    "Kind",
    "Kpi",
    "Maintenance",
    "Manual",
    "Modbus",
    "Mqtt",
    "Name",
    "NamedPeriod",
    "Option",
    "Own",
    "Plant",
    "Point",
    "ProcessUnit",
    "Product",
    "Route",
    "Seconds",
    "Serial",
    "Shift",
    "Site",
    "Storage",
    "Target",
    "Tariff",
    "Term",
    "Text",
    "Title",
    "Weekday",
    "Wide",
]


class Site(Block):
    """The plant as a whole; `id` is the tag `site` wherever many plants share a server."""

    id: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$")]
    name: Title
    time_zone: str
    currency: str = "CNY"


class Audit(Block):
    """The cleaner-production audit whose promises are watched."""

    name: Title
    period: tuple[date, date]
    baseline_year: int


class Shift(Block):
    """A working shift; it ends on the next day when `until` is not later than `since`."""

    title: Title
    since: ClockTime = Field(alias="from")
    until: ClockTime = Field(alias="to")
    days: list[Weekday] = Field(default=list(WEEKDAYS))
    supervisor: str
    route: str


class NamedPeriod(Block):
    """A window of the plant's own, its first and last day included: once, or every year when they name no year."""

    title: Title
    since: YearDay = Field(alias="from")
    until: YearDay = Field(alias="to")


class Maintenance(Block):
    """Work on a process unit or the site, marked on the boards: no figure is left out for it and no alarm is silenced.

    `from` and `to` are days, `to` included, or times of the plant's own clock; without `to` the beginning is marked.
    """

    title: Title
    scope: str
    since: Moment = Field(alias="from")
    until: Moment | None = Field(default=None, alias="to")
    note: str = ""


class ProcessUnit(Block):
    """A part of the plant; `within` names the part that holds it (the site when left out)."""

    title: Title
    within: str = SITE


class Product(Block):
    """What is made, counted by one or more points."""

    title: Title
    unit: str
    points: list[str]


class Route(Block):
    """Where alarms of a shift go: Apprise addresses, `console`, `log`; secrets come from files (`file:PATH`)."""

    to: list[str]
    language: Literal["en", "zh"] = "en"


class Alarms(Block):
    """How many alarms a person is asked to bear, and where they go.

    `notify` says who tells: `keepclean` itself, or `grafana` by its alert rules; never both.
    """

    false_alarms_per_30_days: Annotated[float, Field(gt=0)] = 2.0
    per_shift: Annotated[int, Field(ge=1)] = 5
    respond_within: Seconds = 4 * 3600.0
    notify: Literal["keepclean", "grafana"] = "keepclean"
    routes: dict[Name, Route]


class Storage(Block):
    """What is kept how long, and how much disk it may take."""

    readings: Seconds = 90 * 86400.0
    minute_facts: Seconds = 25 * 30.4375 * 86400.0
    disk_gib: Annotated[float, Field(gt=0)] = 50.0
    journal_gib: Annotated[float, Field(gt=0)] = 2.0


class Plant(Block):
    """The whole description."""

    format: Literal["keepclean/1"]
    site: Site
    audit: Audit
    shifts: dict[Name, Shift] = Field(default={})
    periods: dict[Name, NamedPeriod] = Field(default={})
    process_units: dict[Name, ProcessUnit] = Field(default={})
    products: dict[Name, Product] = Field(default={})
    broker: Broker | None = None
    devices: dict[Name, Device]
    points: dict[Name, Point]
    fuels: dict[Name, list[Fuel]] = Field(default={})
    carriers: dict[Name, Carrier] = Field(default={})
    factors: list[Factor] = Field(default=[])
    tariffs: list[Tariff] = Field(default=[])
    kpis: dict[Name, Kpi] = Field(default={})
    balances: dict[Name, Balance] = Field(default={})
    baselines: dict[Name, Baseline] = Field(default={})
    options: dict[Name, Option] = Field(default={})
    maintenance: dict[Name, Maintenance] = Field(default={})
    alarms: Alarms | None = None
    storage: Storage = Storage()
    influx: Influx | None = None
    import_: Wide | None = Field(default=None, alias="import")

    @model_validator(mode="after")
    def _balanced(self) -> Self:
        """Balances are counted as KPIs: windows, coverage, explanation and every page have them like any other."""
        for name, balance in self.balances.items():
            self.kpis.update(balance.kpis(name))
        return self

    def of_balances(self) -> frozenset[str]:
        """The KPIs that balances are counted as."""
        return frozenset(kpi for name, balance in self.balances.items() for kpi in balance.kpis(name))

    def scopes(self) -> list[str]:
        """The site and every process unit."""
        return [SITE, *self.process_units]

    def points_of(self, scope: str) -> list[str]:
        """The points that belong to a process unit itself."""
        return [name for name, point in self.points.items() if point.unit_of == scope]

    def within(self, scope: str, whole: str) -> bool:
        """Whether `scope` is `whole` or a part of it."""
        while scope != whole:
            if scope == SITE or scope not in self.process_units:
                return False
            scope = self.process_units[scope].within
        return True
