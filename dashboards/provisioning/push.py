"""Pushing everything to a running Grafana: folders, data source, boards and alerts, changed only where they differ.

A person's own boards, rules, contact points and policies are left alone.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dashboards.alerting.contacts import secrets
from dashboards.boards.every import every
from dashboards.frame import FOLDERS, Language
from dashboards.provisioning import push_alerts
from dashboards.provisioning.files import data_source
from dashboards.provisioning.grafana import Change, Grafana, holds
from dashboards.queries.common import SOURCE_UID
from plant.model import Plant

FOLDER_UIDS: dict[Language, str] = {"en": "keepclean", "zh": "keepclean-zh"}


def push(plant: Plant, grafana: Grafana, *, folder: Path = Path(), influx_token: str | None = None) -> list[Change]:
    """Makes Grafana hold the plant's boards and alerts; a second call changes nothing.

    `folder` is the description's, which files with the routes' addresses are relative to; `influx_token` is for
    Grafana's own queries. Raises DeviceError when Grafana refuses or does not answer.
    """
    with grafana.talking({*secrets(plant, folder), *([influx_token] if influx_token else [])}):
        return [
            *(_folder(grafana, language) for language in FOLDERS),
            _source(grafana, data_source(plant, influx_token)),
            *(_board(grafana, board, FOLDER_UIDS[language]) for language, board in every(plant)),
            *push_alerts.push(plant, grafana, folder, FOLDER_UIDS["en"]),
        ]


def _folder(grafana: Grafana, language: Language) -> Change:
    what = f"folder {FOLDERS[language]}"
    if grafana.get(f"/folders/{FOLDER_UIDS[language]}") is not None:
        return Change(what, "unchanged")
    grafana.write("POST", "/folders", {"uid": FOLDER_UIDS[language], "title": FOLDERS[language]})
    return Change(what, "created")


def _source(grafana: Grafana, wanted: dict[str, Any]) -> Change:
    """A secret cannot be read back: its being set is all that is compared."""
    what = f"data source {wanted['name']}"
    found = grafana.get(f"/datasources/uid/{SOURCE_UID}")
    if found is None:
        grafana.write("POST", "/datasources", wanted)
        return Change(what, "created")
    plain = {name: value for name, value in wanted.items() if name != "secureJsonData"}
    known = {name for name, is_set in (found.get("secureJsonFields") or {}).items() if is_set}
    if holds(found, plain) and set(wanted.get("secureJsonData", {})) <= known:
        return Change(what, "unchanged")
    grafana.write("PUT", f"/datasources/uid/{SOURCE_UID}", wanted)
    return Change(what, "changed")


def _board(grafana: Grafana, wanted: dict[str, Any], folder: str) -> Change:
    what = f"board {wanted['title']}"
    found = grafana.get(f"/dashboards/uid/{wanted['uid']}")
    if found is not None:
        stored = {name: value for name, value in found["dashboard"].items() if name not in ("id", "version")}
        if stored == wanted and found.get("meta", {}).get("folderUid") == folder:
            return Change(what, "unchanged")
    body = {"dashboard": wanted, "folderUid": folder, "overwrite": True, "message": "pushed by keepclean"}
    grafana.write("POST", "/dashboards/db", body)
    return Change(what, "changed" if found is not None else "created")
