"""Mosquittos of loopback for tests: the shipped configuration, Mosquitto's own defaults, and TLS."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from collectors_plant import free_port

SHIPPED = Path(__file__).resolve().parents[2] / "deploy" / "mosquitto" / "mosquitto.conf"
PROGRAM = shutil.which("mosquitto") or ("/usr/sbin/mosquitto" if Path("/usr/sbin/mosquitto").exists() else None)
needs_mosquitto = pytest.mark.skipif(PROGRAM is None, reason="mosquitto is not installed (Debian package mosquitto)")


@contextmanager
def mosquitto(folder: Path, *lines: str, shipped: bool = True, port: int = 0) -> Iterator[int]:
    """A broker that keeps its database in `folder`; its port."""
    port = port or free_port()
    text = ["allow_anonymous true", f"listener {port} 127.0.0.1"]
    if shipped:
        text = [
            line.replace("listener 1883", f"listener {port}")
            for line in SHIPPED.read_text().splitlines()
            if not line.startswith("persistence_location")
        ]
        text.append(f"persistence_location {folder}/")
    if os.geteuid() == 0:
        text.append("user root")
    settings = folder / "mosquitto.conf"
    settings.write_text("\n".join([*text, *lines]) + "\n")
    assert PROGRAM is not None
    process = subprocess.Popen([PROGRAM, "-c", str(settings)], stderr=subprocess.DEVNULL)
    try:
        end = time.monotonic() + 10
        while time.monotonic() < end:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.5):
                break
            time.sleep(0.01)
        yield port
    finally:
        process.terminate()
        process.wait(10)
