"""What a learner has done so far: a small JSON file on this machine, and nowhere else."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import Any

from scrcl_edu.course.showing import box, publish
from scrcl_edu.errors import OutputError
from scrcl_edu.files import atomic_path

# Where each kind of task stands in the file, and what its column is called.
PARTS = {
    "check": ("exercises", "functions"),
    "mend": ("mends", "faults"),
    "predict": ("predictions", "predictions"),
    "transfer": ("transfers", "transfer"),
    "explain": ("explanations", "explanations"),
    "quiz": ("quizzes", "quiz"),
}
DONE = {"predict": ("guessed", "near", "far"), "explain": ("answered",)}

_unsaved: dict[str, dict[str, Any]] = {}


def progress_file() -> Path:
    """Where progress is kept: `SCRCL_EDU_PROGRESS`, else `progress.json` in `SCRCL_EDU_HOME` or the user's data "
    "folder."""
    if "SCRCL_EDU_PROGRESS" in os.environ:
        return Path(os.environ["SCRCL_EDU_PROGRESS"])
    if "SCRCL_EDU_HOME" in os.environ:
        return Path(os.environ["SCRCL_EDU_HOME"]) / "progress.json"
    import platformdirs

    return Path(platformdirs.user_data_dir("scrcl_edu", appauthor=False)) / "progress.json"


def load() -> dict[str, dict[str, Any]]:
    """Read what is kept; a missing or damaged file counts as empty."""
    try:
        kept = json.loads(progress_file().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        kept = {}
    kept = kept if isinstance(kept, dict) else {}
    merged = {}
    for part, _ in PARTS.values():
        there = kept.get(part)
        merged[part] = {**(there if isinstance(there, dict) else {}), **_unsaved.get(part, {})}
    return merged


def keep_event(kind: str, name: str, status: str, value: dict[str, Any] | None = None) -> None:
    """Keep how a task of a kind went; a stub is not counted. The value of a prediction holds its guess and truth."""
    if status != "not started":
        keep(PARTS[kind][0], name, {"status": status, **(value or {})} if kind == "predict" else status)


def keep(part: str, name: str, state: Any) -> bool:
    """Keep how a task or a quiz question went; what was passed once stays passed.

    Parameters
    ----------
    part
        `exercises`, `quizzes`, or another of :data:`PARTS`.
    name
        Name of the task or the question.
    state
        `passed`, `tried` or `answered`; for predictions a dictionary of status, guess and truth.

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


def guess_of(name: str) -> dict[str, Any] | None:
    """What was guessed for a prediction: `status`, `guess` and, once revealed, `truth`."""
    kept = load()["predictions"].get(name)
    return kept if isinstance(kept, dict) and "guess" in kept else None


def progress(lesson: str | None = None) -> None:
    """Show which tasks and quiz questions are done, lesson by lesson, and look back at the predictions.

    Parameters
    ----------
    lesson
        Two digits of one lesson; all when not given.
    """
    from scrcl_edu.course.quizzes import questions
    from scrcl_edu.course.tasks import catalogue

    kept, tasks, asked = load(), catalogue(), questions()
    rows = []
    for number in sorted({task.lesson for task in tasks.values()} | {key[:2] for key in asked}):
        if lesson in (None, number):
            named = {kind: [n for n, t in tasks.items() if t.lesson == number and t.kind == kind] for kind in PARTS}
            named["quiz"] = [key for key in asked if key[:2] == number]
            rows.append((f"Lesson {number}", _done(kept, named)))
            rows += [("", text) for name in named["predict"] if (text := _looked_back(name, tasks[name]))]
    if any(_unsaved.values()):
        rows.append(("Note", "this folder cannot be written, so your progress is kept only until this session ends"))
    publish(box("Your progress, kept on this machine only", rows))


def _done(kept: dict[str, dict[str, Any]], named: dict[str, list[str]]) -> str:
    counts, left = [], []
    for kind, names in named.items():
        part, title = PARTS[kind]
        states = {name: kept[part].get(name) for name in names}
        states = {name: state["status"] if isinstance(state, dict) else state for name, state in states.items()}
        undone = [name for name, state in states.items() if state not in DONE.get(kind, ("passed",))]
        if names:
            counts.append(f"{title} {len(names) - len(undone)} of {len(names)}")
        left += undone if kind != "quiz" else []
    return ", ".join(counts) + (f"; to do: {', '.join(left)}" if left else "")


def _looked_back(name: str, task: Any) -> str:
    guess = guess_of(name)
    if guess is None:
        return ""
    with contextlib.suppress(Exception):  # a file from before the question was changed
        said = f"you predicted {name}: {task.shape.write(guess['guess'])}"
        if "truth" not in guess:
            return said
        return f"{said}; it is {task.shape.write(guess['truth'])}{' (near)' if guess['status'] == 'near' else ''}"
    return ""
