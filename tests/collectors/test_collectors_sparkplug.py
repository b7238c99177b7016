"""Sparkplug B: births, aliases, sequence gaps, deaths, restarts, rebirth requests, and the published vectors."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from collectors_plant import mqtt, plant
from payload_rows import Row, reasons, rows, take
from sparkplug_edge import DOUBLE, bd_seq, by_alias, double, metric, payload, value

from collectors.mqtt.payload import Decoder
from collectors.mqtt.sparkplug import node
from collectors.mqtt.sparkplug.node import REMEDY
from collectors.mqtt.sparkplug.wire import parse
from collectors.mqtt.topics import Topics, topics
from plant.clock import to_us
from plant.reading import MINUTE, Quality

VECTORS: dict[str, dict[str, Any]] = {
    one["name"]: one for one in json.loads((Path(__file__).parent / "sparkplug_b.json").read_text())["vectors"]
}
NOW = to_us(datetime(2026, 3, 2, 4, tzinfo=UTC))
NOW_MS = NOW // 1000
# where the description does not allow to ask for a birth
NO_BIRTH, MISSED = node.NO_BIRTH + REMEDY, node.MISSED + REMEDY
NODE, PRESS = "spBv1.0/G/{}/E", "spBv1.0/G/{}/E/press"


def edge(*, rebirth: bool = False) -> Topics:
    """An edge node with one metric of its own and one device with another."""
    devices = {
        "node": mqtt("G/E", "sparkplug_b", rebirth=rebirth),
        "press": mqtt("G/E/press", "sparkplug_b"),
    }
    return topics(
        plant(devices, {"warm": ("node", "Temperature", "level", "degC"), "kwh": ("press", "Energy", "counter", "kWh")})
    )


def vector(name: str) -> bytes:
    """A published payload."""
    return base64.b64decode(VECTORS[name]["base64"])


def births() -> list[tuple[str, bytes]]:
    """The birth of the node (bdSeq 7) and of its device."""
    return [
        (NODE.format("NBIRTH"), payload(0, bd_seq(7), double("Temperature", 1, 20.0), at=NOW_MS)),
        (PRESS.format("DBIRTH"), payload(1, double("Energy", 2, 100.0), at=NOW_MS)),
    ]


BORN: list[Row] = [("warm", 0.0, 20.0, ""), ("kwh", 0.0, 100.0, "")]


@pytest.mark.parametrize("name", VECTORS)
def test_published_payloads_have_their_numbers(name: str) -> None:
    """Sequence, names, aliases, datatypes and values of every vector."""
    message, expected = parse(vector(name)), VECTORS[name]["expected"]
    assert message is not None
    assert message.seq == expected["seq"]
    assert message.timestamp == expected.get("timestamp_ms", message.timestamp)
    assert len(message.metrics) == len(expected["metrics"])
    for one, want in zip(message.metrics, expected["metrics"], strict=True):
        assert one.name.decode() == want.get("name", "")
        assert one.alias == want.get("alias", 0)
        assert one.datatype == want["datatype"]
        assert getattr(one, one.WhichOneof("value")) == want["value"]


def test_the_published_payloads_in_their_order() -> None:
    """Data before birth is refused; an alias resolves; a death of another bdSeq is ignored; a gap ends belief."""
    decoder = Decoder(edge(rebirth=True))
    sent = ("NDATA_BEFORE_BIRTH", "NBIRTH_V1", "NDATA_V1", "NDEATH_V1", "NDATA_GAP")
    at = VECTORS["NBIRTH_V1"]["expected"]["timestamp_ms"] * 1000
    found = []
    for name in sent:
        kind = name.split("_", maxsplit=1)[0]
        decoded = decoder.decode([(NOW, NODE.format(kind), vector(name))])
        found.append(([(time, value) for _, time, value, _ in rows(decoded.readings, at)], reasons(decoded)))
    assert found == [
        ([], {"node": node.NO_BIRTH}),
        ([(0.0, 21.5)], {}),
        ([(0.0, 22.5)], {}),
        ([], {}),
        ([], {"node": node.MISSED}),
    ]


def test_255_is_followed_by_0() -> None:
    """The wrap of the sequence is no gap: after 255 more messages the published one with seq 0 is taken."""
    decoder = Decoder(edge())
    take(decoder, NOW, *births())
    for seq in range(2, 256):
        assert not take(decoder, NOW, (NODE.format("NDATA"), payload(seq)))[1]
    message = vector("NDATA_WRAPAROUND").replace(b"\x10\x64", b"\x10\x01")  # the alias of our node's metric
    found, refused = take(decoder, NOW, (NODE.format("NDATA"), message))
    assert [(point, value) for point, _, value, _ in found] == [("warm", 30.0)]
    assert not refused


def test_names_and_aliases_of_node_and_device() -> None:
    """Births bring values; data by alias or by name finds its metric; times are the metric's, else the message's."""
    found, refused = take(
        Decoder(edge()),
        NOW,
        *births(),
        (NODE.format("NDATA"), payload(2, by_alias(1, 21.0), at=NOW_MS + 1000)),
        (PRESS.format("DDATA"), payload(3, metric(alias=2, sent=value(13, 101.0), at=NOW_MS + 500), at=NOW_MS + 2000)),
        (PRESS.format("DDATA"), payload(4, metric("Energy", sent=value(13, 102.0)))),
    )
    assert found == [*BORN, ("warm", 1.0, 21.0, ""), ("kwh", 0.5, 101.0, ""), ("kwh", 0.0, 102.0, "")]
    assert not refused


def test_a_clock_that_was_never_set_is_stamped_on_receipt() -> None:
    """A time before 2000 does not enter history."""
    decoder = Decoder(edge())
    take(decoder, NOW, *births())
    found, _ = take(decoder, NOW, (NODE.format("NDATA"), payload(2, by_alias(1, 21.0), at=90_000)))
    assert found == [("warm", 0.0, 21.0, "clock not set")]


def test_a_lost_message_ends_the_belief_in_aliases_but_not_in_names() -> None:
    """Any gap may hide a birth with other aliases: they wait for the next birth of node and device each."""
    decoder = Decoder(edge())
    take(decoder, NOW, *births())
    found, refused = take(
        decoder,
        NOW,
        (NODE.format("NDATA"), payload(3, by_alias(1, 666.0))),
        (PRESS.format("DDATA"), payload(4, by_alias(2, 666.0))),
        (PRESS.format("DDATA"), payload(5, metric("Energy", datatype=DOUBLE, sent=value(13, 103.0)))),
    )
    assert found == [("kwh", 0.0, 103.0, "")]
    assert refused == {"node": MISSED, "press": MISSED}
    of_node, of_device = births()
    found, refused = take(
        decoder,
        NOW,
        (of_device[0], payload(6, double("Energy", 1, 104.0))),
        (PRESS.format("DDATA"), payload(7, by_alias(1, 105.0))),
        (NODE.format("NDATA"), payload(8, by_alias(1, 666.0))),
        of_node,
        (NODE.format("NDATA"), payload(1, by_alias(1, 22.0))),
        (PRESS.format("DDATA"), payload(2, by_alias(1, 666.0))),
    )
    assert [(point, value) for point, _, value, _ in found] == [
        ("kwh", 104.0),
        ("kwh", 105.0),
        ("warm", 20.0),
        ("warm", 22.0),
    ]
    assert refused == {"node": MISSED, "press": NO_BIRTH}


def test_devices_that_nobody_reads_count_in_the_sequence() -> None:
    """All devices of an edge node are subscribed to: their messages are no gap, and give no readings."""
    assert edge().subscriptions() == [
        "spBv1.0/G/DBIRTH/E/+",
        "spBv1.0/G/DDATA/E/+",
        "spBv1.0/G/DDEATH/E/+",
        "spBv1.0/G/NBIRTH/E",
        "spBv1.0/G/NDATA/E",
        "spBv1.0/G/NDEATH/E",
    ]
    found, refused = take(
        Decoder(edge()),
        NOW,
        *births(),
        ("spBv1.0/G/DBIRTH/E/oven", payload(2, double("Energy", 9, 5.0))),
        ("spBv1.0/G/DDATA/E/oven", payload(3, by_alias(2, 5.0))),
        ("spBv1.0/G/NDATA/E", payload(4, by_alias(1, 21.0))),
    )
    assert found == [*BORN, ("warm", 0.0, 21.0, "")]
    assert not refused


def test_an_alias_given_twice_means_nothing() -> None:
    """Aliases are unique in an edge node; one that is not names no metric."""
    birth = payload(0, bd_seq(1), double("Temperature", 1, 20.0), double("Pressure", 1, 3.0))
    found, refused = take(
        Decoder(edge()), NOW, (NODE.format("NBIRTH"), birth), (NODE.format("NDATA"), payload(1, by_alias(1, 3.1)))
    )
    assert found == [("warm", 0.0, 20.0, "")]
    assert refused == {"node": NO_BIRTH}


def test_an_alias_with_another_datatype_is_refused() -> None:
    """A datatype that is not that of the birth shows that the alias means another metric by now."""
    data = payload(2, metric(alias=1, datatype=4, sent=value(11, 5)))
    found, refused = take(Decoder(edge()), NOW, *births(), (NODE.format("NDATA"), data))
    assert found == BORN
    assert "another datatype" in refused["node"]


def test_death_of_the_node_ends_what_is_known_of_all_its_devices() -> None:
    """A matching NDEATH makes all points bad from its receipt on, and what follows waits for a birth."""
    decoder = Decoder(edge())
    take(decoder, NOW, *births())
    death = payload(None, bd_seq(7), at=NOW_MS - 10_000)
    found, _ = take(decoder, NOW, (NODE.format("NDEATH"), payload(None, bd_seq(6))), (NODE.format("NDEATH"), death))
    assert found == [("warm", 0.0, None, "device offline"), ("kwh", 0.0, None, "device offline")]
    found, refused = take(decoder, NOW, (NODE.format("NDATA"), payload(2, by_alias(1, 21.0))))
    assert (found, refused) == ([], {"node": NO_BIRTH})
    assert take(decoder, NOW, *births())[0] == BORN


def test_death_of_a_device_ends_what_is_known_of_it_alone() -> None:
    """DDEATH makes the device's points bad; the node goes on."""
    decoder = Decoder(edge())
    decoded = decoder.decode(
        [
            *((NOW, *one) for one in births()),
            (NOW, PRESS.format("DDEATH"), payload(2)),
            (NOW, NODE.format("NDATA"), payload(3, by_alias(1, 21.0))),
            (NOW, PRESS.format("DDATA"), payload(4, by_alias(2, 101.0))),
        ]
    )
    assert rows(decoded.readings, NOW) == [*BORN, ("kwh", 0.0, None, "device offline"), ("warm", 0.0, 21.0, "")]
    assert decoded.readings.quality.tolist() == [Quality.GOOD, Quality.GOOD, Quality.BAD, Quality.GOOD]
    assert reasons(decoded) == {"press": NO_BIRTH}


