"""State of a scope between steps: minute facts of the points it reads, its KPIs' sums, its baselines and charts."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import msgspec

from historian.store import StateRow
from pipeline.chart import ChartState, Drift
from pipeline.expected import Expected
from pipeline.fact_table import FactTable
from pipeline.minutes import FactBlock, Minutes
from pipeline.plans import PlantPlan, ScopePlan
from pipeline.rows import pack, unpack
from pipeline.sums import MINUTES_KEPT, KpiSums

CHART = "chart "
"""A state row of this kind is the chart whose name follows."""


@dataclass
class Chart:
    """A chart with its memory: the state before each block of the horizon, by the block's first minute."""

    state: ChartState
    next: int
    before: dict[int, ChartState] = field(default_factory=dict)
    published: dict[str, Drift] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "state": self.state.to_dict(),
            "next": self.next,
            "before": [(at, state.to_dict()) for at, state in self.before.items()],
            "published": [asdict(drift) for drift in self.published.values()],
        }

    @classmethod
    def from_dict(cls, plain: dict[str, Any]) -> Chart:
        """What `to_dict` wrote."""
        before = {int(at): ChartState.from_dict(state) for at, state in plain["before"]}
        published = {one["drift"]: Drift(**one) for one in plain["published"]}
        return cls(ChartState.from_dict(plain["state"]), plain["next"], before, published)


class ScopeState:
    """`settled` is the first minute not settled yet in every unit that the scope reads."""

    def __init__(self, plan: PlantPlan, scope: ScopePlan) -> None:
        self.position = 0
        self.settled: int | None = None
        self.facts = FactTable(scope.points)
        self.sums = KpiSums(len(scope.formulas.columns), plan.calendar, scope.formulas.peaked)
        self.accepted: dict[str, dict[str, Any]] = {}
        self.expected: dict[str, Expected] = {}
        self.charts: dict[str, Chart] = {}
        self.redrawn: set[str] = set()
        self.touched: set[int] = set()
        self._stored: set[int] = set()
        self._plan = plan
        self._kpis = list(scope.formulas.columns)

    def accept(self, body: dict[str, Any]) -> None:
        """Puts a baseline in force; its chart starts anew."""
        self.accepted[body["baseline"]] = body
        self.expected[body["baseline"]] = Expected.accepted(self._plan, body)
        self.charts.pop(body["baseline"], None)
        self.redrawn.add(body["baseline"])

    def by_response(self) -> dict[str, Expected]:
        """The baselines in force by the point they explain."""
        return {expected.baseline.response: expected for expected in self.expected.values()}

    def part(self, names: list[str], start: int, end: int) -> dict[str, Minutes]:
        """The same minutes [start, end) of several points; unknown where a point has none."""
        return self.facts.part(names, start, end)

    def trim(self) -> None:
        """Forgets what no window and no chart reaches any more."""
        self.sums.trim()
        if self.settled is not None:
            self.facts.drop_before(self.settled - MINUTES_KEPT)

    def checkpoint(self) -> list[StateRow]:
        """The rows touched since the last checkpoint (None: delete), the head always."""
        rows: list[StateRow] = [("", kind, at, body) for kind, at, body in self.sums.checkpoint()]
        oldest = (self.settled - MINUTES_KEPT) // 60 if self.settled is not None else 0
        for hour in sorted(hour for hour in self.touched if hour >= oldest):
            start, columns = self.facts.columns(hour * 60, hour * 60 + 60)
            rows.append(("", "facts", hour, pack({"facts": columns}, start=start, names=self.facts.names)))
            self._stored.add(hour)
        self.touched.clear()
        for hour in sorted(hour for hour in self._stored if hour < oldest):
            rows.append(("", "facts", hour, None))
            self._stored.discard(hour)
        head = {
            "position": self.position,
            "kpis": self._kpis,
            "settled": self.settled,
            "accepted": list(self.accepted.values()),
        }
        for name in sorted(self.redrawn):
            chart = self.charts.get(name)
            body = msgspec.msgpack.encode(chart.to_dict()) if chart is not None else None
            rows.append(("", CHART + name, 0, body))
        self.redrawn.clear()
        return [*rows, ("", "head", 0, msgspec.msgpack.encode(head))]

    def restore(self, rows: list[tuple[str, int, bytes]]) -> None:
        """Takes back what `checkpoint` gave."""
        hours = sorted((start, body) for kind, start, body in rows if kind == "facts")
        self._stored = {start for start, _ in hours}
        for _, body in hours:
            groups, head = unpack(body)
            self.facts.put([FactBlock(tuple(head["names"]), head["start"], **groups["facts"])])
        for kind, _, body in rows:
            if kind == "head":
                head = msgspec.msgpack.decode(body)
                # KPIs may have come and gone with the description: sums follow their names
                was = {name: number for number, name in enumerate(head["kpis"])}
                self.sums.restore(rows, [was.get(name) for name in self._kpis])
                self.position, self.settled = head["position"], head["settled"]
                known = self._plan.plant.baselines
                for accepted in head["accepted"]:
                    if accepted["baseline"] in known:
                        self.accept(accepted)
        for kind, _, body in rows:
            name = kind.removeprefix(CHART)
            if name != kind and name in self.expected:
                self.charts[name] = Chart.from_dict(msgspec.msgpack.decode(body))
        self.redrawn.clear()
