"""keepclean's own state as Prometheus metrics: what each is called, what it says, where it comes from.

Times are real ones, also where plant time is another. While the collectors do not report, what they last said of the
present is left out; what they said of the past (times, counts) stays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from console.views_collect import is_stale
from plant.reading import SECOND

Report = Mapping[str, Any]
Take = Callable[[Report, Report], float | None]
Family = GaugeMetricFamily | CounterMetricFamily


@dataclass(frozen=True)
class Metric:
    """One metric. `take` gets the whole report and the part that the metric is of; `past` stays true when nobody
    reports any more. A counter's name ends in _total.
    """

    name: str
    about: str
    take: Take
    past: bool = False

    @property
    def counts(self) -> bool:
        """Whether it is a counter."""
        return self.name.endswith("_total")

    def family(self, labels: Sequence[str] = ()) -> Family:
        """The metric without samples."""
        return (CounterMetricFamily if self.counts else GaugeMetricFamily)(self.name, self.about, labels=labels)


def _plain(key: str, scale: float = 1.0) -> Take:
    def take(_report: Report, part: Report) -> float | None:
        found = part.get(key)
        return None if found is None else float(found) * scale

    return take


def _is(key: str) -> Take:
    return lambda _report, part: float(bool(part.get(key)))


def _length(key: str) -> Take:
    return lambda _report, part: float(len(part.get(key) or ()))


def _moment(report: Report, part: Report, key: str) -> float | None:
    """A plant time as seconds of real time since 1970."""
    found = part.get(key)
    if found is None:
        return None
    return float((report["real_time"] - (report["time"] - found) / report["speed"]) / SECOND)


def _past(key: str) -> Take:
    return partial(_moment, key=key)


def _rejected(_report: Report, part: Report) -> float:
    return float(part["rejected"]["count"])


def _up(report: Report, _part: Report) -> float:
    return float(report.get("report_age_s") is not None and not is_stale(report))


PLANT = (
    Metric("keepclean_collect_up", "1 while the collectors report, else 0.", _up),
    Metric(
        "keepclean_collect_report_timestamp_seconds",
        "When the collectors last reported.",
        _plain("real_time", 1 / SECOND),
    ),
    Metric("keepclean_pipeline_position", "Position of the newest journal message processed.", _plain("served")),
    Metric("keepclean_pipeline_behind_messages", "Journal messages that wait to be processed.", _plain("backlog")),
    Metric(
        "keepclean_pipeline_standstill_seconds",
        "For how long messages have waited of which none was processed.",
        _plain("standstill_s"),
    ),
    Metric("keepclean_journal_position", "Position of the newest journal message.", _plain("position")),
    Metric("keepclean_journal_file_bytes", "Size of the journal on disk.", _plain("journal_bytes")),
    Metric("keepclean_data_bytes", "Size of all data of the plant on disk.", _plain("data_bytes")),
    Metric("keepclean_data_limit_bytes", "The plant's disk budget.", _plain("disk_limit_bytes")),
    Metric("keepclean_disk_free_bytes", "What is free on the disk.", _plain("disk_free_bytes")),
)
JOURNAL = (
    Metric("keepclean_journal_commits_total", "Commits.", _plain("commits"), past=True),
    Metric("keepclean_journal_readings_total", "Readings committed.", _plain("readings"), past=True),
    Metric(
        "keepclean_journal_messages_total", "Answers and messages of devices committed.", _plain("messages"), past=True
    ),
    Metric("keepclean_journal_last_commit_timestamp_seconds", "The last commit.", _past("last_commit"), past=True),
    Metric("keepclean_journal_commit_seconds", "Time that the last commit took.", _plain("commit_ms", 1e-3)),
    Metric("keepclean_journal_backlog_items", "Answers and messages that wait for the disk.", _plain("waiting")),
    Metric("keepclean_journal_used_bytes", "What the journal's contents take.", _plain("used_bytes")),
    Metric("keepclean_journal_budget_bytes", "What the journal's contents may take.", _plain("budget_bytes")),
    Metric("keepclean_journal_paused", "1 while reading pauses because the budget is reached, else 0.", _is("paused")),
    Metric("keepclean_journal_storage_failing", "1 while the journal cannot be written, else 0.", _is("storage_error")),
    Metric("keepclean_journal_trim_failing", "1 while the journal cannot be trimmed, else 0.", _is("trim_error")),
    Metric("keepclean_journal_damaged", "1 when a damaged journal was put aside at the start, else 0.", _is("damage")),
)
BROKER = (
    Metric("keepclean_broker_connected", "1 while connected to the MQTT broker, else 0.", _is("connected")),
    Metric(
        "keepclean_broker_session_present",
        "1 when the broker still had the session at the last connection, else 0.",
        _is("session_present"),
    ),
    Metric("keepclean_broker_connections_total", "Connections to the broker.", _plain("connections"), past=True),
    Metric(
        "keepclean_broker_dropped_total",
        "QoS 0 messages dropped because the disk was too slow.",
        _plain("dropped"),
        past=True,
    ),
    Metric(
        "keepclean_broker_doubts",
        "Reasons to doubt that the broker keeps what it acknowledged to publishers.",
        _length("doubts"),
    ),
)
DEVICE = (
    Metric(
        "keepclean_device_last_success_timestamp_seconds",
        "The last answer, or message that could be used.",
        _past("last_success"),
        past=True,
    ),
    Metric("keepclean_device_last_error_timestamp_seconds", "The last failure.", _past("last_error_at"), past=True),
    Metric("keepclean_device_latency_seconds", "Time that the last answer took.", _plain("latency_ms", 1e-3)),
    Metric(
        "keepclean_device_latency_median_seconds",
        "Median time of the last 60 answers.",
        _plain("latency_median_ms", 1e-3),
    ),
    Metric(
        "keepclean_device_lag_seconds",
        "Time of receipt less source time of the newest good reading, in plant time.",
        _plain("lag_s"),
    ),
    Metric("keepclean_device_error_ratio", "Share of failures among the last 60 attempts.", _plain("error_rate")),
    Metric("keepclean_device_readings_total", "Readings.", _plain("readings"), past=True),
    Metric("keepclean_device_successes_total", "Answers, or batches of messages.", _plain("successes"), past=True),
    Metric("keepclean_device_errors_total", "Failed requests and rejected messages.", _plain("errors"), past=True),
    Metric("keepclean_device_rejected_total", "Messages that could not be used.", _rejected, past=True),
    Metric("keepclean_device_retained_total", "Retained messages passed over.", _plain("retained"), past=True),
)


class OwnMetrics(Collector):
    """The metrics of what `status` says at the time of asking."""

    def __init__(self, status: Callable[[], Report]) -> None:
        self._status = status

    def collect(self) -> Iterator[Family]:
        """Every metric that has a value. Raises what `status` raises."""
        report = self._status()
        stale = is_stale(report)
        journal, broker = ([part] if (part := report.get(key)) else [] for key in ("journal", "broker"))
        devices = report.get("devices") or ()
        yield from _families(PLANT, report, [report], False)
        yield from _families(JOURNAL, report, journal, stale)
        yield from _families(BROKER, report, broker, stale)
        yield from _families(DEVICE, report, devices, stale, labels=("device",))


def _families(
    metrics: Iterable[Metric], report: Report, parts: Iterable[Report], stale: bool, labels: Sequence[str] = ()
) -> Iterator[Family]:
    """The metrics of some parts of the report, which hold the values of the labels as well."""
    for metric in metrics:
        family = metric.family(labels)
        for part in parts:
            value = metric.take(report, part) if metric.past or not stale else None
            if value is not None:
                family.add_metric([str(part[label]) for label in labels], value)
        if family.samples:
            yield family
