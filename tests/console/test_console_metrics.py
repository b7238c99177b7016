"""keepclean's own state as Prometheus metrics: right by the format's rules, in real time, silent about what is old."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from fake_frames import NOW, ROOT, example_plant
from fake_plant import REAL, context, status
from fastapi import FastAPI
from fastapi.testclient import TestClient
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from console.api import router
from console.metrics import BROKER, DEVICE, JOURNAL, PLANT, Metric
from plant.errors import StorageError

ALL = (*PLANT, *JOURNAL, *BROKER, *DEVICE)
OPENMETRICS = {"Accept": "application/openmetrics-text; version=1.0.0"}


def ask(path: str = "/metrics", headers: dict[str, str] | None = None, **changed: Any):
    """What the page answers when the report is changed so."""
    report = {**status(example_plant()), **changed}
    application = FastAPI()
    application.include_router(router(replace(context(None, lambda body: None), status=lambda: report)))
    return TestClient(application).get(path, headers=headers)


def samples(text: str) -> dict[tuple[str, str], float]:
    """Every sample by its name and device."""
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found[sample.name, sample.labels.get("device", "")] = sample.value
    return found


def device(**changed: Any) -> list[dict[str, Any]]:
    """One device's report, changed so."""
    return [{**status(example_plant())["devices"][0], "device": "meter", **changed}]


@pytest.mark.parametrize("metric", ALL, ids=lambda metric: metric.name)
def test_names_follow_the_naming_rules(metric: Metric) -> None:
    """A prefix, base units, `_total` for counters only (prometheus.io/docs/practices/naming)."""
    assert re.fullmatch(r"keepclean(_[a-z0-9]+)+", metric.name)
    assert not re.search(r"_(ms|us|milliseconds|minutes|kib|mib|percent)(_|$)", metric.name)
    assert metric.about.endswith(".") and "\n" not in metric.about
    assert sum(one.name == metric.name for one in ALL) == 1


def test_each_metric_is_there_once_with_help_and_type() -> None:
    """The lines HELP and TYPE stand before all samples of a metric, and no two samples share a name and labels."""
    answer = ask()
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    lines = answer.text.splitlines()
    assert answer.text.endswith("\n")
    for metric in ALL:
        kind = "counter" if metric.name.endswith("_total") else "gauge"
        assert lines.count(f"# HELP {metric.name} {metric.about}") == 1
        assert lines.index(f"# TYPE {metric.name} {kind}") == lines.index(f"# HELP {metric.name} {metric.about}") + 1
    series = [line.rpartition(" ")[0] for line in lines if not line.startswith("#")]
    assert len(series) == len(set(series))
    assert {line.partition("{")[0] for line in series} <= {metric.name for metric in ALL}


def test_openmetrics_is_given_when_asked_for() -> None:
    """It parses by the strict rules of its own parser, to the end mark."""
    answer = ask(headers=OPENMETRICS)
    assert answer.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    strict = {
        (sample.name, sample.labels.get("device", "")): sample.value
        for family in openmetrics.text_string_to_metric_families(answer.text)
        for sample in family.samples
    }
    assert strict == samples(ask().text)


def test_times_are_real_and_in_seconds() -> None:
    """Ten plant minutes ago are ten real seconds at 60 times the speed."""
    found = samples(ask(devices=device(last_success=NOW - 600_000_000, latency_ms=4.21)).text)
    assert found["keepclean_device_last_success_timestamp_seconds", "meter"] == pytest.approx(REAL / 1e6 - 10)
    assert found["keepclean_device_latency_seconds", "meter"] == pytest.approx(0.00421)
    assert found["keepclean_journal_last_commit_timestamp_seconds", ""] == pytest.approx(REAL / 1e6 - 0.1)


def test_what_was_never_measured_has_no_sample() -> None:
    """Promise 3: no latency is no sample, not 0; a plant without a broker has no broker's metrics."""
    never = {"last_success": None, "latency_ms": None, "error_rate": None, "lag_s": None, "last_error_at": None}
    found = samples(ask(devices=device(**never), broker=None).text)
    names = {name for name, _ in found}
    assert "keepclean_device_readings_total" in names
    assert not names & {
        "keepclean_device_last_success_timestamp_seconds",
        "keepclean_device_latency_seconds",
        "keepclean_device_error_ratio",
        "keepclean_device_lag_seconds",
    }
    assert not [name for name in names if name.startswith("keepclean_broker")]


