"""The commit thread, turned by hand: acknowledged only what is on disk, nothing dropped."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pytest
from collectors_plant import Hand, hand_clock, mqtt, plant

from collectors.commit import BACKLOG_MAX, BUDGET_REACHED, Committer
from collectors.mqtt.payload import decode
from collectors.mqtt.topics import topics
from collectors.source import Decoded
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
        self.marks, self.used = dict[str, bytes](), 0

    def append(self, messages: Iterable[tuple[Kind, bytes]], marks: Mapping[str, bytes] | None = None) -> int:
        """Keeps the messages, or says that the disk is full."""
        if self.full:
            self.log.append("full")
            raise StorageError("disk full")
        for kind, body in messages:
            self.rows.append(decode_row(len(self.rows) + 1, kind, body))
        self.marks.update(marks or {})
        self.log.append("commit")
        return len(self.rows)

    def trim(self, keep: int = 0) -> int:
        """Counts how often it is called."""
        self.trims += 1
        return 0

    def used_bytes(self) -> int:
        """As told."""
        return self.used


class Scale:
    """A source of bare numbers, whose items carry what acknowledges them."""

    def __init__(self, enough: int, log: list[str]) -> None:
        self.enough, self.log = enough, log

    def decode(self, items: Sequence[tuple[int, bytes, int]]) -> Decoded:
        """Decodes as the live path does, and remembers the last token."""
        readings, rejected = decode(TOPICS, [(time, "weight", payload) for time, payload, _ in items])
        return Decoded(readings, rejected, {"scale/last": b"%d" % items[-1][2]})

    def committed(self, items: Sequence[tuple[int, bytes, int]]) -> None:
        """Writes down what was acknowledged."""
        self.log.extend(f"ack {token}" for _, _, token in items)


class Polls:
    """A source of readings that nobody waits for."""

    enough = 10_000

    def decode(self, items: Sequence[Readings]) -> Decoded:
        """The readings as they are."""
        return Decoded(Readings.join(list(items)))

    def committed(self, items: Sequence[Readings]) -> None:
        """Nothing to do."""


class Bench:
    """A committer with everything about it under control."""

    def __init__(self, enough: int = 500, budget: float = float("inf")) -> None:
        self.hand, self.log = Hand(), list[str]()
        self.journal = FakeJournal(self.log)
        self.clock = hand_clock(self.hand, anchor_us=10 * MINUTE + 1)
        self.status = Status(self.clock, {"scale": "mqtt"})
        self.scale, self.polls = Scale(enough, self.log), Polls()
        self.committer = Committer(self.journal, self.clock, self.status, budget=budget, monotonic=self.hand)

    def poll(self, readings: Readings) -> None:
        """A poll is answered."""
        self.committer.put(self.polls, [readings])

    def message(self, token: int, payload: bytes = b"1") -> None:
        """A message arrives."""
        self.committer.put(self.scale, [(self.clock.now_us(), payload, token)])

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
    bench.poll(polled(9.0))
    bench.after(0.09)
    assert bench.log == []
    bench.after(0.02)
    assert bench.log == ["commit", "ack 0", "ack 1", "ack 2"]
    assert bench.values() == [1.0, 1.0, 1.0, 9.0]
    assert bench.journal.marks == {"scale/last": b"2"}


def test_half_the_window_does_not_wait() -> None:
    """Half the receive window commits at once, so that the broker never has to wait for an acknowledgement."""
    bench = Bench(enough=4)
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
    """Memory is bounded: with so many answers waiting no more are accepted."""
    bench = Bench()
    bench.journal.full = True
    assert bench.committer.accepts()
    bench.committer.put(bench.polls, [polled(1.0)] * BACKLOG_MAX)
    assert not bench.committer.accepts()


def test_a_journal_at_its_budget_pauses_everything_and_says_so() -> None:
    """Promise 1: at the budget nothing more is committed or acknowledged, polling pauses; it goes on by itself."""
    bench = Bench(budget=1000)
    bench.journal.used = 1000
    bench.after(1.0)
    bench.message(1)
    for _ in range(30):
        bench.after(0.5)
    assert not bench.committer.accepts()
    assert "ack 1" not in bench.log
    bench.after(60.0)
    assert [row.kind for row in bench.journal.rows] == ["notice", "tick"], "the clock of the plant goes on"
    bench.journal.used = 950
    bench.after(1.0)
    assert not bench.committer.accepts(), "not at once: it would pause again with the next readings"
    bench.journal.used = 899
    bench.after(1.0)
    bench.after(0.1)
    assert bench.committer.accepts()
    assert "ack 1" in bench.log
    notices = [row.body for row in bench.journal.rows if row.kind == "notice"]
    assert [notice["finding"] for notice in notices] == [BUDGET_REACHED, BUDGET_REACHED]
    assert bench.values() == [1.0]


def test_a_tick_goes_before_what_is_committed_with_it() -> None:
    """Each minute of plant time is journalled once, and nothing committed lies far ahead of the last tick."""
    bench = Bench()
    bench.poll(polled(1.0))
    assert bench.after(59.0) <= 1.0
    bench.poll(polled(2.0))
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
    bench.poll(polled(2.0))
    bench.journal.full = full
    bench.committer.stop()
    thread = threading.Thread(target=bench.committer.run)
    thread.start()
    thread.join(10)
    assert not thread.is_alive()
    assert ("ack 1" in bench.log) == (not full)
    assert sorted(bench.values()) == ([] if full else [1.0, 2.0])


def test_a_fault_of_ours_ends_the_thread_and_is_told() -> None:
    """Promise 1: what a source has remembered but never brought to disk must not live on: the process starts anew."""
    bench = Bench()

    def fails(_items: Sequence[object]) -> Decoded:
        raise ZeroDivisionError("a bug")

    bench.scale.decode = fails  # type: ignore[method-assign]
    bench.message(1)
    bench.hand.now += 1
    bench.committer.run()
    assert isinstance(bench.committer.broken, ZeroDivisionError)
    assert bench.log == []


def test_one_source_that_cannot_acknowledge_costs_the_others_nothing() -> None:
    """Promise 6: all others are told what is on disk; then the process starts anew."""
    bench = Bench()

    def fails(_items: Sequence[object]) -> None:
        raise ZeroDivisionError("a bug")

    bench.polls.committed = fails  # type: ignore[method-assign]
    bench.poll(polled(1.0))
    bench.message(7)
    bench.after(0.2)
    assert bench.log == ["commit", "ack 7"]
    assert isinstance(bench.committer.broken, ZeroDivisionError)


def test_many_readings_are_several_rows_of_one_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite takes no value of a gigabyte: a group of any size is written, all of it or nothing."""
    monkeypatch.setattr("collectors.commit.ROWS_MAX", 4)
    bench = Bench()
    for number in range(10):
        bench.poll(polled(float(number)))
    bench.after(0.2)
    assert bench.log == ["commit"]
    assert [len(row.readings) for row in bench.journal.rows if row.readings] == [4, 4, 2]
    assert bench.values() == [float(number) for number in range(10)]


def test_what_was_polled_is_committed_at_the_end_of_a_pause() -> None:
    """An orderly end during a pause for the budget loses nothing that was received."""
    bench = Bench(budget=1000)
    bench.journal.used = 1000
    bench.after(1.0)
    bench.poll(polled(1.0))
    bench.committer.stop()
    bench.committer.run()
    assert bench.values() == [1.0]
