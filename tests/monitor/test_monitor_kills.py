"""Killed under load, again and again: a short form of what `make soak` does for an hour."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest
from kill_rig import run

pytestmark = [
    pytest.mark.server,
    pytest.mark.skipif(
        shutil.which("mosquitto") is None and not Path("/usr/sbin/mosquitto").exists(),
        reason="mosquitto is not installed (Debian package mosquitto)",
    ),
]


def test_what_was_acknowledged_is_in_the_facts_exactly_once(tmp_path: Path) -> None:
    """Promise 1: 2,000 messages a second and 50 meters; SIGKILLs, an orderly stop and a restart of the broker."""
    seed = random.randrange(10_000)
    print("seed", seed)  # noqa: T201 - shown when the test fails, also when it fails before there is a judgement
    judgement = run(tmp_path, seed, kills=4, stops=1, broker_restarts=1, whole=False)
    print(judgement.plain())  # noqa: T201
    judgement.assert_sound()
    assert judgement.deeds.kills == 4
    assert judgement.acknowledged > 10_000
