"""The address of a route: `console`, `log`, a plain webhook, any Apprise address, or `file:PATH` that holds one."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import apprise

# Apprise logs the parts of an address that it cannot read, secrets included; what fails is said by those who call it
logging.getLogger("apprise").disabled = True

CONSOLE = "console"
LOG = "log"
_FILE = "file:"
_SECRET_NAMES = re.compile(r"token|secret|passw|pwd|api_?key|authorization|signature|^key$", re.IGNORECASE)


def is_local(address: str) -> bool:
    """Whether the address never leaves the machine: the console or the log file."""
    return address in (CONSOLE, LOG)


def secret_file(address: str, folder: Path) -> Path | None:
    """The file that holds the address itself, relative ones beside the description in `folder`; None for others."""
    return folder / address.removeprefix(_FILE).strip() if address.startswith(_FILE) else None


def apprise_address(address: str) -> str:
    """A webhook's plain http(s) address as Apprise's JSON webhook; any other as it is.

    >>> apprise_address("https://example.com/hook")
    'jsons://example.com/hook'
    """
    for plain, known in (("http://", "json://"), ("https://", "jsons://")):
        if address.startswith(plain):
            return known + address.removeprefix(plain)
    return address


def parses(address: str) -> bool:
    """Whether Apprise knows what to do with the address."""
    return apprise.Apprise.instantiate(apprise_address(address), suppress_exceptions=True) is not None


def shows_secret(address: str) -> bool:
    """Whether an address written in the description would show a password, token or key to its readers."""
    target = apprise.Apprise.instantiate(apprise_address(address), suppress_exceptions=True)
    if target is not None:
        shown, hidden = (str(getattr(target, "url")(privacy=privacy)) for privacy in (False, True))  # noqa: B009 (untyped)
        if shown != hidden:
            return True
    names = [name for name, _ in parse_qsl(urlsplit(address).query, keep_blank_values=True)]
    return any(_SECRET_NAMES.search(name) for name in names)


def resolve(address: str, folder: Path) -> str:
    """The address that Apprise gets; read from its file each time, so that a changed secret needs no restart.

    Raises OSError when the file cannot be read.
    """
    file = secret_file(address, folder)
    return apprise_address(file.read_text(encoding="utf-8").strip() if file is not None else address)
