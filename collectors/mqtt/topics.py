"""Which topic feeds which points, prepared once from the plant description."""

from __future__ import annotations

from dataclasses import dataclass
from zoneinfo import ZoneInfo

from collectors.mqtt.times import Clockwork, clockwork
from plant.model import Mqtt, Plant

READ = "{read}"
Path = tuple[str, ...]


@dataclass(frozen=True)
class Target:
    """A point that a message feeds: its index among `Topics.points` and the factor to its unit."""

    point: int
    scale: float


@dataclass(frozen=True)
class Route:
    """How the messages of one topic are read.

    `number` is the one target of a bare number; `paths` those of a JSON object by path; `tags` those of a JSON array
    by the content of `tag_path`. `time_path` is empty when messages carry no time of their own.
    """

    device: str
    style: str
    number: Target | None
    paths: tuple[tuple[Path, Target], ...]
    tags: dict[str, tuple[Target, ...]]
    tag_path: Path
    value_path: Path
    time_path: Path
    clock: Clockwork


@dataclass(frozen=True)
class Topics:
    """Every MQTT topic of a plant; a topic may have more than one route. `devices` names each point's device."""

    points: tuple[str, ...]
    devices: tuple[str, ...]
    routes: dict[str, tuple[Route, ...]]

    def subscriptions(self) -> list[str]:
        """The topics to subscribe to."""
        return sorted(self.routes)


def path(dotted: str) -> Path:
    """The steps of a dotted path; a number steps into a list."""
    return tuple(dotted.split("."))


def topics(plant: Plant) -> Topics:
    """The topics of a plant's MQTT devices with the points that read them."""
    zone = ZoneInfo(plant.site.time_zone)
    names: list[str] = []
    sources: list[str] = []
    routes: dict[str, list[Route]] = {}
    for name, device in plant.devices.items():
        if isinstance(device, Mqtt):
            fed = {key: point for key, point in plant.points.items() if point.device == name}
            targets = {}
            for key, point in fed.items():
                targets[key] = Target(len(names), point.scale)
                names.append(key)
                sources.append(name)
            if device.payload == "number":
                for key, point in fed.items():
                    route = _route(name, device, zone, number=targets[key])
                    routes.setdefault(device.topic.replace(READ, point.read), []).append(route)
            elif device.payload == "json":
                paths = tuple((path(point.read), targets[key]) for key, point in fed.items())
                routes.setdefault(device.topic, []).append(_route(name, device, zone, paths=paths))
            else:
                tags: dict[str, tuple[Target, ...]] = {}
                for key, point in fed.items():
                    tags[point.read] = (*tags.get(point.read, ()), targets[key])
                routes.setdefault(device.topic, []).append(_route(name, device, zone, tags=tags))
    return Topics(tuple(names), tuple(sources), {topic: tuple(found) for topic, found in routes.items()})


def _route(
    name: str,
    device: Mqtt,
    zone: ZoneInfo,
    *,
    number: Target | None = None,
    paths: tuple[tuple[Path, Target], ...] = (),
    tags: dict[str, tuple[Target, ...]] | None = None,
) -> Route:
    own_time = path(device.time) if device.time and device.payload != "number" else ()
    return Route(
        name,
        device.payload,
        number,
        paths,
        tags or {},
        path(device.tag),
        path(device.value),
        own_time,
        clockwork(device.time_format, zone),
    )
