"""The command that sets up the time-series server."""

from __future__ import annotations

from typing import Annotated

import typer

from monitor.options import PlantFile, sound
from monitor.terminal import fail, out
from plant.errors import DeviceError, KeepcleanError

influx = typer.Typer(no_args_is_help=True, help="The time-series server.")

DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")]


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.add_typer(influx, name="influx")


@influx.command()
def setup(plant: PlantFile, dry_run: DryRun = False) -> None:
    """Set up how long the server keeps minute facts, and hourly ones for ever; never deletes, and can be repeated."""
    from historian.influx.setup import set_up

    described = sound(plant)
    try:
        server, steps = set_up(described.plant, described.folder, dry_run=dry_run)
    except KeepcleanError as error:
        fail(error)
    except OSError as error:
        fail(DeviceError(f"the token's file cannot be read: {error}"))
    out.print(f"{server}{', nothing is changed' if dry_run else ''}", markup=False, highlight=False, soft_wrap=True)
    for step in steps:
        why = f" ({step.why})" if step.why else ""
        out.print(f"{step.done}: {step.what}{why}", markup=False, highlight=False, soft_wrap=True)
