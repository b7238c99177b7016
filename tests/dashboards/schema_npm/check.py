"""Typechecks every board of deploy/grafana against @grafana/schema, of Grafana 9.4 and a recent one: `make schema`.

Needs node and npm; packages go into a temporary folder. Prints what was checked and each thing that does not fit.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
BOARDS = HERE.parents[2] / "deploy/grafana/boards"
VERSIONS = ("old", "new")
TSC = ("--noEmit", "--strict", "--skipLibCheck", "--target", "es2022", "--module", "esnext")
ERROR = re.compile(r"^pieces_(\w+)\.ts\((\d+),\d+\): error TS\d+: (.*)$")


def pieces(board: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """The parts of a board, each with its type in types_old.ts and types_new.ts."""
    yield "Board", {key: value for key, value in board.items() if key not in ("panels", "templating", "annotations")}
    for variable in board["templating"]["list"]:
        yield "Variable", variable
    for annotation in board["annotations"]["list"]:
        yield "Annotation", {key: value for key, value in annotation.items() if key != "target"}
    for panel in board["panels"]:
        for one in (panel, *panel.get("panels", [])):
            if one["type"] == "row":
                yield "Row", {key: value for key, value in one.items() if key != "panels"}
            else:
                yield from _of_panel(one)


def _of_panel(panel: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    yield "Panel", {key: value for key, value in panel.items() if key not in ("options", "fieldConfig", "targets")}
    kind, field = panel["type"], panel["fieldConfig"]
    yield f"Options['{kind}']", panel["options"]
    yield "Defaults", {key: value for key, value in field["defaults"].items() if key != "custom"}
    if field["defaults"].get("custom"):
        yield f"Override['{kind}']", {"custom": field["defaults"]["custom"]}
    for override in field["overrides"]:
        yield "Matcher", override["matcher"]
        values: dict[str, Any] = {}
        for one in override["properties"]:
            if one["id"].startswith("custom."):
                values.setdefault("custom", {})[one["id"].removeprefix("custom.")] = one["value"]
            else:
                values[one["id"]] = one["value"]
        yield f"Override['{kind}']", values


def collect() -> tuple[int, dict[tuple[str, str], list[str]]]:
    """How many boards there are, and every distinct piece as (type, JSON) with the boards that have it."""
    found: dict[tuple[str, str], list[str]] = {}
    paths = sorted(BOARDS.rglob("*.json"))
    for path in paths:
        for kind, value in pieces(json.loads(path.read_text(encoding="utf-8"))):
            found.setdefault((kind, json.dumps(value, ensure_ascii=False)), []).append(path.stem)
    return len(paths), found


def main() -> int:
    """Installs, writes the pieces as TypeScript, and has them checked: 0 when all of them fit."""
    if shutil.which("npm") is None:
        sys.stdout.write("npm is not installed: nothing was checked\n")
        return 2
    boards, found = collect()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        for name in ("package.json", "json.ts", "types_old.ts", "types_new.ts"):
            shutil.copy(HERE / name, work)
        install = ("npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-package-lock", "--silent")
        subprocess.run(install, cwd=work, check=True)
        for version in VERSIONS:
            lines = [f"import type * as G from './types_{version}';"]
            lines += [f"export const p{n}: G.{kind} = {text};" for n, (kind, text) in enumerate(found)]
            (work / f"pieces_{version}.ts").write_text("\n".join(lines), encoding="utf-8")
        files = [f"pieces_{version}.ts" for version in VERSIONS]
        tsc = ["node_modules/.bin/tsc", *TSC, "--moduleResolution", "bundler", *files]
        done = subprocess.run(tsc, cwd=work, capture_output=True, text=True, check=False)
        packages = json.loads((work / "package.json").read_text(encoding="utf-8"))["dependencies"]
    order = list(found)
    wrong = 0
    for line in done.stdout.splitlines():
        match = ERROR.match(line)
        if match:
            wrong += 1
            kind, text = order[int(match[2]) - 2]
            which = found[kind, text]
            sys.stdout.write(f"{match[1]} {kind} in {len(which)} places, as {which[0]}: {match[3]}\n   {text[:300]}\n")
        else:
            sys.stdout.write(f"   {line.strip()}\n")
    for version in VERSIONS:
        sys.stdout.write(f"{packages[f'schema-{version}'].removeprefix('npm:')}: ")
        sys.stdout.write(f"{boards} boards, {sum(map(len, found.values()))} pieces, {len(found)} of them distinct\n")
    sys.stdout.write(f"{wrong} do not fit\n")
    return 1 if wrong or done.returncode else 0


if __name__ == "__main__":
    sys.exit(main())
