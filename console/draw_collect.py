"""What the collectors report, as HTML: troubles, journal and broker, devices, messages that could not be used."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from markupsafe import Markup

from console.figures import SPACE, duration, number, percent, quantity, significant, size
from console.markup import Column, Row, bar, chip, div, join, span, table, tag
from console.views_collect import Trouble, is_stale
from console.views_health import DeviceHealth
from console.words import Words
from plant.reading import SECOND

STATE_KIND = {"ok": "good", "connected": "good", "waiting": "plain", "unknown": "plain"}
FULL_SHARE = 0.9


def tile(name: str, figure: object, note: object = None, more: object = None) -> Markup:
    """A figure with its name and what there is to say of it."""
    return div("kc-card kc-state", span("kc-fact-name", name), span("kc-figure", figure), span("kc-small", note), more)


def troubles(found: Iterable[Trouble], words: Words) -> Markup:
    """What is wrong with keepclean itself; nothing when nothing is."""
    return join(div("kc-alert", one.text(words)) for one in found)


def journal(status: Mapping[str, Any], words: Words) -> Markup | None:
    """How the collectors' writing goes: state, what waits, the budget, and what is or was wrong."""
    found = status.get("journal")
    if found is None:
        return None
    if is_stale(status):
        return tile(words("writing"), _state("unknown", words))
    failing = found["storage_error"] or found["trim_error"]
    state = "not_written" if found["storage_error"] else "paused" if found["paused"] else "ok"
    notes = [words("items_wait", count=number(found["waiting"], 0))]
    if found["commit_ms"] is not None:
        notes.append(words("committed_in", span=_milliseconds(found["commit_ms"])))
    used, budget = found["used_bytes"], found.get("budget_bytes")
    if budget:
        notes.append(words("disk_used", used=size(used), limit=size(budget)))
    return tile(
        words("writing"),
        _state(state, words),
        " · ".join(notes),
        join(
            (
                bar(used / budget, "bad" if used / budget > FULL_SHARE else "info") if budget else None,
                span("kc-small kc-bad", failing) if failing else None,
                span("kc-small kc-warn", words.evidence(found["damage"])) if found.get("damage") else None,
            )
        ),
    )


def broker(status: Mapping[str, Any], words: Words) -> Markup | None:
    """The MQTT session, and why its broker may not keep what it acknowledged."""
    found = status.get("broker")
    if found is None:
        return None
    connected, stale = found["connected"], is_stale(status)
    state = "unknown" if stale else "connected" if connected else "disconnected"
    note = f"{found['url']} {found['protocol']}" if connected and not stale else found["url"]
    error = found["last_error"] if state == "disconnected" else ""
    dropped = found.get("dropped")
    said = [*found.get("doubts", ()), *([words("dropped", count=number(dropped, 0))] if dropped else [])]
    return tile(
        words("broker"),
        _state(state, words),
        note,
        join(
            (
                span("kc-small kc-bad", error) if error else None,
                *(span("kc-small kc-warn", words.evidence(text)) for text in said),
            )
        ),
    )


def devices(found: Sequence[DeviceHealth], known: bool, words: Words) -> Markup:
    """The devices and how they answer."""
    columns = [
        Column(words("device")),
        Column(words("state"), lead=True),
        Column(words("last_answer"), number=True),
        Column(words("latency"), number=True),
        Column(words("failed"), number=True),
        Column(words("readings_per_s"), number=True),
        Column(words("lag"), number=True),
        Column(words("rejected"), number=True),
        Column(words("error"), wide=True),
    ]
    note = None if known else div("kc-foot", words("no_status"))
    return join((note, table(columns, (_device(device, words) for device in found), "kc-dense")))


def _device(device: DeviceHealth, words: Words) -> Row:
    named = f"{device.protocol} {device.address}".strip()
    return (
        join((words.title(device.title), span("kc-small kc-block", named))),
        _state(device.state, words),
        words("never_answered") if device.age is None else duration(device.age),
        "" if device.latency_ms is None else _milliseconds(device.latency_ms),
        "" if device.failed is None else percent(device.failed * 100, 0),
        "" if device.rate is None else significant(device.rate),
        "" if device.lag_s is None else _lag(device.lag_s),
        span("kc-warn", number(device.rejected, 0), title=f"{device.reason}: {device.sample}")
        if device.rejected
        else "",
        device.error,
    )


def rejected(found: Iterable[DeviceHealth], words: Words) -> Markup:
    """One message of each device that had some that could not be used, with the reason; empty when there is none."""
    rows = [
        (words.title(device.title), number(device.rejected, 0), device.reason, tag("code", device.sample))
        for device in found
        if device.rejected
    ]
    columns = [
        Column(words("device")),
        Column(words("rejected"), number=True, lead=True),
        Column(words("reason"), wide=True),
        Column(words("sample"), wide=True),
    ]
    return table(columns, rows, "kc-dense") if rows else Markup("")


def _state(state: str, words: Words) -> Markup:
    return chip(STATE_KIND.get(state, "bad"), words.code(state))


def _milliseconds(value: float) -> str:
    return quantity(value, "ms") if value < 1000 else quantity(value / 1000, "s")


def _lag(lag_s: float) -> Markup:
    """How long a reading was on the way; one from the future shows a clock that is ahead."""
    if abs(lag_s) < 1:
        return span("", f"{number(lag_s * 1000, 0)}{SPACE}ms")
    text = duration(abs(int(lag_s * SECOND)))
    return span("", text) if lag_s > 0 else span("kc-warn", f"−{text}")
