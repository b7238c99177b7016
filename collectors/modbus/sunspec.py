"""Finding a SunSpec model in a device: the marker "SunS", then the chain of models, each with its id and length.

SunSpec Alliance, "SunSpec Device Information Model Specification": the map of a device begins at register 40000, 50000
or 0. Scale factors are not looked up here but read along with the values, since devices change them while they run.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import replace

from collectors.modbus.request import Request
from collectors.modbus.settings import Value
from plant.errors import DeviceError

BASES = (40000, 50000, 0)
MARKER = (0x5375, 0x6E53)
END = 0xFFFF
MODELS_MAX = 100

Steps = Generator[Request, Sequence[int] | None, tuple[Request, ...]]


class Chain:
    """A search along a device's chain of models (`collectors.modbus.request.Search`)."""

    def __init__(
        self,
        models: Mapping[int, Sequence[Value]],
        requests: Callable[[Sequence[Value]], tuple[Request, ...]],
    ) -> None:
        """`models` are the values sought in each model that will do; `requests` plans values that have addresses."""
        self._models, self._requests = models, requests
        self._steps = self._search()
        self.wanted: Request | None = next(self._steps)
        self.found: tuple[Request, ...] = ()

    def take(self, words: Sequence[int] | None) -> None:
        """Takes the answer to `wanted`, or None when the device refused it. Raises DeviceError when all is in vain."""
        try:
            self.wanted = self._steps.send(words)
        except StopIteration as done:
            self.wanted, self.found = None, done.value

    def _search(self) -> Steps:
        for base in BASES:
            marker = yield _ask(base)
            if marker is not None and tuple(marker) == MARKER:
                return (yield from self._chain(base + 2))
        raise DeviceError(f"no SunSpec marker at register {', '.join(map(str, BASES))}", retryable=False)

    def _chain(self, address: int) -> Steps:
        seen: list[str] = []
        while address <= 0xFFFE and len(seen) < MODELS_MAX:
            head = yield _ask(address)
            if head is None or head[0] == END:
                break
            model, length = head
            if model in self._models:
                return self._requests([_placed(value, address, length + 2) for value in self._models[model]])
            seen.append(str(model))
            address += 2 + length
        wanted, held = " or ".join(map(str, self._models)), ", ".join(seen) or "none"
        raise DeviceError(f"no SunSpec model {wanted}: the device's are {held}", retryable=False)


def _ask(address: int) -> Request:
    return Request(3, address, 2, (), ())


def _placed(value: Value, address: int, length: int) -> Value:
    """A value at its address in a device whose model has `length` registers; absent when it lies beyond them."""
    if value.end > length or address + value.end > 0x10000:
        return replace(value, address=address, type="absent", width=1, scale_at=None)
    return value.moved(address)
