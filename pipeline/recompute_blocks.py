"""Minutes of several points as blocks, which is how the step takes and gives them."""

from __future__ import annotations

import numpy as np

from pipeline.minutes import COLUMNS, FactBlock, Minutes


def blocks_of(parts: dict[str, Minutes]) -> list[FactBlock]:
    """Minutes of several points as blocks, those over the same minutes together."""
    spans: dict[tuple[int, int], list[str]] = {}
    for name, part in parts.items():
        if part.end > part.start:
            spans.setdefault((part.start, part.end), []).append(name)
    return [
        FactBlock(
            tuple(names),
            start,
            **{column: np.stack([getattr(parts[name], column) for name in names]) for column in COLUMNS},
        )
        for (start, _), names in spans.items()
    ]
