"""Look tasks up by name, and say which name was meant when there is none."""

from __future__ import annotations

import difflib
from typing import TypeVar

from scrcl_edu.course.task import Exercise, Task
from scrcl_edu.course.tasks import catalogue
from scrcl_edu.errors import SettingsError

T = TypeVar("T", bound=Task)
NAMES = {
    "check": "exercise",
    "mend": "fault to mend",
    "predict": "prediction",
    "transfer": "transfer task",
    "explain": "question to explain",
}


def find(name: str, *kinds: type[T]) -> T:
    """Look a task of one kind, or of several, up by name.

    Raises
    ------
    SettingsError
        When there is none; it offers the nearest name, or the call for a task of another kind.
    """
    everything = catalogue()
    task = everything.get(name)
    if isinstance(task, kinds):
        return task
    what = NAMES.get(getattr(kinds[0], "kind", ""), "") if len(kinds) == 1 else ""
    what = what or "task with hints"
    if task is not None:
        raise SettingsError(f"{name!r} is a {NAMES[task.kind]}, not a {what}; call {task.kind}({name!r}, ...)")
    known = [other for other, task in everything.items() if isinstance(task, kinds)]
    near = difflib.get_close_matches(str(name), known, n=1)
    guess = f"did you mean {near[0]!r}?" if near else f"choose one of {', '.join(sorted(known))}"
    raise SettingsError(f"there is no {what} called {name!r}; {guess}")


def find_exercise(name: str) -> Exercise:
    """Look a function to write or to mend up by name; see :func:`find`."""
    return find(name, Exercise)
