"""The JSON Schema of a plant description, for editors that complete and check while one types.

`python -m plant.schema` writes it to docs/plant.schema.json; a test fails when that file is not what this gives.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from plant.model import Plant

_DRAFT = "https://json-schema.org/draft/2020-12/schema"


def schema() -> dict[str, Any]:
    """The schema as plain data, with durations, titles and times of day as a person writes them."""
    made: dict[str, Any] = Plant.model_json_schema(by_alias=True)
    for block in (made, *made["$defs"].values()):
        for content in block.get("properties", {}).values():
            if "s|min|h|d" in content.get("pattern", "") and isinstance(content.get("default"), float):
                content["default"] = _duration(content["default"])
    return {"$schema": _DRAFT, **made, "title": "Plant description of keepclean"}


def _duration(seconds: float) -> str:
    """Seconds as a person writes them, in the largest unit that divides them."""
    size, unit = next(one for one in ((86400, "d"), (3600, "h"), (60, "min"), (1, "s")) if seconds % one[0] == 0)
    return f"{seconds / size:g} {unit}"


def text() -> str:
    """The schema as it is committed."""
    return json.dumps(schema(), indent=1, ensure_ascii=False) + "\n"


def write(path: Path) -> None:
    """Write the schema to a file."""
    path.write_text(text(), encoding="utf-8")


if __name__ == "__main__":
    write(Path(__file__).parent.parent / "docs" / "plant.schema.json")
