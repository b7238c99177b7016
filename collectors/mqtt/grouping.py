"""Topics that were heard as devices that would read them: grouped, folded where they are alike, and named. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from collectors.mqtt.discover import PAYLOAD_MAX, Heard, Listening
from collectors.mqtt.suggest import VALUES_MAX, Found, Suggestion, describe_payload

ALIKE_LEAST = 3


@dataclass(frozen=True)
class Group:
    """Topics that one device of a description would read, and how."""

    suggestion: Suggestion
    topics: tuple[Heard, ...]


def groups(found: Listening) -> tuple[list[Group], list[tuple[Heard, str]]]:
    """Topics as devices that would read them, and those that cannot be read with the reason.

    Topics are one group when one device reads them all: bare numbers beside each other, a Shelly's components, a
    Sparkplug edge node's births and data.
    """
    merged: dict[tuple[str, str], Group] = {}
    unread: list[tuple[Heard, str]] = []
    for topic in sorted(found.topics):
        heard = found.topics[topic]
        if not heard.payloads and heard.longest > PAYLOAD_MAX:
            unread.append((heard, f"{heard.longest:,} bytes: too long to be a reading"))
            continue
        one = describe_payload(topic, list(heard.payloads))
        if one.payload is None:
            unread.append((heard, one.remark))
            continue
        key = (one.payload, one.topic)
        before = merged.get(key)
        merged[key] = Group(_both(before.suggestion, one), (*before.topics, heard)) if before else Group(one, (heard,))
    return list(merged.values()), unread


def _both(one: Suggestion, other: Suggestion) -> Suggestion:
    values: dict[str, Found] = {value.read: value for value in (*one.values, *other.values)}
    remark = one.remark or other.remark
    if len(values) > VALUES_MAX:
        remark = f"{len(values):,} values, of which {VALUES_MAX} are shown"
    return replace(one, values=tuple(values.values())[:VALUES_MAX], remark=remark)


def alike(found: Sequence[Group]) -> list[tuple[Group, int, str]]:
    """The groups, those that differ in one level of their topic only as one: the first, how many, and what they share.

    What they share is their topic with + where they differ; "" for a group that stands alone.
    """
    buckets: dict[tuple[object, ...], int] = {}
    for group in found:
        for key in _keys(group):
            buckets[key] = buckets.get(key, 0) + 1
    taken: dict[tuple[object, ...], int] = {}
    folded: list[tuple[Group, int, str]] = []
    for group in found:
        best = max(_keys(group), key=lambda key: buckets[key])
        if buckets[best] < ALIKE_LEAST:
            folded.append((group, 1, ""))
        elif best in taken:
            first, count, pattern = folded[taken[best]]
            folded[taken[best]] = first, count + 1, pattern
        else:
            taken[best] = len(folded)
            folded.append((group, 1, str(best[-1])))
    return folded


def _keys(group: Group) -> list[tuple[object, ...]]:
    one = group.suggestion
    reads, levels = tuple(sorted(value.read for value in one.values)), one.topic.split("/")
    topics = ("/".join((*levels[:at], "+", *levels[at + 1 :])) for at in range(len(levels)) if levels[at] != "{read}")
    return [(one.payload, one.settings, reads, topic) for topic in topics]


def names(found: Sequence[Group]) -> list[str]:
    """A name for the device of each group, from its topic; each is used once."""
    used: set[str] = set()
    chosen = []
    for group in found:
        plain = group.suggestion.topic.replace("{read}", "").lower()
        parts = "".join(letter if letter.isascii() and letter.isalnum() else "_" for letter in plain).split("_")
        name = "_".join(part for part in parts if part)[-40:].strip("_") or "topics"
        name = name if name[0].isalpha() else f"t_{name}"
        number, free = 2, name
        while free in used:
            free, number = f"{name}_{number}", number + 1
        used.add(free)
        chosen.append(free)
    return chosen
