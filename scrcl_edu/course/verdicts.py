"""What a check found: a box to show, and a function for the lesson to go on with that says whose it is."""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from scrcl_edu.course.comparing import describe
from scrcl_edu.course.showing import box
from scrcl_edu.course.task import Exercise, Mend


class CheckFailed(AssertionError):
    """An answer is not right; raised only while nbgrader grades."""


def raise_while_grading(message: str) -> None:
    """Let nbgrader see that an answer is not right; a learner sees the box alone."""
    if os.environ.get("NBGRADER_EXECUTION"):
        raise CheckFailed(message)


@dataclass(repr=False, eq=False)
class Result:
    """What a check found. It can be called: it is the function that the lesson goes on with.

    Attributes
    ----------
    name
        Name of the exercise.
    passed
        Whether every input gave the right result.
    status
        `passed`, `not started`, or `not yet`.
    title, rows
        What was shown, in parts.
    cause, mistake
        The likely cause alone and its short name; empty when there is none.
    function
        The learner's function when it passed, otherwise the package's own, so that the lesson goes on.
    own
        What the learner handed over.
    picture
        A drawing of what came out, as SVG.
    """

    name: str
    passed: bool
    status: str
    title: str
    rows: tuple[tuple[str, str], ...]
    cause: str
    function: Callable[..., Any]
    own: Any
    mistake: str = ""
    picture: str = ""

    def __post_init__(self) -> None:
        functools.update_wrapper(self, self.function, updated=())

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """Call the function that the lesson goes on with."""
        return self.function(*arguments, **named)

    @property
    def whose(self) -> str:
        """Whose function the lesson goes on with: `yours`, or `the package's own`."""
        return "yours" if self.passed else "the package's own"

    @property
    def message(self) -> str:
        """The text that was shown."""
        return self.bundle()["text/plain"]

    def bundle(self) -> dict[str, str]:
        """What is shown, as text and as HTML."""
        good = {"passed": True, "not started": None, "not yet": False}[self.status]
        shown = box(self.title, self.rows, good=good)
        return shown | {"text/html": shown["text/html"] + self.picture}

    def __repr__(self) -> str:
        return f"<{self.name}: {self.whose}, {self.status}>"

    def _ipython_display_(self) -> None:
        """Show nothing: the check has shown its box already."""


def signature(exercise: Exercise) -> str:
    """The head of an exercise's function."""
    return f"{exercise.name}({', '.join(inspect.signature(exercise.reference).parameters)})"


def passed(exercise: Exercise, function: Callable[..., Any], note: str = "") -> Result:
    """The box of a right answer: what was tested and what was not."""
    n_edge = len(exercise.edge_cases)
    tried = f"{exercise.n_inputs} random inputs" if exercise.n_inputs > 1 else "one input"
    tried += f" and {n_edge} special one{'s' if n_edge > 1 else ''}" if n_edge else ""
    rows = [
        ("Tried", f"{tried}; each result equals the package's own"),
        ("Tested", exercise.tested),
        ("Not tested", exercise.not_tested),
        ("Note", note),
        ("From here on", f"{exercise.name} is yours"),
    ]
    shown = tuple(row for row in rows if row[1])
    return Result(exercise.name, True, "passed", f"{exercise.name}: passed", shown, "", function, function)


def not_started(exercise: Exercise, text: str, function: Any) -> Result:
    """The box of a stub, or of given code that nobody has touched."""
    rows = (
        ("To do", text),
        ("Task", exercise.effort),
        ("Help", f'hint("{exercise.name}")'),
        ("From here on", f"{exercise.name} is the package's own, so nothing below is locked"),
    )
    title = f"{exercise.name}: not started yet"
    return Result(exercise.name, False, "not started", title, rows, "", exercise.reference, function)


def failed(
    exercise: Exercise,
    function: Any,
    arguments: dict[str, Any] | None,
    came: str,
    cause: str,
    *,
    mistake: str = "",
    should: str = "",
    line: str = "",
    edges: str = "",
    picture: str = "",
) -> Result:
    """The box of a wrong answer, with the likely cause first."""
    tried = "" if arguments is None else "\n".join(f"{name} = {describe(value)}" for name, value in arguments.items())
    still = exercise.symptom if isinstance(exercise, Mend) and not cause else ""
    rows = [
        ("Likely cause", cause or still),
        ("Your code", line),
        ("Edges", edges),
        ("Tried", signature(exercise) + (f" with\n{tried}" if tried else "")),
        ("Came out", came),
        ("Expected", should),
        ("Help", f'hint("{exercise.name}")'),
        ("From here on", f"{exercise.name} is the package's own, until yours passes"),
    ]
    shown = tuple(row for row in rows if row[1])
    title = f"{exercise.name}: not yet"
    return Result(exercise.name, False, "not yet", title, shown, cause, exercise.reference, function, mistake, picture)
