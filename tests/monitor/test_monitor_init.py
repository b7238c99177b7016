"""The first ten minutes: init, probe and discover as a newcomer types them, with a meter and a topic of one's own."""

from __future__ import annotations

import json
import re
from functools import partial
from pathlib import Path

import pytest
import yaml
from first_meter import ADL400, HALF_ADL400, free_port, meter, mosquitto, needs_mosquitto, pm5300, publishing, sdm630
from typer.testing import CliRunner, Result

from collectors.mqtt.discover import Listening
from collectors.mqtt.suggest import Found
from monitor.cli import app
from monitor.describe import Described, describe
from monitor.init import Topic, of_topic_heard
from monitor.init_points import applied
from plant.errors import DeviceError
from plant.model import Kind, Modbus, Mqtt

RUN = CliRunner()


def keepclean(*arguments: str, typed: str | None = None) -> Result:
    """A command, as it is typed."""
    return RUN.invoke(app, list(arguments), input=typed)


def uncommented(path: Path) -> Described:
    """The description with every setting that it offers taken."""
    text = re.sub(r"^(\s*)#(?=\S)", r"\1", path.read_text(), flags=re.MULTILINE)
    (path.parent / "production").mkdir()
    whole = path.with_name("whole.yaml")
    whole.write_text(text)
    return describe(whole)


@pytest.mark.server
def test_a_meter_becomes_a_sound_description(tmp_path: Path) -> None:
    """Device, points with the right kinds and units, a first KPI; what was read stands beside it."""
    with meter(ADL400) as address:
        done = keepclean(
            "init", str(tmp_path / "works"), "--meter", f"modbus://{address}/1", "--profile", "acrel-adl400",
            "--name", "Works No. 2", "--time-zone", "Asia/Shanghai", "--part", "Hall 3",
        )  # fmt: skip
    assert done.exit_code == 0, done.output
    path = tmp_path / "works" / "plant.yaml"
    found = describe(path).plant
    device = found.devices["meter"]
    assert isinstance(device, Modbus)
    assert (device.address, device.device_id, device.profile) == (address, 1, "acrel-adl400")
    assert (found.site.id, found.site.name.en, found.site.time_zone) == ("works-no-2", "Works No. 2", "Asia/Shanghai")
    kinds = {name: (point.kind, point.unit, point.unit_of) for name, point in found.points.items()}
    assert kinds == {
        "energy_import": (Kind.COUNTER, "kWh", "hall_3"),
        "active_power": (Kind.RATE, "kW", "hall_3"),
    }
    [kpi] = found.kpis.values()
    assert (kpi.numerator[0].point, kpi.unit, kpi.scope, kpi.denominator) == ("energy_import", "kWh", "hall_3", [])
    text = path.read_text()
    assert "was 123 kWh" in text
    assert "was 2.79 kW" in text
    assert "ct_ratio" in text  # this meter gives secondary values
    assert max(map(len, text.splitlines())) <= 140
    for told in ("keepclean run", "Data health", "first value after about 5 minutes"):
        assert told in done.output


@pytest.mark.server
@needs_mosquitto
@pytest.mark.parametrize("source", ["meter", "topic", "both"])
def test_every_setting_on_offer_is_sound_when_taken(tmp_path: Path, source: str) -> None:
    """Deleting each # that has no space behind it gives a description that passes the check as well."""
    folder = tmp_path / "plant"
    with mosquitto(tmp_path) as port, meter(sdm630()) as address:
        url = f"mqtt://127.0.0.1:{port}"
        by_meter = ("--meter", f"modbus://{address}/1", "--profile", "eastron-sdm630")
        by_topic = ("--topic", "m7/energy", "--broker", url)
        arguments = {
            "meter": by_meter,
            "topic": by_topic,
            "both": (*by_meter, "--broker", url, "--product", "line/pieces"),
        }[source]
        with publishing(port, lambda n: {"m7/energy": b"%d" % (5000 + n), "line/pieces": b"%d" % n}):
            done = keepclean("init", str(folder), *arguments)
    assert done.exit_code == 0, done.output
    assert describe(folder / "plant.yaml").plant.kpis["electricity"].target is None
    whole = uncommented(folder / "plant.yaml").plant
    assert whole.kpis["electricity"].target is not None
    assert {"electricity", "electricity_per_product", "electricity_cost"} == set(whole.kpis)
    assert whole.tariffs
    assert whole.factors
    assert whole.products["product"].points == ["product_count" if source == "both" else "pieces"]


