"""What a learner has done so far: a small JSON file on this machine, and nowhere else."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path

from scrcl_edu.course.showing import box, publish
from scrcl_edu.errors import OutputError
from scrcl_edu.files import atomic_path

_unsaved: dict[str, dict[str, str]] = {}


def progress_file() -> Path:
    """Where progress is kept: `SCRCL_EDU_PROGRESS`, else `progress.json` in `SCRCL_EDU_HOME` or the user's data "
    "folder."""
    if "SCRCL_EDU_PROGRESS" in os.environ:
        return Path(os.environ["SCRCL_EDU_PROGRESS"])
    if "SCRCL_EDU_HOME" in os.environ:
        return Path(os.environ["SCRCL_EDU_HOME"]) / "progress.json"
    import platformdirs

    return Path(platformdirs.user_data_dir("scrcl_edu", appauthor=False)) / "progress.json"


def load() -> dict[str, dict[str, str]]:
    """Read what is kept; a missing or damaged file counts as empty."""
    try:
        kept = json.loads(progress_file().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        kept = {}
    kept = kept if isinstance(kept, dict) else {}
    merged = {}
    for part in ("exercises", "quizzes"):
        there = kept.get(part)
        merged[part] = {**(there if isinstance(there, dict) else {}), **_unsaved.get(part, {})}
    return merged


def keep(part: str, name: str, state: str) -> bool:
    """Keep how an exercise or a quiz question went; what was passed once stays passed.

    Parameters
    ----------
    part
        `exercises` or `quizzes`.
    name
        Name of the exercise or the question.
    state
        `passed` or `tried`.

    Returns
    -------
    Whether it could be written; when not, it is remembered until the session ends.
    """
    kept = load()
    if kept[part].get(name) != "passed":
        kept[part][name] = state
    path = progress_file()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(path, overwrite=True) as temporary:
            temporary.write_text(json.dumps(kept, indent=1, sort_keys=True), encoding="utf-8")
    except (OSError, OutputError):
        _unsaved.setdefault(part, {})[name] = kept[part][name]
        return False
    with contextlib.suppress(KeyError):
        del _unsaved[part][name]
    return True


def progress() -> None:
    """Show which exercises and quiz questions are done, lesson by lesson."""
    from scrcl_edu.course.exercises import catalogue
    from scrcl_edu.course.quizzes import questions

    kept, exercises, asked = load(), catalogue(), questions()
    rows = []
    for lesson in sorted({exercise.lesson for exercise in exercises.values()} | {key[:2] for key in asked}):
        names = [name for name, exercise in exercises.items() if exercise.lesson == lesson]
        keys = [key for key in asked if key[:2] == lesson]
        done = [name for name in names if kept["exercises"].get(name) == "passed"]
        right = [key for key in keys if kept["quizzes"].get(key) == "passed"]
        left = [name for name in names if name not in done]
        text = f"exercises {len(done)} of {len(names)}, quiz {len(right)} of {len(keys)}"
        rows.append((f"Lesson {lesson}", text + (f"; to do: {', '.join(left)}" if left else "")))
    if any(_unsaved.values()):
        rows.append(("Note", "this folder cannot be written, so your progress is kept only until this session ends"))
    publish(box("Your progress, kept on this machine only", rows))
