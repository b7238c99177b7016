"""Time-of-use prices by band, month, date and daylight-saving time."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from kpis.local import local_days, local_us
from kpis.tariffs import Prices, band_minutes, price_series
from plant.clock import to_us
from plant.model import Plant
from plant.reading import DAY, MINUTE

SHANGHAI, BERLIN = ZoneInfo("Asia/Shanghai"), ZoneInfo("Europe/Berlin")


def band(name: str, price: float, *hours: str, months: list[int] | None = None) -> dict[str, Any]:
    """A band of a tariff."""
    return {"name": name, "price": price, "hours": list(hours)} | ({"months": months} if months else {})


@pytest.fixture
def plant() -> Plant:
    """A plant with a tariff of four bands, dearer from April on, and water at one price."""
    bands = [
        band("sharp", 1.4, "19:00-21:00", months=[1, 7, 8, 12]),
        band("peak", 1.1, "08:00-11:00", "18:00-21:00"),
        band("valley", 0.3, "23:00-07:00"),
        band("flat", 0.7, "07:00-08:00", "11:00-18:00", "21:00-23:00"),
    ]
    dearer = [one | {"price": one["price"] * 2} for one in bands]
    power = {"carrier": "electricity", "unit": "CNY/kWh", "source": "grid"}
    return Plant.model_validate(
        {
            "format": "keepclean/1",
            "site": {"id": "shop", "name": "Shop", "time_zone": "Asia/Shanghai"},
            "audit": {"name": "Audit", "period": ("2026-01-01", "2028-12-31"), "baseline_year": 2025},
            "devices": {},
            "points": {},
            "tariffs": [
                power | {"bands": bands},
                power | {"bands": dearer, "from": "2026-04-01"},
                {"carrier": "water", "unit": "CNY/m3", "source": "utility", "price": 4.1, "from": "2026-01-01"},
                {"carrier": "steam", "unit": "CNY/kg", "source": "x", "bands": [band("day", 0.2, "08:00-20:00")]},
            ],
        }
    )


def local(zone: ZoneInfo, *moment: int) -> int:
    """The µs UTC of a local wall-clock time."""
    return to_us(datetime(*moment, tzinfo=zone))  # type: ignore[misc,arg-type]


@pytest.mark.parametrize(
    ("moment", "price"),
    [
        ((2026, 3, 2, 6, 59), 0.3),
        ((2026, 3, 2, 7, 0), 0.7),
        ((2026, 3, 2, 20, 0), 1.1),
        ((2026, 1, 2, 20, 0), 1.4),
        ((2026, 3, 31, 23, 59), 0.3),
        ((2026, 4, 1, 0, 0), 0.6),
        ((2026, 7, 1, 20, 59), 2.8),
    ],
)
def test_price_of_a_minute(plant: Plant, moment: tuple[int, ...], price: float) -> None:
    """Band, month and date decide; a band listed first wins where two overlap."""
    assert price_series(plant, "electricity", np.array([local(SHANGHAI, *moment)]), SHANGHAI)[0] == price


def test_what_has_no_price_is_unknown(plant: Plant) -> None:
    """Promise 3: before a tariff's date, outside all bands and for an unknown carrier the price is nan."""
    minutes = np.array([local(SHANGHAI, 2025, 12, 31, 23, 59), local(SHANGHAI, 2026, 1, 1, 0, 0)])
    assert np.isnan(price_series(plant, "water", minutes, SHANGHAI)).tolist() == [True, False]
    assert np.isnan(price_series(plant, "steam", minutes, SHANGHAI)).all()
    assert np.isnan(price_series(plant, "nitrogen", minutes, SHANGHAI)).all()
    assert len(price_series(plant, "water", np.empty(0, np.int64), SHANGHAI)) == 0


@pytest.mark.parametrize(("day", "valley_minutes"), [((2026, 3, 29), 7 * 60), ((2026, 10, 25), 9 * 60)])
def test_days_of_23_and_25_hours(plant: Plant, day: tuple[int, int, int], valley_minutes: int) -> None:
    """On the night that clocks change the valley band (8 h a day) has an hour less or more."""
    start = local(BERLIN, *day)
    end = local(BERLIN, day[0], day[1], day[2] + 1)
    prices = price_series(plant, "electricity", np.arange(start, end, MINUTE), BERLIN)
    low = prices.min()
    assert len(prices) == (end - start) // MINUTE
    assert int((prices == low).sum()) == valley_minutes


@pytest.mark.parametrize("name", ["Asia/Shanghai", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kathmandu"])
def test_local_time_agrees_with_the_calendar_minute_by_minute(name: str) -> None:
    """Local day and minute of the day are zoneinfo's own, also where clocks move by half an hour."""
    zone = ZoneInfo(name)
    minutes = to_us(datetime(2026, 1, 1, tzinfo=UTC)) + 13 * MINUTE * np.arange(0, 40_000, 7)
    days, index = local_days(minutes, zone)
    clock = local_us(minutes, zone) % DAY // MINUTE
    for row in range(0, len(minutes), 3):
        wall = datetime.fromtimestamp(int(minutes[row]) // 1_000_000, UTC).astimezone(zone)
        assert (days[index[row]], clock[row]) == (wall.date(), wall.hour * 60 + wall.minute)
    assert (np.diff(local_us(np.sort(minutes), zone)) > -DAY).all()


def test_bands() -> None:
    """The bands of a day that end where the next begins cover each minute once."""
    hours = ("23:00-07:00", "07:00-08:00", "08:00-11:00", "11:00-18:00", "18:00-21:00", "21:00-23:00")
    assert np.sum([band_minutes(one) for one in hours], axis=0).tolist() == [1] * 1440
    assert band_minutes("00:00-24:00").all()


def test_two_weeks_are_priced_at_once(plant: Plant) -> None:
    """Promise 7: a fortnight of minutes costs milliseconds, not a lookup each (limit 50 times the usual time)."""
    minutes = local(SHANGHAI, 2026, 3, 25) + MINUTE * np.arange(20_000)
    began = time.perf_counter()
    prices = price_series(plant, "electricity", minutes, SHANGHAI)
    assert time.perf_counter() - began < 0.3
    assert np.isfinite(prices).all()


def test_a_demand_charge_has_dates_like_any_price() -> None:
    """The charge in force on a day counts; before the first one, and without one, it is unknown."""
    power = {"carrier": "electricity", "unit": "kWh", "source": "grid", "price": 0.7}
    described = Plant.model_validate(
        {
            "format": "keepclean/1",
            "site": {"id": "shop", "name": "Shop", "time_zone": "Asia/Shanghai"},
            "audit": {"name": "Audit", "period": ("2026-01-01", "2028-12-31"), "baseline_year": 2025},
            "devices": {},
            "points": {},
            "tariffs": [
                power | {"from": "2025-01-01"},
                power | {"from": "2026-01-01", "demand": 40},
                power | {"from": "2026-07-01", "demand": 42.5},
            ],
        }
    )
    prices = Prices(described, "electricity", SHANGHAI)
    assert [prices.demand(date(2026, month, 1)) for month in (1, 6, 7)] == [40, 40, 42.5]
    assert np.isnan([prices.demand(date(2025, 12, 31)), prices.demand(date(2024, 1, 1))]).all()
