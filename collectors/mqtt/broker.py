"""A broker's address, certificates and password, as a plant description names them."""

from __future__ import annotations

import ssl
from pathlib import Path
from urllib.parse import urlsplit

from plant.model import Broker

OLD_VERSION = "version=3.1.1"
PORTS = {"mqtt": 1883, "mqtts": 8883}


def host_port(url: str) -> tuple[str, int]:
    """Host and port of `mqtt[s]://host[:port][?version=3.1.1]`. Raises ValueError for anything else."""
    parts = urlsplit(url)
    if parts.scheme not in PORTS or not parts.hostname or parts.path.strip("/") or parts.username:
        raise ValueError(f"'{url}' is not of the form mqtt://host:port or mqtts://host:port")
    if parts.query not in ("", OLD_VERSION):
        raise ValueError(f"'{url}': after ? only {OLD_VERSION} is known")
    return parts.hostname, parts.port or PORTS[parts.scheme]


def tls(broker: Broker, url: str, folder: Path) -> ssl.SSLContext | None:
    """The TLS settings of a broker; None for `mqtt://`. Raises OSError when a file of certificates is no such file."""
    if urlsplit(url).scheme != "mqtts":
        return None
    context = ssl.create_default_context(cafile=str(folder / broker.ca_file) if broker.ca_file else None)
    if broker.cert_file:
        context.load_cert_chain(folder / broker.cert_file, folder / broker.key_file if broker.key_file else None)
    return context


def only_old(url: str) -> bool:
    """Whether the URL says that the broker speaks 3.1.1 only."""
    return urlsplit(url).query == OLD_VERSION


def password(broker: Broker, folder: Path) -> str | None:
    """What the password file, relative to `folder`, holds. Raises OSError when it cannot be read."""
    if not broker.password_file:
        return None
    return (folder / broker.password_file).read_text(encoding="utf-8").strip()
