"""All of a plant's Modbus polling: a connection for each line, a poller for each device."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from collectors.keeping import keep
from collectors.modbus.connection import Connection
from collectors.modbus.line import Pace, line
from collectors.modbus.poller import Poller, Sink
from collectors.modbus.request import DevicePlan
from collectors.modbus.source import ModbusSource
from collectors.status import Status
from plant.check_registers import normal
from plant.clock import PlantClock
from plant.model import Modbus, Plant


class Pollers:
    """Connections and pollers of some devices.

    `addresses` says where a declared address really is. Devices whose addresses mean the same share one connection.
    """

    def __init__(
        self,
        plant: Plant,
        planned: Sequence[DevicePlan],
        addresses: Mapping[str, str],
        clock: PlantClock,
        sink: Sink,
        status: Status,
    ) -> None:
        self._status = status
        source = ModbusSource()
        self._connections: dict[str, Connection] = {}
        self.pollers = []
        for number, one in enumerate(planned):
            device = plant.devices[one.device.name]
            if isinstance(device, Modbus):
                address = normal(addresses.get(device.address, device.address))
                connection = self._connections.get(address)
                if connection is None:
                    connection = self._connections[address] = Connection(line(address, device.serial), clock)
                phase = number / len(planned)
                self.pollers.append(Poller(one, pace(device), connection, clock, sink, source, status, phase))

    def start(self) -> list[asyncio.Task[None]]:
        """A task for each device; they run until cancelled."""
        return [asyncio.create_task(keep(poller.name, poller.run, self._status.failure)) for poller in self.pollers]

    def close(self) -> None:
        """Closes the connections, after the tasks have ended."""
        for connection in self._connections.values():
            connection.close()


def pace(device: Modbus) -> Pace:
    """How a device wants to be asked."""
    return Pace(device.timeout, device.retries, device.pause_after_connect or 0.0, device.pause or 0.0)
