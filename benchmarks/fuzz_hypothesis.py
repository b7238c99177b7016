"""Fuzz target: JSON and Sparkplug payloads built by Hypothesis from their structure, beside the same references."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from random import Random
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from benchmarks.fuzz_common import Tally
from benchmarks.fuzz_json import NOW
from benchmarks.fuzz_messages import Feed, feeds
from benchmarks.fuzz_messages import examine as examine_messages
from benchmarks.fuzz_sparkplug import Message, edge
from benchmarks.fuzz_sparkplug import examine as examine_sessions
from collectors.mqtt.payload import Decoder
from plant.reading import MINUTE

MESSAGES, SESSIONS = 20, 8
TIMES = st.integers(NOW // 10**6 - 10**8, NOW // 10**6 + 10**8)
NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
LEAVES = st.none() | st.booleans() | NUMBERS | NUMBERS.map(str) | st.text(max_size=8)
ANY = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
MOMENTS = (
    TIMES
    | st.builds(lambda time, factor: time * factor, TIMES, st.sampled_from((10**3, 10**6, 10**9)))
    | TIMES.map(str)
    | st.datetimes().map(lambda one: one.isoformat())
    | st.datetimes(timezones=st.timezones()).map(lambda one: one.isoformat())
    | LEAVES
)


OWN_TIMES = {
    "epoch_s": TIMES,
    "epoch_ms": TIMES.map(lambda time: time * 10**3),
    "epoch_us": TIMES.map(lambda time: time * 10**6),
    "epoch_ns": TIMES.map(lambda time: time * 10**9),
    "rfc3339": st.datetimes(datetime(2000, 1, 2), timezones=st.timezones()).map(lambda one: one.isoformat()),
    "local": st.datetimes(datetime(2000, 1, 2)).map(lambda one: one.isoformat()),
}


def _dict(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """An object with all of its fields, or some of them."""
    return st.fixed_dictionaries(fields) | st.fixed_dictionaries({}, optional=fields)


def _body(topic: str) -> st.SearchStrategy[Any] | None:
    """What is sent on a topic; None for a topic without JSON."""
    kind, _, form = topic.partition("_")
    moment = OWN_TIMES.get(form, MOMENTS) | MOMENTS
    total = _dict(total=LEAVES)
    power = _dict(total_act_power=LEAVES | ANY)
    local = OWN_TIMES["local"] | MOMENTS
    bodies: dict[str, st.SearchStrategy[Any]] = {
        "o": _dict(t=_dict(own=moment), a=st.lists(_dict(b=LEAVES | ANY), min_size=1, max_size=2), reuse=total),
        "l": st.lists(_dict(tag=st.sampled_from("xyz") | LEAVES, ts=moment, value=LEAVES | ANY) | ANY, max_size=4),
        "tele/plug/SENSOR": _dict(
            ENERGY=_dict(Total=LEAVES), S=_dict(Temperature=LEAVES), Time=local, TempUnit=st.sampled_from("CF") | LEAVES
        ),
        "sh/events/rpc": _dict(
            method=st.sampled_from(("NotifyStatus", "NotifyFullStatus", "NotifyEvent")),
            params=_dict(ts=OWN_TIMES["epoch_s"] | MOMENTS, **{"em:0": power}) | ANY,
        ),
        "sh/status/em:0": power | ANY,
        "gate": _dict(ts=OWN_TIMES["rfc3339"] | MOMENTS, reuse=total),
    }
    return bodies.get(kind)


def _written(body: Any) -> bytes:
    return json.dumps(body, ensure_ascii=False).encode()


FEEDS = [(feed, body) for feed in feeds()[1] if (body := _body(feed.topic)) is not None]
MESSAGE = st.sampled_from(FEEDS).flatmap(lambda one: st.tuples(st.just(one[0]), one[1].map(_written)))

FIELDS = st.sampled_from((10, 11, 14)).flatmap(
    lambda one: st.builds(edge.value, st.just(one), st.integers(0, (1 << 64) - 1))
)
FIELDS |= st.builds(edge.value, st.just(12), st.floats(width=32)) | st.builds(edge.value, st.just(13), st.floats())
METRIC = st.builds(
    edge.metric,
    st.sampled_from(("", "Temp", "Energy", "Count", "bdSeq", "other")),
    st.none() | st.integers(0, 4),
    st.integers(0, 16),
    FIELDS | st.just(b""),
    at=st.none() | st.integers(0, 2 * NOW // 1000),
    null=st.booleans(),
    quality=st.none() | st.sampled_from((192, 0, 500)),
)
PAYLOAD = st.tuples(st.booleans(), st.lists(METRIC, max_size=4), st.none() | st.integers(0, 2 * NOW // 1000))
KINDS = [(kind, "") for kind in ("NBIRTH", "NDATA", "NDEATH")] + [
    (kind, "press") for kind in ("DBIRTH", "DDATA", "DDEATH")
]
BORN: list[Message] = [
    ("NBIRTH", "", edge.payload(0, edge.bd_seq(7), edge.double("Temp", 1, 20.5), at=NOW // 1000)),
    (
        "DBIRTH",
        "press",
        edge.payload(1, edge.double("Energy", 2, 1.5), edge.metric("Count", 3, 3, edge.value(10, 7)), at=NOW // 1000),
    ),
]


def _session(drawn: list[tuple[tuple[str, str], tuple[bool, list[bytes], int | None]]]) -> list[Message]:
    """A session whose messages count on from its births, but for those that are out of step."""
    found, seq = list(BORN), 1
    for (kind, device), (steady, some, at) in drawn:
        seq = 0 if kind == "NBIRTH" else (seq + (1 if steady else 3)) % 256
        own = [edge.bd_seq(7), *some] if kind in ("NBIRTH", "NDEATH") and steady else some
        found.append((kind, device, edge.payload(None if kind == "NDEATH" else seq, *own, at=at)))
    return found


SESSION = st.lists(st.tuples(st.sampled_from(KINDS), PAYLOAD), max_size=SESSIONS).map(_session)


def run(inputs: int, chance: Random, tally: Tally) -> None:
    """Half of the inputs as JSON, half as sessions."""

    def messages(found: list[tuple[Feed, bytes]]) -> None:
        if tally.inputs < inputs // 2:
            examine_messages(Decoder(feeds()[0]), found, NOW - NOW % MINUTE, {}, tally)

    def sessions(found: list[Message]) -> None:
        if tally.inputs < inputs:
            examine_sessions(found[: inputs - tally.inputs], tally)

    while tally.inputs < inputs // 2:
        _drive(messages, st.lists(MESSAGE, min_size=1, max_size=MESSAGES), inputs // 2 - tally.inputs, chance)
    while tally.inputs < inputs:
        _drive(sessions, SESSION, inputs - tally.inputs, chance)


def _drive(take: Callable[[Any], None], strategy: st.SearchStrategy[Any], inputs: int, chance: Random) -> None:
    """Gives a strategy's examples to `take`, which counts what is wrong instead of raising it."""
    calm = settings(
        max_examples=max(10, inputs // 5),
        deadline=None,
        database=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    seed(chance.randrange(1 << 32))(calm(given(strategy)(take)))()