def test_any_name_survives() -> None:
    """Backslash, quote and line feed are escaped."""
    name = 'a"b\\c\nd'
    assert samples(ask(devices=device(device=name, errors=7)).text)["keepclean_device_errors_total", name] == 7


@pytest.mark.parametrize("age", [11.0, -11.0])
def test_an_old_report_says_nothing_of_the_present(age: float) -> None:
    """Collectors that died leave no states behind; when they last succeeded stays true."""
    fresh, old = samples(ask().text), samples(ask(report_age_s=age).text)
    assert (fresh["keepclean_collect_up", ""], old["keepclean_collect_up", ""]) == (1, 0)
    names = {name for name, _ in old}
    assert "keepclean_device_last_success_timestamp_seconds" in names
    assert "keepclean_device_readings_total" in names
    assert not names & {"keepclean_broker_connected", "keepclean_device_error_ratio", "keepclean_journal_paused"}


def test_without_a_report_there_are_the_machine_s_own_metrics() -> None:
    """Before the collectors have written anything."""
    bare = dict.fromkeys(("time", "real_time", "speed", "journal", "broker", "report_age_s"))
    found = samples(ask(devices=[], **bare).text)
    assert found["keepclean_collect_up", ""] == 0
    assert found["keepclean_pipeline_behind_messages", ""] == 3
    assert ("keepclean_collect_report_timestamp_seconds", "") not in found


def test_a_status_that_cannot_be_read_is_said() -> None:
    """503, so that the scrape counts as failed."""

    def broken() -> dict[str, Any]:
        raise StorageError("journal.sqlite: damaged")

    application = FastAPI()
    application.include_router(router(replace(context(None, lambda body: None), status=broken)))
    assert TestClient(application).get("/metrics").status_code == 503


JOURNAL_NOW = status(example_plant())["journal"]


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"report_age_s": 10.5}, "last reported 10\u00a0s ago"),
        ({"report_age_s": None}, "have not written their state"),
        ({"backlog": 1001}, "1,001 messages wait"),
        ({"standstill_s": 61.0}, "none was processed"),
        ({"journal": {**JOURNAL_NOW, "storage_error": "disk full"}}, "cannot be written.*: disk full"),
        ({"journal": {**JOURNAL_NOW, "paused": True}}, "reading pauses"),
    ],
)
def test_health_fails_with_the_reason(changed: dict[str, Any], reason: str) -> None:
    """503, for a supervisor that only looks at the code, and why, for whoever looks closer."""
    assert ask("/healthz").status_code == 200
    answer = ask("/healthz", **changed)
    assert answer.status_code == 503 and answer.json()["status"] == "failing"
    assert re.search(reason, " ".join(answer.json()["reasons"]))


@pytest.mark.parametrize("changed", [{"report_age_s": 9.9}, {"backlog": 1000}, {"standstill_s": 59.0}])
def test_health_is_patient(changed: dict[str, Any]) -> None:
    """What is on its way is no failure."""
    assert ask("/healthz", **changed).status_code == 200


def metric_rows() -> list[str]:
    """The table of metrics in the documentation."""
    rows = ["| metric | what it says |", "|---|---|"]
    for metrics, label in ((PLANT, ""), (JOURNAL, ""), (BROKER, ""), (DEVICE, '{device="…"}')):
        rows += [f"| `{one.name}{label}`{' †' if one.past else ''} | {one.about} |" for one in metrics]
    return rows


def test_the_documentation_has_every_metric() -> None:
    """As it is, and no other."""
    documented = (ROOT / "docs/metrics.md").read_text(encoding="utf-8").splitlines()
    rows = metric_rows()
    start = documented.index(rows[0])
    assert documented[start : start + len(rows)] == rows
    assert documented[start + len(rows)] == ""
