"""The table of the meter profiles that come with keepclean, within docs/meters.md.

`python -m collectors.meters` writes it anew; a test fails when the document does not hold what this gives.
"""

from __future__ import annotations

from pathlib import Path

from collectors.profile import builtin, load
from collectors.profile_fields import Profile, SunspecProfile

BEGIN, END = "<!-- profiles: written by python -m collectors.meters -->\n", "<!-- end of profiles -->\n"


def table() -> str:
    """A row for each profile: name, make and model, fields, source."""
    head = "| profile | make and model | fields | after |\n|---|---|---|---|\n"
    return head + "".join(_row(name, load(name, Path())) for name in builtin())


def renewed(document: str) -> str:
    """The document with its table written anew."""
    before, _, rest = document.partition(BEGIN)
    return before + BEGIN + table() + END + rest.partition(END)[2]


def _row(name: str, profile: Profile | SunspecProfile) -> str:
    fields = ", ".join(f"`{field}`" for field in profile.fields)
    return f"| `{name}` | {profile.make} {profile.model} | {fields} | {profile.source} |\n"


if __name__ == "__main__":
    FILE = Path(__file__).parent.parent / "docs" / "meters.md"
    FILE.write_text(renewed(FILE.read_text(encoding="utf-8")), encoding="utf-8")
