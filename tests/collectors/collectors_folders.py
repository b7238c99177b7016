"""A plant's folders with commit thread and journal, turned by hand, on a disk that dies when it is told to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from collectors_plant import Hand, hand_clock, plant

from collectors.commit import Committer
from collectors.files.inbox import LOOK_EVERY_S, Inbox
from collectors.status import Status
from journal.journal import Journal
from journal.message import Kind
from plant.model import Plant
from plant.reading import MINUTE

NOON = 1_775_188_800_000_000
"""2026-04-03 12:00 in Shanghai."""

ROUNDS: Plant = plant(
    {
        "rounds": {"protocol": "manual", "folder": "rounds"},
        "lab": {"protocol": "manual", "folder": "lab"},
    },
    {
        "kwh": ("rounds", "meter 7", "counter", "kWh"),
        "water": ("rounds", "w", "counter", "m3"),
        "cod": {"from": "lab", "read": "cod", "kind": "sample", "unit": "mg/L", "valid": "8 h"},
    },
)


class Killed(BaseException):
    """The process is gone, at once."""


class Disk:
    """A real journal that dies before or after a commit, as told: {which append: whether it still reached the disk}."""

    def __init__(self, folder: Path, kills: Mapping[int, bool] | None = None) -> None:
        self.journal = Journal(folder)
        self.kills, self.appends = dict(kills or {}), 0

    def append(self, messages: Iterable[tuple[Kind, bytes]], marks: Mapping[str, bytes] | None = None) -> int:
        """Writes, unless this is where the process dies."""
        self.appends += 1
        end = self.kills.pop(self.appends, None)
        if end is False:
            raise Killed
        position = self.journal.append(messages, marks)
        if end is True:
            raise Killed
        return position

    def trim(self, keep: int = 0) -> int:
        """Nothing is served here."""
        return 0

    def used_bytes(self) -> int:
        """Far from any budget."""
        return 0

    def rows(self) -> list[tuple[str, int, float]]:
        """Every reading in the journal: (point, time [min before noon, as a number], value)."""
        return [
            (one.points[point], (time - NOON) // MINUTE, value)
            for message in self.journal.read(0, 100_000)
            if (one := message.readings) is not None
            for point, time, value in zip(one.point.tolist(), one.time.tolist(), one.value.tolist(), strict=True)
        ]

    def notices(self) -> list[dict[str, Any]]:
        """Every notice in the journal."""
        return [message.body for message in self.journal.read(0, 100_000) if message.kind == "notice"]


class Bench:
    """A plant's folders with commit thread and journal, turned by hand; `restart` is what a kill is followed by."""

    def __init__(self, place: Path, described: Plant = ROUNDS, kills: Mapping[int, bool] | None = None) -> None:
        self.place, self.plant = place, described
        for folder in ("rounds", "lab"):
            (place / folder).mkdir(exist_ok=True)
        self.hand = Hand()
        self.clock = hand_clock(self.hand, anchor_us=NOON)
        self.disk = Disk(place / "journal", kills)
        self.restart()

    def restart(self) -> None:
        """A new process on the same disk."""
        self.status = Status(self.clock, dict.fromkeys(self.plant.devices, "manual"))
        self.committer = Committer(self.disk, self.clock, self.status, monotonic=self.hand)
        marks = self.disk.journal.marks
        self.inbox = Inbox(self.plant, self.place, marks, self.clock, self.committer, self.status, self.hand)

    def put(self, name: str, *lines: str, end: str = "\n") -> Path:
        """A file is written."""
        path = self.place / name
        path.write_text("\n".join(lines) + end, encoding="utf-8")
        return path

    def look(self) -> None:
        """One look, and everything that it brings goes to disk."""
        self.hand.now += LOOK_EVERY_S
        while self.inbox.turn() == 0.0 or self.committer.waiting():
            self.hand.now += 0.01
            self.committer.turn()

    def looks(self, count: int = 3) -> None:
        """Some looks."""
        for _ in range(count):
            self.look()


HEAD = "time,kwh,water"
