"""One run over a description tells what every folder has against it."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.describe import describe
from plant.errors import ConfigurationError

SOUND = Path(__file__).parents[1] / "cases" / "plant" / "sound" / "plant.yaml"


@pytest.mark.parametrize(
    "elsewhere",
    [("  baseline_year: 2024", "  baseline_year: soon"), ("route: all", "route: nobody"), ("unit: m2", "unit: {m2")],
    ids=["type", "reference", "syntax"],
)
def test_every_folder_is_heard_whatever_another_found(elsewhere: tuple[str, str], tmp_path: Path) -> None:
    """Promise 8: faults of the plant, of profiles and of alarm addresses come in one run, sorted by their lines."""
    path = tmp_path / "plant.yaml"
    text = SOUND.read_text(encoding="utf-8").replace(*elsewhere, 1).replace("eastron-sdm630", "eastron-sdm360")
    path.write_text(text.replace("to: [console]", "to: [consoel]\n      language: cn"), encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        describe(path)
    said = [fault.message for fault in caught.value.faults]
    assert len(said) == 4
    assert [fault.line for fault in caught.value.faults] == sorted(fault.line for fault in caught.value.faults)
    assert any("there is no meter profile 'eastron-sdm360'" in one for one in said)
    assert any("is none that Apprise knows" in one for one in said)
    assert any("alarms.routes.all.language" in one for one in said)


def test_a_sound_description_is_described(tmp_path: Path) -> None:
    """Nothing wrong, nothing said: the plant, its plans and its hash."""
    path = tmp_path / "plant.yaml"
    path.write_text(SOUND.read_text(encoding="utf-8"), encoding="utf-8")
    described = describe(path)
    assert described.plant.site.id == "small-shop"
    assert described.folder == tmp_path
