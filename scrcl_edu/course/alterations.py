"""What a right function would give for other arguments: a wrong result is often the right one for these.

One step too many, an argument that is not used, two that are swapped, a sign that is turned: nobody has to write these
mistakes down for each exercise. The reference is called with altered arguments, and the result compared.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from itertools import combinations, permutations
from typing import Any

import numpy as np
import scipy.sparse as sp

from scrcl_edu.course.calling import Outcome, call
from scrcl_edu.course.comparing import difference, kind

Arguments = dict[str, Any]


def altered(arguments: Arguments) -> Iterator[tuple[str, str, Arguments]]:
    """All single alterations of arguments: a short name, words that go on after "your result", and the arguments."""
    for name, value in arguments.items():
        for short, words, other in _others(name, value):
            yield short, f"is the right one {words}", arguments | {name: other}
    for first, second in combinations(arguments, 2):
        a, b = arguments[first], arguments[second]
        if kind(a) == kind(b) and getattr(a, "shape", ()) == getattr(b, "shape", ()) and kind(a) != "a string":
            words = f"is the right one with {first} and {second} exchanged"
            yield "swapped arguments", words, arguments | {first: b, second: a}
            for kept, other in ((first, second), (second, first)):
                words = f"is the right one with {kept} in the place of {other} as well: is {other} used?"
                yield "one for both", words, arguments | {other: arguments[kept]}
    yield from _orders(arguments)


def _orders(arguments: Arguments) -> Iterator[tuple[str, str, Arguments]]:
    """All orders of the arguments that are single floating-point numbers, when there are three to five."""
    names = [name for name, value in arguments.items() if isinstance(value, float)]
    for order in permutations(names) if 3 <= len(names) <= 5 else ():
        taken = dict(zip(names, (arguments[name] for name in order), strict=True))
        if list(order) != names:
            words = f"is the right one with {', '.join(order)} in the places of {', '.join(names)}"
            yield "arguments in another order", words, arguments | taken


def _others(name: str, value: Any) -> Iterator[tuple[str, str, Any]]:
    if isinstance(value, bool | str) or value is None:
        return
    if isinstance(value, int | np.integer):
        yield "one more", f"with {name} one larger", value + 1
        yield "one less", f"with {name} one smaller", value - 1
    elif isinstance(value, float | np.floating):
        yield "turned round", f"with one divided by {name} in its place", 1 / value if value else value
        yield "not used", f"with a {name} of 1: is {name} used?", 1.0
        yield "not used", f"with a {name} of 0: is {name} used?", 0.0
        yield "sign turned", f"with the sign of {name} turned", -value
        yield "used twice", f"with {name} squared: does it enter two times?", float(value) ** 2
        yield "root taken", f"with the root of {name} in its place", abs(float(value)) ** 0.5
        yield "half", f"with half of {name}", value / 2
        yield "double", f"with twice {name}", value * 2
    elif _numeric(value):
        yield "not used", f"if {name} were zero everywhere: is {name} used?", value * 0
        yield "sign turned", f"with the sign of {name} turned", -value
        yield "used twice", f"with twice {name}: does it enter two times?", value * 2
        yield from _prepared(name, value)
        if value.ndim == 2 and value.shape[1] > 1 and not sp.issparse(value):
            yield "one column", f"if {name} had its first column only", value[:, :1]
        if value.ndim == 2 and value.shape[0] == value.shape[1]:
            yield "not used", f"if {name} joined everyone with everyone: is {name} used?", _everyone(value)
            turned = value.T.tocsr() if sp.issparse(value) else value.T
            yield "turned", f"with {name} transposed: which of its axes is which?", turned


def _prepared(name: str, value: Any) -> Iterator[tuple[str, str, Any]]:
    """An argument after a step that was not asked for."""
    if value.ndim == 2 and value.shape[0] == value.shape[1]:
        own = sp.identity(value.shape[0], format="csr") if sp.issparse(value) else _identity(value)
        yield "self-loops added", f"with self-loops added to {name}, on top of those that it may have", value + own
        yield (
            "self-loops removed",
            f"with self-loops taken away from {name}: does a node count for itself?",
            value - own,
        )
        return
    if sp.issparse(value):
        return
    if value.ndim == 2 and value.shape[1] > 1:
        for axis, line in ((1, "row"), (0, "column")):
            length, total = (value * value).sum(axis, keepdims=True) ** 0.5, value.sum(axis, keepdims=True)
            each = f"with each {line} of {name}"
            yield "scaled first", f"{each} scaled to length 1 first", value / length
            yield "scaled first", f"{each} divided by its sum first", value / total
            yield "centered first", f"{each} less its mean", value - total / value.shape[axis]
            exponential = getattr(value, "exp", lambda: np.exp(value))()
            yield (
                "softmax first",
                f"with a softmax along {each[5:]} first",
                exponential / exponential.sum(axis, keepdims=True),
            )
    yield "squared first", f"with the entries of {name} squared first", value * value
    yield "without signs", f"with the signs of {name} taken off first", abs(value)
    yield "cut at zero", f"with the negative entries of {name} set to 0 first", value * (value > 0)
    for word in ("exp", "log1p", "expm1", "sqrt", "log"):
        given = getattr(value, word)() if hasattr(value, word) else getattr(np, word)(value)
        yield f"{word} first", f"with {word} of {name} in its place", given


def _identity(value: Any) -> Any:
    own = value * 0
    own[range(len(own)), range(len(own))] = 1
    return own


def _everyone(graph: Any) -> Any:
    """The graph of the same kind in which all pairs are joined, without self-loops."""
    if sp.issparse(graph):
        return sp.csr_matrix(np.ones(graph.shape) - np.eye(graph.shape[0]))
    joined = graph * 0 + 1
    joined[range(len(joined)), range(len(joined))] = 0
    return joined


def _numeric(value: Any) -> bool:
    dtype = str(getattr(value, "dtype", ""))
    return "float" in dtype and hasattr(value, "ndim")


def alteration(reference: Callable[..., Any], attempts: list[tuple[Arguments, Outcome, Outcome]]) -> tuple[str, str]:
    """Find the alteration under which the reference gives what came out, on every input.

    Parameters
    ----------
    reference
        The right function.
    attempts
        Arguments, what came out and what was expected, for each input; first one on which the two differ.

    Returns
    -------
    Short name, and a clause that goes on after "your result"; two empty texts when there is none.
    """
    if _says_little(attempts):
        return "", ""
    found = _of_one(reference, *attempts[0])
    for arguments, outcome, expected in attempts[1:]:
        if not found:
            break
        right = difference(outcome.value, expected.value) is None
        here = _of_one(reference, arguments, outcome, expected, only=set(found))
        found = {key: words for key, words in found.items() if key in here or (right and key[0] != "as it came")}
    return (next(iter(found))[0], next(iter(found.values()))) if found else ("", "")


def _says_little(attempts: list[tuple[Arguments, Outcome, Outcome]]) -> bool:
    """Whether all wrong results are one and the same word or whole number, which many alterations give by chance."""
    wrong = [outcome.value for _, outcome, expected in attempts if not _equal(outcome.value, expected.value)]
    few = all(isinstance(value, bool | int | str | np.integer) for value in wrong)
    return few and len({str(value) for value in wrong}) < 2


def _of_one(
    reference: Callable[..., Any],
    arguments: Arguments,
    outcome: Outcome,
    expected: Outcome,
    *,
    only: set[tuple[str, str]] | None = None,
) -> dict[tuple[str, str], str]:
    found = {}
    for name, value in arguments.items():
        if kind(value) == kind(outcome.value) and _equal(value, outcome.value):
            found["as it came", name] = f"is {name} as it came in: nothing was done to it"
        elif getattr(value, "ndim", 0) == 2 and kind(value) == kind(outcome.value) and _equal(value.T, outcome.value):
            found["as it came", name] = f"is {name}, turned over: nothing else was done to it"
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        alterations = list(altered(arguments))
    for short, words, other in alterations:
        if only is None or (short, words) in only:
            theirs = call(reference, other)
            if theirs.error is None and _equal(theirs.value, outcome.value):
                found[short, words] = words
    for name, value in arguments.items():
        if kind(value) == kind(expected.value) and getattr(value, "shape", 0) == getattr(expected.value, "shape", 1):
            again = call(reference, arguments | {name: expected.value})
            if again.error is None and _equal(again.value, outcome.value):
                found["twice", name] = "is that of the function applied twice, one after the other"
    return {key: words for key, words in found.items() if not _equal(outcome.value, expected.value)}


def _equal(a: Any, b: Any) -> bool:
    return difference(a, b) is None
