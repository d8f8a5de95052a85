"""Checks that name the mistake: a learner's function beside the package's own, on small random inputs.

Each exercise knows wrong answers (mutants). When a learner's result equals a mutant's, its message is the likely cause;
when it equals none, the relation between what came out and what was expected is said in words.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from scrcl_edu.course.calling import TimeUp, call, first_line, trace
from scrcl_edu.course.causes import Attempt, Cause, advice_on, call_as, found_out, known_mistake, short
from scrcl_edu.course.comparing import describe, numbers, rounded
from scrcl_edu.course.events import Event, tell
from scrcl_edu.course.finding import find, find_exercise
from scrcl_edu.course.graph_picture import beside, in_words, is_small_graph
from scrcl_edu.course.measuring import cost_slip, gradient_slip
from scrcl_edu.course.showing import publish
from scrcl_edu.course.task import Exercise, Mend
from scrcl_edu.course.verdicts import Result, failed, not_started, passed, raise_while_grading, signature


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
    A function for the lesson to go on with: the learner's own when it passed, otherwise the package's. Its ``whose``
    says which of the two it is.

    Raises
    ------
    SettingsError
        When no exercise has this name.
    """
    return _shown(find_exercise(name), function)


def mend(name: str, function: Callable[..., Any]) -> Result:
    """Judge a function whose fault a learner has mended; as :func:`check`, and code left as given is not started.

    Parameters
    ----------
    name
        Name of the task.
    function
        The mended function itself, without parentheses.

    Returns
    -------
    As of :func:`check`.

    Raises
    ------
    SettingsError
        When there is no fault of this name to mend.
    """
    return _shown(find(name, Mend), function)


def _shown(exercise: Exercise, function: Any) -> Result:
    result = judge(exercise, function)
    publish(result.bundle())
    status = {"not yet": "tried"}.get(result.status, result.status)
    tell(Event(exercise.name, exercise.kind, status, result.mistake))
    if not result.passed:
        raise_while_grading(result.message)
    return result


def judge(exercise: Exercise, function: Any) -> Result:
    """Judge a function without showing or telling anything; see :func:`check`."""
    if isinstance(function, Result):  # the cell of the check is run again
        function = function.own
    if function is exercise.reference:
        text = "this is the package's own function. Run the cell with your definition, then this one."
        return not_started(exercise, text, function)
    if not callable(function):
        came = f"{describe(function, brief=True)} was given"
        cause = "Hand over the function itself, without calling it: no parentheses."
        return failed(exercise, function, None, came, cause, mistake="called")
    misfit = _misfit(exercise, function)
    if misfit:
        cause = f"The signature is {signature(exercise)}: {misfit}."
        return failed(exercise, function, None, "", cause, mistake="signature", line=first_line(function))
    attempts = []
    for number, arguments in enumerate(exercise.cases()):
        # Ours goes first, so that what is slow only once does not count against the learner's time limit.
        expected = call(exercise.reference, arguments, through=exercise.through, seconds=300)
        if expected.error is not None:
            raise expected.error
        outcome = call_as(exercise, function, arguments, quiet=number > 0)
        if isinstance(outcome.error, NotImplementedError):
            return not_started(exercise, "write the function, run its cell, then run this one again.", function)
        attempts.append(Attempt(arguments, outcome, expected))
        if isinstance(outcome.error, TimeUp):
            break
    wrong = next((attempt for attempt in attempts if not attempt.outcome.same_as(attempt.expected)), None)
    if wrong is None:
        return _beyond_values(exercise, function, attempts)
    if isinstance(exercise, Mend) and all(_as_given(exercise, attempt) for attempt in attempts):
        return not_started(exercise, f"find the fault and mend it. {exercise.symptom}", function)
    return _explained(exercise, function, attempts, wrong)


def _as_given(exercise: Mend, attempt: Attempt) -> bool:
    return call_as(exercise, exercise.faulty, attempt.arguments).same_as(attempt.outcome)


def _misfit(exercise: Exercise, function: Callable[..., Any]) -> str:
    n_expected = len(inspect.signature(exercise.reference).parameters)
    try:
        inspect.signature(function).bind(*range(n_expected))
    except TypeError as error:
        return f"your function cannot be called with {n_expected} arguments: {error}"
    except ValueError:  # some built-in functions have no signature
        return ""
    return ""


def _beyond_values(exercise: Exercise, function: Callable[..., Any], attempts: list[Attempt]) -> Result:
    for mistake, slip in (("gradient", gradient_slip), ("cost", cost_slip)):
        cause = slip(exercise, function)
        if cause:
            return failed(exercise, function, None, "", cause, mistake=mistake, line=first_line(function))
    notes = (rounded(attempt.outcome.value, attempt.expected.value) for attempt in attempts)
    return passed(exercise, function, next(filter(None, notes), ""))


def _explained(exercise: Exercise, function: Callable[..., Any], attempts: list[Attempt], wrong: Attempt) -> Result:
    arguments, outcome, expected = wrong
    cause, came, should, edges, picture = known_mistake(exercise, attempts), "", "", "", ""
    line = outcome.line
    if isinstance(outcome.error, TimeUp):
        came = f"still running after {exercise.seconds:g} s, and was stopped"
        cause = _or(cause, "no end", "A loop that never ends? Look at what changes its condition.")
    elif outcome.error is not None:
        came = f"your code stopped with {type(outcome.error).__name__}: {short(outcome.error)}"
        cause = _or(cause, type(outcome.error).__name__, advice_on(outcome.error, arguments))
    elif outcome.value is None and expected.value is not None:
        came, line = "None", trace(function, arguments)[1] or first_line(function)
        text = "The function ends without a return statement, or returns the result of something that changes in place."
        cause = Cause("no return", text)
    elif outcome.changed:
        line = trace(function, arguments)[0] or first_line(function)
        came = f"your function changes its input {', '.join(outcome.changed)}"
        text = "Work on a copy, or write the step so that it makes a new array; the caller still needs the old one."
        cause = Cause("input changed", text)
    else:
        came, should = describe(outcome.value), describe(expected.value)
        if is_small_graph(expected.value) and is_small_graph(outcome.value, like=expected.value):
            edges = in_words(numbers(outcome.value), numbers(expected.value))
            picture = beside(numbers(outcome.value), numbers(expected.value))
        if not cause.message:
            cause = found_out(exercise, function, attempts, wrong)
    return failed(
        exercise,
        function,
        arguments,
        came,
        cause.message,
        mistake=cause.mistake,
        should=should,
        line=line,
        edges=edges,
        picture=picture,
    )


def _or(cause: Cause, mistake: str, message: str) -> Cause:
    return cause if cause.message else Cause(mistake, message)
