"""Checks that name the mistake: a learner's function beside the package's own, on small random inputs.

Each exercise knows wrong answers (mutants). When a learner's result equals a mutant's, its message is the likely cause;
when it equals none, the relation between what came out and what was expected is said in words.
"""

from __future__ import annotations

import contextlib
import inspect
import re
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from scrcl_edu.course.alterations import alteration
from scrcl_edu.course.calling import Outcome, TimeUp, call, first_line, trace
from scrcl_edu.course.comparing import comparable, describe, difference, kind, numbers, parts, rounded
from scrcl_edu.course.events import Event, tell
from scrcl_edu.course.facts import told_apart
from scrcl_edu.course.finding import find, find_exercise
from scrcl_edu.course.graph_picture import beside, in_words, is_small_graph
from scrcl_edu.course.measuring import cost_slip, gradient_slip
from scrcl_edu.course.relations import WEAK, relation_over_inputs
from scrcl_edu.course.showing import publish
from scrcl_edu.course.task import Exercise, Mend, Mutant
from scrcl_edu.course.verdicts import Result, failed, not_started, passed, raise_while_grading, signature


class Attempt(NamedTuple):
    """One input, what a learner's function made of it, and what was expected."""

    arguments: dict[str, Any]
    outcome: Outcome
    expected: Outcome


class Cause(NamedTuple):
    """The short name of a mistake, what to tell about it, and whether it is true but rarely what was done."""

    mistake: str
    message: str
    weak: bool = False


UNKNOWN = Cause("", "")


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
        outcome = _call(exercise, function, arguments, quiet=number > 0)
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


def _call(
    exercise: Exercise, function: Callable[..., Any], arguments: dict[str, Any], *, quiet: bool = True
) -> Outcome:
    return call(function, arguments, through=exercise.through, seconds=exercise.seconds, quiet=quiet)


def _as_given(exercise: Mend, attempt: Attempt) -> bool:
    return _call(exercise, exercise.faulty, attempt.arguments).same_as(attempt.outcome)


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
    cause, came, should, edges, picture = _known_mistake(exercise, attempts), "", "", "", ""
    line = outcome.line
    if isinstance(outcome.error, TimeUp):
        came = f"still running after {exercise.seconds:g} s, and was stopped"
        cause = _or(cause, "no end", "A loop that never ends? Look at what changes its condition.")
    elif outcome.error is not None:
        came = f"your code stopped with {type(outcome.error).__name__}: {_short(outcome.error)}"
        cause = _or(cause, type(outcome.error).__name__, _advice_on(outcome.error, arguments))
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
            cause = _found_out(exercise, attempts, wrong)
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


def _known_mistake(exercise: Exercise, attempts: list[Attempt]) -> Cause:
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
                return Cause(mutant.name, mutant.message)
    return UNKNOWN


def _sign(exercise: Exercise, attempts: list[Attempt]) -> Cause:
    wrong = [(outcome, given) for given, outcome, expected in attempts if not outcome.same_as(expected)]
    for mutant in exercise.mutants:
        if mutant.sign is not None and all(shows(mutant, outcome, given) for outcome, given in wrong):
            return Cause(mutant.name, mutant.message)
    return UNKNOWN


def shows(mutant: Mutant, outcome: Outcome, arguments: dict[str, Any]) -> bool:
    """Whether a result carries a mutant's sign; a result of a kind that the sign cannot read does not."""
    return mutant.sign is not None and _true(mutant.sign, outcome, arguments)


def _true(condition: Callable[[Any, dict[str, Any]], bool], outcome: Outcome, arguments: dict[str, Any]) -> bool:
    if outcome.error is not None or outcome.changed:
        return False
    with contextlib.suppress(Exception), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return bool(condition(outcome.value, arguments))
    return False


