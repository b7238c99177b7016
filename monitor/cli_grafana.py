"""The commands that bring boards and alerts to a plant's Grafana: as files that it reads, or over its HTTP API."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from monitor.options import PlantFile, sound
from monitor.terminal import fail, out
from plant.errors import KeepcleanError


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    group = typer.Typer(no_args_is_help=True, help="Boards and alert rules of a plant's Grafana, as code.")
    for command in (files, push):
        group.command()(command)
    app.add_typer(group, name="grafana")


def files(
    plant: PlantFile, folder: Annotated[Path, typer.Option("--out", help="Where the provisioning files go.")]
) -> None:
    """Write boards, data source, alert rules and whom they tell as files by which Grafana provisions itself."""
    from dashboards.provisioning import files as provisioning

    described = sound(plant)
    for path in provisioning.write(described.plant, folder, described.folder):
        out.print(str(path), highlight=False, soft_wrap=True)


def push(
    plant: PlantFile,
    url: Annotated[str, typer.Option(help="Where Grafana is, as https://grafana.example:3000.")],
    token_file: Annotated[
        Path, typer.Option("--token-file", help="Holds a service account's token, or user:password; one line.")
    ],
    influx_token_file: Annotated[
        Path | None, typer.Option("--influx-token-file", help="Holds the token by which Grafana reads InfluxDB.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would change; write nothing.")] = False,
) -> None:
    """Make a running Grafana hold the plant's boards and alerts; a person's own are left alone."""
    from dashboards.provisioning.grafana import Grafana
    from dashboards.provisioning.push import push as bring

    described = sound(plant)
    _check_url(url)
    grafana = Grafana(url, _secret(token_file, "--token-file"), dry_run=dry_run)
    influx_token = _secret(influx_token_file, "--influx-token-file") if influx_token_file else None
    try:
        changes = bring(described.plant, grafana, folder=described.folder, influx_token=influx_token)
    except KeepcleanError as error:
        fail(error)
    would = "would be " if dry_run else ""
    for change in changes:
        if change.done != "unchanged":
            out.print(f"{would}{change.done}: {change.what}", highlight=False, markup=False, soft_wrap=True)
    counts = Counter(change.done for change in changes)
    said = ", ".join(
        f"{counts[done]} {done}" for done in ("created", "changed", "removed", "unchanged") if counts[done]
    )
    out.print(f"{said}{'; nothing was written' if dry_run else ''}", highlight=False)


def _check_url(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise typer.BadParameter("write it as https://HOST:PORT", param_hint="--url")
    if parts.username or parts.password:
        raise typer.BadParameter(
            "it holds a password in the open; put user:password into the token file", param_hint="--url"
        )


def _secret(path: Path, option: str) -> str:
    """What a file holds in its one line; what is wrong with it is told without telling it."""
    try:
        text = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not text"
        raise typer.BadParameter(f"{path}: {reason}", param_hint=option) from None
    if not text or not text.isascii() or not text.isprintable():
        raise typer.BadParameter(f"{path}: holds no token, or more than one line", param_hint=option)
    return text
