"""The commands for Grafana as a user meets them: files, push, and no secret in anything that they print or write."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dashboards.provisioning.grafana import Change, Grafana
from monitor.cli import app
from plant.errors import DeviceError
from plant.model import Plant

RUN = CliRunner()
EXAMPLE = Path(__file__).parents[2] / "examples/electroplating"
SECRETS = {
    "grafana": "glsa_PlantedGrafanaToken",
    "influx": "PlantedInfluxToken==",
    "robot": "planted0robot0token0123456789abcdef",
    "broker": "PlantedBrokerPassword",
}


@pytest.fixture
def described(tmp_path: Path) -> Path:
    """The example with Grafana as notifier, an InfluxDB and a broker with accounts, every secret in a file."""
    (tmp_path / "profiles").symlink_to(EXAMPLE / "profiles")
    for name, secret in SECRETS.items():
        (tmp_path / name).write_text(f"dingtalk://{secret}/" if name == "robot" else f"{secret}\n", encoding="utf-8")
    text = (EXAMPLE / "plant.yaml").read_text(encoding="utf-8")
    text = text.replace("to: [console, log]", 'to: [console, "file:robot"]').replace(
        "  per_shift: 5\n", "  per_shift: 5\n  notify: grafana\n"
    )
    text = re.sub(r"(broker: {.*)}", r"\1, username: keepclean, password_file: broker}", text)
    text += '\ninflux: {url: "https://influx.example:8086", org: works, bucket: plant, token_file: influx}\n'
    path = tmp_path / "plant.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def leaked(text: str) -> list[str]:
    """Which of the planted secrets a text shows."""
    return [name for name, secret in SECRETS.items() if secret in text]


def test_neither_check_nor_files_show_a_secret(described: Path, tmp_path: Path) -> None:
    """What is generated leaves secrets to Grafana's environment and files; what is printed names files only."""
    out = tmp_path / "out"
    for command in (["check", str(described)], ["grafana", "files", str(described), "--out", str(out)]):
        done = RUN.invoke(app, command)
        assert done.exit_code == 0, done.output
        assert leaked(done.output) == []
    texts = {str(path.relative_to(out)): path.read_text(encoding="utf-8") for path in out.rglob("*.*")}
    assert [name for name, text in texts.items() if leaked(text)] == []
    assert "$__env{KEEPCLEAN_INFLUX_TOKEN}" in texts["provisioning/datasources/keepclean.yaml"]
    points = texts["provisioning/alerting/keepclean-contact-points.yaml"]
    assert "url: $__file{/etc/grafana/keepclean/secrets/haining-plating-day-2}" in points


def test_a_wrong_address_is_found_without_being_shown(described: Path, tmp_path: Path) -> None:
    """Promise 8: an address in a file that nobody knows, or Grafana does not serve, is a fault by the file's name."""
    for address in (f"dingtalk://{SECRETS['robot']}:x@!!/", f"tgram://{SECRETS['robot']}/12"):
        (tmp_path / "robot").write_text(address, encoding="utf-8")
        done = RUN.invoke(app, ["check", str(described)])
        assert done.exit_code == 1
        assert "file:robot" in done.output
        assert leaked(done.output) == []


def test_files_of_an_earlier_description_go_and_others_stay(described: Path, tmp_path: Path) -> None:
    """A board or file that is no longer generated is removed; what a person put there is not."""
    out = tmp_path / "out"
    command = ["grafana", "files", str(described), "--out", str(out)]
    assert RUN.invoke(app, command).exit_code == 0
    boards = out / "boards/en"
    board = (boards / "keepclean-site-en-haining-plating.json").read_text()
    stale = boards / "keepclean-unit-en-haining-plating-gone.json"
    stale.write_text(board.replace("keepclean-site-en-haining-plating", stale.stem))
    own = [boards / "mine.json", boards / "keepclean-mine.json", out / "provisioning/alerting/keepclean-own.yaml"]
    for path in own:
        path.write_text(board)
    other = boards / "keepclean-unit-en-elsewhere.json"
    other.write_text(stale.read_text().replace(stale.stem, other.stem).replace('"haining-plating"', '"elsewhere"'))
    described.write_text(described.read_text().replace("  notify: grafana\n", ""))
    assert RUN.invoke(app, command).exit_code == 0
    assert not stale.exists()
    assert not (out / "provisioning/alerting/keepclean-contact-points.yaml").exists()
    assert all(path.exists() for path in (*own, other))


def push(described: Path, *more: str) -> list[str]:
    """The arguments of a push."""
    token = str(described.parent / "grafana")
    return ["grafana", "push", str(described), "--url", "http://127.0.0.1:1", "--token-file", token, *more]


def test_push_says_what_changed(described: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line a change, and how much was as it should be; a dry run says that nothing was written."""
    seen: dict[str, object] = {}

    def bring(plant: Plant, grafana: Grafana, *, folder: Path, influx_token: str | None) -> list[Change]:
        seen.update(site=plant.site.id, dry=grafana.dry_run, folder=folder, token=influx_token)
        return [Change("board a", "created"), Change("alert rule b", "changed"), Change("folder c", "unchanged")]

    monkeypatch.setattr("dashboards.provisioning.push.push", bring)
    done = RUN.invoke(app, push(described, "--influx-token-file", str(described.parent / "influx")))
    assert done.output.splitlines() == [
        "created: board a",
        "changed: alert rule b",
        "1 created, 1 changed, 1 unchanged",
    ]
    assert seen == {"site": "haining-plating", "dry": False, "folder": described.parent, "token": SECRETS["influx"]}
    done = RUN.invoke(app, push(described, "--dry-run"))
    assert done.output.splitlines()[0] == "would be created: board a"
    assert "nothing was written" in done.output and seen["dry"] is True


def test_push_fails_without_showing_a_secret(described: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No answer, a token that is none, a password in the address: each is said, with status 1 or 2, and no secret."""
    done = RUN.invoke(app, push(described))
    assert done.exit_code == 1 and "does not answer" in done.output and leaked(done.output) == []
    url = f"http://admin:{SECRETS['grafana']}@127.0.0.1:1"
    done = RUN.invoke(app, [*push(described), "--url", url])
    assert done.exit_code == 2 and leaked(done.output) == []
    (described.parent / "grafana").write_text(f"{SECRETS['grafana']}\nsecond line\n")
    done = RUN.invoke(app, push(described))
    assert done.exit_code == 2 and "more than one line" in done.output.replace("\n", " ") and leaked(done.output) == []
    (described.parent / "grafana").unlink()
    assert RUN.invoke(app, push(described)).exit_code == 2


def test_a_refusal_is_told(described: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What Grafana answers reaches the terminal, with status 1."""

    def refuse(*_: object, **__: object) -> list[Change]:
        raise DeviceError("Grafana answers: Unauthorized", retryable=False)

    monkeypatch.setattr("dashboards.provisioning.push.push", refuse)
    done = RUN.invoke(app, push(described))
    assert (done.exit_code, done.output.strip()) == (1, "Grafana answers: Unauthorized")
