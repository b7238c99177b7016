"""The commit thread, turned by hand: acknowledged only what is on disk, nothing dropped."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence

import numpy as np
import pytest
from collectors_plant import Hand, hand_clock, mqtt, plant

from collectors.commit import BACKLOG_MAX, Committer
from collectors.mqtt.payload import Received, Rejected, decode
from collectors.mqtt.topics import topics
from collectors.status import Status
from journal.message import Kind, Message
from journal.message import decode as decode_row
from plant.errors import StorageError
from plant.reading import MINUTE, Readings

TOPICS = topics(plant({"scale": mqtt("weight", "number")}, {"weight": ("scale", "weight", "level", "kg")}))


class FakeJournal:
    """A journal in memory that can be full, and that writes its deeds into a shared log."""

    def __init__(self, log: list[str]) -> None:
        self.log, self.full, self.rows, self.trims = log, False, list[Message](), 0

    def append(self, messages: Iterable[tuple[Kind, bytes]]) -> int:
        """Keeps the messages, or says that the disk is full."""
        if self.full:
            self.log.append("full")
            raise StorageError("disk full")
        for kind, body in messages:
            self.rows.append(decode_row(len(self.rows) + 1, kind, body))
        self.log.append("commit")
        return len(self.rows)

    def trim(self, keep: int = 0) -> int:
        """Counts how often it is called."""
        self.trims += 1
        return 0


class Bench:
    """A committer with everything about it under control."""

    def __init__(self, window: int = 1000) -> None:
        self.hand, self.log = Hand(), list[str]()
        self.journal = FakeJournal(self.log)
        self.clock = hand_clock(self.hand, anchor_us=10 * MINUTE + 1)
        self.status = Status(self.clock, {"scale": "mqtt"})
        self.committer: Committer[int] = Committer(
            self.journal,
            self.clock,
            self.status,
            self.decode,
            self.acknowledge,
            window=window,
            monotonic=self.hand,
        )

    def decode(self, messages: Sequence[Received]) -> tuple[Readings, dict[str, Rejected]]:
        """Decodes as the live path does."""
        return decode(TOPICS, messages)

    def acknowledge(self, tokens: Sequence[int]) -> None:
        """Writes down what was acknowledged."""
        self.log.extend(f"ack {token}" for token in tokens)

    def message(self, token: int, payload: bytes = b"1") -> None:
        """A message arrives."""
        self.committer.put_message((self.clock.now_us(), "weight", payload), token)

    def after(self, seconds: float) -> float:
        """Time passes and the thread takes its turn."""
        self.hand.now += seconds
        return self.committer.turn()

    def values(self) -> list[float]:
        """Every value on disk, in order."""
        return [value for row in self.journal.rows if row.readings for value in row.readings.value.tolist()]


def polled(value: float) -> Readings:
    """One polled reading."""
    now = np.zeros(1, np.int64)
    return Readings.build(("level",), np.zeros(1, np.int32), now, now, np.array([value]))


def test_acknowledged_strictly_after_the_commit() -> None:
    """Promise 1: no acknowledgement leaves before the batch is on disk, and one commit carries the whole group."""
    bench = Bench()
    for token in range(3):
        bench.message(token)
    bench.committer.put(polled(9.0))
    bench.after(0.09)
    assert bench.log == []
    bench.after(0.02)
    assert bench.log == ["commit", "ack 0", "ack 1", "ack 2"]
    assert bench.values() == [9.0, 1.0, 1.0, 1.0]


def test_half_the_window_does_not_wait() -> None:
    """Half the receive window commits at once, so that the broker never has to wait for an acknowledgement."""
    bench = Bench(window=8)
    for token in range(3):
        bench.message(token)
    bench.after(0.0)
    assert bench.log == []
    bench.message(3)
    bench.after(0.0)
    assert bench.log[0] == "commit"
    assert len(bench.log) == 5


def test_a_full_disk_keeps_everything_unacknowledged() -> None:
    """Promise 1: while the journal cannot be written nothing is acknowledged, nothing lost, and it says so."""
    bench = Bench()
    bench.journal.full = True
    bench.message(1)
    bench.after(0.1)
    assert bench.log == ["full"]
    assert bench.status.journal.storage_error == "disk full"
    bench.message(2)
    for _ in range(5):
        bench.after(5.0)
    assert not [entry for entry in bench.log if entry.startswith("ack")]
    bench.journal.full = False
    bench.after(30.0)
    bench.after(0.1)
    acknowledged = [entry for entry in bench.log if entry != "full"]
    assert acknowledged == ["commit", "ack 1", "commit", "ack 2"]
    assert bench.status.journal.storage_error == ""
    assert bench.values() == [1.0, 1.0]


def test_retries_of_a_full_disk_grow_apart_within_a_bound() -> None:
    """A disk that stays full is tried again after at most ten seconds."""
    bench = Bench()
    bench.journal.full = True
    bench.message(1)
    bench.after(0.1)
    for _ in range(40):
        bench.after(10.0)
    assert bench.log.count("full") >= 40


def test_polling_is_refused_when_too_much_waits() -> None:
    """Memory is bounded: with half a million polled readings waiting no more are accepted."""
    bench = Bench()
    bench.journal.full = True
    assert bench.committer.accepts()
    now = np.zeros(BACKLOG_MAX, np.int64)
    bench.committer.put(Readings.build(("level",), now.astype(np.int32), now, now, now.astype(float)))
    assert not bench.committer.accepts()


def test_a_tick_goes_before_what_is_committed_with_it() -> None:
    """Each minute of plant time is journalled once, and nothing committed lies far ahead of the last tick."""
    bench = Bench()
    bench.committer.put(polled(1.0))
    assert bench.after(59.0) <= 1.0
    bench.committer.put(polled(2.0))
    bench.after(1.0)
    kinds = [(row.kind, row.body.get("time")) for row in bench.journal.rows]
    assert kinds == [("readings", None), ("tick", 11 * MINUTE), ("readings", None)]
    bench.after(0.01)
    assert len(bench.journal.rows) == 3
    bench.after(60.0)
    assert bench.journal.rows[-1].body["time"] == 12 * MINUTE


def test_rejected_payloads_are_counted_and_acknowledged() -> None:
    """Garbage is acknowledged too (or it would come for ever) and shows with a sample; its reading is bad."""
    bench = Bench()
    bench.message(1, b"garbage")
    bench.after(0.1)
    assert bench.log == ["commit", "ack 1"]
    found = bench.status.plain()["devices"]["scale"]["rejected"]
    assert (found["count"], found["sample"]) == (1, "garbage")
    assert bench.journal.rows[0].readings is not None
    assert np.isnan(bench.values()[0])


def test_the_journal_is_trimmed_between_commits() -> None:
    """Trimming goes on once a second, in the same thread."""
    bench = Bench()
    for _ in range(10):
        bench.after(0.5)
    assert bench.journal.trims == 5


@pytest.mark.parametrize("full", [False, True])
def test_stopping_commits_what_was_received(full: bool) -> None:
    """An orderly end leaves nothing behind that the disk would take; what it does not take stays unacknowledged."""
    bench = Bench()
    bench.message(1)
    bench.committer.put(polled(2.0))
    bench.journal.full = full
    bench.committer.stop()
    thread = threading.Thread(target=bench.committer.run)
    thread.start()
    thread.join(10)
    assert not thread.is_alive()
    assert ("ack 1" in bench.log) == (not full)
    assert sorted(bench.values()) == ([] if full else [1.0, 2.0])
