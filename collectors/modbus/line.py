"""Where a device is reached: Modbus TCP, RTU frames over TCP, or RTU frames over a serial line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from plant.check_registers import is_rtu, is_serial, normal
from plant.model_measured import Serial

CHARACTER_BITS = 11
SILENT_CHARACTERS = 3.5
SILENT_LEAST_S = 0.00175


@dataclass(frozen=True)
class Line:
    """One connection's other end; `host` is the path or name of the port when there is a `serial` line."""

    address: str
    rtu: bool
    host: str
    port: int
    serial: Serial | None = None

    def transmission_s(self, characters: int) -> float:
        """How long characters take on the line; not counted for TCP [s]."""
        return characters * CHARACTER_BITS / self.serial.baud if self.serial else 0.0

    @property
    def silence_s(self) -> float:
        """What must lie between two frames [s]: Modbus over Serial Line 1.02, 2.5.1.1."""
        if self.serial is None:
            return 0.0
        return SILENT_LEAST_S if self.serial.baud > 19200 else self.transmission_s(1) * SILENT_CHARACTERS


class Pace(NamedTuple):
    """How a device wants to be asked, in real time: seconds for an answer, tries after the first, pauses [s]."""

    timeout_s: float = 1.0
    retries: int = 0
    pause_after_connect_s: float = 0.0
    pause_s: float = 0.0


def line(address: str, serial: Serial | None = None) -> Line:
    """The line of an address as a plant description writes it; `serial` matters on a serial line only.

    >>> line("rtu://10.0.0.7:4001").port
    4001
    """
    if is_serial(address):
        return Line(address, True, address, 0, serial or Serial())
    host, _, port = normal(address).rpartition("://")[2].rpartition(":")
    return Line(address, is_rtu(address), host, int(port))
