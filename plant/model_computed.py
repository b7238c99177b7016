"""What is computed of points: coefficients, prices, KPIs, baselines, options; `plant.model` offers all of it."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import Field

from plant.block import SITE, Block, Seconds, Text, Title

BALANCE_PARTS = {
    "in": Text(en="in", zh="进"),
    "out": Text(en="out", zh="出"),
    "estimated": Text(en="out, estimated", zh="出（估计）"),
    "stock": Text(en="gained in stock", zh="库存增加"),
    "closure": Text(en="not accounted for", zh="未闭合率"),
}


class Fuel(Block):
    """A fuel; kgce, GJ and CO2 all derive from its one net calorific value in force at a time."""

    title: Title
    unit: str
    ncv: Annotated[float, Field(gt=0, description="net calorific value [MJ per unit]")]
    carbon_content: Annotated[float, Field(gt=0, description="carbon per energy [t C/TJ]")]
    oxidation: Annotated[float, Field(gt=0, le=1)] = 0.99
    source: str
    since: date | None = Field(default=None, alias="from")


class Factor(Block):
    """A dated coefficient: how much of `quantity` a unit of a carrier stands for."""

    carrier: str
    quantity: Literal["energy", "co2_location", "co2_market", "co2_direct"]
    value: float
    unit: str
    edition: str
    source: str
    since: date | None = Field(default=None, alias="from")


class Band(Block):
    """A time-of-use price: hours of the day as 'HH:MM-HH:MM', in the months given (all when left out)."""

    name: Title
    price: Annotated[float, Field(ge=0)]
    hours: list[str]
    months: list[Annotated[int, Field(ge=1, le=12)]] = Field(default=list(range(1, 13)))


class Tariff(Block):
    """What a unit of a carrier costs: one `price`, or `bands` by time of use; from a date on."""

    carrier: str
    unit: str
    price: Annotated[float, Field(ge=0)] | None = None
    bands: list[Band] = Field(default=[])
    demand: (
        Annotated[float, Field(ge=0, description="charge for the month's highest quarter hour [currency per kW]")]
        | None
    ) = None
    source: str
    since: date | None = Field(default=None, alias="from")


class Carrier(Block):
    """What the plant makes itself, as steam or compressed air, and of which carriers: never added on top of them."""

    made_of: Annotated[list[str], Field(min_length=1)]


class Term(Block):
    """One term of a sum: a point's amount, or something derived from it minute by minute.

    amount: the point's own amount. energy: × its carrier's kgce. co2_direct, co2_location, co2_market: × its carrier's
    factor. cost: × its carrier's tariff. demand: its carrier's charge for the month's highest quarter hour, in windows
    of whole months. load: concentration `point` × amount of `flow`. content: amount × the share in `content`.
    water_mass: a volume of water at `temperature` by weight. cooling: `point` a flow, `supply` and `return`
    temperatures. normalised_flow: `point` a permeate flow at `temperature` and pressures. reference_oxygen: the
    concentration `point` at the content `reference` of `oxygen`, times the time over which it is known.
    reference_drainage: what was made × the litres `per_unit` that a standard allows. stock: what a
    level stands for at the window's beginning less that at its end. hours: the time over which `point` is known.
    """

    point: str
    as_: Literal[
        "amount",
        "energy",
        "co2_direct",
        "co2_location",
        "co2_market",
        "cost",
        "demand",
        "load",
        "content",
        "water_mass",
        "cooling",
        "normalised_flow",
        "reference_oxygen",
        "reference_drainage",
        "stock",
        "hours",
    ] = Field(default="amount", alias="as")
    times: float = 1.0
    flow: str | None = None
    supply: str | None = None
    return_: str | None = Field(default=None, alias="return")
    temperature: str | None = None
    feed_pressure: str | None = None
    concentrate_pressure: str | None = None
    permeate_pressure: str | None = None
    design_pressure: float | None = None
    content: str | None = None
    oxygen: str | None = None
    reference: Annotated[float, Field(ge=0, lt=21, description="oxygen [% by volume]")] | None = None

    per_unit: Annotated[float, Field(gt=0, description="reference drainage [L per unit made]")] | None = None

    def names(self) -> list[str]:
        """Every point that the term reads."""
        others = (
            self.flow,
            self.supply,
            self.return_,
            self.temperature,
            self.feed_pressure,
            self.concentrate_pressure,
            self.permeate_pressure,
            self.content,
            self.oxygen,
        )
        return [self.point, *(name for name in others if name is not None)]


class Target(Block):
    """What the audit set: baseline-year value, near-term and long-term target, limits of grade I, II, III."""

    baseline: float
    near_term: float
    long_term: float
    grades: tuple[float, float, float] | None = None
    limiting: bool = False


class Allocation(Block):
    """A product's share of what several make together: the sum of the points `by` over that of all points `among`."""

    by: Annotated[list[str], Field(min_length=1)]
    among: Annotated[list[str], Field(min_length=1)]


