"""A tiny loopback control of the running shop: list faults, switch one, read the truth; JSON, one request a line.

Requests: {"request": "catalogue"}, {"request": "active"}, {"request": "switch", "fault", "target", "size", "on"},
{"request": "truth"} or with "point", "start", "end" [µs UTC] the true amount of that span. Answers: {"ok": ...} or
{"error": "..."}.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sqlite3
from dataclasses import asdict
from pathlib import Path
from typing import Any

from plant.errors import DeviceError
from simulators.catalogue import FaultOffer, fault_catalogue
from simulators.lockstep import LockStep
from simulators.ports import LOOPBACK
from simulators.truth import describe, read_amounts

TIMEOUT_S = 5.0


class ControlServer:
    """Answers requests about one running shop, on a free loopback port."""

    def __init__(self, step: LockStep, truth: Path | None = None) -> None:
        self._step = step
        self._truth = truth
        self._server: asyncio.Server | None = None

    async def start(self) -> int:
        """Start listening; gives the port."""
        self._server = await asyncio.start_server(self._converse, LOOPBACK, 0)
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    def answer(self, request: dict[str, Any]) -> Any:
        """What a request is answered; raises ValueError, KeyError or TypeError for one that makes no sense."""
        step = self._step
        match request["request"]:
            case "catalogue":
                return [self._offer(offer) for offer in fault_catalogue()]
            case "active":
                return [describe(fault, step.scenario) for fault in step.faults.active(step.now_us)]
            case "switch":
                size, on = float(request.get("size", 1.0)), bool(request["on"])
                fault = step.switch(str(request["fault"]), str(request["target"]), size=size, on=on)
                return describe(fault, step.scenario)
            case "truth" if "point" in request:
                if self._truth is None:
                    raise ValueError("this shop writes no truth")
                return read_amounts(self._truth, str(request["point"]), int(request["start"]), int(request["end"]))
            case "truth":
                return {"now": step.now_us, "faults": [describe(fault, step.scenario) for fault in step.faults]}
            case other:
                raise ValueError(f"there is no request '{other}'")

    def _offer(self, offer: FaultOffer) -> dict[str, Any]:
        shown = asdict(offer)
        for target in shown["targets"]:
            target["point"] = self._step.scenario.rename(target["point"])
        return shown

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                try:
                    reply = {"ok": self.answer(json.loads(line))}
                except (ValueError, KeyError, TypeError, sqlite3.Error) as error:
                    reply = {"error": str(error)}
                writer.write(json.dumps(reply, ensure_ascii=False).encode() + b"\n")
                await writer.drain()
        except (ConnectionError, ValueError, asyncio.CancelledError):
            pass  # the other side left, or sent a line without end
        finally:
            writer.close()


class ControlClient:
    """The other end, for a page in another process; every call is one short connection.

    Every method raises DeviceError when the shop cannot be reached or refuses.
    """

    def __init__(self, port: int) -> None:
        self._port = port

    def catalogue(self) -> list[dict[str, Any]]:
        """Every fault offered, with titles in English and Chinese, kind, size and targets."""
        offers: list[dict[str, Any]] = self._ask({"request": "catalogue"})
        return offers

    def active(self) -> list[dict[str, Any]]:
        """The faults that are on now."""
        faults: list[dict[str, Any]] = self._ask({"request": "active"})
        return faults

    def switch(self, fault: str, target: str, *, size: float = 1.0, on: bool = True) -> dict[str, Any]:
        """Switch a fault on or off from the next plant minute on."""
        request = {"request": "switch", "fault": fault, "target": target, "size": size, "on": on}
        switched: dict[str, Any] = self._ask(request)
        return switched

    def truth(self) -> dict[str, Any]:
        """The shop's time and every fault of the run with onset, end and expected extra."""
        truth: dict[str, Any] = self._ask({"request": "truth"})
        return truth

    def true_amount(self, point: str, start_us: int, end_us: int) -> float:
        """The true amount of a point in [start, end) [its own unit]."""
        return float(self._ask({"request": "truth", "point": point, "start": start_us, "end": end_us}))

    def _ask(self, request: dict[str, Any]) -> Any:
        try:
            with socket.create_connection((LOOPBACK, self._port), TIMEOUT_S) as connection:
                connection.sendall(json.dumps(request).encode() + b"\n")
                with connection.makefile("rb") as answers:
                    reply = json.loads(answers.readline() or b"{}")
        except (OSError, ValueError) as error:
            raise DeviceError(f"the simulated shop does not answer: {error}") from error
        if "ok" not in reply:
            raise DeviceError(reply.get("error", "the simulated shop gave no answer"), retryable=False)
        return reply["ok"]
