"""The judgement of a killed keepclean: what its peers' logs say must be there, beside what the historian holds."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from kill_peers import point_of, sent_and_acked, served

from historian.reader import Reader
from historian.store import Historian
from journal.journal import Journal
from journal.message import encode_body
from monitor.describe import describe
from monitor.server import Server
from plant.reading import MINUTE

ACKED_SHARE = 0.9  # of what was sent: a restart of the broker leaves up to 1,000 messages unclear
SENT_SHARE = 0.5  # of the rate asked for: the gateway is away while the broker is, and the machine may be busy
POLLS_SHARE = 0.8  # of the polls answered: a kill costs those of the last tenth of a second


@dataclass
class Deeds:
    """What was done to keepclean: `kills` of a collect process that ran, `parent_kills` of its parent alone.

    `ended_alone` counts what nobody did: collect was gone when its kill was due.
    """

    kills: int = 0
    parent_kills: int = 0
    stops: int = 0
    broker_restarts: int = 0
    ended_alone: int = 0


@dataclass
class Load:
    """What the peers were told to do: messages a second, for so long [s], and how many meters."""

    rate: float
    seconds: float
    meters: int


@dataclass
class Judgement:
    """What was counted; `breaches` says what of it breaks the promise, or proves nothing.

    `commit_kills_ms` holds, for each kill that waited for a commit, how long after its first write it came.
    """

    seed: int
    deeds: Deeds
    commit_kills_ms: list[float]
    load: Load
    sent: int
    acknowledged: int
    unclear: int
    stored_messages: int
    stored_same: int
    polls_answered: int
    polls_stored: int
    ones: int
    lost: list[int]
    doubled: list[int]
    foreign: list[int]
    same_wrong: list[str]
    not_good: int
    ones_wrong: int
    polls_doubled: int
    polls_foreign: int
    tracebacks: int

    def plain(self) -> dict[str, Any]:
        """As JSON; long lists as their lengths."""
        found = asdict(self)
        for name in ("deeds", "load"):
            found.update(found.pop(name))
        for name in ("lost", "doubled", "foreign"):
            found[name] = len(found[name])
        return found

    def breaches(self) -> list[str]:
        """Every acknowledged message once, none that was not sent, every poll at most once, all good; a real load."""
        found = [
            f"{len(numbers)} messages {what}: {numbers[:10]}"
            for what, numbers in (("lost", self.lost), ("twice", self.doubled), ("never sent", self.foreign))
            if numbers
        ]
        found += self.same_wrong
        counts = {
            "readings are not good": self.not_good,
            "messages more or fewer in the facts than in the readings": self.ones_wrong,
            "polls stored twice": self.polls_doubled,
            "polls stored that were never answered": self.polls_foreign,
            "times collect ended by itself": self.deeds.ended_alone,
            "tracebacks in the log": self.tracebacks,
        }
        found += [f"{count} {what}" for what, count in counts.items() if count]
        least = {
            "messages sent": (self.sent, SENT_SHARE * self.load.rate * self.load.seconds),
            "messages acknowledged": (self.acknowledged, ACKED_SHARE * self.sent),
            "polls answered": (self.polls_answered, float(self.load.meters)),
            "polls stored": (self.polls_stored, POLLS_SHARE * self.polls_answered),
        }
        found += [f"only {have} {what}, not {want:.0f}" for what, (have, want) in least.items() if have < want]
        return found

    def assert_sound(self) -> None:
        """Fails with the seed when there is a breach."""
        assert not self.breaches(), f"seed {self.seed}: {'; '.join(self.breaches())}"


def judge(folder: Path, seed: int, deeds: Deeds, commit_kills_ms: list[float], load: Load) -> Judgement:
    """Settles the facts of folder/data and compares them with folder/publish.log and folder/serve.log."""
    settle(folder / "plant.yaml", folder / "data")
    sent, acked = sent_and_acked(folder / "publish.log")
    polls = served(folder / "serve.log")
    reader = Reader(folder / "data")
    readings = reader.table("readings", columns=["point", "value", "quality"]).select("point", "value", "quality")
    stored: Counter[int] = Counter()
    same: Counter[str] = Counter()
    polled: Counter[tuple[int, int]] = Counter()
    timed = not_good = 0
    for point, value, quality in readings.iter_rows():
        kind, _, number = point.partition("_")
        if quality != "good":
            not_good += 1
        elif kind == "same" and value == 1:
            same[point] += 1
        elif kind == "polls":
            polled[int(number), int(value)] += 1
        elif kind == "ones":
            timed += 1
        else:
            stored[int(value) if point_of(int(value)) == point else -1] += 1
    ones = reader.table("facts", columns=["point", "amount"])
    counted = int(ones.filter(ones["point"].str.starts_with("ones_"))["amount"].sum())
    messages = sum(count for number, count in stored.items() if point_of(number).startswith("timed"))
    return Judgement(
        seed=seed,
        deeds=deeds,
        commit_kills_ms=commit_kills_ms,
        load=load,
        sent=len(sent),
        acknowledged=len(acked),
        unclear=len(sent - acked),
        stored_messages=sum(stored.values()),
        stored_same=sum(same.values()),
        polls_answered=len(polls),
        polls_stored=sum(polled.values()),
        ones=counted,
        lost=sorted(_unique(acked) - stored.keys()),
        doubled=sorted(number for number, count in stored.items() if count > 1),
        foreign=sorted(stored.keys() - sent),
        same_wrong=_compare(sent, acked, same),
        not_good=not_good,
        ones_wrong=abs(counted - messages) + abs(timed - messages),
        polls_doubled=sum(count > 1 for count in polled.values()),
        polls_foreign=len(polled.keys() - polls),
        tracebacks=(folder / "log").read_text(errors="replace").count("Traceback (most recent call last)"),
    )


def _unique(numbers: set[int]) -> set[int]:
    return {number for number in numbers if not point_of(number).startswith("same")}


def _compare(sent: set[int], acked: set[int], stored: Counter[str]) -> list[str]:
    """Equal messages are judged by their count, a topic at a time: acknowledged <= stored <= sent."""
    most, least = (Counter(point_of(number) for number in numbers - _unique(numbers)) for numbers in (sent, acked))
    return [
        f"{point}: {stored[point]} equal messages stored of {least[point]} acknowledged, {most[point]} sent"
        for point in sorted(most)
        if not least[point] <= stored[point] <= most[point]
    ]


def settle(plant: Path, data: Path) -> None:
    """Steps what is left in the journal, then ten minutes of silence, so that every minute's facts are final."""
    described = describe(plant)
    journal, historian = Journal(data / "journal"), Historian(data)
    server = Server(described.plan, journal, historian)
    while server.step():
        pass
    now = (time.time_ns() // 1000 // MINUTE + 1) * MINUTE
    for minute in range(10):
        journal.append([("tick", encode_body({"time": now + minute * MINUTE}))])
    while server.step():
        pass
    server.checkpoint()
    historian.close()
    journal.close()
