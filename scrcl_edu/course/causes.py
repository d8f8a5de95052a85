"""Why a result is wrong: a known mistake, a relation to the expected result, or what the function does otherwise."""

from __future__ import annotations

import contextlib
import math
import re
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from scrcl_edu.course.alterations import alteration
from scrcl_edu.course.behavior import choice, dependence, symmetry
from scrcl_edu.course.calling import Outcome, call
from scrcl_edu.course.comparing import comparable, difference, distance, kind, numbers, parts
from scrcl_edu.course.facts import told_apart
from scrcl_edu.course.relations import WEAK, relation_over_inputs
from scrcl_edu.course.task import Exercise, Mutant


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


def call_as(
    exercise: Exercise, function: Callable[..., Any], arguments: dict[str, Any], *, quiet: bool = True
) -> Outcome:
    """Call a function in the way of an exercise."""
    return call(function, arguments, through=exercise.through, seconds=exercise.seconds, quiet=quiet)


def known_mistake(exercise: Exercise, attempts: list[Attempt]) -> Cause:
    """The mutant that gives the same results, or fails as well, on every input."""
    for mutant in exercise.mutants:
        some = False
        for given, outcome, _ in attempts:
            theirs = call_as(exercise, mutant.function, given)
            same = theirs.same_as(outcome)
            # A shape error is worded differently for every way to write the same mistake.
            if not same and (theirs.error is None or outcome.error is None):
                break
            some = some or same
        else:
            if some:
                return Cause(mutant.name, mutant.message)
    return UNKNOWN


def _nearly_known(exercise: Exercise, attempts: list[Attempt]) -> Cause:
    """The wrong answer that comes far nearer to what came out than the right one: other digits, or another tie."""
    far = [_distance(outcome, expected) for _, outcome, expected in attempts]
    if not math.isfinite(sum(far)):
        return UNKNOWN
    share = 0.01 if any(np.asarray(numbers(one.value)).dtype.kind == "f" for _, _, one in attempts) else 0.15
    for mutant in exercise.mutants:
        answers = (call_as(exercise, mutant.function, given) for given, _, _ in attempts)
        near = (_distance(outcome, theirs) for (_, outcome, _), theirs in zip(attempts, answers, strict=True))
        if all(n <= share * (f or min(filter(None, far))) for n, f in zip(near, far, strict=True)):
            return Cause(mutant.name, mutant.message)
    return UNKNOWN


def _distance(outcome: Outcome, other: Outcome) -> float:
    return math.inf if outcome.error or other.error else distance(outcome.value, other.value)


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


def found_out(exercise: Exercise, function: Callable[..., Any], attempts: list[Attempt], wrong: Attempt) -> Cause:
    """What equals no mutant: a relation, the sign of a mistake in company, other arguments, a property it lacks."""
    related = _related(attempts)
    if related.message and not related.weak:
        return related
    shown = _nearly_known(exercise, attempts)
    if not shown.message:
        shown = _sign(exercise, attempts)
    if shown.message:
        return shown
    told = _clause(*choice([one for one in attempts if not one.outcome.same_as(one.expected)]))
    if told.mistake == "tie":
        return told
    if related.mistake == "not finite":
        return related
    # What is called through something else cannot be called as it stands; another kind or shape is said as such.
    again = exercise.through is None and all(comparable(one.outcome.value, one.expected.value) for one in attempts)
    alike = again and all(np.shape(one.outcome.value) == np.shape(one.expected.value) for one in attempts)
    pair, cases = (exercise.reference, function), [attempt.arguments for attempt in attempts[:4]]
    found = _clause(*alteration(exercise.reference, list(_wrong_first(attempts)))) if again else UNKNOWN
    if related.mistake == "constant" and not found.message:
        return related
    if alike and not found.message:
        found = _clause(*dependence(*pair, cases))
    if found.message:
        return found
    lacking = next((one for one in exercise.properties if not _true(one.holds, wrong.outcome, wrong.arguments)), None)
    if lacking:
        return Cause(lacking.name, lacking.message)
    fact = told_apart(_arrays(attempts)) if alike or exercise.through is not None else ""
    if fact:
        return Cause(fact.split(",")[0], f"Your result {fact}.")
    if related.mistake == "not symmetric":
        return related
    found = _clause(*symmetry(*pair, cases)) if alike else UNKNOWN
    return next((one for one in (found, told, related) if one.message), _of_one(attempts, wrong))


def _clause(name: str, words: str) -> Cause:
    """A cause from a short name and a clause that goes on after "your result"; unknown when both are empty."""
    return Cause(name, f"Your result {words}{'' if words.endswith('?') else '.'}") if name else UNKNOWN


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


def advice_on(error: BaseException, arguments: dict[str, Any]) -> str:
    """What to look at when an error came out."""
    if isinstance(error, KeyError):
        return f"Something was asked for {short(error)}, which it does not hold. Which names does it have?"
    if isinstance(error, IndexError):
        return "A place was asked for that is not there: n entries have the places 0 to n - 1. Print the two sizes."
    if isinstance(error, NameError):
        return f"{short(error)}: nothing of that name is known here. Was the cell that makes it run?"
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


def short(error: BaseException) -> str:
    """The first line of an error's message."""
    lines = str(error).strip().split("\n")
    return lines[0][:300] if lines[0] else "no message"


def _sentence(text: str | None) -> str:
    return f"{text[0].upper()}{text[1:]}" if text else "The same function gave different results when called again."
