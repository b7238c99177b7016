"""The collectors' report as it is drawn: states in both languages, samples escaped, nothing stale shown as fine."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from fake_frames import NOW, example_plant
from fake_plant import status

from console import draw_collect
from console.views_health import devices
from console.words import Words

PLANT = example_plant()
ENGLISH, CHINESE = Words("en", PLANT), Words("zh", PLANT)
FOUND = devices(status(PLANT), PLANT, NOW)


def reported(part: str, **changed: Any) -> dict[str, Any]:
    """The status with a part of it changed."""
    whole = status(PLANT)
    return {**whole, part: {**whole[part], **changed}}


def test_a_device_s_row_says_how_it_answers() -> None:
    """Median latency, readings a second, lag, rejected messages."""
    drawn = draw_collect.devices([next(device for device in FOUND if device.rejected)], True, ENGLISH)
    assert "4.03\u00a0ms" in drawn and "0.0500" in drawn and "5\u00a0min" in drawn and "5\u00a0%" in drawn
    assert "not JSON" in drawn


def test_a_rejected_payload_cannot_become_markup() -> None:
    """It comes from whoever may publish; it is shown as it came, escaped, also in the tooltip."""
    for drawn in (draw_collect.rejected(FOUND, ENGLISH), draw_collect.devices(FOUND, True, ENGLISH)):
        assert "<script>" not in drawn and "&lt;script&gt;" in drawn
    assert draw_collect.rejected([device for device in FOUND if not device.rejected], ENGLISH) == ""


@pytest.mark.parametrize(
    ("lag_s", "text"), [(0.0, "0\u00a0ms"), (-0.4, "−400\u00a0ms"), (75.0, "1\u00a0min"), (-75.0, "−1\u00a0min")]
)
def test_a_clock_that_is_ahead_shows(lag_s: float, text: str) -> None:
    """A negative lag keeps its sign."""
    assert text in draw_collect.devices([replace(FOUND[1], lag_s=lag_s)], True, ENGLISH)


def test_what_was_never_measured_is_an_empty_cell() -> None:
    """Promise 3: no latency is no number, not 0."""
    empty = replace(FOUND[1], latency_ms=None, failed=None, rate=None, lag_s=None, age=None)
    drawn = draw_collect.devices([empty], True, ENGLISH)
    assert "0" not in drawn.partition("</thead>")[2].replace("127.0.0.1:150", "") and "never" in drawn


def test_the_journal_s_tile_says_why_nothing_is_written() -> None:
    """State, error, budget, and what a damage at the start has cost."""
    lost = "812 rows were carried over, at least 3 are lost, what collectors remembered was kept; the damaged file is x"
    drawn = draw_collect.journal(reported("journal", storage_error="disk full", damage=lost), ENGLISH)
    assert drawn is not None and "not written" in drawn and "disk full" in drawn and "at least 3 are lost" in drawn
    assert "至少丢失 3 行" in str(draw_collect.journal(reported("journal", damage=lost), CHINESE))
    paused = draw_collect.journal(reported("journal", paused=True, used_bytes=4 * 1024**3), CHINESE)
    assert paused is not None and "已暂停" in paused and "kc-bar kc-bad" in paused
    assert "4.0\u00a0GiB" in paused


def test_the_broker_s_tile_says_why_it_is_not_trusted() -> None:
    """Doubts and dropped messages, in both languages, also while it is connected."""
    doubt = "the broker keeps the session for 60 s only, 2592000 s were asked for"
    seen = reported("broker", doubts=[doubt], dropped=12)
    english, chinese = draw_collect.broker(seen, ENGLISH), draw_collect.broker(seen, CHINESE)
    assert doubt in str(english) and "12 QoS 0" in str(english) and "connected" in str(english)
    assert "服务器只保留会话 60 秒" in str(chinese)
    gone = str(draw_collect.broker(reported("broker", connected=False, last_error="refused"), ENGLISH))
    assert "not connected" in gone and "refused" in gone


def test_a_stale_report_is_no_state() -> None:
    """Promise 3: neither connected nor ok."""
    old = {**status(PLANT), "report_age_s": 11.0}
    for drawn in (draw_collect.broker(old, ENGLISH), draw_collect.journal(old, ENGLISH)):
        assert drawn is not None and "unknown" in drawn and "kc-good" not in drawn


def test_a_plant_without_a_broker_has_no_broker_s_tile() -> None:
    """Nor one for a journal that nobody reported on."""
    assert draw_collect.broker({"broker": None}, ENGLISH) is None
    assert draw_collect.journal({}, ENGLISH) is None
