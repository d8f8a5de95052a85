"""Give a learner the course's notebooks, and later versions of them, without ever losing what the learner did.

    python handout.py SOURCE HOME/course

Called each time a learner's server starts. Five rules, by what the learner and the course did to a file since it was
last handed out:

| learner            | course             | then                                                          |
|--------------------|--------------------|---------------------------------------------------------------|
| left it alone      | changed it         | it is replaced                                                |
| changed it         | left it alone      | it is kept                                                    |
| changed it         | changed it         | it is kept, the new one is put beside it as `NAME (new).ipynb` |
| deleted or moved it| has it             | it comes back                                                 |
| has it             | removed, renamed it| it is kept                                                    |
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
from pathlib import Path

RECORD = ".handed_out.json"


def hand_out(source: Path, target: Path) -> list[str]:
    """Bring `target` up to date with `source`; what was done, one line each.

    Parameters
    ----------
    source
        The course's folder; every file below it is handed out.
    target
        The learner's folder; created when missing.
    """
    target.mkdir(parents=True, exist_ok=True)
    given, done = _record(target), []
    for path in sorted(file for file in source.rglob("*") if file.is_file() and not _hidden(file, source)):
        name = path.relative_to(source).as_posix()
        new, old, mine = _digest(path), given.get(name), target / name
        now = _digest(mine) if mine.is_file() else None
        if now == new:
            given[name] = new
        elif now is None and not mine.exists():
            _copy(path, mine)
            done.append(f"{name}: {'came back' if old else 'new'}")
            given[name] = new
        elif now == old:
            _copy(path, mine)
            done.append(f"{name}: replaced, you had not changed it")
            given[name] = new
        elif new != old:  # both changed it, or something of the learner's was there first
            beside = _free(mine)
            _copy(path, beside)
            done.append(f"{name}: yours is kept, the new one is {beside.name}")
            given[name] = new
    _replace(target / RECORD, json.dumps(given, indent=1).encode())
    return done


def _hidden(file: Path, source: Path) -> bool:
    return any(part.startswith(".") for part in file.relative_to(source).parts)


def _record(target: Path) -> dict[str, str]:
    """What was handed out; a damaged record counts as none, so that everything of the learner's is kept."""
    try:
        given = json.loads((target / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return given if isinstance(given, dict) else {}


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _free(path: Path) -> Path:
    numbers = ["", *(f" {n}" for n in range(2, 1000))]
    return next(p for n in numbers if not (p := path.with_name(f"{path.stem} (new{n}){path.suffix}")).exists())


def _copy(path: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    _replace(target, path.read_bytes())


def _replace(target: Path, data: bytes) -> None:
    """Write whole or not at all: a full disk leaves what was there."""
    half = target.with_name(f".{target.name}.half")
    try:
        half.write_bytes(data)
        os.replace(half, target)
    except OSError:
        half.unlink(missing_ok=True)
        raise


if __name__ == "__main__":
    if len(sys.argv) != 3 or not Path(sys.argv[1]).is_dir():
        sys.exit("usage: python handout.py SOURCE TARGET, where SOURCE is a folder that is there")
    free = shutil.disk_usage(Path(sys.argv[2]).parent if Path(sys.argv[2]).parent.exists() else ".").free
    if free < 20_000_000:
        sys.exit(f"only {free // 1_000_000} MB are free in your home; delete something, and start the server again")
    print("\n".join(hand_out(Path(sys.argv[1]), Path(sys.argv[2]))))
