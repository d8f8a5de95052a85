"""Is the class ready? What `scrcl-edu doctor` said on each learner's machine, put together."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from scrcl_edu.classroom.grading import submitted_files

FIRST = re.compile(r"scrcl_edu (\S+) on (.+)")
LINE = re.compile(r"(ok|MEND)\s+(.+?): (.*)")


def readiness(folder: str | Path) -> str:
    """Who is ready, and which mend helps how many.

    Parameters
    ----------
    folder
        A text file for each learner with what `scrcl-edu doctor` printed, named after the learner.

    Returns
    -------
    Text with a line for each learner, those who need help first, and a line for each thing to mend.

    Raises
    ------
    InputFileError
        When the folder is not there or holds no file.
    """
    reports = {path.stem: _read(path) for path in submitted_files(Path(folder))}
    wrong = {name: [topic for state, topic, _ in lines if state == "MEND"] for name, (_, lines) in reports.items()}
    order = sorted(reports, key=lambda name: (bool(reports[name][1]) and not wrong[name], name.casefold()))
    rows = [_row(name, *reports[name], wrong[name]) for name in order]
    ready = sum(bool(lines) and not wrong[name] for name, (_, lines) in reports.items())
    mends = Counter(topic for topics in wrong.values() for topic in topics)
    where = Counter(place for place, lines in reports.values() if lines)
    told = [f"{ready} of {len(reports)} are ready ({', '.join(f'{n} on {place}' for place, n in where.most_common())})"]
    told += [f"  {number} to mend: {topic}" for topic, number in mends.most_common()]
    return "\n".join([*told, *rows])


def _read(path: Path) -> tuple[str, list[tuple[str, str, str]]]:
    """Where it was run, and the findings; no finding when the file is something else."""
    text = path.read_bytes().replace(b"\x00", b"").decode("utf-8-sig", errors="replace")
    first = FIRST.search(text)
    matches = [match for match in map(LINE.fullmatch, map(str.strip, text.splitlines())) if match]
    found = [(match[1], match[2], match[3]) for match in matches]
    return (first.group(2).strip(), found) if first else ("", [])


def _row(name: str, place: str, lines: list[tuple[str, str, str]], wrong: list[str]) -> str:
    if not lines:
        return f"{name}: this is not what scrcl-edu doctor prints; ask again"
    return f"{name}: {'mend ' + ', '.join(wrong) if wrong else 'ready'}, on {place}"
