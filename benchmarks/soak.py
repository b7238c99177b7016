"""`make soak [ARGS="kill fuzz"]`: the long runs, one after another; each writes a file of docs/proof.

`faults`: many seeds of the plant's faults. `kill`: keepclean killed under load. `modbus`: troubled devices beside sound
ones. `fuzz`: a million damaged inputs. `workers`: the step in worker processes that are killed, against one process.
`way`: an hour of histories on odd ways to the step.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PARTS = ("kill", "modbus", "fuzz", "faults", "workers", "way")


def main() -> int:
    """Runs the parts asked for, or all; the number of those that failed."""
    failed = 0
    for part in sys.argv[1:] or PARTS:
        if part not in PARTS:
            sys.stderr.write(f"there is no part '{part}'; there are {', '.join(PARTS)}\n")
            return 2
        sys.stdout.write(f"--- {part}\n")
        sys.stdout.flush()
        failed += subprocess.run([sys.executable, "-m", f"benchmarks.{part}"], cwd=ROOT, check=False).returncode != 0
    return failed


if __name__ == "__main__":
    sys.exit(main())
