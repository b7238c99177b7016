"""The registers of a device at instants: what a Modbus request would have been answered then, all at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from plant.reading import MINUTE
from simulators.devices import COUNTERS, Device
from simulators.metering import Metered

Words = NDArray[np.uint16]


class RegisterHistory:
    """The registers of one device at `times`.

    `times` int64[n] are instants [µs UTC] within the block, `answered` bool[n] whether the device answered then: where
    it did not, the words of `read` mean nothing.
    """

    def __init__(self, metered: Metered, device: Device, times: NDArray[np.int64]) -> None:
        since = times - metered.block.start_us
        self.times = times
        self._metered = metered
        self._device = device
        self._index: NDArray[np.intp] = (since // MINUTE).astype(np.intp)
        self._fraction: NDArray[np.float64] = (since % MINUTE) / MINUTE
        self.answered: NDArray[np.bool_] = metered.answers(device.name, self._index)
        self._encoded: dict[int, Words] = {}

    def read(self, function_code: int, address: int, count: int) -> Words:
        """Words (n, count) of registers `address`.. (0-based); registers that mean nothing hold 0.

        Raises simulators.meters.base.IllegalAddressError where the meter would answer exception 1 or 2.
        """
        self._device.meter.check(function_code, address, count)
        out = np.zeros((len(self.times), count), np.uint16)
        for register in self._device.meter.registers:
            first = max(register.address, address)
            end = min(register.address + register.words, address + count)
            if first < end and register.field in self._device.signals:
                words = self._words(register.address)
                own = slice(first - register.address, end - register.address)
                out[:, first - address : end - address] = words[:, own]
        return out

    def _words(self, address: int) -> Words:
        if address not in self._encoded:
            device = self._device
            register = next(known for known in device.meter.registers if known.address == address)
            shown = self._metered.field(device, register.field, self._index, self._fraction)
            counter = device.signals[register.field] in COUNTERS
            self._encoded[address] = register.encode(shown, counter=counter)
        return self._encoded[address]
