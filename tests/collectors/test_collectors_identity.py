"""Redeliveries are recognised, across restarts too; new messages are never taken for old ones."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectors.mqtt import identity
from collectors.mqtt.identity import FORGET, RING, Identities, Item
from collectors.mqtt.payload import Received

WINDOW = 8


def item(packet: int, payload: bytes, *, repeated: bool = False, topic: str = "t") -> Item:
    """A message under a packet id."""
    return (1, topic, payload), (0, packet, repeated)


def payloads(found: tuple[list[Received], dict[str, bytes]]) -> list[bytes]:
    """What was new."""
    return [message[2] for message in found[0]]


def test_a_repetition_is_dropped_also_after_a_restart() -> None:
    """Promise 1: the PUBACK was lost with the process; the mark, written with the reading, is not."""
    fresh, marks = Identities({}).sift([item(7, b"1"), item(8, b"1")])
    assert len(fresh) == 2
    again = Identities(marks)
    assert payloads(again.sift([item(7, b"1", repeated=True), item(8, b"1", repeated=True)])) == []


def test_what_only_looks_alike_is_new() -> None:
    """Promise 1: without DUP, under another id, on another topic or with other bytes, it is another message."""
    known = Identities(Identities({}).sift([item(7, b"1")])[1])
    others = [
        item(7, b"1"),
        item(9, b"1", repeated=True),
        item(7, b"1", repeated=True, topic="u"),
        item(7, b"2", repeated=True),
    ]
    assert len(known.sift(others)[0]) == len(others)


def test_twice_in_one_batch() -> None:
    """A connection that broke between arrival and commit brings the same message again into the same batch."""
    assert payloads(Identities({}).sift([item(3, b"x"), item(3, b"x", repeated=True)])) == [b"x"]


def test_a_new_session_forgets_the_old_one() -> None:
    """Packet ids of a session that the broker has forgotten mean nothing any more, also not after a restart."""
    _, marks = Identities({}).sift([item(7, b"1")])
    known = Identities(marks)
    fresh, cleared = known.sift([FORGET, item(7, b"1", repeated=True)])
    assert len(fresh) == 1
    kept = {name: body for name, body in {**marks, **cleared}.items() if body}
    assert payloads(Identities(kept).sift([item(7, b"1", repeated=True)])) == []
    assert len(kept) == 1


def test_marks_are_a_ring() -> None:
    """However long it runs, there are never more marks than the ring has places."""
    one, names = Identities({}), set[str]()
    for number in range(3 * RING):
        names |= one.sift([item(number % 65535 + 1, b"%d" % number)])[1].keys()
    assert len(names) == RING


@pytest.mark.parametrize("damage", [lambda body: body[:-1], lambda body: b"\xff" * 8 + body[8:], lambda body: b"\0"])
def test_a_damaged_mark_is_passed_over(damage: Callable[[bytes], bytes]) -> None:
    """A mark that was cut, or whose number is none, stops neither the start nor the next commit; the others count."""
    one, marks = Identities({}), dict[str, bytes]()
    for number in range(3):
        marks |= one.sift([item(number, b"%d" % number)])[1]
    name = list(marks)[1]
    known = Identities({**marks, name: damage(marks[name])})
    fresh = known.sift([item(number, b"%d" % number, repeated=True) for number in range(3)])
    assert payloads(fresh) == [b"1"]
    assert set(marks) <= set(known.sift([FORGET])[1])


ROUND = st.tuples(st.integers(0, WINDOW), st.integers(0, WINDOW), st.booleans(), st.integers(0, WINDOW), st.booleans())


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(st.integers(1, 60), st.lists(ROUND, max_size=30))
def test_a_broker_that_is_cut_off_anywhere_is_counted_once(
    total: int, rounds: list[tuple[int, int, bool, int, bool]]
) -> None:
    """Promise 1: a model broker with a window, cut off or keepclean killed at any point: each message counts once.

    In order and marked DUP when it had sent it before, the broker sends what has no acknowledgement. Some arrives; that
    is committed or lost with us; of its acknowledgements some arrive, in order. All messages are equal, and their ids
    come again after a while: nothing but the rules themselves tells one from another.
    """
    settled, identity.SETTLED_US = identity.SETTLED_US, 2 * WINDOW
    try:
        one, disk, counted = Identities({}), dict[str, bytes](), list[int]()
        done, sent, clock = 0, set[int](), 0
        for connection, (arrives, leaves, commits, acknowledged, restarts) in enumerate(
            [*rounds, *[(WINDOW, WINDOW, True, WINDOW, True)] * 60]
        ):
            window = range(done, min(done + WINDOW, total))
            reached = window[:arrives]
            arrived: list[Item] = []
            for number in reached:
                clock += 1
                packet = number % (4 * WINDOW) + 1
                arrived.append(((clock, "t", b"1"), (connection, packet, number in sent)))
            numbers = dict(zip((clock - len(reached) + 1 + k for k in range(len(reached))), reached, strict=True))
            sent.update(reached, window[:leaves])
            if commits:
                fresh, marks = one.sift(arrived)
                counted += [numbers[message[0]] for message in fresh]
                disk.update(marks)
                done += min(acknowledged, len(reached))
            if restarts or not commits:
                one = Identities({name: body for name, body in disk.items() if body})
        assert counted == list(range(total))
    finally:
        identity.SETTLED_US = settled


def test_a_whole_backlog_may_be_under_way() -> None:
    """Promise 1: a broker was seen to send all it had; killed within that commit, all of it is recognised."""
    backlog = [item(number, b"%d" % (number % 3)) for number in range(1, 65536)]
    fresh, marks = Identities({}).sift(backlog)
    assert len(fresh) == 65535
    again = [item(number, b"%d" % (number % 3), repeated=True) for number in range(1, 65536)]
    assert Identities(marks).sift(again)[0] == []


def test_what_was_acknowledged_long_before_the_connection_ended_is_another() -> None:
    """Promise 1: the same id for an equal message two minutes of traffic later, whose first transmission was lost."""
    one = Identities({})
    later = identity.SETTLED_US + 2
    one.sift([((1, "t", b"1"), (0, 7, False)), ((later, "t", b"2"), (0, 8, False))])
    fresh, _ = one.sift([((later + 5, "t", b"1"), (1, 7, True)), ((later + 6, "t", b"2"), (1, 8, True))])
    assert payloads((fresh, {})) == [b"1"]
