"""The plant as its description declares it: the vocabulary that every other folder speaks.

The models are strict (unknown keys are refused) and frozen. They check only what one block can know of itself; what
needs two blocks is checked in `plant.check`. Names of points, units, devices and so on are the keys of their maps.
"""

from __future__ import annotations

from datetime import date, datetime, time
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=64)]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
SITE = "site"


class Block(BaseModel):
    """A block of the plant description."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Text(Block):
    """A title in English and Chinese."""

    en: str
    zh: str


def _text(value: object) -> object:
    return {"en": value, "zh": value} if isinstance(value, str) else value


Title = Annotated[
    Text,
    BeforeValidator(_text),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string"},
                {
                    "type": "object",
                    "properties": {"en": {"type": "string"}, "zh": {"type": "string"}},
                    "required": ["en", "zh"],
                    "additionalProperties": False,
                },
            ]
        }
    ),
]


def _seconds(value: object) -> object:
    """'60 s', '15 min', '24 h' or '30 d' as seconds."""
    factors = {"s": 1, "min": 60, "h": 3600, "d": 86400}
    if isinstance(value, str):
        number, _, unit = value.strip().partition(" ")
        if unit not in factors:
            raise ValueError(f"'{value}' is not a duration: write a number, a space and s, min, h or d, as '15 min'")
        return float(number) * factors[unit]
    raise ValueError(f"{value!r} has no unit: write a number, a space and s, min, h or d, as '15 min'")


Seconds = Annotated[
    float,
    BeforeValidator(_seconds),
    Field(gt=0),
    WithJsonSchema({"type": "string", "pattern": r"^[0-9.]+ (s|min|h|d)$", "examples": ["60 s", "15 min", "24 h"]}),
]


def _clock_time(value: object) -> object:
    """YAML 1.1 reads 06:00 without quotes as the number 360; 24:00 means the end of the day."""
    if isinstance(value, int):
        return time(value // 60 % 24, value % 60)
    return "00:00" if value == "24:00" else value


ClockTime = Annotated[
    time,
    BeforeValidator(_clock_time),
    WithJsonSchema({"type": "string", "pattern": r"^([01]?[0-9]|2[0-4]):[0-5][0-9]$", "examples": ["06:00"]}),
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
    days: list[Weekday] = list(WEEKDAYS)
    supervisor: str
    route: str


class ProcessUnit(Block):
    """A part of the plant; `within` names the part that holds it (the site when left out)."""

    title: Title
    within: str = SITE


class Product(Block):
    """What is made, counted by one or more points."""

    title: Title
    unit: str
    points: list[str]


class Modbus(Block):
    """A meter or PLC read over Modbus TCP; `profile` names a meter profile or a file beside the description."""

    protocol: Literal["modbus"]
    title: Title
    address: Annotated[str, Field(pattern=r"^[^:\s]+:\d+$")]
    device_id: Annotated[int, Field(ge=0, le=255)] = 1
    profile: str
    interval: Seconds = 60.0
    timeout: Seconds = 1.0
    ct_ratio: Annotated[float, Field(gt=0)] = 1.0
    pt_ratio: Annotated[float, Field(gt=0)] = 1.0
    accuracy_class: str | None = None
    certificate: str | None = None
    calibrated_until: date | None = None


class Mqtt(Block):
    """A source of MQTT messages.

    `payload` says what a message holds: `number` (a bare number; `{read}` in the topic stands for each point's
    `read`), `json` (an object; `read` is a dotted path), `json_array` (a list of objects, each with a tag field that
    `read` matches). `time` is the path of the source time in the payload, without it the time of receipt is used.
    """

    protocol: Literal["mqtt"]
    title: Title
    topic: str
    payload: Literal["number", "json", "json_array"]
    time: str | None = None
    time_format: Literal["rfc3339", "epoch_s", "epoch_ms", "local"] = "rfc3339"
    tag: str = "tag"
    value: str = "value"
    interval: Seconds = 60.0
    disorder: Seconds = 60.0
    accuracy_class: str | None = None
    certificate: str | None = None
    calibrated_until: date | None = None


class Manual(Block):
    """Values that a person or a file brings: laboratory samples, weighed sludge, imported history."""

    protocol: Literal["manual"]
    title: Title
    interval: Seconds = 60.0
    disorder: Seconds = 60.0


Device = Annotated[Modbus | Mqtt | Manual, Field(discriminator="protocol")]


class Broker(Block):
    """The MQTT broker; a password comes from the file named, never from the description."""

    url: str
    client_id: str
    username: str | None = None
    password_file: str | None = None


class Kind(StrEnum):
    """What a point's values are."""

    COUNTER = "counter"
    NET = "net"
    INTERVAL = "interval"
    RATE = "rate"
    LEVEL = "level"
    COUNT = "count"
    SAMPLE = "sample"


class Gap(StrEnum):
    """What a point's missing minutes become."""

    UNKNOWN = "unknown"
    HOLD = "hold"
    INTERPOLATE = "interpolate"


class Exchange(Block):
    """A meter exchanged: the old one's closing and the new one's opening value."""

    at: datetime
    closing: float
    opening: float = 0.0


