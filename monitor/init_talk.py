"""The conversation of `keepclean init`: what is asked, what was found, what was written, and what to run next."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.prompt import IntPrompt, Prompt

from collectors.modbus.fit import Fit
from collectors.modbus.probe import target
from collectors.mqtt.broker import host_port
from collectors.mqtt.discover import Listening
from collectors.profile import builtin
from monitor.describe import Described
from monitor.init import (
    LISTEN_S,
    Made,
    Meter,
    Topic,
    first_kpi,
    hear,
    needs_units,
    of_meter,
    of_topic_heard,
    today,
    with_product,
    write,
)
from monitor.init_check import currency, zone
from monitor.init_points import slug
from monitor.init_text import ELECTRICITY, OTHER, Wanted, kpi_name
from monitor.probe import conclusion, fit_profiles, fits_table
from plant.draft import suggestion
from plant.model import Broker, Kind, Serial
from plant.units import parse

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
    asked: bool = False


@dataclass(frozen=True)
class Source:
    """How the meter or topic is to be reached and read.

    `ask` says whether the device is asked at all, `talk` whether somebody is there to answer a question.
    """

    fields: tuple[str, ...]
    unit: int | None
    baud: int
    parity: str
    timeout_s: float
    broker: Broker | None
    ask: bool
    talk: bool = False


def ask(given: Answers, unit: int | None, screen: Console) -> Answers:
    """The questions, each with a default where there is a sensible one; `unit` is the device's id where it is told."""
    screen.print("One meter or one topic, and a few words about the plant. Enter takes what stands in brackets.")
    name = Prompt.ask("The plant's name", default=given.name or "My plant", console=screen)
    part = Prompt.ask("The part of it that is measured", default=given.part, console=screen)
    zone_ = _asked("Its time zone", given.zone, zone, screen)
    currency_ = _asked("Its currency", given.currency, currency, screen)
    told = replace(given, name=name, part=part, zone=zone_, currency=currency_, asked=True)
    where = _asked(
        "The meter (modbus://host:port/id, rtu://host:port/id, /dev/ttyUSB0) or the broker (mqtt://host:port)",
        None,
        lambda text: host_port(text) if text.startswith("mqtt") else target(text, unit),
        screen,
    )
    if where.startswith("mqtt"):
        topic = _asked("The topic (keepclean discover lists them)", None, _one_topic, screen)
        return replace(told, broker=where, topic=topic)
    profile = _asked(
        "Its profile (Enter: all are tried)", "", lambda text: _known_profile(text) if text else None, screen
    )
    return replace(told, meter=where, profile=profile or None)


def _asked(question: str, default: str | None, check: Callable[[str], object], screen: Console) -> str:
    """An answer, asked for again until it is one; `check` raises ValueError otherwise."""
    while True:
        if default is None:
            text = Prompt.ask(question, console=screen).strip()
        else:
            text = Prompt.ask(question, default=default, show_default=bool(default), console=screen).strip()
        try:
            check(text)
        except ValueError as error:
            screen.print(str(error), markup=False, highlight=False, style="yellow")
        else:
            return text


def begin(folder: Path, answers: Answers, source: Source, screen: Console) -> None:
    """Asks the device, writes the file, checks it, and says what to run next.

    Raises ValueError for a wrong answer, ConfigurationError and DeviceError as what it uses does.
    """
    day = today(zone(answers.zone)).date()
    wanted = Wanted(answers.name, answers.zone, currency(answers.currency), answers.part, day)
    made = _meter(folder, answers, source, screen) if answers.meter else _topic(answers, source, screen)
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
        screen.print(fits_table(fits), conclusion(fits), highlight=False)
        profile = _which(fits, source, screen)
    else:
        _known_profile(profile)
    in_payload = answers.product if answers.product and source.broker is None else None
    meter = Meter(where, serial, profile, source.fields, in_payload)
    made = of_meter(meter, answers.product_unit, folder, source.timeout_s, ask=source.ask)
    if answers.product and source.broker is not None:
        made = with_product(made, _counted(answers, source, screen), answers.product_unit)
    return made


def _which(fits: Sequence[Fit], source: Source, screen: Console) -> str:
    """The profile that fits; when several do, the one that is chosen."""
    best = [fit for fit in fits if fit.verdict == "fits"]
    if not best and source.talk:
        return _asked("Its profile all the same, or the name of a .yaml file", None, _known_profile, screen)
    if not best:
        raise ValueError(f"no profile fits; add --profile with one of: {', '.join(builtin())}")
    if len(best) == 1:
        return best[0].profile
    if not source.talk:
        raise ValueError(f"several profiles fit; add --profile with one of: {', '.join(fit.profile for fit in best)}")
    for number, fit in enumerate(best, 1):
        screen.print(f"  {number}  {fit.profile}  ({fit.title})", highlight=False, markup=False)
    numbers = [str(number) for number in range(1, len(best) + 1)]
    return best[IntPrompt.ask("Which of these?", choices=numbers, default=1, console=screen) - 1].profile


def _known_profile(name: str) -> None:
    if not name.endswith((".yaml", ".yml")) and name not in builtin():
        raise ValueError(f"there is no meter profile '{name}': {suggestion(name, builtin())}")


def _one_topic(text: str) -> None:
    if not text or any(letter in text for letter in "+#"):
        raise ValueError(f"'{text}' is not one topic: keepclean discover lists what + and # stand for")


def _topic(answers: Answers, source: Source, screen: Console) -> Made:
    if source.broker is None or not answers.topic:
        raise ValueError("a --topic needs its --broker, as mqtt://host:1883")
    if answers.kind not in (None, *KINDS):
        raise ValueError(f"a value's kind is {', '.join(KINDS)}, not '{answers.kind}'")
    kind = Kind(answers.kind) if answers.kind else None
    topic = Topic(answers.topic, source.fields, answers.measured_in, kind)
    heard = _heard(topic, source, screen)
    if answers.asked and not (topic.unit or topic.kind) and (heard is None or needs_units(heard)):
        told = Prompt.ask("What its value is", choices=list(KINDS), default=KINDS[0], console=screen)
        unit = _asked("In which unit, as kWh, m3, kW, degC", "kWh", parse, screen)
        topic = replace(topic, unit=unit, kind=Kind(told))
    made = _of_topic(topic, heard, "meter")
    if answers.product:
        made = with_product(made, _counted(answers, source, screen), answers.product_unit)
    return made


def _counted(answers: Answers, source: Source, screen: Console) -> Made:
    assert answers.product is not None
    topic = Topic(answers.product, (), answers.product_unit, Kind.COUNTER, "none of them counts a product")
    return _of_topic(topic, _heard(topic, source, screen), "product_counter")


def _heard(topic: Topic, source: Source, screen: Console) -> Listening | None:
    assert source.broker is not None
    _one_topic(topic.topic)
    if not source.ask:
        return None
    with screen.status(f"listening to {escape(topic.topic)}, {LISTEN_S:.0f} s at most (Ctrl-C: enough)"):
        return hear(source.broker, Path(), topic.topic)


def _of_topic(topic: Topic, heard: Listening | None, name: str) -> Made:
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
    lines += [
        "After a change of the file, stop the running one (Ctrl-C) and start `run` again; but first:",
        f"  keepclean check {path}",
        'A second meter or topic: docs/first-plant.md, "A second source"; keepclean discover --yaml prints its lines',
    ]
    for line in lines:
        screen.print(line, highlight=False, markup=False, soft_wrap=True)