@pytest.mark.server
@needs_mosquitto
def test_a_topic_becomes_a_sound_description(tmp_path: Path) -> None:
    """A number's kind and unit are guesses that the file owns up to, unless they are told; JSON is read by path."""
    body = json.dumps({"ts": "2026-03-02T12:00:00+08:00", "water": {"total": 17.5}, "note": "x"}).encode()
    with mosquitto(tmp_path) as port, publishing(port, lambda n: {"m7/energy": b"%d" % n, "gateway/state": body}):
        url = f"mqtt://127.0.0.1:{port}"
        guess = keepclean("init", str(tmp_path / "a"), "--topic", "m7/energy", "--broker", url)
        told = keepclean(
            "init", str(tmp_path / "b"), "--topic", "gateway/state", "--broker", url, "--field", "water.total",
            "--kind", "counter", "--in", "m3", "--name", "水厂",
        )  # fmt: skip
        wrong = keepclean("init", str(tmp_path / "c"), "--topic", "gateway/state", "--broker", url, "--field", "watr")
    assert guess.exit_code == 0, guess.output
    assert "kind counter and unit kWh are guesses" in guess.output
    assert "a guess" in (tmp_path / "a" / "plant.yaml").read_text()
    found = describe(tmp_path / "a" / "plant.yaml").plant
    device = found.devices["meter"]
    assert isinstance(device, Mqtt)
    assert (device.topic, device.payload, found.points["energy"].read) == ("m7/{read}", "number", "energy")
    assert found.broker is not None
    assert found.broker.url == url
    assert told.exit_code == 0, told.output
    assert "guess" not in told.output
    second = describe(tmp_path / "b" / "plant.yaml").plant
    gateway = second.devices["meter"]
    assert isinstance(gateway, Mqtt)
    assert (gateway.payload, gateway.time, gateway.time_format) == ("json", "ts", "rfc3339")
    assert (second.points["water_total"].kind, second.points["water_total"].unit) == (Kind.COUNTER, "m3")
    assert (second.site.id, second.site.name.en) == ("my-plant", "水厂")
    assert wrong.exit_code == 2
    assert not (tmp_path / "c" / "plant.yaml").exists()


@pytest.mark.server
def test_without_flags_it_asks(tmp_path: Path) -> None:
    """Name, part, zone, currency, meter, profile; without a profile all are tried, and the one that fits is taken."""
    with meter(ADL400) as address:
        typed = f"My works\n\nAsia/Shanghai\nEUR\nmodbus://{address}/1\n\n"
        done = keepclean("init", str(tmp_path), typed=typed)
    assert done.exit_code == 0, done.output
    found = describe(tmp_path / "plant.yaml").plant
    assert (found.site.name.en, found.site.currency) == ("My works", "EUR")
    device = found.devices["meter"]
    assert isinstance(device, Modbus)
    assert device.profile == "acrel-adl400"
    assert "compare" in done.output


@pytest.mark.server
@needs_mosquitto
def test_it_asks_for_a_topic_as_well(tmp_path: Path) -> None:
    """Broker, topic, kind and unit; the name, the part, the zone and the currency have defaults."""
    with mosquitto(tmp_path) as port, publishing(port, lambda n: {"hall/flow": b"%d" % n}):
        typed = f"\n\nAsia/Shanghai\n\nmqtt://127.0.0.1:{port}\nhall/flow\nrate\nm3/h\n"
        done = keepclean("init", str(tmp_path / "new"), typed=typed)
    assert done.exit_code == 0, done.output
    found = describe(tmp_path / "new" / "plant.yaml").plant
    assert (found.points["flow"].kind, found.points["flow"].unit) == (Kind.RATE, "m3/h")
    assert found.kpis["consumption"].unit == "m3"
    assert "guess" not in done.output


def test_a_serial_line_is_written_with_its_settings(tmp_path: Path) -> None:
    """Path, id, baud rate and parity."""
    serial = ("--meter", "/dev/ttyUSB0", "--unit", "5", "--baud", "19200", "--parity", "even")
    done = keepclean("init", str(tmp_path), *serial, "--profile", "chint-dtsu666", "--no-probe")
    assert done.exit_code == 0, done.output
    device = describe(tmp_path / "plant.yaml").plant.devices["meter"]
    assert isinstance(device, Modbus)
    assert (device.address, device.device_id) == ("/dev/ttyUSB0", 5)
    assert (device.serial.baud, device.serial.parity) == (19200, "even")


