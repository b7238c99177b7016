"""What alerts alone knows to be wrong in a plant description: addresses that lead nowhere, secrets in the open."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from alerts.address import is_local, parses, secret_file, shows_secret
from plant.errors import Fault
from plant.model import Plant

LineOf = Callable[[tuple[str | int, ...]], int]


def check(plant: Plant, path: Path, line_of: LineOf) -> list[Fault]:
    """The faults of the alarm routes; connects to nothing.

    `path` is the description's file; `line_of(("alarms", "routes", NAME, "to", INDEX))` gives an entry's line.
    """
    faults: list[Fault] = []
    routes = plant.alarms.routes if plant.alarms else {}
    for name, route in routes.items():
        for index, address in enumerate(route.to):
            found = _fault(address, path.parent)
            if found is not None:
                faults.append(Fault(path, line_of(("alarms", "routes", name, "to", index)), *found))
    return faults


def _fault(address: str, folder: Path) -> tuple[str, str] | None:
    """What is wrong with one address and what to write instead; the address itself is shown only without secrets."""
    if is_local(address):
        return None
    file = secret_file(address, folder)
    if file is not None:
        if not file.is_file():
            return f"route address '{address}': no such file", f"write the Apprise address into {file}, one line"
        if not parses(file.read_text(encoding="utf-8").strip()):
            return f"route address '{address}': the file holds no address that Apprise knows", _EXAMPLES
        return None
    if not parses(address):
        return f"route address '{address.partition(':')[0]}:…' is none that Apprise knows", _EXAMPLES
    if shows_secret(address):
        return (
            f"route address '{address.partition(':')[0]}:…' holds a secret in the open",
            "put the whole address into a file that only keepclean may read and write 'file:PATH' here",
        )
    return None


_EXAMPLES = "console, log, https://HOST/PATH for a webhook, or file:PATH with an address as dingtalk://…, mailtos://…"