def _related(attempts: list[Attempt]) -> Cause:
    """The relation between what came out and what was expected that holds on every input, if there is one."""
    if any(outcome.error is not None for _, outcome, _ in attempts):
        return UNKNOWN
    taken = [parts(outcome.value, expected.value) for _, outcome, expected in attempts]
    if any(text for text, _ in taken):
        return UNKNOWN
    sizes = [_sizes(arguments) for arguments, _, _ in attempts]
    for leaves in zip(*(leaves for _, leaves in taken), strict=True):  # one part of the result, over all inputs
        if not all(comparable(got, expected) for got, expected, _ in leaves):
            return UNKNOWN
        pairs = [(numbers(got), numbers(expected)) for got, expected, _ in leaves]
        found = relation_over_inputs(pairs, sizes if len(sizes) == len(pairs) else ())
        if found:
            part = leaves[0][2]
            message = found.sentence if part == "the result" else f"{_sentence(part)} {found.text}."
            return Cause(found.name, message, weak=found.name in WEAK or not found.everywhere)
        if any(difference(got, expected) for got, expected, _ in leaves):
            return UNKNOWN
    return UNKNOWN


def _sizes(arguments: dict[str, Any]) -> dict[str, int]:
    shaped = {name: value.shape for name, value in arguments.items() if getattr(value, "shape", ())}
    counts = {
        f"the number of {line} of {name}": size
        for name, shape in shaped.items()
        for line, size in zip(("rows", "columns") if len(shape) > 1 else ("entries",), shape, strict=False)
    }
    return counts | {name: value for name, value in arguments.items() if type(value) is int}


def _found_out(exercise: Exercise, attempts: list[Attempt], wrong: Attempt) -> Cause:
    """What equals no mutant: a relation, the sign of a mistake in company, other arguments, a property it lacks."""
    related = _related(attempts)
    if related.message and not related.weak:
        return related
    shown = _sign(exercise, attempts)
    if shown.message:
        return shown
    if exercise.through is None:
        name, words = alteration(exercise.reference, list(_wrong_first(attempts)))
        if name:
            return Cause(name, f"Your result {words}{'' if words.endswith('?') else '.'}")
    lacking = next((one for one in exercise.properties if not _true(one.holds, wrong.outcome, wrong.arguments)), None)
    if lacking:
        return Cause(lacking.name, lacking.message)
    fact = told_apart(_arrays(attempts))
    if fact:
        return Cause(fact.split(",")[0], f"Your result {fact}.")
    return related if related.message else _of_one(attempts, wrong)


def _arrays(attempts: list[Attempt]) -> list[tuple[np.ndarray, np.ndarray]]:
    """What came out and what was expected where the two differ, as arrays; none when they are not of one kind."""
    pairs = [(outcome.value, expected.value) for _, outcome, expected in attempts if not outcome.same_as(expected)]
    alike = all(comparable(*pair) and kind(pair[1]) not in ("a dictionary", "a list", "a tuple") for pair in pairs)
    return [(numbers(a), numbers(b)) for a, b in pairs] if alike else []


def _wrong_first(attempts: list[Attempt]) -> list[Attempt]:
    return sorted(attempts, key=lambda attempt: attempt.outcome.same_as(attempt.expected))


def _of_one(attempts: list[Attempt], wrong: Attempt) -> Cause:
    text = _sentence(difference(wrong.outcome.value, wrong.expected.value))
    n_right = sum(attempt.outcome.same_as(attempt.expected) for attempt in attempts)
    right = f" {n_right} of {len(attempts)} inputs came out right: what is special about this one?" if n_right else ""
    return Cause("", text + right)


def _advice_on(error: BaseException, arguments: dict[str, Any]) -> str:
    if isinstance(error, KeyError):
        return f"Something was asked for {_short(error)}, which it does not hold. Which names does it have?"
    if isinstance(error, IndexError):
        return "A place was asked for that is not there: n entries have the places 0 to n - 1. Print the two sizes."
    if isinstance(error, NameError):
        return f"{_short(error)}: nothing of that name is known here. Was the cell that makes it run?"
    if re.search(r"truth value|no loop matching", str(error)):
        return (
            "An array was asked for one truth value. Entry by entry it is & and |, or np.where. NumPy's functions, "
            "such as np.maximum, do not understand a sparse matrix; it has methods of its own."
        )
    if re.search(r"exponent must be|last 2 dimensions .* square|Last 2 dimensions", str(error)):
        return (
            "A sum over a sparse matrix is a NumPy matrix, for which ** is the power of a matrix. Make a vector of it "
            "first: np.asarray(d).ravel()."
        )
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
