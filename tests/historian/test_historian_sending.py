"""Batches on their way: what is read ahead is neither written out of turn nor remembered before it was taken."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import polars as pl
import pytest
from works import PLANT, START

from historian.influx import sending
from historian.influx.client import ServerError
from historian.influx.sending import Batch, Sender
from historian.tables import FACTS
from plant.errors import StorageError


def batch(revision: int, rows: int = 4) -> Batch:
    """Facts of one revision, a minute each."""
    first = START + timedelta(minutes=revision * rows)
    row = {"point": "water", "amount": 1.5, "unit": "m3", "coverage": 1.0, "quality": "good", "revision": revision}
    found = [{**row, "minute": first + timedelta(minutes=number)} for number in range(rows)]
    return Batch("facts", pl.DataFrame(found, schema=FACTS.schema), revision)


class Server:
    """Keeps times in the order of writing; fails at a request."""

    def __init__(self, fails_at: int | None = None) -> None:
        self.times: list[int] = []
        self.requests, self.fails_at = 0, fails_at

    def write(self, text: str) -> None:
        """Takes a request, or does not."""
        self.requests += 1
        if self.requests == self.fails_at:
            raise ServerError("gone")
        self.times += [int(line.rpartition(" ")[2]) for line in text.split("\n")]


@pytest.mark.parametrize("fails_at", [1, 2, 3, 6, 10])
def test_nothing_is_written_or_remembered_after_a_failure(monkeypatch: pytest.MonkeyPatch, fails_at: int) -> None:
    """Requests that were ready when one failed stay unwritten, and no batch counts of which one is missing."""
    monkeypatch.setattr(sending, "BATCH_ROWS", 2)
    server, taken = Server(fails_at), list[int]()
    sender = Sender(PLANT, server.write)
    with pytest.raises(ServerError):
        sender.send((batch(number) for number in range(5)), lambda one: taken.append(one.revision))
    sender.close()
    assert server.requests == fails_at
    assert server.times == sorted(server.times)
    assert len(server.times) == 2 * (fails_at - 1)
    assert taken == [*range(len(taken))]
    assert len(taken) <= (fails_at - 1) // 2


def test_what_was_read_before_a_failure_to_read_is_taken_and_remembered() -> None:
    """A store that cannot be read on holds back nothing that could."""

    def some() -> Iterator[Batch]:
        yield batch(0)
        yield batch(1, 0)
        raise StorageError("a page cannot be read")

    server, taken = Server(), list[int]()
    sender = Sender(PLANT, server.write)
    with pytest.raises(StorageError):
        sender.send(some(), lambda one: taken.append(one.revision))
    sender.close()
    assert taken == [0, 1]
    assert len(server.times) == 4


def test_no_more_is_read_ahead_than_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is bounded: a slow server holds back the reading."""
    monkeypatch.setattr(sending, "BATCH_ROWS", 2)
    server, read = Server(), list[int]()
    ahead = list[int]()
    sender = Sender(PLANT, server.write)

    def some() -> Iterator[Batch]:
        for number in range(40):
            read.append(number)
            yield batch(number)

    sender.send(some(), lambda one: ahead.append(len(read) - one.revision))
    sender.close()
    assert len(server.times) == 160
    assert max(ahead) <= sending.AHEAD


def test_many_refused_in_a_row_are_not_a_server_at_odds_with_us() -> None:
    """A run of lines that a server refuses, at the head of a request, keeps nothing behind it back."""
    bad = 3 * sending.REFUSED_MAX
    some = batch(1, 200)
    names = [f"{'bad' if number < bad else 'good'}{number}" for number in range(200)]
    some.rows = some.rows.with_columns(pl.Series("point", names))
    written: set[str] = set()

    def write(text: str) -> None:
        if "point=bad" in text:
            raise ServerError("field type conflict", status=422)
        written.update(text.split("\n"))

    sender = Sender(PLANT, write)
    sender.send([some], lambda _: None)
    sender.close()
    assert (some.taken, len(some.refused), len(written)) == (200 - bad, bad, 200 - bad)
