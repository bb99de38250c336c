"""The files in the folder of a recording: ends those of dead processes, deletes the oldest.

It imports the standard library only, because the launcher uses it.
"""

from __future__ import annotations

import fcntl
import gzip
import os
import re
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from loadtest.model.end_reason import End, EndReason
from loadtest.model.steps import in_steps
from loadtest.runfile.line import as_written, to_line
from loadtest.runfile.shared_interpreter import let_others_run

# A file that was changed more recently may just have been created, and is not locked yet.
QUIET_SECONDS = 60.0
# Each takes less than a tenth of a second.
AT_ONCE = 5
LEFT = End(EndReason.STOPPED, "the process ended without Python's exit handlers")
_CHUNK = 1 << 16
_ENDINGS = (".jsonl", ".jsonl.gz")
# <pool>-<host>-<process id>-<start>-<part>
_NAME = re.compile(r".+-\d+-\d{8}-\d{6}-\d{4,}\.jsonl(\.gz)?")


def compressed(path: Path) -> int:
    """Replace a file by its compressed form; the size of that in bytes."""
    unfinished = path.with_name(f"{path.name}.gz.part")
    try:
        with path.open("rb") as source, gzip.open(unfinished, "wb", compresslevel=6) as target:
            shutil.copyfileobj(source, target, _CHUNK)
        os.replace(unfinished, done := path.with_name(f"{path.name}.gz"))
    except OSError:
        unfinished.unlink(missing_ok=True)
        raise
    path.unlink()
    return done.stat().st_size


def delete_oldest(folder: Path, most: float) -> None:
    """Delete the compressed parts that were closed first, until all parts have `most` bytes."""
    left, closed = 0, []
    for part in _parts(folder):
        with suppress(FileNotFoundError):  # deleted by another process
            about = part.stat()
            left += about.st_size
            if part.name.endswith(".gz"):
                closed.append((about.st_mtime_ns, about.st_size, part.path))
    for _, size, path in sorted(closed):
        if left <= most:
            return
        with suppress(OSError):  # as in end_left_parts
            os.unlink(path)
        left -= size


def end_left_parts(folder: Path, quiet: float = QUIET_SECONDS, most: int = AT_ONCE) -> None:
    """End and compress the parts of processes that are dead; a living one has locked its part.

    quiet: the time (s) since the last change of a part. most: as many parts are ended.
    """
    for part in [one for one in _parts(folder) if one.name.endswith(".jsonl")]:
        # Another process may be quicker, or the file may belong to another user.
        with suppress(OSError):
            if time.time() - part.stat().st_mtime >= quiet and most > 0:
                _end_left(Path(part.path))
                most -= 1


def _parts(folder: Path) -> Iterator[os.DirEntry[str]]:
    # The folder may be gone, or may not be listed.
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in in_steps(entries, let_others_run):
            if entry.name.endswith(_ENDINGS) and _NAME.fullmatch(entry.name):
                yield entry


def _end_left(path: Path) -> None:
    with path.open("r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        size, counters, last = _summed_up(file)
        if not path.exists() or not size:
            return
        if last != "footer":
            file.truncate(size)
            file.seek(size)
            totals = {"counters": counters}
            file.write(to_line({"type": "footer", **LEFT.to_json(), "totals": totals}))
            file.flush()
        compressed(path)


def _summed_up(file: BinaryIO) -> tuple[int, Counter[str], str]:
    """The size of the whole lines of a part, the sum of its counters, and its last line's type."""
    size, counters, last = 0, Counter[str](), ""
    for line in file:
        if not line.endswith(b"\n"):  # the process died while it wrote this line
            break
        size += len(line)
        with suppress(ValueError):  # a damaged line stays as it is
            record = as_written(line)
            last = record["type"]
            counters.update(record.get("counters", {}))
        let_others_run()
    return size, counters, last