class Point(Block):
    """One measured signal.

    `unit` is what a value is read in; a `rate` names its amount per time ("kW", "m3/h"). `per_hour` is the lowest and
    highest amount an hour can bring, `range` the lowest and highest value; both bound what is unknown and refuse what
    cannot be. `span` is the length of an `interval`, stamped at its `begin` or `end`. `valid` is how long a `sample`
    speaks for, from its time on. A point that stands still longer than `flat_limit` while `moves_with` moves is frozen;
    without a witness, standing still longer than `flat_after` is a notice.
    """

    title: Title
    unit_of: str = Field(alias="in")
    kind: Kind
    unit: str
    device: str = Field(alias="from")
    read: str
    scale: float = 1.0
    resolution: Annotated[float, Field(gt=0)] = 1e-6
    range: tuple[float, float] | None = None
    per_hour: tuple[float, float] | None = None
    modulus: Annotated[float, Field(gt=0)] | None = None
    on_fall: Literal["judge", "reset"] = "judge"
    dip_limit: Annotated[float, Field(gt=0, lt=1)] = 0.1
    exchanges: list[Exchange] = []
    span: Seconds | None = None
    stamp: Literal["begin", "end"] = "end"
    valid: Seconds | None = None
    gap: Gap = Gap.UNKNOWN
    gap_limit: Seconds | None = None
    moves_with: str | None = None
    flat_limit: Seconds = 900.0
    flat_after: Seconds = 86400.0
    heartbeat: Seconds | None = None
    carrier: str | None = None


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
    months: list[Annotated[int, Field(ge=1, le=12)]] = list(range(1, 13))


class Tariff(Block):
    """What a unit of a carrier costs: one `price`, or `bands` by time of use; from a date on."""

    carrier: str
    unit: str
    price: Annotated[float, Field(ge=0)] | None = None
    bands: list[Band] = []
    source: str
    since: date | None = Field(default=None, alias="from")


class Term(Block):
    """One term of a sum: a point's amount, or something derived from it minute by minute.

    amount: the point's own amount. energy: × its carrier's kgce. co2_direct, co2_location, co2_market: × its carrier's
    factor. cost: × its carrier's tariff. load: concentration `point` × amount of `flow`. cooling: `point` a flow,
    `supply` and `return` temperatures. normalised_flow: `point` a permeate flow at `temperature` and pressures.
    hours: the time over which `point` is known.
    """

    point: str
    as_: Literal[
        "amount",
        "energy",
        "co2_direct",
        "co2_location",
        "co2_market",
        "cost",
        "load",
        "cooling",
        "normalised_flow",
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
        )
        return [self.point, *(name for name in others if name is not None)]


class Target(Block):
    """What the audit set: baseline-year value, near-term and long-term target, limits of grade I, II, III."""

    baseline: float
    near_term: float
    long_term: float
    grades: tuple[float, float, float] | None = None
    limiting: bool = False


class Kpi(Block):
    """A ratio of sums (or, without a denominator, a plain sum) of one scope over a window."""

    title: Title
    scope: str = SITE
    numerator: list[Term]
    denominator: list[Term] = []
    unit: str
    times: float = 1.0
    better: Literal["lower", "higher"] = "lower"
    decimals: Annotated[int, Field(ge=0, le=6)] = 2
    minimum: Annotated[float, Field(ge=0)] = 0.0
    coverage_limit: Annotated[float, Field(ge=0, le=1)] = 0.9
    target: Target | None = None

    def terms(self) -> list[Term]:
        """Numerator and denominator together."""
        return [*self.numerator, *self.denominator]


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
    drivers: list[Driver] = []
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
    baselines: list[str] = []


class Route(Block):
    """Where alarms of a shift go: Apprise addresses, `console`, `log`; secrets come from files (`file:PATH`)."""

    to: list[str]
    language: Literal["en", "zh"] = "en"


class Alarms(Block):
    """How many alarms a person is asked to bear, and where they go."""

    false_alarms_per_30_days: Annotated[float, Field(gt=0)] = 2.0
    per_shift: Annotated[int, Field(ge=1)] = 5
    respond_within: Seconds = 4 * 3600.0
    routes: dict[Name, Route]


class Storage(Block):
    """What is kept how long, and how much disk it may take."""

    readings: Seconds = 90 * 86400.0
    minute_facts: Seconds = 25 * 30.4375 * 86400.0
    disk_gib: Annotated[float, Field(gt=0)] = 50.0


class Influx(Block):
    """An InfluxDB v2 write address; the token comes from a file."""

    url: str
    org: str = "-"
    bucket: str
    token_file: str | None = None


class Wide(Block):
    """How the columns of a wide file become points: `columns` maps a column's header to a point."""

    time: str
    time_format: str
    day_end: Literal["as written", "midnight closes the day"] = "as written"
    columns: dict[str, str]
    categories: dict[str, dict[str, float]] = {}


class Plant(Block):
    """The whole description."""

    format: Literal["keepclean/1"]
    site: Site
    audit: Audit
    shifts: dict[Name, Shift] = {}
    process_units: dict[Name, ProcessUnit] = {}
    products: dict[Name, Product] = {}
    broker: Broker | None = None
    devices: dict[Name, Device]
    points: dict[Name, Point]
    fuels: dict[Name, list[Fuel]] = {}
    factors: list[Factor] = []
    tariffs: list[Tariff] = []
    kpis: dict[Name, Kpi] = {}
    baselines: dict[Name, Baseline] = {}
    options: dict[Name, Option] = {}
    alarms: Alarms | None = None
    storage: Storage = Storage()
    influx: Influx | None = None
    import_: Wide | None = Field(default=None, alias="import")

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
