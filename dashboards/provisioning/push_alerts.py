"""Pushing what concerns alerts: rules, contact points, mute timings and one branch of the notification policies.

In the order that Grafana allows: a policy names only what is there, and what a policy names is not removed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from dashboards.alerting.contacts import contact_points
from dashboards.alerting.policies import branch, is_branch, mute_timings, name_prefix, prefix
from dashboards.alerting.rules import group_name, grouped
from dashboards.provisioning.grafana import Change, Grafana, holds
from plant.model import Plant

API = "/v1/provisioning"
EXACTLY = ("title", "condition", "noDataState", "execErrState", "for", "annotations", "labels")
Same = Callable[[dict[str, Any], dict[str, Any]], bool]


def push(plant: Plant, grafana: Grafana, folder: Path, folder_uid: str) -> list[Change]:
    """Makes Grafana hold the plant's alerts, in its folder `folder_uid`; what was done.

    `folder` is the description's. Raises what grafana-api and requests raise.
    """
    points = _Things(grafana, "contact-points", "uid", prefix(plant), holds)
    timings = _Things(grafana, "mute-timings", "name", name_prefix(plant), _same_times)
    wanted_points = contact_points(plant, folder, with_secrets=True)
    wanted_timings = mute_timings(plant)
    return [
        *points.write(wanted_points),
        *timings.write(wanted_timings),
        _policies(plant, grafana),
        *points.remove(wanted_points),
        *timings.remove(wanted_timings),
        *_rules(plant, grafana, folder_uid),
    ]


class _Things:
    """Contact points or mute timings: those whose `key` begins with `mine` are ours, the others a person's."""

    def __init__(self, grafana: Grafana, kind: str, key: str, mine: str, same: Same) -> None:
        self._grafana, self._path, self._key, self._same = grafana, f"{API}/{kind}", key, same
        self._title = kind.removesuffix("s").replace("-", " ")
        self._found = {one[key]: one for one in grafana.get(self._path) or [] if one[key].startswith(mine)}

    def write(self, wanted: list[dict[str, Any]]) -> Iterator[Change]:
        for one in wanted:
            found = self._found.get(one[self._key])
            if found is None:
                self._grafana.write("POST", self._path, one)
                yield Change(self._what(one), "created")
            elif self._same(found, one):
                yield Change(self._what(one), "unchanged")
            else:
                self._grafana.write("PUT", self._at(one), one, found=found)
                yield Change(self._what(one), "changed")

    def remove(self, wanted: list[dict[str, Any]]) -> Iterator[Change]:
        keys = {one[self._key] for one in wanted}
        for name, found in self._found.items():
            if name not in keys:
                self._grafana.write("DELETE", self._at(found), found=found)
                yield Change(self._what(found), "removed")

    def _at(self, one: dict[str, Any]) -> str:
        return f"{self._path}/{quote(one[self._key], safe='')}"

    def _what(self, one: dict[str, Any]) -> str:
        kind = f" ({one['type']})" if "type" in one else ""
        return f"{self._title} {one['name']}{kind}"


def _same_times(found: dict[str, Any], wanted: dict[str, Any]) -> bool:
    return bool(_plain(found.get("time_intervals")) == _plain(wanted["time_intervals"]))


def _policies(plant: Plant, grafana: Grafana) -> Change:
    """Our branch stands first below the root, before any that a person keeps for all alerts; the rest stays as it is.

    Grafana writes the whole tree or nothing.
    """
    what = f"notification policy of {plant.site.id}"
    tree = grafana.get(f"{API}/policies")
    found = tree.get("routes") or []
    others = [one for one in found if not is_branch(plant, one)]
    wanted = [branch(plant, tree["receiver"]), *others]
    if _plain(found) == _plain(wanted):
        return Change(what, "unchanged")
    body = {**{name: value for name, value in tree.items() if name != "provenance"}, "routes": wanted}
    grafana.write("PUT", f"{API}/policies", body, found=tree)
    return Change(what, "changed" if len(others) < len(found) else "created")


def _rules(plant: Plant, grafana: Grafana, folder_uid: str) -> Iterator[Change]:
    """All rules are asked for at once: for a single one that is not there Grafana 9 answers 500."""
    mine = prefix(plant)
    known = {one["uid"]: one for one in grafana.get(f"{API}/alert-rules") or [] if one["uid"].startswith(mine)}
    for family, rules in grouped(plant).items():
        for rule in rules:
            found = known.pop(rule["uid"], None)
            body = {**rule, "orgID": 1, "folderUID": folder_uid, "ruleGroup": group_name(plant, family)}
            what = f"alert rule {rule['title']}"
            if found is None:
                grafana.write("POST", f"{API}/alert-rules", body)
                yield Change(what, "created")
            elif _same_rule(found, body):
                yield Change(what, "unchanged")
            else:
                grafana.write("PUT", f"{API}/alert-rules/{rule['uid']}", body, found=found)
                yield Change(what, "changed")
    for uid, found in known.items():
        grafana.write("DELETE", f"{API}/alert-rules/{uid}", found=found)
        yield Change(f"alert rule {found['title']}", "removed")


def _same_rule(found: dict[str, Any], wanted: dict[str, Any]) -> bool:
    exactly = all(_plain(found.get(name)) == _plain(wanted[name]) for name in EXACTLY)
    return exactly and holds(found, {name: wanted[name] for name in ("data", "folderUID", "ruleGroup")})


def _plain(content: Any) -> Any:
    """Without what is empty: some versions of Grafana write it out, others leave it out."""
    if isinstance(content, dict):
        inner = {name: _plain(value) for name, value in content.items()}
        return {name: value for name, value in inner.items() if value not in (None, "", [], {}, False)}
    return [_plain(value) for value in content] if isinstance(content, list) else content
