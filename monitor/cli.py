"""The command line; `keepclean --help` is the tour.

Commands import what they need when they run: `check` must not wait for a web server to load.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Sized
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from historian.tables import TABLES
from monitor import cli_acts, cli_first, cli_grafana, cli_influx
from monitor.describe import Described
from monitor.options import DataFolder, PlantFile, data_of, local_time, sound
from monitor.terminal import err, fail, out
from pipeline.windows import NAMES
from plant.advice import advise
from plant.errors import DeviceError, KeepcleanError

if TYPE_CHECKING:
    import polars as pl

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Streaming plant-data monitor that keeps cleaner production going after the auditors have left.",
)

Port = Annotated[int, typer.Option(help="Port of the built-in page; a busy one takes the next.")]
BrokerUrl = Annotated[str | None, typer.Option("--broker", help="Another MQTT broker than the description's.")]
Parent = Annotated[int, typer.Option(hidden=True)]

EXAMPLE = Path(__file__).resolve().parent.parent / "examples" / "electroplating"


cli_first.register(app)
cli_acts.register(app)
cli_influx.register(app)
cli_grafana.register(app)


@app.command()
def check(
    plant: PlantFile,
    try_broker: Annotated[
        bool, typer.Option("--try-broker", help="Then try whether the broker keeps messages while keepclean is away.")
    ] = False,
) -> None:
    """Check a plant description: every fault at once, with line and hint; connects to nothing unless told to."""
    described = sound(plant)
    found = described.plant
    out.print(
        f"{plant}: sound. {_number(found.points, 'point')} on {_number(found.devices, 'device')}, "
        f"{_number(found.kpis, 'KPI')}, {_number(found.baselines, 'baseline')}, {_number(found.options, 'option')}.",
        highlight=False,
        soft_wrap=True,
    )
    for sentence in advise(found, datetime.now(ZoneInfo(found.site.time_zone)).date()):
        out.print(f"advice: {sentence}", highlight=False, soft_wrap=True)
    if try_broker:
        _try_broker(described)


def _number(found: Sized, what: str) -> str:
    return f"{len(found)} {what}{'' if len(found) == 1 else 's'}"


def _try_broker(described: Described) -> None:
    """Messages of our own, left at the broker and fetched again; ends with status 1 when some are missing."""
    from collectors.mqtt.trial import attempt

    broker = described.plant.broker
    if broker is None:
        raise typer.BadParameter("the description names no broker")
    try:
        trial = attempt(broker, broker.url, described.folder)
    except (KeepcleanError, OSError) as error:
        fail(error if isinstance(error, KeepcleanError) else DeviceError(str(error)))
    out.print(
        f"{broker.url}: {trial.protocol}; of {trial.sent:,} messages sent while keepclean was away it kept"
        f" {trial.kept:,}, {trial.window:,} at a time without acknowledgement.",
        highlight=False,
        soft_wrap=True,
    )
    for fault in trial.faults():
        err.print(f"broker: {fault}", highlight=False, soft_wrap=True)
    if trial.faults():
        raise typer.Exit(1)


@app.command()
def demo(
    data: Annotated[Path, typer.Option(help="Where the demo keeps its data; emptied at the start.")] = Path(".demo"),
    port: Port = 8080,
    speed: Annotated[float, typer.Option(help="Plant minutes per real minute.")] = 60.0,
    broker: BrokerUrl = None,
    scenario: Annotated[Path, typer.Option(help="The simulated shop's scenario.")] = EXAMPLE / "scenario.yaml",
    plant: Annotated[Path, typer.Option(help="The plant description.")] = EXAMPLE / "plant.yaml",
) -> None:
    """Five weeks of a simulated electroplating shop, then the shop live: break something and see it found."""
    from monitor.demo import run_demo

    described = sound(plant)
    try:
        run_demo(described, scenario, data.resolve(), port, speed, broker)
    except KeepcleanError as error:
        fail(error)


@app.command()
def run(plant: PlantFile, data: DataFolder = None, port: Port = 8080, broker: BrokerUrl = None) -> None:
    """Read a plant's meters and watch it until stopped."""
    from monitor.run import run_plant

    described = sound(plant)
    try:
        run_plant(described, data_of(plant, data), port, broker)
    except KeepcleanError as error:
        fail(error)


