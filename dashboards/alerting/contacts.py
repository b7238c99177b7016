"""Where Grafana delivers: the addresses of the alarm routes as contact points, and which of them it cannot serve."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

import apprise

from alerts.address import apprise_address, is_local, secret_file
from dashboards.alerting.policies import hours, identifier, receiver
from plant.errors import Fault
from plant.model import Plant, Route

LineOf = Callable[[tuple[str | int, ...]], int]
Kind = Literal["webhook", "email", "dingding", "wecom"]

SECRETS_IN_GRAFANA = "/etc/grafana/keepclean/secrets"
DINGTALK = "https://oapi.dingtalk.com/robot/send?access_token="
WECOM = "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key="
ENDING = {"en": "", "zh": "_zh"}
ADDRESS: dict[Kind, str] = {"webhook": "url", "email": "addresses", "dingding": "url", "wecom": "url"}
TITLE: dict[Kind, str] = {"webhook": "title", "email": "subject", "dingding": "title", "wecom": "title"}
CAN = (
    "Grafana tells webhooks (https://…), e-mail (mailtos://…), DingTalk robots without a signing key (dingtalk://…) and"
    " WeCom robots (wecombot://…); else leave 'notify: keepclean'"
)


@dataclass(frozen=True)
class Contact:
    """One of a route's addresses as Grafana delivers to it; `secret` says that it stands in a file."""

    route: str
    number: int
    kind: Kind
    settings: dict[str, Any]
    secret: bool


def check(plant: Plant, path: Path, line_of: LineOf) -> list[Fault]:
    """What is wrong with the routes where Grafana is the notifier; connects to nothing.

    `path` is the description's file; `line_of(("alarms", "routes", NAME, "to", INDEX))` gives an entry's line. What
    leads nowhere at all is found by `alerts.check`.
    """
    if plant.alarms is None or plant.alarms.notify != "grafana":
        return []
    faults = []
    for name, route in plant.alarms.routes.items():
        at: tuple[str | int, ...] = ("alarms", "routes", name, "to")
        if all(is_local(address) for address in route.to):
            what = f"route '{name}': with 'notify: grafana' nobody is told, console and log are keepclean's own"
            faults.append(Fault(path, line_of(at), what, CAN))
        for number, address in enumerate(route.to):
            target = None if is_local(address) else _target(address, path.parent)
            if target is not None and _settings(address, target) is None:
                shown = address if address.startswith("file:") else f"{address.partition(':')[0]}:…"
                what = f"route address '{shown}': with 'notify: grafana' nobody is told there"
                faults.append(Fault(path, line_of((*at, number)), what, CAN))
    return faults


def contacts(plant: Plant, folder: Path) -> list[Contact]:
    """The addresses that Grafana delivers to; none where keepclean is the notifier.

    `folder` is the description's, which files with addresses are relative to.
    """
    if plant.alarms is None or plant.alarms.notify != "grafana":
        return []
    found = []
    for name in hours(plant):
        for number, address in enumerate(plant.alarms.routes[name].to):
            target = None if is_local(address) else _target(address, folder)
            made = _settings(address, target) if target is not None else None
            if made is not None:
                found.append(Contact(name, number, *made, secret=secret_file(address, folder) is not None))
    return found


def contact_points(plant: Plant, folder: Path, *, with_secrets: bool) -> list[dict[str, Any]]:
    """The contact points as Grafana's provisioning API has them, one for each address, of one name a route.

    Without secrets, an address that stands in a file is left to a file on Grafana's machine, `secret_path`.
    """
    assert plant.alarms is not None
    found = []
    for contact in contacts(plant, folder):
        settings = contact.settings
        if contact.secret and not with_secrets:
            settings = {ADDRESS[contact.kind]: f"$__file{{{secret_path(plant, contact)}}}"}
        found.append(
            {
                "uid": identifier(plant, "contact", f"{contact.route} {contact.number}"),
                "name": receiver(plant, contact.route),
                "type": contact.kind,
                "settings": {**settings, **_message(contact.kind, plant.alarms.routes[contact.route])},
                # what has gone stands on the list; keepclean's own notifier does not tell of it either
                "disableResolveMessage": True,
            }
        )
    return found


def secret_path(plant: Plant, contact: Contact) -> str:
    """The file on Grafana's machine in which a person puts an address that may not be shown."""
    return f"{SECRETS_IN_GRAFANA}/{plant.site.id}-{contact.route}-{contact.number + 1}"


def secrets(plant: Plant, folder: Path) -> set[str]:
    """What may not be shown of the contact points: every setting that came from a file."""
    return {
        value
        for contact in contacts(plant, folder)
        if contact.secret
        for name, value in contact.settings.items()
        if name != "httpMethod"
    }


def _target(address: str, folder: Path) -> Any:
    """What Apprise makes of an address; None where it knows it not or its file cannot be read."""
    file = secret_file(address, folder)
    try:
        plain = address if file is None else file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return None
    target = apprise.Apprise.instantiate(apprise_address(plain), suppress_exceptions=True)
    if target is not None and plain.startswith(("http://", "https://")):
        setattr(target, "written", plain)  # noqa: B010 - Apprise would lose what stands behind a question mark
    return target


def _settings(address: str, target: Any) -> tuple[Kind, dict[str, Any]] | None:
    """A contact point's type and settings for Apprise's target; None for what Grafana does not serve as it does."""
    match target.schema:
        case "json" | "jsons":
            return "webhook", _webhook(target)
        case "mailto" | "mailtos" if target.targets:
            return "email", {"addresses": ";".join(to for _, to in target.targets)}
        case "dingtalk" if not target.secret:
            return "dingding", {"url": DINGTALK + quote(target.token, safe="")}
        case "wecombot":
            return "wecom", {"url": WECOM + quote(target.key, safe="")}
    return None


def _webhook(target: Any) -> dict[str, Any]:
    written = getattr(target, "written", None)
    if written is not None:
        return {"url": written, "httpMethod": "POST"}
    port = f":{target.port}" if target.port else ""
    url = f"http{'s' if target.secure else ''}://{target.host}{port}{quote(target.fullpath or '/', safe='/%')}"
    who = {"username": target.user, "password": target.password or ""} if target.user else {}
    return {"url": url, "httpMethod": "POST", **who}


def _message(kind: Kind, route: Route) -> dict[str, Any]:
    """A message's words, those of the rule in the route's language; the first alert's, and how many more there are."""
    ending = ENDING[route.language]
    first = f"{{{{ (index .Alerts.Firing 0).Annotations.summary{ending} }}}}"
    title = f"{{{{ if .Alerts.Firing }}}}[{{{{ len .Alerts.Firing }}}}] {first}{{{{ end }}}}"
    board = f"{{{{ .Annotations.board{ending} }}}}"
    body = f"{{{{ range .Alerts.Firing }}}}{{{{ .Annotations.description{ending} }}}}\n{board}\n\n{{{{ end }}}}"
    return {TITLE[kind]: title, "message": body}