def test_a_file_is_never_overwritten(tmp_path: Path) -> None:
    """Nor is anybody asked or connected to before that is known."""
    (tmp_path / "plant.yaml").write_text("mine")
    done = keepclean("init", str(tmp_path), "--meter", f"modbus://127.0.0.1:{free_port()}/1", "--profile", "abb-b23")
    assert done.exit_code == 1
    assert "stays as it is" in done.output
    assert (tmp_path / "plant.yaml").read_text() == "mine"


def test_no_meter_no_file_unless_told(tmp_path: Path) -> None:
    """A meter that does not answer leaves no file behind; --no-probe writes one without asking."""
    arguments = ["init", str(tmp_path), "--meter", f"modbus://127.0.0.1:{free_port()}/1", "--profile", "abb-b23"]
    done = keepclean(*arguments)
    assert done.exit_code == 1
    assert "cannot be reached" in done.output
    assert "--no-probe" in done.output
    assert not (tmp_path / "plant.yaml").exists()
    assert keepclean(*arguments, "--no-probe", "--field", "energy_import").exit_code == 0
    assert set(describe(tmp_path / "plant.yaml").plant.points) == {"energy_import"}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--meter", "http://x", "--profile", "abb-b23"), "modbus://host:port/id"),
        (("--meter", "modbus://h/1", "--profile", "abb-b32"), "abb-b23"),
        (("--meter", "modbus://h/1", "--profile", "abb-b23", "--field", "energy_imprt", "--no-probe"), "energy_import"),
        (("--topic", "a/b"), "--broker"),
        (("--topic", "a/#", "--broker", "mqtt://h"), "not one topic"),
        (("--topic", "a", "--broker", "http://h"), "mqtt://host:port"),
        (("--meter", "modbus://h/1", "--no-probe"), "--profile"),
        (("--meter", "modbus://h/1", "--topic", "a"), "one meter or one topic"),
        (("--topic", "a", "--broker", "mqtt://h", "--kind", "sum"), "counter, rate, level"),
    ],
)
def test_wrong_flags_are_told_before_anything_connects(tmp_path: Path, arguments: tuple[str, ...], told: str) -> None:
    """With what to write instead; status 2, no file."""
    done = keepclean("init", str(tmp_path), *arguments)
    assert done.exit_code == 2
    assert told in re.sub(r"[\s│]+", " ", done.output)
    assert not (tmp_path / "plant.yaml").exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--time-zone", "Asia/Shangai"), "--time-zone: there is no time zone 'Asia/Shangai'"),
        (("--currency", "1"), "--currency: three capital letters"),
        (("--currency", "XYZ"), "--currency: three capital letters"),
        (("--currency", "kWh"), "--currency: three capital letters"),
        (("--product", "energy_import", "--product-unit", "pieceses"), "'pieceses' is not a unit"),
    ],
)
def test_what_fails_the_check_is_never_written(tmp_path: Path, arguments: tuple[str, ...], told: str) -> None:
    """The answer at fault is named, and no file is left behind that the next attempt would stumble over."""
    meter_ = ("--meter", "modbus://10.0.0.7/1", "--profile", "abb-b23", "--no-probe")
    done = keepclean("init", str(tmp_path / "new"), *meter_, *arguments)
    assert done.exit_code == 2
    assert told in re.sub(r"[\s│]+", " ", done.output)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    "words",
    [
        ("--name", "no", "--part", "on"),
        ("--name", "# x: {y", "--part", "a: [b"),
        ("--broker", "mqtt://b", "--product", "line/on", "--product-unit", "1"),
    ],
)
def test_words_that_yaml_takes_for_something_else_are_quoted(tmp_path: Path, words: tuple[str, ...]) -> None:
    """A name stays the name that was typed."""
    meter_ = ("--meter", "modbus://10.0.0.7/1", "--profile", "abb-b23", "--no-probe")
    done = keepclean("init", str(tmp_path), *meter_, *words)
    assert done.exit_code == 0, done.output
    found = describe(tmp_path / "plant.yaml").plant
    if words[0] == "--name":
        assert (found.site.name.en, [unit.title.en for unit in found.process_units.values()]) == (words[1], [words[3]])
    else:
        assert found.products["product"].unit == "1"


