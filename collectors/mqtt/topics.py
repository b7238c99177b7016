"""Which topic feeds which points, prepared once from the plant description."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from collectors.mqtt.columns import Columns
from collectors.mqtt.names import native_unit
from collectors.mqtt.times import Clockwork, clockwork
from plant.model import Mqtt, Plant, Point
from plant.units import conversion

READ = "{read}"
SPARKPLUG = "sparkplug_b"
NODE_KINDS = ("NBIRTH", "NDATA", "NDEATH")
DEVICE_KINDS = ("DBIRTH", "DDATA", "DDEATH")

Path = tuple[str, ...]
# what makes readings of a payload that came at a time [µs UTC]; "" or why the message, or a part of it, was rejected
Reader = Callable[[int, bytes, Columns], str]


@dataclass(frozen=True)
class Route:
    """How the messages of one topic are read.

    `style` names the reader: the payload's, or for the topics that come with it "tasmota_will", "shelly_events",
    "shelly_status", "shelly_online". `points` says which point takes what is at which path (the tag in a JSON array);
    a Sparkplug topic's are in its `Edge`. `time_path` is empty when messages carry no time of their own.
    """

    device: str
    style: str
    points: tuple[tuple[Path, int], ...]
    clock: Clockwork
    time_path: Path = ()
    tag_path: Path = ()
    value_path: Path = ()
    fahrenheit: frozenset[int] = frozenset()


@dataclass
class Edge:
    """A Sparkplug edge node: the points of its own metrics (under "") and of its devices', by the metric's name.

    `owners` are the described devices that they belong to, by the same key; `rebirth` allows to ask for a birth.
    """

    group: str
    name: str
    rebirth: bool = False
    metrics: dict[str, dict[bytes, tuple[int, ...]]] = field(default_factory=dict)
    owners: dict[str, str] = field(default_factory=dict)

    def owner(self, device: str) -> str:
        """The described device to which a message of the edge node is put down."""
        return self.owners.get(device) or next(iter(self.owners.values()))

    def topic(self, kind: str, device: str = "") -> str:
        """A topic of the edge node."""
        topic = f"spBv1.0/{self.group}/{kind}/{self.name}"
        return f"{topic}/{device}" if device else topic


@dataclass(frozen=True)
class Topics:
    """Every MQTT topic of a plant; a topic may have more than one route.

    `devices` names each point's device, `scales` what its values are multiplied with; `edges` are the Sparkplug edge
    nodes, whose state spans topics.
    """

    points: tuple[str, ...]
    devices: tuple[str, ...]
    scales: tuple[float, ...]
    routes: dict[str, tuple[Route, ...]]
    edges: tuple[Edge, ...] = ()

    def subscriptions(self) -> list[str]:
        """The topics to subscribe to.

        All devices of an edge node count in one sequence, so those that nobody reads are subscribed to as well:
        without them every message of theirs would look like a lost one.
        """
        found = {topic for topic, routes in self.routes.items() if any(one.style != SPARKPLUG for one in routes)}
        for edge in self.edges:
            found.update(edge.topic(kind) for kind in NODE_KINDS)
            found.update(edge.topic(kind, "+") for kind in DEVICE_KINDS)
        return sorted(found)

    def sparkplug(self, topic: str) -> list[tuple[Edge, str, str]]:
        """The edge node, the kind of message and the device ("" for the node) of a Sparkplug topic; at most one."""
        _, group, kind, name, device = (*topic.split("/", 4), "", "", "", "", "")[:5]
        if not topic.startswith("spBv1.0/") or kind not in (DEVICE_KINDS if device else NODE_KINDS):
            return []
        return [(edge, kind, device) for edge in self.edges if (edge.group, edge.name) == (group, name)]


def path(dotted: str) -> Path:
    """The steps of a dotted path; a number steps into a list."""
    return tuple(dotted.split("."))


def topics(plant: Plant) -> Topics:
    """The topics of a plant's MQTT devices with the points that read them.

    Raises ValueError when a point's unit cannot be had from what its device sends; `collectors.check` says so before.
    """
    zone = ZoneInfo(plant.site.time_zone)
    names: list[str] = []
    sources: list[str] = []
    scales: list[float] = []
    routes: dict[str, list[Route]] = {}
    edges: dict[tuple[str, str], Edge] = {}
    for name, device in plant.devices.items():
        if not isinstance(device, Mqtt):
            continue
        fed: list[tuple[Point, int]] = []
        for key, point in plant.points.items():
            if point.device == name:
                fed.append((point, len(names)))
                names.append(key)
                sources.append(name)
                unit = native_unit(device.payload, point.read)
                scales.append(point.scale * (conversion(unit, point.unit) if unit else 1.0))
        found = (
            _sparkplug(edges, name, device, fed, zone)
            if device.payload == SPARKPLUG
            else _routes(name, device, fed, zone)
        )
        for topic, route in found:
            routes.setdefault(topic, []).append(route)
    gathered = {topic: tuple(found) for topic, found in routes.items()}
    return Topics(tuple(names), tuple(sources), tuple(scales), gathered, tuple(edges.values()))


def _routes(name: str, device: Mqtt, fed: list[tuple[Point, int]], zone: ZoneInfo) -> Iterable[tuple[str, Route]]:
    clock = clockwork(device.time_format, zone)
    if device.payload == "number":
        for point, index in fed:
            yield device.topic.replace(READ, point.read), Route(name, "number", (((), index),), clock)
    elif device.payload == "tasmota":
        paths = tuple((path(point.read), index) for point, index in fed)
        fahrenheit = frozenset(index for point, index in fed if point.unit == "degF")
        local = clockwork("local", zone)
        yield device.topic, Route(name, "tasmota", paths, local, ("Time",), fahrenheit=fahrenheit)
        yield will_topic(device.topic), Route(name, "tasmota_will", paths, local)
    elif device.payload == "shelly":
        yield from _shelly(name, device, fed, clockwork("epoch_s", zone))
    else:
        own_time = path(device.time) if device.time else ()
        array = device.payload == "json_array"
        paths = tuple(((point.read,) if array else path(point.read), index) for point, index in fed)
        route = Route(name, device.payload, paths, clock, own_time, path(device.tag), path(device.value))
        yield device.topic, route


def will_topic(topic: str) -> str:
    """Where a Tasmota device's last will goes: tele/NAME/LWT for tele/NAME/SENSOR."""
    return f"{topic.rpartition('/')[0]}/LWT"