class Kpi(Block):
    """A ratio of sums (or, without a denominator, a plain sum) of one scope over a window.

    `product` says what the KPI is of; where products share what the numerator measures, `allocate` gives this one its
    share. A denominator counts for `no_more_than` another sum: a load over the water drained, at most the reference
    drainage, is the concentration at reference drainage. With `peak` the value is the numerator's highest quarter hour
    in the window, as an amount per hour.
    """

    title: Title
    scope: str = SITE
    product: str | None = None
    numerator: list[Term]
    denominator: list[Term] = Field(default=[])
    no_more_than: list[Term] = Field(default=[])
    allocate: Allocation | None = None
    peak: Literal["15 min"] | None = None
    unit: str
    times: float = 1.0
    better: Literal["lower", "higher"] = "lower"
    decimals: Annotated[int, Field(ge=0, le=6)] = 2
    minimum: Annotated[float, Field(ge=0)] = 0.0
    coverage_limit: Annotated[float, Field(ge=0, le=1)] = 0.9
    target: Target | None = None

    def terms(self) -> list[Term]:
        """Numerator, denominator and what bounds it together."""
        return [*self.numerator, *self.denominator, *self.no_more_than]

    def by_months(self) -> bool:
        """Whether it is known of whole months only: a demand charge is for a month's highest quarter hour."""
        return any(term.as_ == "demand" for term in self.terms())

    def names(self) -> list[str]:
        """Every point that the KPI reads."""
        keys = [] if self.allocate is None else [*self.allocate.by, *self.allocate.among]
        return list(dict.fromkeys([name for term in self.terms() for name in term.names()] + keys))


class Balance(Block):
    """What comes into a scope against what leaves it and what its stores gain, all in `unit`.

    It closes if |in − out − estimated − stock gained| is at most `limit` per cent of what came in. `estimated` are
    terms of what leaves unmetered, as evaporation by a share of the intake; `stock` names the levels of stores. It is
    judged over the window `over`.
    """

    title: Title
    scope: str = SITE
    unit: str
    in_: Annotated[list[Term], Field(min_length=1)] = Field(alias="in")
    out: Annotated[list[Term], Field(min_length=1)]
    estimated: list[Term] = Field(default=[])
    stock: list[str] = Field(default=[])
    limit: Annotated[float, Field(gt=0, le=100, description="share of what comes in [%]")] = 5.0
    over: Literal["shift", "day", "7d", "30d", "month", "12mo", "year", "audit"] = "7d"

    def parts(self) -> dict[str, list[Term]]:
        """The terms of each part that the balance has: in, out, estimated, stock (gained from begin to end)."""
        stock = [Term.model_validate({"point": point, "as": "stock", "times": -1.0}) for point in self.stock]
        found = {"in": self.in_, "out": self.out, "estimated": self.estimated, "stock": stock}
        return {name: terms for name, terms in found.items() if terms}

    def kpis(self, name: str) -> dict[str, Kpi]:
        """The KPIs that a balance called `name` is counted as: NAME_in and so on [unit], NAME_closure [% of in].

        The closure is positive where less is found than came in.
        """
        parts = self.parts()
        found = {
            f"{name}_{part}": Kpi(title=self._titled(part), scope=self.scope, numerator=terms, unit=self.unit)
            for part, terms in parts.items()
        }
        gone = [term for part, terms in parts.items() if part != "in" for term in terms]
        found[f"{name}_closure"] = Kpi(
            title=self._titled("closure"),
            scope=self.scope,
            numerator=[*self.in_, *(term.model_copy(update={"times": -term.times}) for term in gone)],
            denominator=self.in_,
            unit="%",
            times=100.0,
            decimals=1,
        )
        return found

    def _titled(self, part: str) -> Text:
        words = BALANCE_PARTS[part]
        return Text(en=f"{self.title.en}: {words.en}", zh=f"{self.title.zh}：{words.zh}")


class Driver(Block):
    """A relevant variable of a baseline: a point's amount or mean in the block, optionally as degrees beyond a base."""

    point: str
    above: float | None = None
    below: float | None = None


class Baseline(Block):
    """An energy baseline (EnB) of one sub-meter and the chart that watches its residuals.

    `response = A + Σ b·driver` per block (ISO 50006). `drift` says which direction asks for a person; the other is a
    notice. `first_check` is what the supervisor looks at first.
    """

    title: Title
    scope: str
    response: str
    drivers: list[Driver] = Field(default=[])
    drift: Literal["rise", "fall"] = "rise"
    block: Seconds = 3600.0
    likely_cause: Title
    first_check: Title
    derived_driver: bool = False


class Option(Block):
    """A measure that the audit implemented, with what it promised."""

    title: Title
    kind: Literal["no_cost", "low_cost", "medium_cost", "high_cost"]
    scope: str
    commissioned: date
    kpi: str
    promised: Annotated[float, Field(gt=0, description="saving [unit of `promised_unit` a year]")]
    promised_unit: str
    investment: float = 0.0
    baselines: list[str] = Field(default=[])
