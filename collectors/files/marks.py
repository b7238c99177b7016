"""What is remembered of a file: which content it had and how much of it is on disk, written with its readings."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec

from collectors.files.disk import opened, size_and_time
from collectors.files.stream import Part
from collectors.files.table import is_parquet

CHUNK_BYTES = 1024 * 1024
FOLDER_MARKS, IMPORT_MARKS = "file/", "import/"


class FileMark(msgspec.Struct, frozen=True):
    """A file's size [bytes], time of change [ns] and the hash of its content; what up to line `line` brought.

    `done` is True when that is all of it; `fault` says why a file cannot be read. `sample` is one refused row.
    """

    size: int
    changed: int
    hash: str
    line: int = 0
    readings: int = 0
    rejected: int = 0
    sample: str = ""
    done: bool = False
    fault: str = ""

    def same_file(self, size: int, changed: int) -> bool:
        """Whether a look at the file, without opening it, shows nothing new."""
        return (self.size, self.changed) == (size, changed)

    def moved(self, fresh: FileMark) -> FileMark:
        """The mark of the same content with another time of change; what could not be read is tried again."""
        done = self.done and not self.fault
        return msgspec.structs.replace(self, size=fresh.size, changed=fresh.changed, done=done, fault="")

    def grown(self, fresh: FileMark) -> FileMark:
        """The mark of what was read before, with more lines below: only they are new."""
        if self.done:
            return msgspec.structs.replace(fresh, line=self.line)
        return msgspec.structs.replace(self, size=fresh.size, changed=fresh.changed, hash=fresh.hash)

    def after(self, part: Part) -> FileMark:
        """The mark when a part more is on disk."""
        found = part.rejected.samples
        first = f"line {found[0].line}: {found[0].reason}: {found[0].text}" if found else ""
        return msgspec.structs.replace(
            self,
            line=part.line,
            readings=self.readings + len(part.readings),
            rejected=self.rejected + part.rejected.count,
            sample=self.sample or first,
        )

    def finished(self, fault: str = "") -> FileMark:
        """The mark of a file that is read, or cannot be."""
        return msgspec.structs.replace(self, done=True, fault=fault)

    def encode(self) -> bytes:
        """As the journal keeps it."""
        return msgspec.msgpack.encode(self)

    @classmethod
    def decode(cls, body: bytes) -> FileMark | None:
        """As the journal gave it back; None when another version wrote it, whose file is then unknown."""
        try:
            return msgspec.msgpack.decode(body, type=cls)
        except (ValueError, RecursionError):  # msgspec's own errors are ValueErrors
            return None


def fresh_mark(path: Path) -> FileMark:
    """The mark of a file of which nothing was read yet. Raises OSError."""
    size, changed = size_and_time(path)
    with opened(path) as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return FileMark(size, changed, digest)


def begins_with(path: Path, mark: FileMark) -> bool:
    """Whether a CSV begins with the whole lines that a mark knows. Raises OSError."""
    if is_parquet(path) or not 0 < mark.size < path.stat().st_size:
        return False
    digest, left, last = hashlib.sha256(), mark.size, b""
    with opened(path) as file:
        while left and (read := file.read(min(left, CHUNK_BYTES))):
            digest.update(read)
            left, last = left - len(read), read
    return last.endswith(b"\n") and digest.hexdigest() == mark.hash
