"""Where values come from: devices, the broker, points, columns of a file; `plant.model` offers all of it."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from plant.block import Block, Seconds, Title

ADDRESS = r"^((tcp|rtu)://)?[^:/\s]+:\d+$|^/dev/\S+$|^COM\d+$"


class Serial(Block):
    """How characters go over a serial line."""

    baud: Annotated[int, Field(ge=300, le=921600)] = 9600
    data_bits: Literal[7, 8] = 8
    parity: Literal["none", "even", "odd"] = "none"
    stop_bits: Literal[1, 2] = 1


class Modbus(Block):
    """A meter or PLC read over Modbus; `profile` names a meter profile or a file beside the description.

    `address` is "host:port" (Modbus TCP), "rtu://host:port" (RTU frames over TCP, as simple serial servers speak) or a
    serial line ("/dev/ttyUSB0", "COM3") with its `serial` settings. Devices with one address share one connection and
    take turns on it; `device_id` tells them apart. `timeout` is for one answer, `retries` are made within a poll,
    `pause_after_connect` and `pause` (between requests) are for devices that need time.
    """

    protocol: Literal["modbus"]
    title: Title
    address: Annotated[str, Field(pattern=ADDRESS)]
    serial: Serial = Serial()
    device_id: Annotated[int, Field(ge=0, le=255)] = 1
    profile: str
    interval: Seconds = 60.0
    timeout: Seconds = 1.0
    retries: Annotated[int, Field(ge=0, le=5)] = 0
    pause_after_connect: Seconds | None = None
    pause: Seconds | None = None
    ct_ratio: Annotated[float, Field(gt=0)] = 1.0
    pt_ratio: Annotated[float, Field(gt=0)] = 1.0
    accuracy_class: str | None = None
    certificate: str | None = None
    calibrated_until: date | None = None


class Mqtt(Block):
    """A source of MQTT messages.

    `payload` says what a message holds: `number` (a bare number; `{read}` in the topic stands for each point's
    `read`), `json` (an object; `read` is a dotted path), `json_array` (a list of objects, each with a tag field that
    `read` matches), `tasmota` and `shelly` (as those devices send it: `read` is their own name for the value, its unit
    is known), `sparkplug_b` (topic "GROUP/EDGE" or "GROUP/EDGE/DEVICE"; `read` is the metric's name).

    `time` is the path of the source time in the payload, without it the time of receipt is used. `rebirth` allows
    keepclean to ask a Sparkplug edge node for its birth certificate: the only thing it ever writes to anybody.
    """

    protocol: Literal["mqtt"]
    title: Title
    topic: str
    payload: Literal["number", "json", "json_array", "tasmota", "shelly", "sparkplug_b"]
    time: str | None = None
    time_format: Literal["rfc3339", "epoch_s", "epoch_ms", "epoch_us", "epoch_ns", "local"] = "rfc3339"
    tag: str = "tag"
    value: str = "value"
    rebirth: bool = False
    interval: Seconds = 60.0
    disorder: Seconds = 60.0
    accuracy_class: str | None = None
    certificate: str | None = None
    calibrated_until: date | None = None


class Hj212(Block):
    """An on-line monitoring station that reports by HJ 212-2017 over TCP; keepclean listens, the station connects.

    `mn` is the station's unique number; stations may share one `listen` address. `packets` says which reports are read:
    real-time (CN 2011), minute (2051), hour (2061) or day (2031) data. A point's `read` is the pollutant's code and
    field, as "w01018-Avg" or "w00000-Cou" ("w01018-Rtd" for real-time data). `interval` is how often it reports.
    """

    protocol: Literal["hj212"]
    title: Title
    listen: Annotated[str, Field(pattern=r"^[^:\s]+:\d+$")]
    mn: Annotated[str, Field(pattern=r"^[0-9A-Za-z_-]{1,24}$")]
    packets: Literal["real_time", "minute", "hour", "day"] = "minute"
    interval: Seconds = 60.0
    disorder: Seconds = 60.0
    accuracy_class: str | None = None
    certificate: str | None = None
    calibrated_until: date | None = None


class Manual(Block):
    """Values that a person or a file brings: laboratory samples, meter rounds, weighed sludge, imported history.

    CSV and Parquet files that are put into `folder` (beside the description) are read once each, while keepclean runs.
    """

    protocol: Literal["manual"]
    title: Title
    folder: str | None = None
    interval: Seconds = 60.0
    disorder: Seconds = 60.0


class Own(Block):
    """keepclean itself: how its collectors do, as points like any other.

    A point's `read` is "devices.NAME.FIELD", "broker.FIELD" or "journal.FIELD", as `collect.json` names them.
    """

    protocol: Literal["keepclean"]
    title: Title
    interval: Seconds = 60.0
    disorder: Seconds = 60.0


Device = Annotated[Modbus | Mqtt | Hj212 | Manual | Own, Field(discriminator="protocol")]


class Broker(Block):
    """The MQTT broker: `mqtt://host:1883`, or `mqtts://host:8883` for TLS.

    A password comes from the file named, never from the description. With TLS `ca_file` holds the certificates that
    are trusted (without it the system's), `cert_file` and `key_file` our own.
    """

    url: str
    client_id: str
    username: str | None = None
    password_file: str | None = None
    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None


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
    cannot be. `change_per_hour` is how far a rate, level or sample can move within an hour: what leaps further is
    suspect. `span` is the length of an `interval`, stamped at its `begin` or `end`. `valid` is how long a `sample`
    speaks for, from its time on. A point that stands still longer than `flat_limit` while `moves_with` moves is frozen
    (not declared: 15 min, longer where its resolution is coarse for its `per_hour`); without a witness, standing still
    longer than `flat_after` is a notice.
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
    change_per_hour: Annotated[float, Field(gt=0)] | None = None
    modulus: Annotated[float, Field(gt=0)] | None = None
    on_fall: Literal["judge", "reset"] = "judge"
    dip_limit: Annotated[float, Field(ge=0, lt=1)] = 0.1
    exchanges: list[Exchange] = Field(default=[])
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


class Influx(Block):
    """An InfluxDB v2 write address; the token comes from a file.

    `catch_up` is how many lines a second may be sent of what waited while the server was down; `readings` says whether
    each reading is sent as well, from then on.
    """

    url: str
    org: str = "-"
    bucket: str
    token_file: str | None = None
    catch_up: Annotated[float, Field(ge=100)] = 20_000.0
    readings: bool = False


class Wide(Block):
    """How the columns of a wide file become points: `columns` maps a column's header to a point."""

    time: str
    time_format: str
    day_end: Literal["as written", "midnight closes the day"] = "as written"
    columns: dict[str, str]
    categories: dict[str, dict[str, float]] = Field(default={})
