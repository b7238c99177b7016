"""The message says what the supervisor needs: where, what, how much, since when, why, what first, by when."""

from __future__ import annotations

from alerts_plant import drift, drifts, us

from alerts.lifecycle import step
from alerts.message import compose, group
from alerts.words import WORDS
from plant.model import Plant


def text(plant: Plant, language: str, **changes: object) -> tuple[str, str]:
    row = drift(**changes)
    transition = step({}, drifts(row), [], us(3), plant=plant, revision=1).transitions.row(0, named=True)
    message = compose(plant, row, transition, language)  # type: ignore[arg-type]
    return message.title, message.body


def test_the_english_message(plant: Plant) -> None:
    """Every answer is there, with units, interval, money and local times."""
    title, body = text(plant, "en")
    assert title == "[medium] Plating / Nickel line: Rinse 1 water +0.6 m3/h above expected"
    assert body.splitlines() == [
        "Where: Plating / Nickel line",
        "What: Rinse 1 water above expected",
        "How much: +0.6 m3/h (90 % interval 0.5 to 0.7), 14.4 m3 a day, 130 CNY a day",
        "Since: 2026-03-02 08:00 (between 2026-03-02 07:50 and 2026-03-02 08:10, 90 %)",
        "Evidence: chart above its limit for 3 blocks",
        "Likely cause: a rinse valve left open",
        "Check first: the hand valve at rinse 1",
        "Respond by: 2026-03-02 14:00",
        "Endangers: Counter-current rinsing (promised 12,000 m3)",
    ]


def test_the_chinese_message(plant: Plant) -> None:
    """The same in Chinese, without an English word left over."""
    title, body = text(plant, "zh")
    assert title == "[中] 电镀 / 镀镍线：一级水洗用水 +0.6 m3/h 高于期望值"
    assert body.splitlines()[2] == "幅度：+0.6 m3/h （90%区间 0.5 至 0.7），每天 14.4 m3，每天 130 CNY"
    assert "首先检查：一级水洗手动阀" in body
    assert body.splitlines()[-1] == "受影响的方案：逆流漂洗 （承诺 12,000 m3）"


def test_unknown_is_said_to_be_unknown(plant: Plant) -> None:
    """Promise 3: a size, cost or interval that is not known is not shown as nought."""
    _, body = text(plant, "en", size_per_hour=None, cost_per_day=None, onset_low=None, size_low=None, kpi="elsewhere")
    assert "How much: ? m3/h\n" in body
    assert "Since: 2026-03-02 08:00\n" in body
    assert "Likely cause: unknown" in body
    assert "0 CNY" not in body


def test_evidence_as_figures(plant: Plant) -> None:
    """Evidence may be a JSON object of named figures."""
    assert "Evidence: chart 9.12, limit 7" in text(plant, "en", evidence='{"chart": 9.1234, "limit": 7}')[1]
    assert "Evidence: [1]" in text(plant, "en", evidence="[1]")[1]


def test_a_group_names_every_alarm_by_place(plant: Plant) -> None:
    """A flood becomes one message in which no alarm is missing."""
    transitions = step({}, drifts(drift()), [], us(3), plant=plant, revision=1).transitions
    row = transitions.row(0, named=True)
    one, two, revised = (
        compose(plant, drift(), row),
        compose(plant, drift(scope="site"), row),
        compose(plant, drift(), {**row, "to_state": "revised"}),
    )
    text = group([one, two, revised])
    assert text.title == "3 more alarms in this shift"
    assert text.body.count("Rinse 1 water") == 3
    assert text.body.index("Nickel line:") < text.body.index("withdrawn") < text.body.index("The works:")


def test_both_languages_have_every_word() -> None:
    """No message fails for want of a translation."""
    assert WORDS["en"].keys() == WORDS["zh"].keys()
