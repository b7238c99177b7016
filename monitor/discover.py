"""`keepclean discover`: what was heard from a broker as a table with suggestions, or as YAML to paste."""

from __future__ import annotations

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from collectors.mqtt.discover import Heard, Listening
from collectors.mqtt.grouping import Group as Topics
from collectors.mqtt.grouping import alike, groups, names
from plant.errors import DeviceError

GROUPS_SHOWN = 40
TOPICS_SHOWN = 5
VALUES_SHOWN = 6
UNREAD_SHOWN = 20


def so_far(found: Listening, seconds: float) -> str:
    """The line that is shown while it listens."""
    return (
        f"listening: {_number(found.messages, 'message')} on {_number(len(found.topics), 'topic')},"
        f" {max(seconds - found.seconds, 0):.0f} s to go (Ctrl-C ends early)"
    )


def shown(found: Listening) -> Group:
    """Everything that was heard, in a bounded number of lines."""
    everything, unread = groups(found)
    readable = alike(everything)
    parts: list[Table | Text] = [Text.from_markup(_head(found))]
    if readable:
        parts.append(_readable(readable))
    if unread:
        parts.append(_unread(unread))
    rest = max(len(readable) - GROUPS_SHOWN, 0), max(len(unread) - UNREAD_SHOWN, 0)
    if any(rest):
        parts.append(Text(f"{rest[0]:,} more groups and {rest[1]:,} more unreadable topics: narrow it with --topic"))
    if readable:
        parts.append(Text("--yaml prints lines for a plant description; units and kinds in them are guesses."))
    return Group(*parts)


def explained(error: DeviceError) -> str:
    """What a failure means at a broker, and what to look at."""
    text = str(error)
    if "cannot be reached" in text or "does not answer" in text:
        ports = "1883 is the usual port, 8883 with mqtts://"
        return f"{text}\n    hint: is the address right, the broker on, and no firewall between? {ports}"
    return text


def yaml(found: Listening, broker: Sequence[tuple[str, str]]) -> str:
    """Blocks `broker:` (of the keys given), `devices:` and `points:` for what can be read; kinds, units are guesses."""
    readable, _ = groups(found)
    chosen = readable[:GROUPS_SHOWN]
    named = list(zip(names(chosen), chosen, strict=True))
    lines = [
        "# Kinds and units that a name does not tell are guesses: look at each before you paste it.",
        "# A description has each block once: the lines below `devices:` and `points:` go under those that are there,",
        "# `broker:` goes in as a whole unless there is one. Then `keepclean check`, Ctrl-C, `keepclean run` again.",
        "broker:",
        *(f"  {key}: {value}" for key, value in broker),
        "devices:",
    ]
    for name, group in named:
        lines += group.suggestion.device_lines(name)
    lines.append("points:")
    for name, group in named:
        lines += group.suggestion.point_lines(name)
    if len(readable) > len(chosen):
        lines.append(f"# {len(readable) - len(chosen):,} more devices: narrow it with --topic")
    return "\n".join(lines) + "\n"


def print_found(found: Listening, screen: Console) -> None:
    """Prints the tables."""
    screen.print(shown(found), highlight=False)


def _head(found: Listening) -> str:
    topics = _number(len(found.topics), "topic")
    text = f"{_number(found.messages, 'message')} on {topics} in {found.seconds:.0f} s"
    if found.beyond:
        text += f"; {_number(found.beyond, 'message')} on further topics were only counted"
    return f"[bold]{text}[/bold]" + (f" ({escape(found.ended)})" if found.ended else "")


def _readable(found: Sequence[tuple[Topics, int, str]]) -> Table:
    table = Table(title="can be read", title_justify="left", box=SIMPLE_HEAD, pad_edge=False, show_lines=True)
    for column in ("topics", "messages", "payload", "values (an example of each)", "remark"):
        table.add_column(column, overflow="fold")
    for group, count, shared in found[:GROUPS_SHOWN]:
        one = group.suggestion
        heard = [escape(each.topic) for each in group.topics[:TOPICS_SHOWN]]
        if len(group.topics) > TOPICS_SHOWN:
            heard.append(f"… {len(group.topics) - TOPICS_SHOWN:,} more")
        if one.topic != group.topics[0].topic:
            heard.append(f"[bold]topic: {escape(one.topic)}[/bold]")
        if count > 1:
            heard.append(f"[bold]and {count - 1:,} alike: {escape(shared)}[/bold]")
        values = [
            f"{escape(value.read)} = {_example(value.example)}{f' {value.unit}' if value.unit else ''}"
            for value in one.values[:VALUES_SHOWN]
        ]
        if len(one.values) > VALUES_SHOWN:
            values.append(f"… {len(one.values) - VALUES_SHOWN:,} more")
        counts = [_count(each) for each in group.topics[:TOPICS_SHOWN]]
        table.add_row("\n".join(heard), "\n".join(counts), one.payload, "\n".join(values), escape(one.remark))
    return table


def _unread(found: Sequence[tuple[Heard, str]]) -> Table:
    table = Table(title="cannot be read", title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for column in ("topic", "messages", "why"):
        table.add_column(column, overflow="fold")
    for heard, why in found[:UNREAD_SHOWN]:
        table.add_row(escape(_short(heard.topic)), _count(heard), escape(_short(why)))
    return table


def _number(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _count(heard: Heard) -> str:
    text = f"{heard.count:,}"
    if heard.every_s is not None:
        text += f", every {heard.every_s:.3g} s"
    if heard.retained:
        text += ", retained" if heard.retained == heard.count else f", {heard.retained:,} retained"
    return text


def _example(value: float | None) -> str:
    return "?" if value is None else f"{value:,.7g}"


def _short(text: str) -> str:
    printable = "".join(letter if letter.isprintable() else "·" for letter in text)
    return printable if len(printable) <= 120 else f"{printable[:117]}…"
