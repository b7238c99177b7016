"""The compose file: pinned, watched, and without a secret or a default password in it."""

from __future__ import annotations

import configparser
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
SECRET = re.compile(r"(password|token|secret|key)s?$", re.IGNORECASE)


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    """The compose file's content."""
    found: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    return found


def test_every_image_is_pinned(compose: dict[str, Any]) -> None:
    """No service changes under a plant by itself: each image has a full version, the built one a pinned base."""
    for name, service in compose["services"].items():
        assert re.fullmatch(r"[a-z/-]+:\d+\.\d+\.\d+", service["image"]), name
    base = re.search(r"^FROM (\S+)$", (DEPLOY / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)
    assert base is not None
    assert re.fullmatch(r"python:\d+\.\d+\.\d+-slim-bookworm", base[1])


def test_every_service_is_watched_and_started_again(compose: dict[str, Any]) -> None:
    """A health check and a restart policy for each; who needs another waits until it is well."""
    assert {*compose["services"]} == {"mosquitto", "influxdb", "grafana", "keepclean"}
    for name, service in compose["services"].items():
        assert service["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL"), name
        assert service["restart"] == "unless-stopped", name
        for needed in service.get("depends_on", {}).values():
            assert needed == {"condition": "service_healthy"}, name


def test_secrets_are_files_and_no_password_stands_here(compose: dict[str, Any]) -> None:
    """Every secret used is declared, is a file that secrets.sh makes, and no environment variable holds one."""
    script = (DEPLOY / "secrets.sh").read_text(encoding="utf-8")
    used = {secret for service in compose["services"].values() for secret in service["secrets"]}
    assert used == {*compose["secrets"]}
    for name, secret in compose["secrets"].items():
        assert secret == {"file": f"./secrets/{name}"}
        assert re.search(rf"\b{name}\b", script), name
    for service in compose["services"].values():
        for name, value in service.get("environment", {}).items():
            assert not SECRET.search(name) or name.endswith("_FILE"), name
            assert not name.endswith("_FILE") or value.startswith("/run/secrets/"), name
            assert not name.endswith("_FILE") or value.removeprefix("/run/secrets/") in service["secrets"], name
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").split()
    assert "/deploy/secrets/" in ignored


def test_what_is_mounted_exists(compose: dict[str, Any]) -> None:
    """Files of the repository that a container gets are there, read-only; every named volume is declared."""
    volumes = set()
    for name, service in compose["services"].items():
        for mount in service.get("volumes", []):
            if mount.startswith("./"):
                source, _, mode = mount.split(":")
                assert (DEPLOY / source).exists(), (name, source)
                assert mode == "ro", (name, source)
            elif not mount.startswith("$"):
                volumes.add(mount.partition(":")[0])
    assert volumes == {*compose["volumes"]}
    build = compose["services"]["keepclean"]["build"]
    assert (DEPLOY / build["context"] / build["dockerfile"]).is_file()


def test_only_the_broker_is_open_to_the_network(compose: dict[str, Any]) -> None:
    """InfluxDB and Grafana listen on this machine; who wants more puts a proxy with TLS before them."""
    for name, service in compose["services"].items():
        for port in service.get("ports", []):
            assert port == "8883:8883" if name == "mosquitto" else port.startswith("127.0.0.1:"), (name, port)


def test_grafana_finds_the_token_in_its_file(compose: dict[str, Any]) -> None:
    """The data source's uid is the one that the boards ask for, its token comes from a secret that Grafana has."""
    text = (DEPLOY / "influxdb/grafana.yaml").read_text(encoding="utf-8")
    (source,) = yaml.safe_load(text)["datasources"]
    (generated,) = yaml.safe_load((DEPLOY / "grafana/provisioning/datasources/keepclean.yaml").read_text())[
        "datasources"
    ]
    assert {**source["jsonData"], "httpHeaderName1": ""} == {**generated["jsonData"], "httpHeaderName1": ""}
    assert source["uid"] == generated["uid"]
    path = re.search(r"\$__file\{/run/secrets/(\w+)\}", source["secureJsonData"]["httpHeaderValue1"])
    assert path is not None
    assert path[1] in compose["services"]["grafana"]["secrets"]
    assert source["database"] == compose["services"]["influxdb"]["environment"]["DOCKER_INFLUXDB_INIT_BUCKET"]


def test_the_system_service_runs_what_there_is() -> None:
    """The unit calls the command as it is, is started again, and gives it time to store the last results."""
    unit = configparser.ConfigParser(strict=True, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(DEPLOY / "keepclean.service", encoding="utf-8")
    service = unit["Service"]
    assert service["ExecStart"].split()[1:] == [
        "run",
        "/etc/keepclean",
        "--data",
        "/var/lib/keepclean",
        "--port",
        "8080",
    ]
    assert service["Restart"] == "always"
    assert service["StateDirectory"] == "keepclean"
    assert unit["Install"]["WantedBy"] == "multi-user.target"
