"""Case folders: a description with planted faults, and what the loader must say of it.

Every planted fault is marked by `# fault` on the line that a person would have to change; the marks and the lines of
the faults found are compared, so that expected.txt alone cannot hide a wrong line.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from plant.errors import ConfigurationError
from plant.load import load, load_text

CASES = Path(__file__).parent.parent / "cases" / "plant"
NAMES = sorted(folder.name for folder in CASES.iterdir())


def faults_of(name: str) -> ConfigurationError | None:
    """What the loader raises for a case."""
    text = (CASES / name / "plant.yaml").read_text(encoding="utf-8")
    try:
        load_text(text, Path("plant.yaml"))
    except ConfigurationError as error:
        return error
    return None


@pytest.mark.parametrize("name", NAMES)
def test_every_fault_is_reported_with_its_hint(name: str) -> None:
    """Promise 8: configuration errors are found before anything connects, all at once, with file, line and a hint."""
    error = faults_of(name)
    expected = (CASES / name / "expected.txt").read_text(encoding="utf-8").strip()
    assert (str(error) if error else "") == expected


@pytest.mark.parametrize("name", NAMES)
def test_every_fault_stands_on_the_line_that_holds_it(name: str) -> None:
    """Promise 8: the line is the one that has to be changed, and no sound line is blamed."""
    text = (CASES / name / "plant.yaml").read_text(encoding="utf-8")
    marked = {number for number, line in enumerate(text.split("\n"), 1) if "# fault" in line}
    error = faults_of(name)
    found = {fault.line for fault in error.faults} if error else set()
    assert found == marked


def test_all_kinds_at_once() -> None:
    """Promise 8: broken YAML, an unknown key and one fault of each other kind are reported by one run."""
    error = faults_of("all_at_once")
    assert error is not None
    said = str(error)
    for word in (
        "not YAML",
        "unknown key",
        "given twice",
        "overlaps",
        "is not a unit",
        "is not what the formula gives",
        "there is no process unit",
        "there is no KPI",
        "reads what",
        "two calorific values",
        "is worse than",
        "is not a duration",
        "must be a number",
    ):
        assert word in said, word


def test_the_file_is_named(tmp_path: Path) -> None:
    """A fault names the file as it was given."""
    path = tmp_path / "shop.yaml"
    path.write_text("format: keepclean/1\n", encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        load(path)
    assert {fault.file for fault in caught.value.faults} == {path}
    assert str(caught.value).startswith(f"{path}:1: ")


def test_a_missing_file_is_a_fault(tmp_path: Path) -> None:
    """What the world does wrong is a handled error, not a traceback."""
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load(tmp_path / "nowhere.yaml")


def test_a_file_in_another_encoding_is_a_fault_with_its_line(tmp_path: Path) -> None:
    """A file saved in a Chinese code page is refused with the first line that is not UTF-8."""
    path = tmp_path / "plant.yaml"
    path.write_bytes("format: keepclean/1\nsite:\n  name: 电镀\n".encode("gb18030"))
    with pytest.raises(ConfigurationError) as caught:
        load(path)
    assert [fault.line for fault in caught.value.faults] == [3]


def test_a_byte_order_mark_does_no_harm(tmp_path: Path) -> None:
    """Windows editors put a mark at the beginning of a file."""
    path = tmp_path / "plant.yaml"
    path.write_text((CASES / "sound" / "plant.yaml").read_text(encoding="utf-8"), encoding="utf-8-sig")
    assert load(path).site.id == "small-shop"
