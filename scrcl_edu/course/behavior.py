"""What a wrong function does when its arguments change, beside what the right one does.

An argument that is not read, one that must not be read, names or an order of rows that make a difference, a scale that
makes none: nobody has to write these mistakes down for each exercise. Both functions are called again with arguments
that were changed in one way, and what they do is compared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp

from scrcl_edu.course.calling import Outcome, call
from scrcl_edu.course.comparing import kind, numbers

Arguments = dict[str, Any]
Function = Callable[..., Any]


class Change(NamedTuple):
    """Arguments changed in one way: the clause that says how, and how a result of the old ones turns into the new."""

    words: str
    arguments: Arguments
    turned: Callable[[Any], Any] = lambda result: result


def dependence(reference: Function, function: Function, cases: list[Arguments]) -> tuple[str, str]:
    """Find an argument that is read and must not be, or is not read and must be.

    Parameters
    ----------
    reference, function
        The right function and the learner's.
    cases
        Sets of arguments.

    Returns
    -------
    Short name, and a clause that goes on after "your result"; two empty texts when there is none.
    """
    for name in cases[0]:
        tried = [
            (arguments, arguments | {name: other})
            for seed, arguments in enumerate(cases)
            for other in _others(arguments[name], np.random.default_rng(seed))
        ]
        ours, theirs = (_changes(one, tried) for one in (reference, function))
        if len(tried) < 3 or len(ours) < len(tried) or not theirs:
            continue
        if any(theirs) and not any(ours):
            return f"reads {name}", f"changes with {name}, and the expected one never does: {name} is not to be used"
        if sum(ours) >= 2 and not any(theirs):
            return f"ignores {name}", f"never changes with {name}, and the expected one does"
    return "", ""


def _changes(function: Function, pairs: list[tuple[Arguments, Arguments]]) -> list[bool]:
    """Whether the result changes, for each pair of arguments that the function can take."""
    called = [(call(function, a), call(function, b)) for a, b in pairs]
    return [not a.same_as(b) for a, b in called if a.error is None and b.error is None]


def _others(value: Any, rng: np.random.Generator) -> Iterator[Any]:
    """The same argument with other contents of the same kind."""
    if isinstance(value, bool | str | dict) or value is None:
        return
    if isinstance(value, int | np.integer):
        yield from (value + 1, value - 1)
    elif isinstance(value, float | np.floating):
        yield from (1.7 * value, 0.6 * value)
    elif isinstance(value, list | tuple) and len(value) > 1:
        yield type(value)(value[i] for i in rng.permutation(len(value)))
    elif len(getattr(value, "shape", ())) in (1, 2) and value.shape[0] > 1:
        n = value.shape[0]
        yield _in_order(value, rng.permutation(n), both=_is_square(value))
        if not _is_square(value):  # what only counts does not mind another order, but it does mind other numbers
            yield _in_order(value, rng.integers(0, n, n), both=False)


def _is_square(value: Any) -> bool:
    shape = tuple(getattr(value, "shape", ()))
    return len(shape) == 2 and len(set(shape)) == 1 and shape[0] > 1


def _in_order(value: Any, order: np.ndarray, *, both: bool) -> Any:
    if sp.issparse(value):
        value = value.tocsr()
    return value[order][:, order] if both else value[order]


def symmetry(reference: Function, function: Function, cases: list[Arguments]) -> tuple[str, str]:
    """Find a change of the arguments that matters to one of two functions and not to the other; as `dependence`."""
    ways = list(zip(*(list(_symmetries(a, np.random.default_rng(n))) for n, a in enumerate(cases)), strict=False))
    for changes in ways if len(cases) > 1 else []:
        if len({change.words for change in changes}) > 1:
            continue
        ours, theirs = (_keeps(one, changes, cases) for one in (reference, function))
        if len(ours) < max(2, len(cases) / 2) or not theirs:
            continue
        words = changes[0].words
        if all(ours) and sum(theirs) <= len(theirs) / 2:
            if "another order" in words:
                return "order of rows", f"is not what it should be {words}: is the position of a row of any importance?"
            return "not invariant", f"changes {words}, and the expected one does not"
        if all(theirs) and not any(ours):
            return "invariant", f"does not change {words}, and the expected one does"
    return "", ""


def _keeps(function: Function, changes: tuple[Change, ...], cases: list[Arguments]) -> list[bool]:
    found = []
    for change, arguments in zip(changes, cases, strict=True):
        before, after = call(function, arguments), call(function, change.arguments)
        if before.error is None and after.error is None:
            found.append(after.same_as(Outcome(change.turned(before.value), changed=before.changed)))
    return found


def _symmetries(arguments: Arguments, rng: np.random.Generator) -> Iterator[Change]:
    """The same changes in the same order for every set of arguments of an exercise."""
    yield from _another_order(arguments, rng)
    for name, value in arguments.items():
        shape = getattr(value, "shape", ())
        if len(shape) == 1 and isinstance(value, np.ndarray) and value.dtype.kind in "iUO":
            names, codes = np.unique(value, return_inverse=True)
            yield Change(
                f"when the numbers or names in {name} are exchanged for one another",
                arguments | {name: names[np.roll(np.arange(len(names)), 1)][codes]},
            )
        if len(shape) in (1, 2) and "float" in str(value.dtype) and not _is_square(value) and not sp.issparse(value):
            for words, other in _scaled(name, value, rng):
                yield Change(words, arguments | {name: other})


def _another_order(arguments: Arguments, rng: np.random.Generator) -> Iterator[Change]:
    shaped = {name: value for name, value in arguments.items() if getattr(value, "shape", ())}
    if not shaped:
        return
    first = next(iter(shaped))
    n = shaped[first].shape[0]
    order = rng.permutation(n)
    given = {
        name: _in_order(value, order, both=_is_square(value))
        for name, value in shaped.items()
        if len(value.shape) < 3 and value.shape[0] == n
    }

    def turned(result: Any) -> Any:
        if getattr(result, "shape", (0,))[:1] != (n,):
            return result
        return _in_order(result, order, both=_is_square(result))

    yield Change(
        f"when the rows of {first} come in another order, and all that belongs to them", arguments | given, turned
    )


def _scaled(name: str, value: Any, rng: np.random.Generator) -> Iterator[tuple[str, Any]]:
    def like(array: np.ndarray) -> Any:
        return array if isinstance(value, np.ndarray) else value.new_tensor(array)

    n = value.shape[0]
    if len(value.shape) == 2:
        rows, columns = rng.uniform(0.5, 2, (n, 1)), rng.uniform(0.5, 2, (1, value.shape[1]))
        yield f"when each row of {name} is multiplied by a number of its own", value * like(rows)
        yield f"when each column of {name} is multiplied by a number of its own", value * like(columns)
        yield f"when a number of its own is added to each column of {name}", value + like(columns)
        yield f"when a number of its own is added to each row of {name}", value + like(rows)
    yield f"when all of {name} is doubled", value * 2
    yield f"when the same number is added to all of {name}", value + 0.5


def choice(attempts: list[tuple[Arguments, Outcome, Outcome]]) -> tuple[str, str]:
    """Say in which way a wrong choice, a single number or word, is wrong each time; as `dependence`.

    Parameters
    ----------
    attempts
        Arguments, what came out and what was expected, for each input on which the two differ.
    """
    values = [(outcome.value, expected.value) for _, outcome, expected in attempts]
    if not all(kind(x) in ("a number", "a string") for pair in values for x in pair):
        return "", ""
    if all(kind(x) == "a number" and float(x).is_integer() for pair in values for x in pair):
        for name, first in attempts[0][0].items():
            if np.ndim(first) == 1 and all(
                _ties(given[name], *pair) for (given, *_), pair in zip(attempts, values, strict=True)
            ):
                which = "first" if values[0][1] < values[0][0] else "last"
                return (
                    "tie",
                    f"is another place with the same value in {name}: of those that tie the {which} one is asked for",
                )
    if all(isinstance(x, str) for pair in values for x in pair):
        said, meant = ({pair[i] for pair in values} for i in (0, 1))
        if len(said) == 1:
            return "said too often", f"is {said.pop()!r} each time it is wrong: the condition for that holds too often"
        if len(meant) == 1:
            return (
                "said too rarely",
                f"should be {meant.pop()!r} each time it is wrong: the condition for that holds too rarely",
            )
    return "", ""


def _ties(values: Any, got: Any, expected: Any) -> bool:
    array = np.asarray(numbers(values))
    return all(0 <= place < len(array) for place in (got, expected)) and bool(array[int(got)] == array[int(expected)])
