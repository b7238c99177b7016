"""A fault of ours in one device's task costs that device some seconds, and the others nothing."""

from __future__ import annotations

import asyncio

import pytest
from collectors_plant import mqtt, plant, until

from collectors.keeping import keep
from collectors.mqtt.payload import Decoder
from collectors.mqtt.topics import topics


def test_work_that_raises_is_begun_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Promise 6: the device's status says what happened, and its work goes on."""
    monkeypatch.setattr("collectors.keeping.AGAIN_AFTER_S", 0.0)
    runs, told = list[int](), list[tuple[str, str]]()

    async def work() -> None:
        runs.append(1)
        if len(runs) == 1:
            raise ZeroDivisionError("a bug")
        await asyncio.Event().wait()

    async def scenario() -> None:
        task = asyncio.create_task(keep("meter", work, lambda name, reason: told.append((name, reason))))
        await until(lambda: len(runs) == 2)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(scenario())
    assert told == [("meter", "keepclean failed at it: ZeroDivisionError: a bug")]


def test_a_message_that_our_decoder_fails_at_is_rejected_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Promise 1: raised, such a message would come again for ever and nothing after it would reach the disk."""
    described = plant(
        {"scale": mqtt("weight", "number"), "other": mqtt("height", "number")},
        {"weight": ("scale", "weight", "level", "kg"), "height": ("other", "height", "level", "m")},
    )

    def reader(_received: int, payload: bytes, columns: object) -> str:
        columns.add(0, 1, 1, 1.0)  # type: ignore[attr-defined]
        raise ZeroDivisionError(payload)

    decoder = Decoder(topics(described))
    readers = decoder._readers
    monkeypatch.setitem(readers, "weight", (("scale", reader),))
    decoded = decoder.decode([(1, "height", b"1"), (2, "weight", b"poison"), (3, "height", b"2")])
    assert decoded.readings.value.tolist() == [1.0, 2.0]
    assert decoded.rejected["scale"].sample == "poison"
    assert "ZeroDivisionError" in decoded.rejected["scale"].reason