@app.command()
def simulate(
    scenario: Annotated[Path, typer.Argument(help="The scenario, a YAML file.", metavar="SCENARIO")],
    data: Annotated[Path, typer.Option(help="Where state and truth are kept.")],
    speed: Annotated[str, typer.Option(help="Plant time per real time, or 'max' for lock step with PLANT.")] = "60",
    plant: Annotated[Path | None, typer.Option(help="With --speed max: the plant description that watches.")] = None,
    days: Annotated[float, typer.Option(help="With --speed max: how long to run.")] = 35,
    broker: BrokerUrl = None,
) -> None:
    """Run the simulated shop: its meters on sockets, or (--speed max) in lock step with the whole pipeline."""
    from monitor.simulate import simulate as simulate_scenario

    try:
        simulate_scenario(scenario, data, speed, sound(plant) if plant else None, days, broker, out)
    except KeepcleanError as error:
        fail(error)


@app.command()
def replay(
    plant: PlantFile,
    readings: Annotated[list[Path], typer.Option("--readings", help="CSV or Parquet files, merged by source time.")],
    data: DataFolder = None,
    baseline: Annotated[
        str | None, typer.Option(help="Fit and accept baselines on this span of days: 2018-01-01..2018-08-31")
    ] = None,
) -> None:
    """Send history from files through the very same pipeline, as fast as the machine allows."""
    from monitor.replay import replay as replay_files

    described = sound(plant)
    try:
        span = _span(baseline) if baseline else None
        done = replay_files(described, readings, data_of(plant, data), span, out)
    except KeepcleanError as error:
        fail(error)
    rate = done.readings / max(done.seconds, 1e-9)
    out.print(f"{done.readings:,} readings in {done.seconds:.1f} s ({rate:,.0f}/s), {done.rejected} rejected")
    for name, reason in done.refused.items():
        out.print(f"no baseline for {name}: {reason}")


@app.command("import")
def import_files(
    plant: PlantFile,
    files: Annotated[list[Path], typer.Argument(help="CSV or Parquet files.", metavar="FILE...")],
    data: DataFolder = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Tell what the files hold; write nothing.")] = False,
) -> None:
    """Read files into a plant that runs or not: meter rounds, laboratory samples, what a logger kept."""
    from monitor import import_files as importing

    described = sound(plant)
    try:
        found = importing.import_files(described, files, data_of(plant, data), dry_run, out)
    except KeepcleanError as error:
        fail(error)
    for one in found:
        for line in importing.report(one, dry_run, importing.wall_clock(described)):
            out.print(line, markup=False, highlight=False, soft_wrap=True)


@app.command()
def export(
    plant: PlantFile,
    table: Annotated[str, typer.Option(help=f"One of {', '.join(TABLES)}.")],
    data: DataFolder = None,
    since: Annotated[str | None, typer.Option("--from", help="RFC 3339, or a local date.")] = None,
    until: Annotated[str | None, typer.Option("--to", help="RFC 3339, or a local date; not included.")] = None,
    form: Annotated[str, typer.Option("--format", help="csv, parquet or json.")] = "csv",
    output: Annotated[Path | None, typer.Option("--out", help="A file; without it standard output.")] = None,
) -> None:
    """Write a table: readings, facts, kpi, blocks, drift, alarms or notices."""
    from historian.reader import Reader

    described = sound(plant)
    if table not in TABLES or form not in ("csv", "parquet", "json"):
        raise typer.BadParameter(f"tables are {', '.join(TABLES)}; formats csv, parquet, json")
    zone = described.plan.zone
    try:
        reader = Reader(data_of(plant, data))
        frame = reader.table(
            table, local_time(since, zone) if since else None, local_time(until, zone) if until else None
        )
    except KeepcleanError as error:
        fail(error)
    _write(frame, form, output)


