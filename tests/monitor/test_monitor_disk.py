"""A full disk and a damaged journal under load: nothing acknowledged is lost, what is lost is said."""

from __future__ import annotations

import json
import resource
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from kill_rig import Rig, until

from journal.journal import Journal

pytestmark = [
    pytest.mark.server,
    pytest.mark.skipif(
        shutil.which("mosquitto") is None and not Path("/usr/sbin/mosquitto").exists(),
        reason="mosquitto is not installed (Debian package mosquitto)",
    ),
]
SMALL = 60_000  # bytes that a file may have: the journal's log soon has more, the status file never


def journal(rig: Rig) -> dict[str, object]:
    """What collect says of its journal."""
    try:
        found: dict[str, object] = json.loads((rig.data / "collect.json").read_text())["journal"]
    except (OSError, ValueError):
        return {}
    return found


def test_a_full_disk_is_waited_for_without_a_restart(tmp_path: Path) -> None:
    """Promise 1: while the disk takes nothing, nothing is acknowledged; when it does, all is stored once."""
    rig = Rig(tmp_path, seed=1, rate=500, meters=5, whole=False)
    with rig.running():
        process = rig.process
        unlimited = resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (SMALL, resource.RLIM_INFINITY))
        until(lambda: journal(rig).get("storage_error"), 30)
        commits = journal(rig)["commits"]
        until(lambda: int(str(journal(rig).get("waiting", 0))) > 0, 10)
        assert journal(rig)["commits"] == commits
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, unlimited)
        until(lambda: journal(rig).get("storage_error") == "", 30)
        assert process.poll() is None
        rig.finish().assert_sound()


def test_a_damaged_journal_is_put_aside_and_the_rest_is_read(tmp_path: Path) -> None:
    """Promise 1: after damage the readable rows are there, the loss is a notice, and collecting goes on."""
    rig = Rig(tmp_path, seed=2, rate=500, meters=5, whole=False)
    with rig.running():
        until(lambda: int(str(journal(rig).get("position", 0))) > 60, 30)
        rig.stop_ours()
        path = rig.data / "journal" / "journal.sqlite"
        with closing(sqlite3.connect(path)) as db:
            bodies = db.execute("SELECT body FROM message WHERE kind = 'readings' ORDER BY position").fetchall()
        raw = bytearray(path.read_bytes())
        # three pages from one on that holds the readings of the middle
        middle = raw.find(bodies[len(bodies) // 2][0][:64]) // 4096 * 4096
        assert middle > 0
        raw[middle : middle + 3 * 4096] = b"\x5a" * (3 * 4096)
        path.write_bytes(raw)
        rig.start()
        rig.up()
        judgement = rig.finish()
    assert not judgement.doubled
    assert not judgement.foreign
    assert 0 < len(judgement.lost) < judgement.acknowledged / 2
    after = Journal(rig.data / "journal")
    [notice] = [row.body for row in after.read(0, 100_000) if row.kind == "notice" and "lost" in row.body["evidence"]]
    after.close()
    assert notice["finding"] == "journal damaged"
    assert (rig.data / "journal" / "journal.sqlite.damaged-1").exists()
