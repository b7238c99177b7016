"""Runs the tests in their parts, each with its time budget, and prints what each took.

`python tests/setup/run.py [part …]`; without a part, all of them. In CI nothing may be skipped.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
BIN = Path(sys.executable).parent
WORKERS = ("-n", "2")

PARTS: dict[str, tuple[float, list[list[str]]]] = {
    "static": (
        90,
        [
            ["ruff", "check", "."],
            ["ruff", "format", "--check", "."],
            ["mypy"],
            ["lint-imports"],
        ],
    ),
    # one more than cores: some wait for the disk, and the long ones would else come last
    "unit": (180, [["pytest", "-m", "not plant and not server and not browser", "-n", "3", "--dist", "worksteal"]]),
    "plant": (120, [["pytest", "-m", "plant", *WORKERS]]),
    "server": (
        120,
        [
            ["pytest", "-m", "server and not alone and not browser", *WORKERS, "--dist", "worksteal"],
            ["pytest", "-m", "server and alone"],
        ],
    ),
    "browser": (60, [["pytest", "-m", "browser"]]),
}


def run(name: str) -> tuple[bool, float, str]:
    """Runs one part: whether it passed, seconds, and the closing lines of its tests."""
    began = time.monotonic()
    closing: list[str] = []
    for command in PARTS[name][1]:
        line = [str(BIN / command[0]), *command[1:]]
        done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=False)
        output = done.stdout + done.stderr
        skipped = re.findall(r"^SKIPPED .*", output, re.MULTILINE)
        forbidden = bool(skipped) and os.environ.get("CI") == "true"
        if done.returncode or forbidden:
            sys.stdout.write(output)
            if forbidden:
                sys.stdout.write("in CI no test may be skipped\n")
            return False, time.monotonic() - began, "; ".join(closing)
        sys.stdout.writelines(line + "\n" for line in skipped)
        found = re.findall(r"^.*\d+ passed.*$", output, re.MULTILINE)
        closing += [found[-1].strip("= ")] if found else []
    return True, time.monotonic() - began, "; ".join(closing)


def main() -> int:
    """Runs the parts asked for and prints a line about each."""
    parts = sys.argv[1:] or list(PARTS)
    total, passed, ok = 0.0, 0, True
    for name in parts:
        fine, seconds, closing = run(name)
        total += seconds
        ok &= fine
        passed += sum(int(count) for count in re.findall(r"(\d+) passed", closing))
        over = "" if seconds <= PARTS[name][0] else "   over its budget"
        sys.stdout.write(
            f"{name:8} {'passed' if fine else 'FAILED'}  {seconds:6.1f} s of {PARTS[name][0]:.0f} s{over}   {closing}\n"
        )
        sys.stdout.flush()
    sys.stdout.write(f"{total:.1f} s in all\n{passed} passed, {0 if ok else 1} failed\n")
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
