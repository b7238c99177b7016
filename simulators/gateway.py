"""The shop's MQTT side: topics and payload bytes of the wastewater station, the site gateway, events and laboratory."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from plant.reading import HOUR, MINUTE, SECOND
from simulators.faults import Faults
from simulators.metering import Metered
from simulators.meters.plc import LINES
from simulators.scenario import Scenario

Message = tuple[int, str, bytes]
Values = NDArray[np.float64]

LABORATORY = 6  # stream of random numbers of the laboratory's own error
WASTEWATER_TOPIC, SITE_TOPIC = "plant/wastewater/", "plant/site/state"
EVENTS_TOPIC, LABORATORY_TOPIC = "plant/events", "plant/laboratory"

# (read, signal, format), sent one after the other from the fifth second of the minute on
WASTEWATER = (
    ("flow", "ww_flow", "%.3f"),
    ("total", "ww_total", "%.3f"),
    ("cod_in", "cod_in", "%.1f"),
    ("cod_out", "cod_out", "%.1f"),
    ("ph", "ww_ph", "%.2f"),
    ("kwh", "ww_kwh", "%.3f"),
)
WASTEWATER_AT_S, APART_S, SITE_AT_S, SITE_DELAY_S = 5.0, 0.5, 30.0, 0.3
EVENTS_AT_S, RACKS_WITHIN = 59.0, 58 / 60
QUARTER_MINUTES = 15
SHIFT_STARTS = (6 * 60, 14 * 60, 22 * 60)
SHIFT_HOURS = 8
DELIVERED_AFTER_MINUTES, LABORATORY_AT_S = 60, 40.0
CLOCK_JUMP_HOURS = 2.0
LAB_TOTALS = ("sludge", "chemicals", "ww_total", *(f"{line}_metal" for line in LINES))
TREATED_SHARE = 0.006
LAB_ERROR = 0.05

SITE_FORMAT = (
    '{"ts":"%sZ","weather":{"temperature":%.1f,"humidity":%.0f},"city_water":{"temperature":%.1f},'
    '"reuse":{"total":%.3f,"flow":%.3f}}'
)
TAGGED = '{"tag":"%s","ts":%d,"value":%s}'


class Gateways:
    """Builds the messages of each block; keeps what spans blocks (a quarter hour, a shift)."""

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self._tag = scenario.rename
        self._quarter: float | None = None
        self._shift: dict[str, float] | None = None
        self._report: list[str] = []

    def messages(self, metered: Metered, faults: Faults) -> list[Message]:
        """The messages sent in a block, in order of time (received [µs UTC], topic, payload)."""
        block = metered.block
        start = block.start_us + np.arange(len(block)) * MINUTE
        jumps = {name: self._jump(faults, name, metered) for name in ("site_gateway", "event_gateway")}
        wastewater, site = self._wastewater(metered), self._site(metered, start, jumps["site_gateway"])
        events = self._events(metered, start, jumps["event_gateway"])
        laboratory = self._laboratory(metered, start)
        every = np.arange(len(block))
        sent = {name: metered.answers(name, every) for name in ("wastewater_station", "site_gateway", "event_gateway")}
        out: list[Message] = []
        for index, at in enumerate(start.tolist()):
            if sent["wastewater_station"][index]:
                out += [(at + offset, topic, texts[index]) for offset, topic, texts in wastewater]
            if sent["site_gateway"][index]:
                out.append((at + int((SITE_AT_S + SITE_DELAY_S) * SECOND), SITE_TOPIC, site[index]))
            if index in laboratory:
                out.append((at + int(LABORATORY_AT_S * SECOND), LABORATORY_TOPIC, laboratory[index]))
            if index in events and sent["event_gateway"][index]:
                out.append((at + int(EVENTS_AT_S * SECOND), EVENTS_TOPIC, events[index]))
        return out

    def state(self) -> dict[str, Any]:
        """What has to be kept to go on."""
        return {"quarter": self._quarter, "shift": self._shift, "report": self._report}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a kept state."""
        self._quarter, self._shift, self._report = state["quarter"], state["shift"], list(state["report"])

    @staticmethod
    def _jump(faults: Faults, gateway: str, metered: Metered) -> NDArray[np.int64]:
        jump = np.zeros(len(metered.block), np.int64)
        for fault, mask in faults.windows({"clock_jump"}, metered.block.time.epoch):
            if fault.target == gateway:
                jump += mask * int(CLOCK_JUMP_HOURS * fault.size * HOUR)
        return jump

    @staticmethod
    def _wastewater(metered: Metered) -> list[tuple[int, str, list[bytes]]]:
        every = np.arange(len(metered.block))
        out = []
        for place, (read, signal, form) in enumerate(WASTEWATER):
            offset_s = WASTEWATER_AT_S + place * APART_S
            values = metered.value(signal, every, offset_s / 60).tolist()
            texts = [(form % value).encode() for value in values]
            out.append((int(offset_s * SECOND), WASTEWATER_TOPIC + read, texts))
        return out

    @staticmethod
    def _site(metered: Metered, start: NDArray[np.int64], jump: NDArray[np.int64]) -> list[bytes]:
        every = np.arange(len(start))
        times = (start + int(SITE_AT_S * SECOND) + jump).astype("datetime64[us]")
        columns = (
            metered.value(signal, every, SITE_AT_S / 60).tolist()
            for signal in ("outdoor_temp", "outdoor_humidity", "city_water_temp", "reuse_water", "reuse_flow")
        )
        stamps = np.datetime_as_string(times, unit="s").tolist()
        return [(SITE_FORMAT % row).encode() for row in zip(stamps, *columns, strict=True)]

    def _events(self, metered: Metered, start: NDArray[np.int64], jump: NDArray[np.int64]) -> dict[int, bytes]:
        block = metered.block
        found: list[tuple[int, int, str, str]] = []
        for line in LINES:
            minutes, fraction = block.racks[line]
            times = start[minutes] + jump[minutes] + (fraction * RACKS_WITHIN * MINUTE).astype(np.int64)
            tag = self._tag(f"{line}_racks")
            found += [(m, t // 1000, tag, "1") for m, t in zip(minutes.tolist(), times.tolist(), strict=True)]
        for index in np.flatnonzero(block.time.epoch % QUARTER_MINUTES == 0).tolist():
            total = float(block.totals["mains_kwh"][index])
            if self._quarter is not None:
                stamp = int(start[index] + jump[index]) // 1000
                found.append((index, stamp, self._tag("mains_interval"), f"{total - self._quarter:.3f}"))
            self._quarter = total
        batches: dict[int, list[str]] = {}
        for index, stamp, tag, value in sorted(found):
            batches.setdefault(index, []).append(TAGGED % (tag, stamp, value))
        return {index: f"[{','.join(items)}]".encode() for index, items in batches.items()}

    def _laboratory(self, metered: Metered, start: NDArray[np.int64]) -> dict[int, bytes]:
        """An hour after each shift's start the laboratory reports the eight hours before it, stamped at that start."""
        time, out = metered.block.time, {}
        every = np.arange(len(time))
        sent = metered.answers("laboratory", every)
        marks = np.isin(time.of_day, SHIFT_STARTS)
        due = np.isin(time.of_day, [(at + DELIVERED_AFTER_MINUTES) % 1440 for at in SHIFT_STARTS])
        for index in np.flatnonzero(marks | due).tolist():
            if due[index]:
                if self._report and sent[index]:
                    out[index] = f"[{','.join(self._report)}]".encode()
                self._report = []
            else:
                totals = {name: float(metered.block.totals[name][index]) for name in LAB_TOTALS}
                if self._shift is not None:
                    self._report = self._composite(totals, self._shift, int(start[index]))
                self._shift = totals
        return out

    def _composite(self, after: dict[str, float], before: dict[str, float], stamp_us: int) -> list[str]:
        gained = {name: after[name] - before[name] for name in LAB_TOTALS}
        drawn = np.random.default_rng([self._scenario.seed, LABORATORY, stamp_us // HOUR]).standard_normal((2, 3))
        items: list[tuple[str, float]] = []
        for index, line in enumerate(LINES):
            raw = gained[f"{line}_metal"] / max(gained["ww_total"], 1e-6) * 1000
            items.append((f"{line}_in", raw * (1 + LAB_ERROR * float(drawn[0, index]))))
            items.append((f"{line}_out", raw * TREATED_SHARE * (1 + 3 * LAB_ERROR * float(drawn[1, index]))))
        items += [("sludge_kg", gained["sludge"]), ("chemicals_kg", gained["chemicals"])]
        return [TAGGED % (self._tag(name), stamp_us // 1000, f"{max(value, 0.0):.3f}") for name, value in items]
