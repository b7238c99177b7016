"""Writes docs/proof/*.json: what was run, on which commit, and what was counted."""

from __future__ import annotations

import json
import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PROOF = ROOT / "docs" / "proof"


def write(name: str, command: str, found: dict[str, Any]) -> Path:
    """docs/proof/NAME.json with the command, the commit (and whether the tree had changes), and the counts."""
    body = {
        "command": command,
        "commit": _git("rev-parse", "--short=10", "HEAD"),
        "changed": bool(_git("status", "--porcelain", "--untracked-files=no")),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "cores": os.cpu_count(),
        **found,
    }
    PROOF.mkdir(parents=True, exist_ok=True)
    path = PROOF / f"{name}.json"
    path.write_text(json.dumps(body, indent=1, ensure_ascii=False) + "\n")
    return path


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip()
