"""Checks that name the mistake: a learner's function beside the package's own, on small random inputs.

Each exercise knows wrong answers (mutants). When a learner's result equals a mutant's, its message is the likely cause.
"""

from __future__ import annotations

import contextlib
import difflib
import inspect
import os
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from scrcl_edu.course.comparing import describe, difference, kind, numbers
from scrcl_edu.course.exercise import Exercise, Mutant
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
        cause = cause or _advice_on(outcome.error, arguments)
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
        cause = cause or _over_all_inputs(attempts) or _sentence(difference(outcome.value, expected.value))
    return _failed(exercise, function, arguments, came, cause, should=should, line=line)


def _known_mistake(exercise: Exercise, attempts: list[tuple[dict[str, Any], Outcome, Outcome]]) -> str:
    for mutant in exercise.mutants:
        some = False
        for given, outcome, _ in attempts:
            theirs = _call(exercise, mutant.function, given)
            same = theirs.same_as(outcome)
            # A shape error is worded differently for every way to write the same mistake.
            if not same and (theirs.error is None or outcome.error is None):
                break
            some = some or same
        else:
            if some:
                return mutant.message
    wrong = [(outcome, given) for given, outcome, expected in attempts if not outcome.same_as(expected)]
    signs = (mutant for mutant in exercise.mutants if mutant.sign is not None)
    return next((m.message for m in signs if all(shows(m, outcome, given) for outcome, given in wrong)), "")


def shows(mutant: Mutant, outcome: Outcome, arguments: dict[str, Any]) -> bool:
    """Whether a result carries a mutant's sign; a result of a kind that the sign cannot read does not."""
    if outcome.error is not None or outcome.changed:
        return False
    with contextlib.suppress(Exception), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return bool(mutant.sign(outcome.value, arguments))
    return False


def _over_all_inputs(attempts: list[tuple[dict[str, Any], Outcome, Outcome]]) -> str:
    """What single numbers show only when those of several inputs are seen together."""
    pairs = [(outcome.value, expected.value) for _, outcome, expected in attempts]
    if len(pairs) < 2 or any(outcome.error is not None for _, outcome, _ in attempts):
        return ""
    if any(kind(v) != "a number" and getattr(v, "shape", None) != () for pair in pairs for v in pair):
        return ""
    got, expected = np.array([[float(numbers(v)) for v in pair] for pair in pairs]).T
    if np.ptp(expected) > 0 and np.ptp(got) == 0:
        return f"Your result is {got[0]:.4g} whatever the input. Which argument is not used?"
    if not expected.all() or not np.isfinite(got).all():
        return ""
    ratio = got[0] / expected[0]
    if ratio and not np.isclose(ratio, 1) and np.allclose(got, ratio * expected, rtol=1e-5):
        times = "minus the expected one" if np.isclose(ratio, -1) else f"{ratio:.4g} times the expected one"
        return f"For every input your result is {times}: one factor is wrong, the rest is right."
    shift = got[0] - expected[0]
    if not np.isclose(shift, 0) and np.allclose(got - expected, shift, rtol=1e-5):
        return f"For every input your result is the expected one {'plus' if shift > 0 else 'minus'} {abs(shift):.4g}."
    return ""


def _advice_on(error: BaseException, arguments: dict[str, Any]) -> str:
    if isinstance(error, KeyError):
        return f"Something was asked for {_short(error)}, which it does not hold. Which names does it have?"
    if isinstance(error, IndexError):
        return "A place was asked for that is not there: n entries have the places 0 to n - 1. Print the two sizes."
    shaped = {name: value.shape for name, value in arguments.items() if getattr(value, "shape", ())}
    if not shaped or not re.search(r"shape|dimension|size|broadcast|mismatch|mat1", str(error)):
        return "Read the error's last words, then print what stands on this line just above it."
    sizes = ", ".join(f"{name} {' x '.join(map(str, shape))}" for name, shape in shaped.items())
    return (
        f"Two shapes do not fit on this line. What you were given: {sizes}. For a @ b the columns of a must be as many "
        "as the rows of b; entry by entry (*, /, +) each dimension is equal or 1."
    )


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
