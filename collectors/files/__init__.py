"""History from files: CSV and Parquet, long or wide, merged by source time and handed over a day at a time."""

from collectors.files.history import History, read_files

__all__ = ["History", "read_files"]
