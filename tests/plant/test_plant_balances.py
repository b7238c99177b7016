"""Balances: what they are counted as, how far meters alone may put them off, what the loader refuses."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import yaml

from plant.accuracy import class_percent, uncertainty
from plant.load import load
from plant.model import Balance, Plant

DESCRIPTION = Path(__file__).parents[2] / "examples/electroplating/plant.yaml"


@pytest.fixture(scope="module")
def shop() -> Plant:
    """The electroplating example."""
    return load(DESCRIPTION)


def tank() -> Balance:
    """A balance with every part."""
    return Balance.model_validate(
        {
            "title": {"en": "Oil", "zh": "油"},
            "scope": "boiler",
            "unit": "m3",
            "in": [{"point": "bought"}, {"point": "returned", "times": 0.5}],
            "out": [{"point": "burnt"}],
            "estimated": [{"point": "bought", "times": 0.01}],
            "stock": ["tank"],
        }
    )


def test_a_balance_is_counted_as_kpis_of_its_scope() -> None:
    """Each part is a plain sum in the balance's unit; the closure is what is left of in, in per cent of it. A stock
    term is level at the beginning less level at the end: −1 of it is what the store gained."""
    kpis = tank().kpis("oil")
    assert list(kpis) == ["oil_in", "oil_out", "oil_estimated", "oil_stock", "oil_closure"]
    assert {kpi.scope for kpi in kpis.values()} == {"boiler"}
    closure = kpis.pop("oil_closure")
    assert {(kpi.unit, tuple(kpi.denominator), kpi.times) for kpi in kpis.values()} == {("m3", (), 1.0)}
    assert [(term.point, term.as_, term.times) for term in kpis["oil_stock"].numerator] == [("tank", "stock", -1.0)]
    assert [(term.point, term.as_, term.times) for term in closure.numerator] == [
        ("bought", "amount", 1.0),
        ("returned", "amount", 0.5),
        ("burnt", "amount", -1.0),
        ("bought", "amount", -0.01),
        ("tank", "stock", 1.0),
    ]
    assert closure.denominator == kpis["oil_in"].numerator
    assert (closure.unit, closure.times) == ("%", 100.0)
    assert kpis["oil_estimated"].title.zh == "油：出（估计）"


def test_a_plant_has_the_kpis_of_its_balances(shop: Plant) -> None:
    """Wherever KPIs are read they are there, after those declared; without balances there are no others."""
    written = yaml.safe_load(DESCRIPTION.read_text(encoding="utf-8"))
    assert list(shop.kpis) == [*written["kpis"], *(name for name in shop.kpis if name in shop.of_balances())]
    assert len(shop.of_balances()) == 8 and "plant_water_closure" in shop.of_balances()
    bare = Plant.model_validate({name: block for name, block in written.items() if name != "balances"})
    assert list(bare.kpis) == list(written["kpis"]) and bare.of_balances() == frozenset()


def test_accuracy_classes_are_read_as_meters_carry_them() -> None:
    """IEC 62053 numbers with or without S, EN 50470 letters, OIML words; nothing else is taken for a number."""
    found = [class_percent(text) for text in ("0.2S", "1", "1.5", "b", "Class 2", "R160", "good", None)]
    assert found[:5] == [0.2, 1.0, 1.5, 1.0, 2.0]
    assert found[5:] == [None, None, None]


def test_the_uncertainty_covers_the_root_of_the_sum_of_squares(shop: Plant) -> None:
    """Whatever shares the terms have, √Σ(amount·class)² is never more than what is allowed for."""
    balance = shop.balances["plant_water"]
    allowed = uncertainty(shop, balance)
    assert allowed == pytest.approx(math.hypot(1.0, 2.5))
    for share in (0.0, 0.2, 0.5, 0.9, 1.0):
        by_amounts = math.sqrt(((1 - share) * 0.5) ** 2 + (share * 1.0) ** 2 + (0.93 * 2.5) ** 2)
        assert by_amounts <= allowed
    assert uncertainty(shop, shop.balances["boiler_energy"]) == pytest.approx(math.hypot(1.5, 1.5))
    assert uncertainty(shop, balance.model_copy(update={"in_": balance.out, "out": []})) == 2.5
