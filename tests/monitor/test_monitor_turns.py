"""A large plant's process units take turns, so that no step takes long; every one has its turn soon."""

from __future__ import annotations

from monitor.serve import TURN_S, Turns


def test_every_unit_has_its_turn_in_time() -> None:
    """Steps a second apart give each of 50 units its turn within TURN_S; a step after a long pause gives all."""
    turns, had = Turns(50, 0.0), 0
    for second in range(1, int(TURN_S) + 1):
        had += turns.units(float(second))
        turns.taken(float(second))
    assert had >= 50
    assert turns.units(TURN_S * 3) == 50


def test_looking_for_messages_in_vain_takes_no_turn() -> None:
    """Where messages come once a minute, every unit has its turn with each, however often was looked in between."""
    turns = Turns(50, 0.0)
    assert [turns.units(0.2 * look) for look in range(1, 301)][-1] == 50


def test_a_small_plant_never_waits() -> None:
    """One unit at least has its turn at every step, however quickly steps follow each other."""
    turns = Turns(1, 0.0)
    assert turns.units(0.001) == 1
