"""Checks that name the mistake: a learner's function beside the package's own, on small random inputs.

Each exercise knows wrong answers (mutants). When a learner's result equals a mutant's, its message is the likely cause.
"""

from __future__ import annotations

import difflib
import inspect
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from scrcl_edu.course.comparing import describe, difference
from scrcl_edu.course.exercise import Exercise
from scrcl_edu.course.exercises import catalogue
from scrcl_edu.course.record import keep
from scrcl_edu.course.running import Outcome, TimeUp, call, first_line, trace
from scrcl_edu.course.showing import box, publish
from scrcl_edu.errors import SettingsError


@dataclass(frozen=True, repr=False)
class Result:
    """What a check found.

    Attributes
    ----------
    passed
        Whether every input gave the right result.
    status
        `passed`, `not started`, or `not yet`.
    title, rows
        What was shown, in parts.
    cause
        The likely cause alone; empty when there is none.
    function
        The learner's function when it passed, otherwise the package's own, so that the lesson goes on.
    """

    passed: bool
    status: str
    title: str
    rows: tuple[tuple[str, str], ...]
    cause: str
    function: Callable[..., Any]

    @property
    def message(self) -> str:
        """The text that was shown."""
        return self._box()["text/plain"]

    def _box(self) -> dict[str, str]:
        good = {"passed": True, "not started": None, "not yet": False}[self.status]
        return box(self.title, self.rows, good=good)

    def __repr__(self) -> str:
        return f"<check: {self.status}>"

    def _ipython_display_(self) -> None:
        """Show nothing: the check has shown its box already."""


class CheckFailed(AssertionError):
    """An answer is not right; raised only while nbgrader grades."""


def find_exercise(name: str) -> Exercise:
    """Look an exercise up by name; unknown names raise a SettingsError that offers the nearest one."""
    known = catalogue()
    if name in known:
        return known[name]
    near = difflib.get_close_matches(str(name), known, n=1)
    guess = f"did you mean {near[0]!r}?" if near else f"choose one of {', '.join(sorted(known))}"
    raise SettingsError(f"there is no exercise called {name!r}; {guess}")


def check(name: str, function: Callable[..., Any]) -> Result:
    """Judge a function that a learner wrote, and say in a short box what was tried and what came out.

    Parameters
    ----------
    name
        Name of the exercise.
    function
        The function itself, without parentheses.

    Returns
    -------
    A :class:`Result`. Its ``function`` is what the lesson goes on with.

    Raises
    ------
    SettingsError
        When no exercise has this name.
    """
    result = judge(find_exercise(name), function)
    if result.status != "not started":
        keep("exercises", name, "passed" if result.passed else "tried")
    publish(result._box())
    if not result.passed and os.environ.get("NBGRADER_EXECUTION"):
        raise CheckFailed(result.message)
    return result


def judge(exercise: Exercise, function: Callable[..., Any]) -> Result:
    """Judge a function without showing or recording anything; see :func:`check`."""
    if function is exercise.reference:
        return _started(
            exercise, "this is the package's own function. Run the cell with your definition, then this one."
        )
    if not callable(function):
        given = f"{describe(function, brief=True)} was given"
        return _failed(
            exercise, function, None, given, "Hand over the function itself, without calling it: no parentheses."
        )
    misfit = _misfit(exercise, function)
    if misfit:
        return _failed(
            exercise, function, None, misfit, f"The signature is {_signature(exercise)}.", line=first_line(function)
        )
    attempts = []
    for number, arguments in enumerate(exercise.cases()):
        # Ours goes first, so that what is slow only once does not count against the learner's time limit.
        expected = call(exercise.reference, arguments, through=exercise.through, seconds=300)
        if expected.error is not None:
            raise expected.error
        outcome = _call(exercise, function, arguments, quiet=number > 0)
        if isinstance(outcome.error, NotImplementedError):
            return _started(exercise, "write the function, run its cell, then run this one again.")
        attempts.append((arguments, outcome, expected))
        if isinstance(outcome.error, TimeUp):
            break
    wrong = [attempt for attempt in attempts if not attempt[1].same_as(attempt[2])]
    if not wrong:
        return _passed(exercise, function)
    return _explained(exercise, function, attempts, wrong[0])


def _call(
    exercise: Exercise, function: Callable[..., Any], arguments: dict[str, Any], *, quiet: bool = True
) -> Outcome:
    return call(function, arguments, through=exercise.through, seconds=exercise.seconds, quiet=quiet)


