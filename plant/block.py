"""What every block of a description is built from: strict blocks, titles in two languages, durations, times of day."""

from __future__ import annotations

from datetime import date, datetime, time
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
    factors = {"ms": 0.001, "s": 1, "min": 60, "h": 3600, "d": 86400}
    if isinstance(value, str):
        number, _, unit = value.strip().partition(" ")
        if unit not in factors:
            raise ValueError(
                f"'{value}' is not a duration: write a number, a space and ms, s, min, h or d, as '15 min'"
            )
        return float(number) * factors[unit]
    raise ValueError(f"{value!r} has no unit: write a number, a space and ms, s, min, h or d, as '15 min'")


Seconds = Annotated[
    float,
    BeforeValidator(_seconds),
    Field(gt=0),
    WithJsonSchema({"type": "string", "pattern": r"^[0-9.]+ (ms|s|min|h|d)$", "examples": ["60 s", "15 min", "24 h"]}),
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


def _year_day(value: object) -> object:
    """A date, or a month and day of every year."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    try:
        if isinstance(value, str) and len(value) == len("11-15"):
            return f"{date.fromisoformat(f'2000-{value}'):%m-%d}"
        return date.fromisoformat(str(value))
    except ValueError as error:
        raise ValueError(f"'{value}' is no day: write it as 2026-11-15, or as \"11-15\" for every year") from error


LAST_YEAR = 2200


def _moment(value: object) -> object:
    """A day, or a time of the plant's own clock, which YAML leaves a text where it has no seconds."""
    found = value
    try:
        if not isinstance(value, date):
            day = len(str(value)) == len("2026-11-15")
            found = date.fromisoformat(str(value)) if day else datetime.fromisoformat(str(value))
    except ValueError as error:
        raise ValueError(f"'{value}' is no day or time: write it as 2026-11-15, or as 2026-11-15 08:00") from error
    if isinstance(found, datetime) and found.tzinfo is not None:
        raise ValueError(f"'{value}' names a time zone: write the plant's own time, as 2026-11-15 08:00")
    if isinstance(found, date) and not 1970 <= found.year <= LAST_YEAR:
        raise ValueError(f"'{value}' is of no year that a plant was watched in; leave `to` out where no end is known")
    return found


Moment = Annotated[
    datetime | date,
    BeforeValidator(_moment),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}([ T][0-9]{2}:[0-9]{2}(:[0-9]{2})?)?$",
            "examples": ["2026-11-15", "2026-11-15 08:00"],
        }
    ),
]


YearDay = Annotated[
    date | str,
    BeforeValidator(_year_day),
    WithJsonSchema({"type": "string", "pattern": r"^([0-9]{4}-)?[0-9]{2}-[0-9]{2}$", "examples": ["11-15"]}),
]
