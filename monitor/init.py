"""`keepclean init`: a first plant description from one meter or one topic, probed, written and checked."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from math import ceil
from pathlib import Path
from zoneinfo import ZoneInfo, available_timezones

from collectors.modbus.probe import Seen, Target
from collectors.mqtt.discover import Listening, listen
from collectors.mqtt.grouping import groups
from collectors.profile import load
from collectors.profile_fields import Profile, RegisterField
from monitor.describe import Described
from monitor.discover import explained
from monitor.init_check import sound
from monitor.init_points import Drafted, Offered, applied, drafted, first_choice, of_topic, slug
from monitor.init_text import Gauge, Wanted, main_point, quoted, site_id, text
from monitor.probe import read_device
from plant.draft import suggestion
from plant.errors import ConfigurationError, DeviceError, Fault
from plant.model import Broker, Kind, Serial, Text

FILE = "plant.yaml"
MODBUS_INTERVAL = "10 s"
INTERVALS_S = (1, 2, 5, 10, 15, 30, 60, 300, 900, 3600)
LISTEN_S = 65.0
# payload styles whose values have names of their own with known units
NAMING = ("tasmota", "shelly")


@dataclass(frozen=True)
class Meter:
    """A Modbus device as a newcomer names it; `fields` are chosen for them when there are none."""

    where: Target
    serial: Serial | None
    profile: str
    fields: tuple[str, ...] = ()
    product: str | None = None


@dataclass(frozen=True)
class Topic:
    """A topic as a newcomer names it; `fields` are paths in its payload, all when there are none.

    `otherwise` says what to do when its values do not fit unit and kind.
    """

    topic: str
    fields: tuple[str, ...] = ()
    unit: str | None = None
    kind: Kind | None = None
    otherwise: str = "leave --kind and --in out"


@dataclass(frozen=True)
class Made:
    """What was found out for a description: devices, the product's point with its unit, and what to tell."""

    gauges: tuple[Gauge, ...]
    product: tuple[str, str] | None = None
    remarks: tuple[str, ...] = ()


def of_meter(meter: Meter, product_unit: str, folder: Path, timeout_s: float, *, ask: bool) -> Made:
    """A Modbus device, read once when told to `ask` it. Raises DeviceError, ValueError for a wrong field."""
    profile = load(meter.profile, folder)
    wanted = (*meter.fields, *((meter.product,) if meter.product else ()))
    for name in wanted:
        if name not in profile.fields:
            hint = suggestion(name, profile.fields)
            raise ValueError(f"profile '{meter.profile}' has no field '{name}': {hint}")
    seen: Sequence[Seen] = read_device(meter.where, meter.serial, profile, timeout_s) if ask else ()
    offered = _offered(profile.fields.items(), {one.name: one for one in seen}, asked=ask)
    there = {one.read: one for one in offered}
    chosen = [there[name] for name in meter.fields] if meter.fields else first_choice(offered)
    if not chosen:
        raise DeviceError(f"{meter.where.address} id {meter.where.device_id} has none of the fields of {meter.profile}")
    remarks = [f"{one.read}: the device gave no value" for one in chosen if ask and one.value is None]
    points = [drafted(one) for one in chosen]
    product = None
    if meter.product:
        counted = replace(drafted(there[meter.product]), kind=Kind.COUNTER, unit=product_unit)
        points = [*(one for one in points if one.name != counted.name), counted]
        product = counted.name, product_unit
    lines = [
        ("protocol", "modbus"),
        ("title", quoted(f"{profile.make} {profile.model}")),
        ("address", quoted(meter.where.address)),
        ("device_id", str(meter.where.device_id)),
        ("profile", meter.profile),
        ("interval", MODBUS_INTERVAL),
    ]
    if meter.serial is not None:
        lines.insert(3, ("serial", f"{{baud: {meter.serial.baud}, parity: {quoted(meter.serial.parity)}}}"))
    ratio = isinstance(profile, Profile) and any(one.ratio != "none" for one in profile.fields.values())
    return Made((Gauge("meter", tuple(lines), tuple(points), ratio),), product, tuple(remarks))


def of_topic_heard(topic: Topic, heard: Listening | None, name: str, title: str) -> Made:
    """A topic as it was heard; unheard, it is taken for a bare number.

    Raises DeviceError when it cannot be read, ValueError for a wrong field.
    """
    if heard is None:
        head, _, last = topic.topic.rpartition("/")
        shape = f"{head}/{{read}}" if head else topic.topic
        found = _unheard(last, topic)
        return Made((Gauge(name, _mqtt_lines(title, shape, "number", (), 60), (found,)),))
    readable, unread = groups(heard)
    if not readable:
        if unread:
            raise DeviceError(f"'{topic.topic}': it cannot be read: {unread[0][1]}")
        hint = "\n    hint: `keepclean discover` with the broker's address lists the topics that come; give one in full"
        raise DeviceError(f"'{topic.topic}': nothing was heard in {heard.seconds:.0f} s{hint}")
    group = readable[0]
    one = group.suggestion
    reads = {value.read for value in one.values}
    for wish in topic.fields:
        if wish not in reads:
            raise ValueError(f"'{topic.topic}' holds no '{wish}': {suggestion(wish, reads)}")
    told = applied(one.values, topic.fields, topic.unit, topic.kind, naming=one.payload in NAMING)
    if not told and (topic.unit or topic.kind):
        raise ValueError(f"'{topic.topic}': this topic names its own units; {topic.otherwise}")
    units = dict.fromkeys(told, topic.unit) if topic.unit else {}
    kinds = dict.fromkeys(told, topic.kind) if topic.kind else {}
    points = of_topic(one, topic.fields, units, kinds)
    every = [each.every_s for each in group.topics if each.every_s]
    interval = next((step for step in INTERVALS_S if step >= ceil(0.9 * max(every))), 3600) if every else 60
    lines = _mqtt_lines(title, one.topic, one.payload or "number", one.settings, interval)
    guessed = [point for point in points if point.guessed]
    remarks = [f"{point.name}: kind {point.kind} and unit {point.unit} are guesses" for point in guessed]
    if all(each.count == each.retained for each in group.topics):
        remarks.append("only a retained message was heard: the first reading is the next fresh one")
    return Made((Gauge(name, lines, tuple(points)),), remarks=tuple(remarks))


