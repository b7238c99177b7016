"""Pushing the board to a running Grafana: folder, data source and board, changed only where they differ.

grafana-api is small and old; it stays behind this one file.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

from grafana_api.grafana_api import GrafanaClientError, GrafanaException
from grafana_api.grafana_face import GrafanaFace
from requests import RequestException

from dashboards.board import overview, uid
from dashboards.files import FOLDER, data_source
from dashboards.queries import SOURCE_UID
from plant.errors import DeviceError
from plant.model import Plant

FOLDER_UID = "keepclean"
TIMEOUT_S = 10.0


@dataclass(frozen=True)
class Change:
    """What was done, or in a dry run would be, to one thing in Grafana."""

    what: str
    done: Literal["created", "changed", "unchanged"]


def connect(url: str, token: str) -> GrafanaFace:
    """A client for the Grafana at `url`; `token` is a service account's, or 'user:password'."""
    parts = urlsplit(url)
    auth = tuple(token.split(":", 1)) if ":" in token else token
    return GrafanaFace(
        auth=auth,
        host=parts.hostname or "localhost",
        port=parts.port,
        url_path_prefix=f"{parts.path.strip('/')}/" if parts.path.strip("/") else "",
        protocol=parts.scheme or "http",
        timeout=TIMEOUT_S,
    )


def push(plant: Plant, grafana: GrafanaFace, *, dry_run: bool = False, influx_token: str | None = None) -> list[Change]:
    """Makes Grafana hold the plant's board; a second call changes nothing. A dry run only asks.

    Raises DeviceError when Grafana refuses or does not answer.
    """
    try:
        return [
            _folder(grafana, dry_run),
            _source(grafana, data_source(plant, influx_token), dry_run),
            _board(grafana, overview(plant), uid(plant), dry_run),
        ]
    except GrafanaException as error:
        retryable = not isinstance(error, GrafanaClientError)
        raise DeviceError(f"Grafana answers: {error.message}", retryable=retryable) from error
    except RequestException as error:
        raise DeviceError(f"Grafana does not answer: {error}") from error


def _folder(grafana: GrafanaFace, dry_run: bool) -> Change:
    what = f"folder {FOLDER}"
    if _get(grafana, f"/folders/{FOLDER_UID}") is not None:
        return Change(what, "unchanged")
    if not dry_run:
        grafana.folder.create_folder(title=FOLDER, uid=FOLDER_UID)
    return Change(what, "created")


def _source(grafana: GrafanaFace, wanted: dict[str, Any], dry_run: bool) -> Change:
    """A secret cannot be read back: its being set is all that is compared."""
    what = f"data source {wanted['name']}"
    found = _get(grafana, f"/datasources/uid/{SOURCE_UID}")
    if found is None:
        if not dry_run:
            grafana.api.POST("/datasources", json=wanted)
        return Change(what, "created")
    plain = {name: value for name, value in wanted.items() if name != "secureJsonData"}
    secrets = set(wanted.get("secureJsonData", {}))
    known = {name for name, is_set in found.get("secureJsonFields", {}).items() if is_set}
    if _holds(found, plain) and secrets <= known:
        return Change(what, "unchanged")
    if not dry_run:
        grafana.api.PUT(f"/datasources/uid/{SOURCE_UID}", json=wanted)
    return Change(what, "changed")


def _board(grafana: GrafanaFace, wanted: dict[str, Any], address: str, dry_run: bool) -> Change:
    what = f"board {wanted['title']}"
    found = _get(grafana, f"/dashboards/uid/{address}")
    if found is not None:
        stored = {name: value for name, value in found["dashboard"].items() if name not in ("id", "version")}
        if stored == wanted and found.get("meta", {}).get("folderUid") == FOLDER_UID:
            return Change(what, "unchanged")
    if not dry_run:
        message = "pushed by keepclean"
        grafana.dashboard.update_dashboard(
            {"dashboard": wanted, "folderUid": FOLDER_UID, "overwrite": True, "message": message}
        )
    return Change(what, "changed" if found is not None else "created")


def _get(grafana: GrafanaFace, path: str) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = grafana.api.GET(path)
    except GrafanaClientError as error:
        if error.status_code == 404:
            return None
        raise
    return found


def _holds(found: dict[str, Any], wanted: dict[str, Any]) -> bool:
    return all(
        _holds(found.get(name) or {}, value) if isinstance(value, dict) else found.get(name) == value
        for name, value in wanted.items()
    )
