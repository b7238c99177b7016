"""The examples in the docstrings of kpis/ and plant/ run and are right."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import kpis
import plant

MODULES = [
    f"{package.__name__}.{found.name}" for package in (kpis, plant) for found in pkgutil.iter_modules(package.__path__)
]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str) -> None:
    """An example in a docstring is what the code does."""
    assert doctest.testmod(importlib.import_module(name)).failed == 0
