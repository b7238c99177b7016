"""The broker's configuration on a real Mosquitto: TLS, an account each, and nothing without one."""

from __future__ import annotations

import os
import re
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest

DEPLOY = Path(__file__).parents[2] / "deploy"
SESSION = re.compile(
    r"^(persistence|autosave_interval|max_queued_messages|max_queued_bytes|max_inflight_messages"
    r"|persistent_client_expiration) .*$",
    re.MULTILINE,
)
WITHIN_S = 10.0


def test_sessions_are_kept_as_without_tls() -> None:
    """Promise 1 needs the same settings on both configurations."""
    plain, tls = ((DEPLOY / "mosquitto" / name).read_text(encoding="utf-8") for name in ("mosquitto.conf", "tls.conf"))
    settings = [match[0] for match in SESSION.finditer(plain)]
    assert len(settings) == 6
    assert settings == [match[0] for match in SESSION.finditer(tls)]


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What secrets.sh makes."""
    for needed in ("openssl", "mosquitto_passwd"):
        if shutil.which(needed) is None:
            pytest.skip(f"{needed} is not installed")
    folder = tmp_path_factory.mktemp("deploy") / "secrets"
    for _ in range(2):
        subprocess.run([DEPLOY / "secrets.sh", folder, "broker.plant.local", "10.0.0.5"], check=True, timeout=30)
    return folder


@pytest.mark.server
def test_secrets_are_each_their_own_and_stay(secrets: Path) -> None:
    """Nobody but root enters the folder, no two words are alike, and a second run changes nothing."""
    names = ["influx_password", "influx_token", "grafana_password", "broker_password", "gateway_password"]
    words = {name: (secrets / name).read_text().strip() for name in names}
    assert len({*words.values()}) == len(names)
    assert all(len(word) == 48 for word in words.values())
    assert secrets.stat().st_mode & 0o777 == 0o700
    assert not any(word in (secrets / "broker_accounts").read_text() for word in words.values())
    before = {path.name: path.read_bytes() for path in secrets.iterdir()}
    subprocess.run([DEPLOY / "secrets.sh", secrets], check=True, timeout=30)
    assert before == {path.name: path.read_bytes() for path in secrets.iterdir()}


@pytest.fixture(scope="module")
def broker(secrets: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A real Mosquitto with the shipped configuration, its paths put in; its port."""
    binary = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
    if binary is None:
        pytest.skip("mosquitto is not installed")
    folder = tmp_path_factory.mktemp("mosquitto")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    text = (DEPLOY / "mosquitto/tls.conf").read_text(encoding="utf-8")
    text = text.replace("/run/secrets/", f"{secrets}/").replace("/mosquitto/data/", f"{folder}/")
    text = text.replace("/mosquitto/config/acl", str(folder / "acl")).replace("listener 8883", f"listener {port}")
    shutil.copy(DEPLOY / "mosquitto/acl", folder / "acl")
    # as root it would become another user, who may not enter the folders of a test
    user = "user root\n" if os.geteuid() == 0 else ""
    (folder / "mosquitto.conf").write_text(user + text, encoding="utf-8")
    process = subprocess.Popen([binary, "-c", folder / "mosquitto.conf"], stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + WITHIN_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                assert process.poll() is None, "mosquitto did not take its configuration"
                assert time.monotonic() < deadline
                time.sleep(0.02)
        yield port
    finally:
        process.terminate()
        process.wait(10)


class Visitor:
    """A client of the broker, and what it received."""

    def __init__(self, port: int, ca: Path, user: str | None, password: str = "", topic: str | None = None) -> None:
        self.answered, self.subscribed = threading.Event(), threading.Event()
        self.failed: bool | None = None
        self.topics: list[str] = []
        self.client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv311)
        self.client.tls_set(str(ca), tls_version=ssl.PROTOCOL_TLS_CLIENT)
        if user is not None:
            self.client.username_pw_set(user, password)

        def connected(client: mqtt.Client, _u: object, _f: object, reason: mqtt.ReasonCode, _p: object) -> None:
            self.failed = reason.is_failure
            self.answered.set()
            if topic is not None and not reason.is_failure:
                client.subscribe(topic, 1)

        def message(_c: object, _u: object, message: mqtt.MQTTMessage) -> None:
            self.topics.append(message.topic)

        self.client.on_connect = connected
        self.client.on_subscribe = lambda *_: self.subscribed.set()
        self.client.on_message = message
        self.client.connect("localhost", port)
        self.client.loop_start()
        assert self.answered.wait(WITHIN_S)

    def leave(self) -> None:
        """Ends the connection."""
        self.client.disconnect()
        self.client.loop_stop()


@pytest.mark.server
def test_a_gateway_speaks_to_keepclean_and_nobody_else_does(secrets: Path, broker: int) -> None:
    """With the CA and its password a gateway's message arrives; without an account, or a wrong word, nobody is let in.

    What keepclean writes outside its own name goes nowhere.
    """
    ca, words = (
        secrets / "broker_ca",
        {name: (secrets / f"{name}_password").read_text().strip() for name in ("broker", "gateway")},
    )
    ours = Visitor(broker, ca, "keepclean", words["broker"], "#")
    gateway = Visitor(broker, ca, "gateway", words["gateway"])
    writer, trespasser = (Visitor(broker, ca, "keepclean", words["broker"]) for _ in range(2))
    try:
        assert ours.failed is gateway.failed is writer.failed is False
        assert ours.subscribed.wait(WITHIN_S)
        trespasser.client.publish("plant/zn/kwh", "7", qos=1).wait_for_publish(WITHIN_S)
        gateway.client.publish("plant/zn/kwh", "42", qos=1).wait_for_publish(WITHIN_S)
        writer.client.publish("keepclean/trial", "1", qos=1).wait_for_publish(WITHIN_S)
        deadline = time.monotonic() + WITHIN_S
        while len(ours.topics) < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert ours.topics == ["plant/zn/kwh", "keepclean/trial"]
        for user, word in ((None, ""), ("gateway", "wrong"), ("keepclean", words["gateway"])):
            stranger = Visitor(broker, ca, user, word)
            assert stranger.failed is True, user
            stranger.leave()
    finally:
        for one in (ours, gateway, writer, trespasser):
            one.leave()


@pytest.mark.server
def test_the_certificate_is_the_brokers(secrets: Path, broker: int) -> None:
    """Without our CA nobody trusts it; with it the names given are good and others are not; nothing goes in clear."""
    with pytest.raises(ssl.SSLError), socket.create_connection(("127.0.0.1", broker), 5) as plain:
        ssl.create_default_context().wrap_socket(plain, server_hostname="localhost")
    context = ssl.create_default_context(cafile=str(secrets / "broker_ca"))
    for name in ("localhost", "127.0.0.1", "broker.plant.local", "10.0.0.5"):
        with socket.create_connection(("127.0.0.1", broker), 5) as plain:
            context.wrap_socket(plain, server_hostname=name).close()
    with pytest.raises(ssl.SSLCertVerificationError), socket.create_connection(("127.0.0.1", broker), 5) as plain:
        context.wrap_socket(plain, server_hostname="other.plant.local")