@app.command()
def explain(
    plant: PlantFile,
    kpi: Annotated[str, typer.Argument(help="The KPI's name in the description.")],
    at: Annotated[str | None, typer.Option(help="RFC 3339 or local time; the last result when left out.")] = None,
    window: Annotated[str, typer.Option(help=f"{', '.join(NAMES)}, or a period of the plant's own.")] = "1h",
    data: DataFolder = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """From a KPI value back to formula, factors, points, minute facts and readings, by recomputing it."""
    from historian.reader import Reader
    from monitor import explain as story_text
    from pipeline import explain as explaining

    described = sound(plant)
    if kpi not in described.plant.kpis:
        raise typer.BadParameter(f"there is no KPI '{kpi}'; there are {', '.join(described.plant.kpis)}")
    windows = (*NAMES, *described.plant.periods)
    if window not in windows:
        raise typer.BadParameter(f"there is no window '{window}'; there are {', '.join(windows)}")
    try:
        reader = Reader(data_of(plant, data))
        moment = local_time(at, described.plan.zone) if at else reader.head("settled")
        row = explaining.find_row(reader, kpi, window, moment)
        if row is None:
            err.print(f"no result of {kpi} over {window} at or before that time")
            raise typer.Exit(1)
        story = explaining.explain(described.plan, reader, row)
    except KeepcleanError as error:
        fail(error)
    if as_json:
        sys.stdout.write(json.dumps(story_text.plain(story), ensure_ascii=False, indent=1) + "\n")
    else:
        out.print(story_text.tree(described.plan, story), highlight=False)
    if not story.agrees or story.disagreements:
        raise typer.Exit(2)


@app.command()
def audit(
    plant: PlantFile,
    data: DataFolder = None,
    form: Annotated[str, typer.Option("--format", help="text, csv or json.")] = "text",
    table: Annotated[str, typer.Option(help="With csv and json: targets or options.")] = "targets",
) -> None:
    """The audit's targets and options as they stand."""
    from historian.reader import Reader
    from monitor import audit as tables

    described = sound(plant)
    if form not in ("text", "csv", "json") or table not in tables.SHOWN:
        raise typer.BadParameter("formats are text, csv, json; tables are targets, options")
    try:
        found = tables.frames(described.plant, Reader(data_of(plant, data)))
    except KeepcleanError as error:
        fail(error)
    if form == "text":
        for name, frame in found.items():
            out.print(tables.shown(name, frame))
        return
    # a list of drifts is one text in a spreadsheet's cell
    flat = found[table].with_columns(_joined(found[table]))
    _write(flat, form, None)


@app.command(hidden=True)
def serve(
    plant: PlantFile,
    data: Annotated[Path, typer.Option()],
    clock: Annotated[Path, typer.Option()],
    port: Port = 8080,
    demo: Annotated[bool, typer.Option("--demo")] = False,
    parent: Parent = 0,
) -> None:
    """The serve process."""
    import monitor.serve
    from monitor.processes import end_with_parent

    end_with_parent(parent)
    described = sound(plant)
    try:
        monitor.serve.run(described, data, clock, port, demo)
    except KeepcleanError as error:
        fail(error)


@app.command(hidden=True)
def shop(
    scenario: Path,
    data: Annotated[Path, typer.Option()],
    clock: Annotated[Path, typer.Option()],
    ports: Annotated[Path, typer.Option()],
    broker: BrokerUrl = None,
    parent: Parent = 0,
) -> None:
    """The simulated shop's process."""
    import simulators.main
    from monitor.clock_file import read_clock
    from monitor.processes import end_with_parent

    end_with_parent(parent)
    simulators.main.run(scenario, data=data, clock=read_clock(clock), broker_url=broker, ports_out=ports)


def _joined(frame: pl.DataFrame) -> list[pl.Expr]:
    """Lists of texts as one text each."""
    import polars as pl

    return [pl.col(name).list.join("; ") for name, kind in frame.schema.items() if isinstance(kind, pl.List)]


def _span(text: str) -> tuple[date, date]:
    first, _, last = text.partition("..")
    try:
        span = date.fromisoformat(first), date.fromisoformat(last)
    except ValueError as error:
        raise typer.BadParameter(f"'{text}' is not a span: write 2018-01-01..2018-08-31") from error
    if span[1] - span[0] < timedelta(days=7):
        raise typer.BadParameter("a baseline needs at least seven days")
    return span


def _write(frame: pl.DataFrame, form: str, output: Path | None) -> None:
    target = output if output is not None else sys.stdout.buffer
    if form == "parquet":
        frame.write_parquet(target)
    elif form == "json":
        text = frame.write_json()
        sys.stdout.write(text) if output is None else output.write_text(text, encoding="utf-8")
    else:
        frame.write_csv(target, datetime_format="%Y-%m-%dT%H:%M:%S%.6fZ")


def main() -> None:
    """The entry point."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    for noisy in ("httpx", "apprise", "nicegui", "transitions", "amqtt"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    app()
