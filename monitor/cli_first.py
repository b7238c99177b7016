"""The commands of the first ten minutes with a meter of one's own: probe, discover, init."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from monitor.terminal import err, fail, out
from plant.draft import suggestion
from plant.errors import ConfigurationError, DeviceError, KeepcleanError
from plant.model import Broker, Serial

if TYPE_CHECKING:
    from collectors.profile_fields import Profile, SunspecProfile

REFUSED_SOME = 3
Parity = Literal["none", "even", "odd"]

MeterId = Annotated[int | None, typer.Option("--unit", help="The device's id, where the address does not hold it.")]
Baud = Annotated[int, typer.Option(help="Of a serial line.")]
ParityOption = Annotated[str, typer.Option(help="Of a serial line: none, even or odd.")]
Timeout = Annotated[float, typer.Option(help="How long to wait for an answer, in seconds.")]
Username = Annotated[str | None, typer.Option(help="The broker's user.")]
PasswordFile = Annotated[Path | None, typer.Option(help="A file with the user's password.")]
CaFile = Annotated[Path | None, typer.Option(help="Certificates to trust with mqtts:// (PEM).")]
CertFile = Annotated[Path | None, typer.Option(help="Our own certificate (PEM).")]
KeyFile = Annotated[Path | None, typer.Option(help="Its key (PEM).")]


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    for command in (init, probe, discover):
        app.command()(command)


def probe(
    device: Annotated[str, typer.Argument(help="modbus://host:port/id, rtu://host:port/id, or /dev/ttyUSB0")],
    profile: Annotated[
        str | None, typer.Option(help="A meter profile, or a .yaml file; without it all built-in ones are tried.")
    ] = None,
    unit: MeterId = None,
    baud: Baud = 9600,
    parity: ParityOption = "none",
    timeout: Timeout = 1.0,
    scan: Annotated[bool, typer.Option("--scan", help="Ask all ids from 1 to 247 and say which answer.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Read a Modbus device once: every field's registers, raw words and value. Nothing is ever written.

    Ends with 0 when every field was answered, 3 when some were refused (or no profile fits), 1 when nobody answers.
    """
    from collectors.modbus.probe import target
    from monitor import probe as looking

    try:
        where = target(device, unit)
        serial = _serial(where.address, baud, parity)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    screen = err if as_json else out
    try:
        if scan:
            found = looking.scan(where, serial, timeout, err)
            if as_json:
                _json({"address": where.address, "ids": found})
            else:
                screen.print(looking.ids_found(found), highlight=False)
            raise typer.Exit(0 if found else 1)
        if profile is None:
            fits = looking.fit_profiles(where, serial, timeout, err)
            if as_json:
                _json(looking.plain_fits(where, fits))
            else:
                screen.print(looking.fits_table(fits), looking.conclusion(fits), highlight=False)
            raise typer.Exit(0 if any(fit.verdict == "fits" for fit in fits) else REFUSED_SOME)
        seen = looking.read_device(where, serial, _profile(profile, Path()), timeout)
    except KeepcleanError as error:
        fail(error)
    if as_json:
        _json(looking.plain(where, profile, seen))
    else:
        screen.print(looking.table(seen, f"{where.address} id {where.device_id}, {profile}"), highlight=False)
    if not any(one.answered for one in seen):
        fail(DeviceError(f"the device answers, but has none of the fields of {profile}: is it another meter?"))
    if not all(one.answered for one in seen):
        raise typer.Exit(REFUSED_SOME)


def discover(
    broker: Annotated[str, typer.Argument(help="mqtt://host:port, or mqtts://host:port for TLS.")],
    topic: Annotated[str, typer.Option(help="Which topics, with + and # as MQTT has them.")] = "#",
    seconds: Annotated[float, typer.Option(help="How long to listen, in seconds.")] = 15.0,
    as_yaml: Annotated[bool, typer.Option("--yaml", help="Print devices and points to paste.")] = False,
    username: Username = None,
    password_file: PasswordFile = None,
    ca_file: CaFile = None,
    cert_file: CertFile = None,
    key_file: KeyFile = None,
) -> None:
    """Listen to an MQTT broker and suggest how its topics could be read. Nothing is published or acknowledged.

    Ends with 0 when something was heard, 3 when nothing was, 1 when the broker cannot be reached or refuses.
    """
    from collectors.mqtt.broker import host_port
    from collectors.mqtt.discover import Listening, listen
    from monitor import discover as showing
    from monitor.init import broker_lines

    named = _broker(broker, username, password_file, ca_file, cert_file, key_file)
    try:
        with err.status("connecting") as status:

            def progress(found: Listening) -> None:
                status.update(showing.so_far(found, seconds))

            found = listen(named, Path(), topic, seconds, progress)
    except (KeepcleanError, OSError) as error:
        fail(DeviceError(showing.explained(error)) if isinstance(error, DeviceError) else DeviceError(str(error)))
    if not found.messages:
        hint = f" ({found.ended})" if found.ended else ""
        err.print(f"nothing came on '{topic}' in {found.seconds:.0f} s{hint}", markup=False, highlight=False)
        raise typer.Exit(REFUSED_SOME)
    if as_yaml:
        host = re.sub("[^a-z0-9]+", "-", host_port(broker)[0].lower()).strip("-")
        sys.stdout.write(showing.yaml(found, broker_lines(named, host, Path())))
    else:
        out.print(showing.shown(found), highlight=False)


