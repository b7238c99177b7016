"""Request planning: what is read together, and what never is."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from test_collectors_decode import device, value

from collectors.modbus.decode import decode
from collectors.modbus.plan import plan
from collectors.modbus.settings import Value
from collectors.profile_fields import WIDTH, Forbidden

KINDS = st.sampled_from(sorted(set(WIDTH) - {"bool"}))


@st.composite
def some_values(draw: st.DrawFn) -> tuple[Value, ...]:
    """Values anywhere among the first 300 registers of both functions; they may overlap."""
    drawn = draw(st.lists(st.tuples(st.sampled_from((3, 4)), st.integers(0, 300), KINDS), min_size=1, max_size=25))
    return tuple(
        value(f"p{number}", address, kind, function=function) for number, (function, address, kind) in enumerate(drawn)
    )


@given(some_values(), st.integers(4, 125), st.integers(0, 20))
@settings(max_examples=150, deadline=None)
def test_requests_bring_every_value_whole_and_within_limits(
    values: tuple[Value, ...], max_registers: int, max_gap: int
) -> None:
    """Every value lies wholly in one request of its function; no request exceeds the limits or reads a longer gap."""
    planned = plan(device(*values, max_registers=max_registers, max_gap=max_gap))
    brought = [name for request in planned.requests for name in request.points]
    assert sorted(brought) == sorted(one.point for one in values)
    by_name = {one.point: one for one in values}
    for request in planned.requests:
        assert request.count <= max_registers
        covered = np.zeros(request.count, bool)
        for name in request.points:
            one = by_name[name]
            assert one.function == request.function
            assert request.address <= one.address
            assert one.address + one.width <= request.address + request.count
            covered[one.address - request.address : one.address - request.address + one.width] = True
        gaps = np.diff(np.flatnonzero(np.concatenate(([True], covered, [True])))) - 1
        assert gaps.max() <= max_gap


@given(some_values(), st.integers(4, 125), st.integers(0, 20), st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_how_values_are_joined_does_not_change_them(
    values: tuple[Value, ...], max_registers: int, max_gap: int, seed: int
) -> None:
    """Promise 2: a value read among its neighbours equals the value read alone."""
    registers = np.random.default_rng(seed).integers(0, 65536, (2, 400)).astype(np.uint16)
    now = np.zeros(1, np.int64)

    def read_all(*some: Value) -> dict[str, bytes]:
        found = {}
        for request in plan(device(*some, max_registers=max_registers, max_gap=max_gap)).requests:
            words = registers[request.function - 3, request.address : request.address + request.count]
            readings = decode(request, words[None, :], now, now)
            found |= {name: number.tobytes() for name, number in zip(readings.points, readings.value, strict=True)}
        return found

    together = read_all(*values)
    for one in values:
        assert read_all(one)[one.point] == together[one.point]


def test_neighbours_share_a_request_until_the_limit() -> None:
    """Ten neighbouring floats under a limit of 11 registers take two requests, the first with five of them."""
    values = [value(f"p{number}", 2 * number, "float32") for number in range(10)]
    planned = plan(device(*values, max_registers=11))
    assert [(request.address, request.count) for request in planned.requests] == [(0, 10), (10, 10)]


def spans(*values: Value, **limits: Any) -> list[tuple[int, int]]:
    """Address and count of the requests for some values."""
    return [(request.address, request.count) for request in plan(device(*values, **limits)).requests]


def test_forbidden_registers_are_never_on_the_way() -> None:
    """Two values within the gap are read apart when something forbidden lies between; other functions don't matter."""
    values = [value("a", 0), value("b", 5), value("c", 9)]
    assert spans(*values, max_gap=10) == [(0, 10)]
    assert spans(*values, max_gap=10, forbidden=(Forbidden(first=3, last=3),)) == [(0, 1), (5, 5)]
    assert spans(*values, max_gap=10, forbidden=(Forbidden(first=3, last=3, function=4),)) == [(0, 10)]


def test_one_request_per_field_where_a_device_wants_it() -> None:
    """Neighbours are read apart; the bits of one register are one field's worth of registers."""
    bits = [value(f"b{number}", 4, bits=(number, 1)) for number in range(3)]
    values = [value("a", 0, "float32"), value("b", 2, "float32"), *bits]
    assert spans(*values, one_request_per_field=True) == [(0, 2), (2, 2), (4, 1)]


def test_bits_have_a_limit_of_their_own() -> None:
    """2000 coils are one request, 2001 are two; registers are not asked for with them."""
    coils = [value(f"c{number}", number, "bool", function=1) for number in range(2001)]
    assert spans(*coils[:2000]) == [(0, 2000)]
    assert spans(*coils, value("r", 0)) == [(0, 2000), (2000, 1), (0, 1)]


def test_a_value_and_its_scale_factor_are_read_together() -> None:
    """The scale factor may lie on either side; what lies between them is read with them."""
    assert spans(value("a", 10, scale_at=14), max_gap=0) == [(10, 5)]
    assert spans(value("a", 10, "uint32", scale_at=2), value("b", 12), max_gap=0) == [(2, 11)]
