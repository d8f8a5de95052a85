"""How often one has looked: a small file on this machine that every report quotes."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from scrcl_edu.errors import OutputError
from scrcl_edu.files import atomic_path


def looks_file() -> Path:
    """Beside the learner's progress: in the folder of `SCRCL_EDU_PROGRESS`, `SCRCL_EDU_HOME`, or the user's data."""
    if "SCRCL_EDU_PROGRESS" in os.environ:
        return Path(os.environ["SCRCL_EDU_PROGRESS"]).with_name("trials.json")
    if "SCRCL_EDU_HOME" in os.environ:
        return Path(os.environ["SCRCL_EDU_HOME"]) / "trials.json"
    import platformdirs

    return Path(platformdirs.user_data_dir("scrcl_edu", appauthor=False)) / "trials.json"


def looks() -> list[dict[str, Any]]:
    """All trials so far, oldest first; a missing or damaged file counts as none."""
    try:
        kept = json.loads(looks_file().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    return [one for one in kept if isinstance(one, dict)] if isinstance(kept, list) else []


def record(look: dict[str, Any]) -> list[dict[str, Any]]:
    """Add a trial, and give all so far. Where the file cannot be written the trial goes on, and counts for itself."""
    kept = [*looks(), look]
    path = looks_file()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(path, overwrite=True) as temporary:
            temporary.write_text(json.dumps(kept, indent=1), encoding="utf-8")
    except (OSError, OutputError):
        pass
    return kept


def in_words(kept: list[dict[str, Any]], parts: list[str]) -> str:
    """How often these parts were looked at, on which sets and in how many versions."""
    same = [one for one in kept if one.get("parts") == parts]
    played = [one for one in same if not one.get("opened")]
    opened = [one for one in same if one.get("opened")]
    versions = len({one.get("digest") for one in same})
    said = f"looked at {_times(len(played))} on the sets to play with, in {versions} version{'s' * (versions != 1)}"
    if not opened:
        return f"{said}; the sets to open once are still closed"
    if len(opened) == 1:
        return f"{said}; this is the first time that sets were opened for it"
    return (
        f"{said}; this is opening number {len(opened)} for it, so that its result is one that could be picked among "
        f"{len(opened)}, and no longer blind"
    )


def _times(n: int) -> str:
    return "once" if n == 1 else f"{n} times"
