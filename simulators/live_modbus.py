"""The shop's meters as real Modbus TCP servers: one server a port, its registers computed when they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from pymodbus.constants import ExcCodes
from pymodbus.exceptions import NoSuchIdException
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from simulators.devices import Device
from simulators.lockstep import device_ports
from simulators.meters.base import IllegalAddressError
from simulators.ports import LOOPBACK, free_port
from simulators.registers import RegisterHistory

Registers = Callable[[Device], RegisterHistory | None]
Action = Callable[..., Coroutine[Any, Any, ExcCodes | None]]


class ModbusServers:
    """Every port of the shop's list, each on the wanted loopback port or the next free one."""

    def __init__(self, registers: Registers) -> None:
        self._registers = registers
        self._servers: list[ModbusTcpServer] = []

    async def start(self) -> Mapping[int, int]:
        """Start all servers; gives the mapping wanted port → actual port.

        Raises DeviceError when no port is free.
        """
        ports: dict[int, int] = {}
        for wanted, devices in device_ports().items():
            ports[wanted] = free_port(wanted)
            simulated = [_simulated(device, self._registers) for device in devices]
            server = ModbusTcpServer(simulated, address=(LOOPBACK, ports[wanted]), ignore_missing_devices=True)
            await server.serve_forever(background=True)
            self._servers.append(server)
        return ports

    async def stop(self) -> None:
        """Close all servers and their connections."""
        for server in self._servers:
            await server.shutdown()  # type: ignore[no-untyped-call]  # pymodbus leaves it bare
        self._servers.clear()


def _simulated(device: Device, registers: Registers) -> SimDevice:
    ranges = [
        SimData(first, count=last - first + 1, values=0, datatype=DataType.REGISTERS)
        for first, last in device.meter.ranges
    ]
    return SimDevice(id=device.unit, simdata=ranges, action=_action(device, registers))


def _action(device: Device, registers: Registers) -> Action:
    """What pymodbus calls before it answers: fills in the words of this instant, refuses, or stays silent."""

    async def answer(
        function_code: int,
        start_address: int,
        address: int,
        count: int,
        current: list[int],
        set_values: list[int] | list[bool] | None,
    ) -> ExcCodes | None:
        if set_values is not None:
            return ExcCodes.ILLEGAL_FUNCTION
        history = registers(device)
        if history is None or not history.answered[0]:
            raise NoSuchIdException("no answer")  # with ignore_missing_devices: nothing is sent
        try:
            words = history.read(function_code, address, count)
        except IllegalAddressError as error:
            return ExcCodes.ILLEGAL_FUNCTION if error.illegal_function else ExcCodes.ILLEGAL_ADDRESS
        current[address - start_address : address - start_address + count] = words[0].tolist()
        return None

    return answer