def _signature(exercise: Exercise) -> str:
    return f"{exercise.name}({', '.join(inspect.signature(exercise.reference).parameters)})"


def _misfit(exercise: Exercise, function: Callable[..., Any]) -> str:
    n_expected = len(inspect.signature(exercise.reference).parameters)
    try:
        inspect.signature(function).bind(*range(n_expected))
    except TypeError as error:
        return f"your function cannot be called with {n_expected} arguments: {error}"
    except ValueError:  # some built-in functions have no signature
        return ""
    return ""


def _explained(
    exercise: Exercise,
    function: Callable[..., Any],
    attempts: list[tuple[dict[str, Any], Outcome, Outcome]],
    wrong: tuple[dict[str, Any], Outcome, Outcome],
) -> Result:
    arguments, outcome, expected = wrong
    cause = _known_mistake(exercise, attempts)
    line, came, should = outcome.line, "", ""
    if isinstance(outcome.error, TimeUp):
        came = f"still running after {exercise.seconds:g} s, and was stopped"
        cause = cause or "A loop that never ends? Look at what changes its condition."
    elif outcome.error is not None:
        came = f"your code stopped with {type(outcome.error).__name__}: {_short(outcome.error)}"
        cause = cause or "Print the shapes just above this line and compare them with the docstring."
    elif outcome.value is None and expected.value is not None:
        came, line = "None", trace(function, arguments)[1] or first_line(function)
        cause = (
            "The function ends without a return statement, or returns the result of something that changes in place."
        )
    elif outcome.changed:
        line = trace(function, arguments)[0] or first_line(function)
        came = f"your function changes its input {', '.join(outcome.changed)}"
        cause = "Work on a copy, or write the step so that it makes a new array; the caller still needs the old one."
    else:
        came, should = describe(outcome.value), describe(expected.value)
        cause = cause or _sentence(difference(outcome.value, expected.value))
    return _failed(exercise, function, arguments, came, cause, should=should, line=line)


def _known_mistake(exercise: Exercise, attempts: list[tuple[dict[str, Any], Outcome, Outcome]]) -> str:
    for mutant in exercise.mutants:
        pairs = [(_call(exercise, mutant.function, given), outcome) for given, outcome, _ in attempts]
        same = [theirs.same_as(outcome) for theirs, outcome in pairs]
        # A shape error is worded differently for every way to write the same mistake.
        both_fail = [theirs.error is not None and outcome.error is not None for theirs, outcome in pairs]
        if any(same) and all(a or b for a, b in zip(same, both_fail, strict=True)):
            return mutant.message
    return ""


def _short(error: BaseException) -> str:
    lines = str(error).strip().split("\n")
    return lines[0][:300] if lines[0] else "no message"


def _sentence(text: str | None) -> str:
    return f"{text[0].upper()}{text[1:]}" if text else "The same function gave different results when called again."


def _passed(exercise: Exercise, function: Callable[..., Any]) -> Result:
    tried = f"{exercise.n_inputs} random inputs" if exercise.n_inputs > 1 else "one input"
    rows = (
        ("Tried", f"{tried}; each result equals the package's own"),
        ("Tested", exercise.tested),
        ("Not tested", exercise.not_tested),
    )
    return Result(True, "passed", f"{exercise.name}: passed", rows, "", function)


def _started(exercise: Exercise, text: str) -> Result:
    rows = (
        ("To do", text),
        ("Help", f'hint("{exercise.name}")'),
        ("Meanwhile", f"the lesson goes on with the package's own {exercise.name}, so nothing below is locked"),
    )
    return Result(False, "not started", f"{exercise.name}: not started yet", rows, "", exercise.reference)


def _failed(
    exercise: Exercise,
    function: Callable[..., Any],
    arguments: dict[str, Any] | None,
    came: str,
    cause: str,
    *,
    should: str = "",
    line: str = "",
) -> Result:
    tried = "" if arguments is None else "\n".join(f"{name} = {describe(value)}" for name, value in arguments.items())
    rows = [
        ("Tried", _signature(exercise) + (f" with\n{tried}" if tried else "")),
        ("Came out", came),
        ("Expected", should),
        ("Your code", line),
        ("Likely cause", cause),
        ("Help", f'hint("{exercise.name}"); until it passes the lesson goes on with the package\'s own function'),
    ]
    shown = tuple(row for row in rows if row[1])
    return Result(False, "not yet", f"{exercise.name}: not yet", shown, cause, exercise.reference)
