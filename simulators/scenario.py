"""What the simulated shop is asked to do: seed, size, names, noise and faults, read from a strict YAML file."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Self
from zoneinfo import ZoneInfo

import numpy as np
import yaml
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, model_validator

from plant.clock import to_us
from plant.errors import ConfigurationError, Fault
from plant.reading import MINUTE
from simulators.catalogue import find_offer

AT = re.compile(r"day (\d+)(?: (\d{2}):(\d{2}))?")
BETWEEN = re.compile(r"days (\d+)-(\d+)")
DURATION = re.compile(r"(\d+) (min|h|d)")
MINUTES = {"min": 1, "h": 60, "d": 1440}
ONSETS = 5  # stream of random numbers for onsets, apart from those of the model


class Strict(BaseModel):
    """A block of a scenario; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class NoiseProfile(Strict):
    """How far each meter's cause strays from what production explains, as coefficients of variation [1]."""

    minute_cv: Annotated[float, Field(gt=0, lt=0.3)] = 0.175
    hour_cv: Annotated[float, Field(gt=0, lt=0.1)] = 0.061
    day_cv: Annotated[float, Field(ge=0, lt=0.05)] = 0.037


class PlannedFault(Strict):
    """A fault that the scenario switches on by itself.

    `at` is "day 31", "day 31 10:30" (local time, day 1 is the first) or "days 31-33" (a minute in them, drawn from the
    seed). `until` is of the same form, or a duration as "6 h"; without it the fault stands (or lasts as long as its
    offer says).
    """

    fault: str
    target: str
    at: str
    size: Annotated[float, Field(gt=0, le=2)] = 1.0
    until: str | None = None

    @model_validator(mode="after")
    def _known(self) -> Self:
        offer = find_offer(self.fault)
        if self.target not in {target.name for target in offer.targets}:
            raise ValueError(f"{self.fault} has no target '{self.target}'")
        if not AT.fullmatch(self.at) and not BETWEEN.fullmatch(self.at):
            raise ValueError(f"'{self.at}' is not a time: write 'day 31', 'day 31 10:30' or 'days 31-33'")
        if self.until and not AT.fullmatch(self.until) and not DURATION.fullmatch(self.until):
            raise ValueError(f"'{self.until}' is not an end: write 'day 31 10:30' or a duration as '6 h'")
        return self


class Scenario(Strict):
    """The whole scenario; one seed decides everything."""

    seed: Annotated[int, Field(ge=0)]
    start: AwareDatetime
    time_zone: str = "Asia/Shanghai"
    scale: Annotated[float, Field(ge=0.1, le=10)] = 1.0
    names: dict[str, str] = {}
    noise: NoiseProfile = NoiseProfile()
    faults: list[PlannedFault] = []

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if to_us(self.start.astimezone(UTC)) % MINUTE:
            raise ValueError("start must be a whole minute")
        ZoneInfo(self.time_zone)
        return self

    @property
    def start_us(self) -> int:
        """The first instant [µs UTC]."""
        return to_us(self.start.astimezone(UTC))

    @property
    def zone(self) -> ZoneInfo:
        """The plant's time zone."""
        return ZoneInfo(self.time_zone)

    def rename(self, name: str) -> str:
        """A point's name in this plant: the first prefix of `names` that fits is replaced."""
        for prefix, other in self.names.items():
            if name.startswith(prefix):
                return other + name.removeprefix(prefix)
        return name

    def onset(self, index: int) -> int:
        """When planned fault `index` begins [µs UTC, a whole minute]."""
        text = self.faults[index].at
        between = BETWEEN.fullmatch(text)
        if between is None:
            return self._at(text)
        first = self._midnight(int(between[1]))
        minutes = (self._midnight(int(between[2]) + 1) - first) // MINUTE
        drawn = np.random.default_rng([self.seed, ONSETS, index]).integers(minutes)
        return first + int(drawn) * MINUTE

    def end(self, index: int) -> int | None:
        """When planned fault `index` ends [µs UTC]; None when it stands."""
        fault = self.faults[index]
        text = fault.until
        if text is None:
            lasts = find_offer(fault.fault).lasts_minutes
            return None if lasts is None else self.onset(index) + lasts * MINUTE
        duration = DURATION.fullmatch(text)
        if duration:
            return self.onset(index) + int(duration[1]) * MINUTES[duration[2]] * MINUTE
        return self._at(text)

    def _at(self, text: str) -> int:
        found = AT.fullmatch(text)
        if found is None:
            raise ValueError(text)
        midnight = self._midnight(int(found[1]))
        return midnight + (int(found[2] or 0) * 60 + int(found[3] or 0)) * MINUTE

    def _midnight(self, day: int) -> int:
        first = self.start.astimezone(self.zone).date() + timedelta(days=day - 1)
        return to_us(datetime(first.year, first.month, first.day, tzinfo=self.zone).astimezone(UTC))


def load_scenario(path: Path) -> Scenario:
    """Read a scenario file.

    Raises ConfigurationError with every fault found, with its line.
    """
    try:
        text = path.read_text(encoding="utf-8")
        tree = yaml.compose(text)
        return Scenario.model_validate(yaml.safe_load(text))
    except OSError as error:
        raise ConfigurationError([Fault(path, 1, f"cannot be read: {error.strerror}")]) from error
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigurationError([Fault(path, line, f"not YAML: {error.problem}")]) from error
    except ValidationError as error:
        faults = [
            Fault(path, _line(tree, found["loc"]), f"{'.'.join(map(str, found['loc']))}: {found['msg']}")
            for found in error.errors()
        ]
        raise ConfigurationError(faults) from error


def _line(node: Any, where: tuple[int | str, ...]) -> int:
    """The line [1..] of the deepest part of `where` that the document has."""
    line = node.start_mark.line + 1 if node is not None else 1
    for part in where:
        if isinstance(node, yaml.SequenceNode) and isinstance(part, int):
            node = node.value[part]
            line = node.start_mark.line + 1
        elif isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if key.value == part:
                    line, node = key.start_mark.line + 1, value
    return int(line)
