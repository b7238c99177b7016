"""The line of every fault, for every key of a description, and that no text whatsoever breaks the loader."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plant.document import read
from plant.errors import ConfigurationError
from plant.load import examine, load_text

BASE = (Path(__file__).parent.parent / "cases" / "plant" / "sound" / "plant.yaml").read_text(encoding="utf-8")
LINES = BASE.split("\n")
PATH = Path("plant.yaml")
# Keys whose blocks are maps of names: a wrong name there is a name, not an unknown key.
MAPS = ("shifts", "process_units", "products", "devices", "points", "fuels", "kpis", "baselines", "options", "routes")


def keys() -> list[tuple[int, str]]:
    """The lines (from 0) that hold a key of a block, with the key."""
    found: list[tuple[int, str]] = []
    inside = ""
    for number, line in enumerate(LINES):
        match = re.match(r"( *)(?:- )?(\w+):", line)
        if match is None:
            continue
        depth = len(match[1])
        if depth == 0:
            inside = match[2]
        is_name = (depth == 2 and inside in MAPS and "- " not in line) or (inside == "alarms" and depth == 4)
        if not is_name:
            found.append((number, match[2]))
    return found


@pytest.mark.parametrize(("number", "key"), keys())
def test_a_misspelt_key_is_reported_on_its_line_and_nowhere_else(number: int, key: str) -> None:
    """Promise 8, for every key of a description: the fault stands on the key's own line and suggests the right key."""
    lines = list(LINES)
    lines[number] = lines[number].replace(f"{key}:", f"{key}x:", 1)
    with pytest.raises(ConfigurationError) as caught:
        load_text("\n".join(lines), PATH)
    fault = next(fault for fault in caught.value.faults if f"unknown key '{key}x'" in fault.message)
    assert fault.line == number + 1
    assert fault.hint == f"did you mean '{key}'?"
    assert len(caught.value.faults) == 1


@given(st.integers(0, len(keys()) - 1), st.lists(st.integers(0, len(LINES) - 1), max_size=6))
@settings(max_examples=40, deadline=None)
def test_lines_count_comments_and_blank_lines(which: int, blanks: list[int]) -> None:
    """Promise 8: whatever comments and blank lines stand above, the line is that of the file."""
    number, key = keys()[which]
    lines = list(LINES)
    lines[number] = lines[number].replace(f"{key}:", f"{key}x:", 1)
    for at in sorted(blanks, reverse=True):
        lines[at:at] = ["", "# a comment: with [brackets"]
    text = "\n".join(lines)
    _, document = examine(text, PATH)
    line = next(fault.line for fault in document.faults if f"unknown key '{key}x'" in fault.message)
    assert f"{key}x:" in text.split("\n")[line - 1]


@given(
    st.lists(
        st.tuples(
            st.integers(0, len(BASE) - 1),
            st.integers(0, 12),
            st.sampled_from(
                ["", "{", "}", "[", '"', "'", ":", "\t", "- ", "&a ", "*a", "!x ", "#", "\n", "<<: ", "\x07"]
            ),
        ),
        min_size=1,
        max_size=3,
    )
)
@settings(max_examples=40, deadline=None)
def test_no_text_breaks_the_loader(edits: list[tuple[int, int, str]]) -> None:
    """Promise 8: whatever is typed, there are faults with lines of the file, or a plant; never another exception."""
    text = BASE
    for at, length, inserted in edits:
        text = text[:at] + inserted + text[at + length :]
    try:
        load_text(text, PATH)
    except ConfigurationError as error:
        assert error.faults
        assert all(1 <= fault.line <= text.count("\n") + 1 for fault in error.faults)


@given(
    st.lists(
        st.tuples(
            st.sampled_from([number for number, line in enumerate(LINES) if ":" in line]),
            st.sampled_from(
                ["", " {}", " []", " nonsense", " -1", " yes", " {a: 1}", " [x, 1]", " 0,5", "：x", " .nan"]
            ),
        ),
        min_size=1,
        max_size=4,
    )
)
@settings(max_examples=60, deadline=None)
def test_no_value_breaks_a_check(edits: list[tuple[int, str]]) -> None:
    """Promise 8: whatever value a key has, every check works on what is sound, and the line of each fault exists."""
    lines = list(LINES)
    for number, value in edits:
        lines[number] = re.sub(r":.*", lambda _, value=value: f":{value}", lines[number], count=1)
    _, document = examine("\n".join(lines), PATH)
    assert all(1 <= fault.line <= len(lines) for fault in document.faults)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "42",
        "[]",
        "{}",
        "points: []",
        "factors: []",
        "- a\n- b\n",
        "[",
        "{",
        "a: *b",
        "&a [*a]",
        "? [a]: b",
        "\x00",
        "--- a\n--- b\n",
        "<<: 1\n",
    ],
)
def test_what_is_no_description_at_all_is_a_fault(text: str) -> None:
    """An empty file, a list, a bare bracket: a fault, not a traceback."""
    with pytest.raises(ConfigurationError):
        load_text(text, PATH)


def test_a_broken_block_hides_nothing_in_the_others() -> None:
    """Promise 8: below broken YAML the rest is checked, and what merely stands in the broken lines is not missing."""
    text = BASE.replace("    title: {en: Area, zh: 面积}\n    in: line", "    title: {en: Area, zh: 面积\n    in: line")
    text = text.replace("    promised: 1000", "    promised: -1000")
    _, document = examine(text, PATH)
    assert [fault.message.split(":")[0] for fault in document.faults] == ["this is not YAML", "options.fans.promised"]


def test_anchors_and_merges_are_read_as_yaml_says() -> None:
    """A block may take over another; its own keys win, and nothing is reported as given twice."""
    text = "a: &base {x: 1, y: 2}\nb:\n  <<: *base\n  y: 3\nc: *base\n"
    document = read(text, PATH)
    assert document.faults == []
    assert document.data == {"a": {"x": 1, "y": 2}, "b": {"y": 3, "x": 1}, "c": {"x": 1, "y": 2}}
