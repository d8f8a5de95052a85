"""Hints that come in steps; the last one is where the worked lesson stands."""

from __future__ import annotations

import html
from collections import Counter
from typing import cast

from scrcl_edu.course.finding import find
from scrcl_edu.course.lessons import LESSONS
from scrcl_edu.course.showing import publish
from scrcl_edu.course.task import Exercise, Transfer

_asked: Counter[str] = Counter()


def hint(name: str) -> None:
    """Show the next hint for an exercise; ask again for more, the last one points at the worked lesson.

    Parameters
    ----------
    name
        Name of the exercise.

    Raises
    ------
    SettingsError
        When no exercise has this name.
    """
    exercise = cast("Exercise | Transfer", find(name, Exercise, Transfer))
    solved = (
        f"A solution stands in the worked edition of this lesson, notebooks/{LESSONS[exercise.lesson]}.ipynb (yours is "
        f"in notebooks/student): look for def {name}."
    )
    steps = [*exercise.hints, solved]
    step = min(_asked[name], len(steps) - 1)
    _asked[name] += 1
    title, text = f"{name}: hint {step + 1} of {len(steps)}", steps[step]
    more = "" if step + 1 == len(steps) else " Ask again for the next hint."
    page = f"<details><summary>{html.escape(title)}</summary><p>{html.escape(text + more)}</p></details>"
    publish({"text/plain": f"{title}\n  {text}{more}", "text/html": page})
