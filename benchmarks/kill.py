"""`make soak`, the part of promise 1: keepclean killed and stopped under load; docs/proof/kills.json.

Mosquitto with the shipped configuration, 2,000 messages a second at QoS 1, 50 Modbus devices; what must be there is
taken from the publisher's log of PUBACKs and from the meters' log of answers.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "monitor")]

from kill_rig import run  # noqa: E402 (the path is set just above)

from benchmarks.proof import write  # noqa: E402


def main() -> int:
    """Runs it, writes the proof, and says whether the promise was kept under a load that was one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--parent-kills", type=int, default=5)
    parser.add_argument("--stops", type=int, default=20)
    parser.add_argument("--broker-restarts", type=int, default=10)
    parser.add_argument("--rate", type=float, default=2000)
    parser.add_argument("--seed", type=int, default=None)
    chosen = parser.parse_args()
    seed = chosen.seed if chosen.seed is not None else random.randrange(100_000)
    sys.stdout.write(f"seed {seed}\n")
    sys.stdout.flush()
    folder = Path(tempfile.mkdtemp(prefix="keepclean-kill-"))  # stays when something fails: its logs tell
    judgement = run(folder, seed, chosen.kills, chosen.stops, chosen.broker_restarts, chosen.parent_kills, chosen.rate)
    breaches = judgement.breaches()
    if not breaches:
        shutil.rmtree(folder)
    found = {**judgement.plain(), "breaches": breaches}
    write("kills", f"python -m benchmarks.kill --seed {seed}", found)
    sys.stdout.write(json.dumps(found, indent=1) + "\n")
    return int(bool(breaches))


if __name__ == "__main__":
    sys.exit(main())
