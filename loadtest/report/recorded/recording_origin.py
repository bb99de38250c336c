"""Where the report of a recording comes from: its files, and the commands that read them."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from loadtest.analysis.recordings.part_of_recording import ReportedTime
from loadtest.report.result_files import FileLink, LinkRows, existing_links, file_link, named_rows
from loadtest.runfile.folders import as_typed, folder_of


@dataclass(frozen=True)
class RecordingOrigin:
    """What a page links to, and commands that read the recording, each with its purpose."""

    files: LinkRows = ()
    commands: Sequence[tuple[str, str]] = ()


NO_ORIGIN = RecordingOrigin()


def recording_origin(
    paths: Sequence[Path], out: Path, time: ReportedTime, application: str
) -> RecordingOrigin:
    """The origin of a report in the folder `out`; the other arguments are those of its command."""
    files = [
        ("all numbers", existing_links(out, ["summary.json"], out)),
        ("the recording", [_link(path, out) for path in paths]),
    ]
    part = list(_part(time, application))
    elsewhere = ["-o", as_typed(out)] if out != folder_of(paths[0]) else []
    report = ["loadtest", "report", *map(as_typed, paths), *part, *elsewhere]
    commands = [("This report again:", shlex.join(report))]
    if len(paths) == 1:
        whatif = ["loadtest", "whatif", as_typed(paths[0]), *part]
        commands.append(("Other settings of the pool, predicted:", shlex.join(whatif)))
    return RecordingOrigin(named_rows(files), commands)


def _link(path: Path, out: Path) -> FileLink:
    """The link to a file, or to the folder with the files."""
    runs = path / "runs"
    place = runs if runs.is_dir() else path
    return file_link(place, out, f"{place.name}/" if place.is_dir() else place.name)


def _part(time: ReportedTime, application: str) -> Iterator[str]:
    given = {
        "--since": time.since,
        "--until": time.until,
        "--busiest": f"{time.busiest:g}s" if time.busiest else "",
        "--application": application,
    }
    for option, value in given.items():
        if value:
            yield from (option, value)