def test_a_restart_remembers_births_deaths_and_the_sequence() -> None:
    """What the marks hold goes on after a restart, wherever it comes; only what changed is written."""
    marks: dict[str, bytes] = {}

    def session(*messages: tuple[str, bytes]) -> tuple[list[Row], dict[str, str], set[str]]:
        decoded = Decoder(edge(), marks).decode([(NOW, *one) for one in messages])
        marks.update(decoded.marks)
        return rows(decoded.readings, NOW), reasons(decoded), set(decoded.marks)

    births_, last = {"mqtt/sparkplug/births/G/E", "mqtt/sparkplug/births/G/E/press"}, "mqtt/sparkplug/last/G/E"
    assert session(*births()) == (BORN, {}, {*births_, last})
    assert session((NODE.format("NDATA"), payload(2, by_alias(1, 21.0)))) == ([("warm", 0.0, 21.0, "")], {}, {last})
    assert session((PRESS.format("DDATA"), payload(3, by_alias(2, 101.0)))) == ([("kwh", 0.0, 101.0, "")], {}, {last})
    assert session((NODE.format("NDATA"), payload(9, by_alias(1, 6.0)))) == ([], {"node": MISSED}, {*births_, last})
    assert session((PRESS.format("DDATA"), payload(10, by_alias(2, 6.0)))) == ([], {"press": NO_BIRTH}, {last})
    # the death still belongs to the birth that was believed
    found, _, written = session((NODE.format("NDEATH"), payload(None, bd_seq(7))))
    assert [finding for _, _, _, finding in found] == ["device offline", "device offline"]
    assert marks["mqtt/sparkplug/births/G/E"] == b""
    assert last in written
    assert session((NODE.format("NDEATH"), payload(None, bd_seq(7)))) == ([], {}, set())