@pytest.mark.server
def test_several_profiles_that_fit_are_a_question(tmp_path: Path) -> None:
    """Somebody who is there chooses by number, the first by default; otherwise the message names them and --profile."""
    profiles = ["schneider-iem3155", "schneider-iem3255", "schneider-pm5300"]
    with meter(pm5300()) as address:
        typed = f"My works\n\nAsia/Shanghai\nEUR\nmodbus://{address}/1\n\n"
        first = keepclean("init", str(tmp_path / "a"), typed=typed + "\n")
        third = keepclean("init", str(tmp_path / "b"), typed=typed + "3\n")
        flags = keepclean("init", str(tmp_path / "c"), "--meter", f"modbus://{address}/1")
    chosen = []
    for name, done in (("a", first), ("b", third)):
        assert done.exit_code == 0, done.output
        assert "Which of these?" in done.output
        device = describe(tmp_path / name / "plant.yaml").plant.devices["meter"]
        assert isinstance(device, Modbus)
        chosen.append(device.profile)
    assert len(set(chosen)) == 2
    assert set(chosen) <= set(profiles)
    assert flags.exit_code == 2
    said = re.sub(r"[\s│]+", " ", flags.output)
    for told in ("add --profile", *profiles):
        assert told in said
    assert "--no-probe" not in said
    assert not (tmp_path / "c").exists()


@pytest.mark.server
@needs_mosquitto
def test_a_topic_that_names_its_units_keeps_them(tmp_path: Path) -> None:
    """--kind and --in apply to the values that they fit, Wh as kWh too; where they fit none, that is said."""
    plug = {"Time": "2026-03-02T12:00:00", "ENERGY": {"Total": 1.5, "Power": 30, "Voltage": 230}}
    plug["AM2301"] = {"Temperature": 21.5}
    sent = {"tele/plug/SENSOR": json.dumps(plug).encode(), "shop/em/status/emdata:0": b'{"id": 0, "total_act": 7500}'}
    made: dict[str, Result] = {}
    with mosquitto(tmp_path) as port, publishing(port, lambda _: sent):
        url = f"mqtt://127.0.0.1:{port}"
        for name, topic, more in (
            ("plain", "tele/plug/SENSOR", ()),
            ("told", "tele/plug/SENSOR", ("--kind", "counter", "--in", "kWh")),
            ("shelly", "shop/em/status/emdata:0", ("--kind", "counter", "--in", "kWh")),
            ("none", "tele/plug/SENSOR", ("--kind", "counter", "--in", "m3")),
        ):
            made[name] = keepclean("init", str(tmp_path / name), "--broker", url, "--topic", topic, *more)
        typed = f"\n\nAsia/Shanghai\n\n{url}\ntele/plug/SENSOR\n"
        made["asked"] = keepclean("init", str(tmp_path / "asked"), typed=typed)
    for name in ("plain", "told", "asked"):
        assert made[name].exit_code == 0, made[name].output
        points = describe(tmp_path / name / "plant.yaml").plant.points
        kinds = {point: (one.kind, one.unit) for point, one in points.items()}
        assert kinds == {
            "energy_total": (Kind.COUNTER, "kWh"),
            "energy_power": (Kind.RATE, "kW"),
            "energy_voltage": (Kind.LEVEL, "V"),
            "am2301_temperature": (Kind.LEVEL, "degC"),
        }
    assert made["shelly"].exit_code == 0, made["shelly"].output
    assert "emdata_0_total_act = 7.5 kWh" in made["shelly"].output
    assert made["none"].exit_code == 2
    assert "leave --kind and --in out" in re.sub(r"[\s│]+", " ", made["none"].output)
    assert not (tmp_path / "none").exists()


def test_a_told_unit_goes_to_the_values_that_it_fits() -> None:
    """Of several plain values those whose name speaks against it are left; one that is named or alone takes it."""
    energy, power, x = Found("energy", 1.0), Found("power", 1.0), Found("x", 1.0)
    volts, total = Found("ENERGY.Voltage", 1.0, "V"), Found("ENERGY.Total", 1.0, "kWh")
    told = partial(applied, unit="Wh", kind=Kind.COUNTER)
    assert told([energy, power, x], (), naming=False) == ["energy", "x"]
    assert told([power], (), naming=False) == told([energy, power], ("power",), naming=False) == ["power"]
    assert told([volts, total, x], (), naming=True) == ["ENERGY.Total"]
    assert told([volts, total], ("ENERGY.Voltage",), naming=True) == []
    assert applied([volts, total], (), None, Kind.RATE, naming=True) == []
    with pytest.raises(ValueError, match="not a unit"):
        applied([volts, total], (), "kWhh", None, naming=True)