def _shelly(name: str, device: Mqtt, fed: list[tuple[Point, int]], clock: Clockwork) -> Iterable[tuple[str, Route]]:
    paths = tuple((path(point.read), index) for point, index in fed)
    yield f"{device.topic}/events/rpc", Route(name, "shelly_events", paths, clock, ("ts",))
    yield f"{device.topic}/online", Route(name, "shelly_online", paths, clock)
    components: dict[str, list[tuple[Path, int]]] = {}
    for (component, *inner), index in paths:
        components.setdefault(component, []).append((tuple(inner), index))
    for component, found in components.items():
        yield f"{device.topic}/status/{component}", Route(name, "shelly_status", tuple(found), clock)


def _sparkplug(
    edges: dict[tuple[str, str], Edge], name: str, device: Mqtt, fed: list[tuple[Point, int]], zone: ZoneInfo
) -> Iterable[tuple[str, Route]]:
    group, node, inner = (*device.topic.split("/", 2), "", "")[:3]
    edge = edges.setdefault((group, node), Edge(group, node))
    edge.rebirth |= device.rebirth
    edge.owners.setdefault(inner, name)
    metrics = edge.metrics.setdefault(inner, {})
    for point, index in fed:
        key = point.read.encode()
        metrics[key] = (*metrics.get(key, ()), index)
    route = Route(name, SPARKPLUG, (), clockwork("epoch_ms", zone))
    kinds = [(kind, "") for kind in NODE_KINDS] + [(kind, inner) for kind in DEVICE_KINDS if inner]
    for kind, which in kinds:
        yield edge.topic(kind, which), route