@pytest.mark.parametrize("mark", [b"\x00", b"\xc1", b"\x92\x01\x02", b"text"])
def test_a_mark_that_cannot_be_read_is_forgotten(mark: bytes) -> None:
    """A mark of another version is no birth; nothing raises."""
    decoder = Decoder(edge(), {"mqtt/sparkplug/births/G/E": mark, "mqtt/sparkplug/last/G/E": b"\x01"})
    assert take(decoder, NOW, (NODE.format("NDATA"), payload(2, by_alias(1, 21.0)))) == ([], {"node": NO_BIRTH})


def test_a_rebirth_is_asked_for_once_a_minute_and_only_where_allowed() -> None:
    """The request is an NCMD with Node Control/Rebirth true; it is handed out once, and never unasked."""
    for allowed in (True, False):
        decoder = Decoder(edge(rebirth=allowed))
        asked = []
        for second in (0, 30, 59, 60, 61):
            decoder.decode([(NOW + second * MINUTE // 60, NODE.format("NDATA"), payload(2 * second, by_alias(1, 1.0)))])
            asked.append(decoder.wanted())
            assert decoder.wanted() == []
        assert [len(one) for one in asked] == ([1, 0, 0, 1, 0] if allowed else [0] * 5)
    topic, request = Decoder(edge(rebirth=True)), None
    topic.decode([(NOW, NODE.format("NDATA"), payload(5, by_alias(1, 1.0)))])
    [(name, request)] = topic.wanted()
    message = parse(request)
    assert name == "spBv1.0/G/NCMD/E"
    assert message is not None
    assert [(one.name, one.boolean_value, one.datatype) for one in message.metrics] == [
        (b"Node Control/Rebirth", True, 11)
    ]
    assert message.timestamp == NOW_MS


def test_no_rebirth_is_asked_for_while_all_is_well() -> None:
    """Births and data in sequence give no cause; an unknown metric does not either."""
    decoder = Decoder(edge(rebirth=True))
    take(decoder, NOW, *births(), (NODE.format("NDATA"), payload(2, by_alias(1, 21.0))))
    assert decoder.wanted() == []


def test_two_edge_nodes_do_not_mix() -> None:
    """Each edge node has a sequence and aliases of its own."""
    devices = {"one": mqtt("G/E", "sparkplug_b"), "two": mqtt("G/F", "sparkplug_b")}
    points = {"a": ("one", "T", "level", "degC"), "b": ("two", "T", "level", "degC")}
    found, refused = take(
        Decoder(topics(plant(devices, points))),
        NOW,
        ("spBv1.0/G/NBIRTH/E", payload(0, double("T", 1, 1.0))),
        ("spBv1.0/G/NBIRTH/F", payload(0, double("T", 2, 2.0))),
        ("spBv1.0/G/NDATA/E", payload(1, by_alias(1, 3.0))),
        ("spBv1.0/G/NDATA/F", payload(1, by_alias(1, 4.0))),
    )
    assert [(point, value) for point, _, value, _ in found] == [("a", 1.0), ("b", 2.0), ("a", 3.0)]
    assert refused == {"two": NO_BIRTH}
