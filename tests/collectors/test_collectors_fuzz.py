"""A short form of `python -m benchmarks.fuzz`: mutated input for every decoder, beside references of its own."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from benchmarks.fuzz import TARGETS, Part, one
from collectors.hj212 import source
from collectors.modbus import numbers, transport
from collectors.mqtt import json_values
from collectors.mqtt.sparkplug import value

INPUTS = {"by Hypothesis": 100, "CSV files": 15, "Sparkplug marks": 50, "HJ 212 streams": 200, "Modbus frames": 250}
ENOUGH = 600


def found(name: str, inputs: int, seed: int) -> list[str]:
    """What a target finds; at least so many inputs were counted."""
    _, tally, _ = one(Part(name, inputs, f"{seed}/{name}/0"))
    assert tally.found or tally.inputs >= inputs
    return tally.findings


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.parametrize("seed", [1, random.randrange(1 << 32)], ids=["fixed", "random"])
def test_what_is_mutated_gives_its_own_value_or_none(name: str, seed: int) -> None:
    """Promise 3: no exception escapes, and a mutated frame gives the checked value of its own bytes or none. A finding
    begins with its seed."""
    assert found(name, INPUTS.get(name, ENOUGH), seed) == []


WRONG: dict[str, tuple[Any, str, Callable[[Any], Any]]] = {
    "register words": (
        numbers,
        "_bcd",
        lambda own: lambda held, width: (own(held, width)[0], np.zeros(held.shape, bool)),
    ),
    "Modbus frames": (transport.FramerRTU, "check_CRC", lambda _: staticmethod(lambda data, check: True)),
    "MQTT payloads": (json_values, "from_json", lambda own: lambda raw: own(int(raw) if raw is True else raw)),
    "Sparkplug sessions": (value, "whole", lambda _: lambda raw, datatype, bits: float(raw)),
    "HJ 212 streams": (source, "judge", lambda own: lambda flag: own("N")),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_decoder_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The references would notice: an unchecked digit, an unchecked check sum, true as 1, a lost sign, a lost flag."""
    module, attribute, wrong = WRONG[name]
    monkeypatch.setattr(module, attribute, wrong(getattr(module, attribute)))
    assert found(name, ENOUGH, 1)