def test_a_topic_on_which_nothing_comes_points_to_discover() -> None:
    """A slip in a topic looks like silence."""
    with pytest.raises(DeviceError, match="keepclean discover"):
        of_topic_heard(Topic("m7/enrgy"), Listening(), "meter", "m7")


def test_the_second_source_of_the_guide_is_sound(tmp_path: Path) -> None:
    """The example, put under the blocks that `init` wrote, passes the check."""
    done = keepclean(
        "init", str(tmp_path), "--meter", "modbus://10.0.0.7/1", "--profile", "abb-b23", "--no-probe", "--part",
        "Production",
    )  # fmt: skip
    for told in ("A second source", "Ctrl-C"):
        assert told in done.output
        assert told in (tmp_path / "plant.yaml").read_text()
    guide = (Path(__file__).parents[2] / "docs" / "first-plant.md").read_text()
    more = yaml.safe_load(guide.partition("## A second source")[2].partition("```yaml\n")[2].partition("```")[0])
    whole = yaml.safe_load((tmp_path / "plant.yaml").read_text())
    for block, entries in more.items():
        whole.setdefault(block, {}).update(entries)
    path = tmp_path / "whole.yaml"
    path.write_text(yaml.safe_dump(whole, allow_unicode=True))
    assert set(describe(path).plant.devices) == {"meter", "compressor"}


@pytest.mark.server
def test_probe_as_it_is_typed(tmp_path: Path) -> None:
    """A table or JSON; 0 when all was answered, 3 when some was refused, 1 when nobody is there."""
    with meter(ADL400) as address:
        done = keepclean("probe", f"modbus://{address}/1", "--profile", "acrel-adl400")
        assert done.exit_code == 0
        for told in ("energy_import", "40011", "0000 300C", "123 kWh", "50.02 Hz"):
            assert told in done.output
        body = json.loads(keepclean("probe", address, "--profile", "acrel-adl400", "--json").stdout)
        power = next(one for one in body["fields"] if one["name"] == "active_power")
        assert (power["words"], power["value"], power["reference"]) == (["0000", "0AE6"], 2790.0, "40363")
        fitting = keepclean("probe", address)
        assert fitting.exit_code == 0
        assert "acrel-adl400 fits" in fitting.output
        assert "no proof" in re.sub(r"\s+", " ", fitting.output)
    with meter(HALF_ADL400) as address:
        done = keepclean("probe", f"modbus://{address}/1", "--profile", "acrel-adl400", "--json")
        assert done.exit_code == 3
        whys = {one["name"]: one["why"] for one in json.loads(done.stdout)["fields"]}
        assert [name for name, why in whys.items() if why] == ["frequency", "active_power"]
        assert whys["frequency"] == "exception 2: illegal data address"
    gone = keepclean("probe", f"modbus://127.0.0.1:{free_port()}/1", "--profile", "acrel-adl400")
    assert gone.exit_code == 1
    assert "cannot be reached" in gone.output
    assert keepclean("probe", "modbus://h/1", "--profile", "acrel").exit_code == 2


@pytest.mark.server
@needs_mosquitto
def test_discover_as_it_is_typed(tmp_path: Path) -> None:
    """A table, or YAML that can be pasted as it is; 3 when nothing came, 1 when nobody is there."""
    with mosquitto(tmp_path) as port:
        url = f"mqtt://127.0.0.1:{port}"
        with publishing(port, lambda n: {"m7/energy": b"%d" % n, "m7/power": b"30"}):
            shown = keepclean("discover", url, "--seconds", "0.5")
            pasted = keepclean("discover", url, "--seconds", "0.5", "--yaml")
        silent = keepclean("discover", url, "--seconds", "0.1", "--topic", "other/#")
    assert shown.exit_code == pasted.exit_code == 0
    assert "m7/{read}" in shown.output
    blocks = yaml.safe_load(pasted.stdout)
    assert set(blocks["points"]) == {"m7_energy", "m7_power"}
    assert blocks["broker"] == {"url": url, "client_id": "keepclean-127-0-0-1"}
    assert silent.exit_code == 3
    gone = keepclean("discover", f"mqtt://127.0.0.1:{free_port()}")
    assert gone.exit_code == 1
    assert "is the address right" in gone.output
    assert keepclean("discover", "http://x").exit_code == 2
