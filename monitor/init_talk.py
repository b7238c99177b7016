"""The conversation of `keepclean init`: what is asked, what was found, what was written, and what to run next."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.prompt import Prompt

from collectors.modbus.probe import target
from collectors.profile import builtin
from monitor.describe import Described
from monitor.init import (
    LISTEN_S,
    Made,
    Meter,
    Topic,
    first_kpi,
    hear,
    of_meter,
    of_topic_heard,
    today,
    with_product,
    write,
)
from monitor.init_points import slug
from monitor.init_text import ELECTRICITY, OTHER, Wanted, kpi_name
from monitor.probe import conclusion, fit_profiles, fits_table
from plant.draft import suggestion
from plant.errors import DeviceError
from plant.model import Broker, Kind, Serial

PORT = 8080
MINUTES_TO_VALUE = 5
KINDS = ("counter", "rate", "level")


@dataclass(frozen=True)
class Answers:
    """What a newcomer says, by flags or when asked."""

    meter: str | None
    profile: str | None
    topic: str | None
    broker: str | None
    name: str
    part: str
    zone: str
    currency: str
    product: str | None
    product_unit: str
    measured_in: str | None = None
    kind: str | None = None


@dataclass(frozen=True)
class Source:
    """How the meter or topic is to be reached and read; `ask` says whether it is asked at all."""

    fields: tuple[str, ...]
    unit: int | None
    baud: int
    parity: str
    timeout_s: float
    broker: Broker | None
    ask: bool


def ask(given: Answers, screen: Console) -> Answers:
    """The questions, each with a default where there is a sensible one."""
    screen.print("One meter or one topic, and a few words about the plant. Enter takes what stands in brackets.")
    name = Prompt.ask("The plant's name", default=given.name or "My plant", console=screen)
    part = Prompt.ask("The part of it that is measured", default=given.part, console=screen)
    zone = Prompt.ask("Its time zone", default=given.zone, console=screen)
    currency = Prompt.ask("Its currency", default=given.currency, console=screen)
    told = replace(given, name=name, part=part, zone=zone, currency=currency)
    where = Prompt.ask(
        "The meter (modbus://host:port/id, rtu://host:port/id, /dev/ttyUSB0) or the broker (mqtt://host:port)",
        console=screen,
    ).strip()
    if where.startswith("mqtt"):
        topic = Prompt.ask("The topic (keepclean discover lists them)", console=screen).strip()
        kind = Prompt.ask("What its value is", choices=list(KINDS), default=KINDS[0], console=screen)
        unit = Prompt.ask("In which unit, as kWh, m3, kW, degC", default="kWh", console=screen)
        return replace(told, broker=where, topic=topic, kind=kind, measured_in=unit)
    profile = Prompt.ask("Its profile (Enter: all are tried)", default="", show_default=False, console=screen)
    return replace(told, meter=where, profile=profile or None)


def begin(folder: Path, answers: Answers, source: Source, screen: Console) -> None:
    """Asks the device, writes the file, checks it, and says what to run next.

    Raises ValueError for a wrong answer, ConfigurationError and DeviceError as what it uses does.
    """
    wanted = Wanted(answers.name, answers.zone, answers.currency, answers.part, today(answers.zone).date())
    made = _meter(folder, answers, source, screen) if answers.meter else _topic(folder, answers, source, screen)
    described = write(folder, wanted, made, source.broker if uses_broker(made) else None)
    finish(described, made, screen)


def uses_broker(made: Made) -> bool:
    """Whether anything comes by MQTT."""
    return any(("protocol", "mqtt") in gauge.lines for gauge in made.gauges)


def _meter(folder: Path, answers: Answers, source: Source, screen: Console) -> Made:
    assert answers.meter is not None
    where = target(answers.meter, source.unit)
    serial = None
    if where.address.startswith(("/", "COM")):
        serial = Serial.model_validate({"baud": source.baud, "parity": source.parity})
    profile = answers.profile
    if profile is None:
        if not source.ask:
            raise ValueError(f"without a probe a --profile is needed: {', '.join(builtin())}")
        fits = fit_profiles(where, serial, source.timeout_s, screen)
        best = [fit.profile for fit in fits if fit.verdict == "fits"]
        screen.print(fits_table(fits), conclusion(fits), highlight=False)
        if len(best) != 1:
            raise DeviceError(f"name the meter's profile with --profile: {', '.join(best or builtin())}")
        profile = best[0]
    elif not profile.endswith((".yaml", ".yml")) and profile not in builtin():
        raise ValueError(f"there is no meter profile '{profile}': {suggestion(profile, builtin())}")
    in_payload = answers.product if answers.product and source.broker is None else None
    meter = Meter(where, serial, profile, source.fields, in_payload)
    made = of_meter(meter, answers.product_unit, folder, source.timeout_s, ask=source.ask)
    if answers.product and source.broker is not None:
        made = with_product(made, _counted(folder, answers, source, screen), answers.product_unit)
    return made


def _topic(folder: Path, answers: Answers, source: Source, screen: Console) -> Made:
    if source.broker is None or not answers.topic:
        raise ValueError("a --topic needs its --broker, as mqtt://host:1883")
    if answers.kind not in (None, *KINDS):
        raise ValueError(f"a value's kind is {', '.join(KINDS)}, not '{answers.kind}'")
    kind = Kind(answers.kind) if answers.kind else None
    topic = Topic(answers.topic, source.fields, answers.measured_in, kind)
    made = _heard(topic, "meter", folder, source, screen)
    if answers.product:
        made = with_product(made, _counted(folder, answers, source, screen), answers.product_unit)
    return made


def _counted(folder: Path, answers: Answers, source: Source, screen: Console) -> Made:
    assert answers.product is not None
    topic = Topic(answers.product, (), answers.product_unit, Kind.COUNTER)
    return _heard(topic, "product_counter", folder, source, screen)


def _heard(topic: Topic, name: str, folder: Path, source: Source, screen: Console) -> Made:
    assert source.broker is not None
    if any(letter in topic.topic for letter in "+#"):
        raise ValueError(f"'{topic.topic}' is not one topic: keepclean discover lists what + and # stand for")
    heard = None
    if source.ask:
        with screen.status(f"listening to {escape(topic.topic)}, {LISTEN_S:.0f} s at most (Ctrl-C: enough)"):
            heard = hear(source.broker, Path(), topic.topic)
    return of_topic_heard(topic, heard, name, slug(topic.topic).replace("_", " "))


def finish(described: Described, made: Made, screen: Console) -> None:
    """What was written, and what comes next."""
    plant, path = described.plant, described.path
    for gauge in made.gauges:
        for point in gauge.points:
            value = "" if point.value is None else f" = {point.value:,.7g} {'' if point.unit == '1' else point.unit}"
            screen.print(f"  {point.name}{value}  ({point.kind}, from {gauge.name})", highlight=False, markup=False)
    for remark in made.remarks:
        screen.print(f"  note: {remark}", highlight=False, markup=False, style="yellow")
    counts = ", ".join(
        f"{len(found)} {what}{'' if len(found) == 1 else 's'}"
        for found, what in ((plant.devices, "device"), (plant.points, "point"), (plant.kpis, "KPI"))
    )
    screen.print(f"[bold]{escape(str(path))}[/bold]: written and sound. {counts}.", highlight=False, soft_wrap=True)
    first = first_kpi(made)
    title = (ELECTRICITY if first and kpi_name(first) == "electricity" else OTHER).en
    lines = [
        "Read it: it is short, and says what each line is for. Then:",
        f"  keepclean run {path}",
        f"    the page        http://127.0.0.1:{PORT}/ (or the next free port: it says which)",
        "    Data health     the meter's readings, within a minute",
    ]
    if first is not None:
        lines.append(
            f"    Energy, 1 h     {title}: a first value after about {MINUTES_TO_VALUE} minutes, marked as estimated"
        )
    lines.append(f"After a change of the file:  keepclean check {path}")
    for line in lines:
        screen.print(line, highlight=False, markup=False, soft_wrap=True)
