"""Loopback ports: the wanted one, or the next that is free."""

from __future__ import annotations

import socket

from plant.errors import DeviceError

LOOPBACK = "127.0.0.1"
STRIDE, TRIES = 100, 40


def is_free(port: int) -> bool:
    """Whether nothing listens on a loopback port."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def free_port(wanted: int) -> int:
    """The wanted port, or one some hundreds above it, so that neighbours in a list do not take each other's.

    Raises DeviceError when all of them are busy.
    """
    for port in range(wanted, min(wanted + STRIDE * TRIES, 65_000), STRIDE):
        if is_free(port):
            return port
    raise DeviceError(f"no free port from {wanted} on", retryable=False)
