"""Where commands print, and how they end when something is wrong."""

from __future__ import annotations

from typing import NoReturn

import typer
from rich.console import Console

from plant.errors import KeepcleanError

out = Console()
err = Console(stderr=True)


def fail(error: KeepcleanError) -> NoReturn:
    """Prints what is wrong and ends with status 1."""
    err.print(str(error), markup=False, highlight=False, soft_wrap=True)
    raise typer.Exit(1) from error