def init(
    folder: Annotated[Path, typer.Argument(help="Where plant.yaml goes.", metavar="[FOLDER]")] = Path(),
    meter: Annotated[
        str | None, typer.Option(help="modbus://host:port/id, rtu://host:port/id, or /dev/ttyUSB0")
    ] = None,
    profile: Annotated[str | None, typer.Option(help="The meter's profile, or a .yaml file in FOLDER.")] = None,
    field: Annotated[list[str] | None, typer.Option(help="A field to read (again for more); some if left out.")] = None,
    unit: MeterId = None,
    baud: Baud = 9600,
    parity: ParityOption = "none",
    timeout: Timeout = 1.0,
    broker: Annotated[str | None, typer.Option(help="mqtt://host:port, or mqtts://host:port for TLS.")] = None,
    topic: Annotated[str | None, typer.Option(help="A topic instead of a meter.")] = None,
    measured_in: Annotated[str | None, typer.Option("--in", help="The topic's measuring unit, as kWh.")] = None,
    kind: Annotated[str | None, typer.Option(help="What the topic's value is: counter, rate or level.")] = None,
    username: Username = None,
    password_file: PasswordFile = None,
    ca_file: CaFile = None,
    name: Annotated[str | None, typer.Option(help="The plant's name.")] = None,
    part: Annotated[str, typer.Option(help="The part of the plant that is measured.")] = "Production",
    zone: Annotated[
        str | None, typer.Option("--time-zone", help="As Asia/Shanghai; this machine's if left out.")
    ] = None,
    currency: Annotated[str, typer.Option(help="As CNY or EUR.")] = "CNY",
    product: Annotated[
        str | None, typer.Option(help="What counts the product: a field of the meter, or with --broker a topic.")
    ] = None,
    product_unit: Annotated[str, typer.Option(help="In what the product is counted, as piece, kg or m2.")] = "piece",
    no_probe: Annotated[bool, typer.Option("--no-probe", help="Write the file without asking the meter.")] = False,
) -> None:
    """Write a first plant description from one meter or one topic, check it, and say what to run next.

    Without --meter or --topic it asks. It never overwrites a file.
    """
    from monitor import init as beginning
    from monitor import init_talk as talk

    if meter and topic:
        raise typer.BadParameter("one meter or one topic at first: a further one is added to the file by hand")
    path = folder / beginning.FILE
    if path.exists():
        fail(beginning.already(path))
    zone = zone or beginning.machine_zone()
    name = name or (folder.resolve().name if meter or topic else "")
    answers = talk.Answers(
        meter, profile, topic, broker, name, part, zone, currency, product, product_unit, measured_in, kind
    )
    asked = (meter is None and topic is None) or sys.stdin.isatty()
    if meter is None and topic is None:
        answers = talk.ask(answers, unit, out)
    try:
        named = None
        if answers.broker:
            named = _broker(answers.broker, username, password_file, ca_file)
        source = talk.Source(tuple(field or ()), unit, baud, _parity(parity), timeout, named, not no_probe, asked)
        talk.begin(folder, answers, source, out)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    except ConfigurationError as error:
        fail(error)
    except (KeepcleanError, OSError) as error:
        text = f"{error}\n    hint: --no-probe writes the file without asking" if not no_probe else str(error)
        fail(DeviceError(text))


def _serial(address: str, baud: int, parity: str) -> Serial | None:
    if not address.startswith(("/", "COM")):
        return None
    return Serial(baud=baud, parity=_parity(parity))


def _parity(text: str) -> Parity:
    if text not in ("none", "even", "odd"):
        raise ValueError(f"parity is none, even or odd, not '{text}'")
    return text  # type: ignore[return-value]  # one of the three, as the line above has seen


def _profile(name: str, folder: Path) -> Profile | SunspecProfile:
    from collectors.profile import builtin, load

    if not name.endswith((".yaml", ".yml")) and name not in builtin():
        raise typer.BadParameter(f"there is no meter profile '{name}': {suggestion(name, builtin())}")
    return load(name, folder)


def _broker(
    url: str,
    username: str | None,
    password: Path | None,
    ca: Path | None,
    cert: Path | None = None,
    key: Path | None = None,
) -> Broker:
    from collectors.mqtt.broker import host_port

    try:
        host_port(url)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    files = {"password_file": password, "ca_file": ca, "cert_file": cert, "key_file": key}
    named = {key: str(file) for key, file in files.items() if file}
    return Broker(url=url, client_id="keepclean", username=username, **named)


def _json(body: object) -> None:
    sys.stdout.write(json.dumps(body, ensure_ascii=False, indent=1) + "\n")