def needs_units(heard: Listening) -> bool:
    """Whether what was heard has values, and does not name their units itself."""
    readable, _ = groups(heard)
    return bool(readable) and readable[0].suggestion.payload not in NAMING


def hear(broker: Broker, folder: Path, topic: str, seconds: float = LISTEN_S) -> Listening:
    """What comes on a topic until two fresh messages have. Raises as `listen` does."""

    def twice(found: Listening) -> bool:
        return any(one.count - one.retained > 1 for one in found.topics.values())

    try:
        return listen(broker, folder, topic, seconds, enough=twice)
    except DeviceError as error:
        raise DeviceError(explained(error), retryable=error.retryable) from error


def with_product(made: Made, counter: Made, unit: str) -> Made:
    """A device, and another that counts the product."""
    gauge = counter.gauges[0]
    point = replace(gauge.points[0], name="product_count", kind=Kind.COUNTER, unit=unit, guessed=False)
    gauges = (*made.gauges, replace(gauge, points=(point,)))
    return Made(gauges, (point.name, unit), (*made.remarks, *(one for one in counter.remarks if "guess" not in one)))


def write(folder: Path, wanted: Wanted, made: Made, broker: Broker | None) -> Described:
    """Checks the description and writes it.

    Raises ValueError when it fails its check: nothing is written then. Raises ConfigurationError when there is one
    already, or when it cannot be written.
    """
    path = folder / FILE
    body = text(wanted, made.gauges, broker_lines(broker, site_id(wanted.name), folder) if broker else (), made.product)
    described = sound(body, path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(body)
    except FileExistsError:
        raise already(path) from None
    except OSError as error:
        raise ConfigurationError([Fault(path, 1, f"cannot be written: {error.strerror}")]) from error
    return described


def already(path: Path) -> ConfigurationError:
    """There is a description, which is never overwritten."""
    hint = "give another folder, or move that file away"
    return ConfigurationError([Fault(path, 1, "there is a description already; it stays as it is", hint)])


def broker_lines(broker: Broker, site: str, folder: Path) -> list[tuple[str, str]]:
    """The broker's keys; files are named from the description's folder where they lie in it."""
    lines = [("url", quoted(broker.url)), ("client_id", f"keepclean-{site}")]
    if broker.username:
        lines.append(("username", quoted(broker.username)))
    for key in ("password_file", "ca_file", "cert_file", "key_file"):
        value = getattr(broker, key)
        if value:
            full, base = Path(value).resolve(), folder.resolve()
            lines.append((key, quoted(str(full.relative_to(base) if full.is_relative_to(base) else full))))
    return lines


def first_kpi(made: Made) -> Drafted | None:
    """The point whose sum is the first KPI."""
    return main_point([point for gauge in made.gauges for point in gauge.points], made.product)


def machine_zone() -> str:
    """This machine's time zone; UTC where it does not say."""
    local = Path("/etc/localtime")
    told = (
        os.environ.get("TZ", "").lstrip(":"),
        str(local.resolve()).partition("zoneinfo/")[2] if local.is_symlink() else "",
        _first_line(Path("/etc/timezone")),
    )
    return next((zone for zone in told if zone and zone in available_timezones()), "UTC")


def today(zone: str) -> datetime:
    """Now, in a time zone."""
    return datetime.now(ZoneInfo(zone))


def _first_line(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""


def _offered(fields: object, seen: Mapping[str, Seen], *, asked: bool) -> list[Offered]:
    offered = []
    for name, one in fields:  # type: ignore[attr-defined]  # two kinds of profile, both with titles and units
        if isinstance(one, RegisterField) and one.type == "string" and not one.values:
            continue
        answer = seen.get(name)
        value = answer.value if answer and isinstance(answer.value, float) else None
        offered.append(Offered(name, one.title, one.unit, value, value is not None or not asked))
    return offered


def _unheard(last: str, topic: Topic) -> Drafted:
    kind, unit = Kind.LEVEL, "1"
    return Drafted(
        slug(last),
        Text(en=last, zh=last),
        last,
        topic.kind or kind,
        topic.unit or unit,
        guessed=not (topic.kind and topic.unit),
    )


def _mqtt_lines(
    title: str, shape: str, payload: str, settings: Sequence[tuple[str, str]], interval: int
) -> tuple[tuple[str, str], ...]:
    keys = [("protocol", "mqtt"), ("title", quoted(title)), ("topic", quoted(shape)), ("payload", payload)]
    return (*keys, *((key, quoted(value)) for key, value in settings), ("interval", f"{interval} s"))
