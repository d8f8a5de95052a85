"""How what came out is related to what was expected, in words.

Each relation is a small function of the two arrays that gives a clause such as "is 2 times the expected result", or
None. They are asked in order, the exact and special ones before the general ones, so that the first that holds on every
input explains most.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np

from scrcl_edu.course.related_places import PLACES
from scrcl_edu.course.related_values import SCALED, VALUES, ratio_of

Pair = tuple[np.ndarray, np.ndarray]
Related = Mapping[str, Callable[[np.ndarray, np.ndarray], str | None]]
RELATIONS: Related = {**VALUES, **PLACES, **SCALED}


@dataclass(frozen=True)
class Relation:
    """A relation that was found: its name, a clause that goes on after "your result", and whether the very same clause
    holds on every input."""

    name: str
    text: str
    everywhere: bool = True

    @property
    def sentence(self) -> str:
        """The clause as a sentence."""
        return f"Your result {self.text}{'' if self.text.endswith('?') else '.'}"


# What these say is true and rarely the cause; they are said when nothing else is known.
WEAK = frozenset(
    "few rows|where zero|too many or too few|not symmetric|values only|same order|factor per row and column|"
    "offset per row|offset per column|affine|power|not finite|constant".split("|")
)


def relation(got: np.ndarray, expected: np.ndarray) -> Relation | None:
    """Find how one array differs from another one; None when no relation is known or both are equal."""
    return relation_over_inputs([(got, expected)])


def relation_over_inputs(pairs: Sequence[Pair], sizes: Sequence[dict[str, int]] = ()) -> Relation | None:
    """Find the relation between what came out and what was expected that holds on every input.

    Parameters
    ----------
    pairs
        What came out and what was expected, for each input.
    sizes
        For each input the sizes of its arguments by what they count, to give a factor its name.

    Returns
    -------
    The first relation that holds wherever the two differ, or None.
    """
    pairs = [(np.asarray(got), np.asarray(expected)) for got, expected in pairs]
    if any(array.dtype.kind not in "biuf" for pair in pairs for array in pair):
        return None
    differ = [not _same(*pair) for pair in pairs]
    wrong = [pair for pair, different in zip(pairs, differ, strict=True) if different]
    if not wrong:
        return None
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        if sizes and (
            found := _named_factor(wrong, [s for s, different in zip(sizes, differ, strict=True) if different])
        ):
            return found
        if all(got.size == expected.size == 1 for got, expected in pairs):
            if len(pairs) < 3:
                return None
            # One number says little; those of all inputs together are a vector.
            wrong = [(np.array([got.item() for got, _ in pairs]), np.array([expected.item() for _, expected in pairs]))]
            among: Related = {name: one for name, one in VALUES.items() if "cut off" not in name}
        else:
            among = RELATIONS if all(got.shape == expected.shape for got, expected in wrong) else PLACES
        for name, related in among.items():
            texts = [text for pair in wrong if (text := related(*pair))]
            if len(texts) == len(wrong):
                same = len(set(texts)) == 1
                text = texts[0] if same else f"{texts[0]} (on one input; the others have their own)"
                return Relation(name, text, everywhere=same)
    return None


def _same(got: np.ndarray, expected: np.ndarray) -> bool:
    return got.shape == expected.shape and bool(np.allclose(got, expected, rtol=1e-6, atol=1e-12, equal_nan=True))


def _named_factor(pairs: list[Pair], sizes: list[dict[str, int]]) -> Relation | None:
    """A factor that is not the same number for every input but the same size of the input, such as its rows."""
    ratios = [ratio_of(*pair) if pair[0].any() else 0.0 for pair in pairs]
    known = [ratio for ratio in ratios if ratio is not None]
    if len(pairs) < 2 or len(known) < len(pairs) or not any(known) or np.ptp(known) < 1e-6 * abs(known[0]):
        return None
    plain = {name: np.array([one[name] for one in sizes], dtype=float) for name in sizes[0]}
    counted: dict[str, np.ndarray] = {}
    for name, n in plain.items():
        counted |= {
            name: n,
            f"{name}, less one": n - 1,
            f"the root of {name}": np.sqrt(n),
            f"the square of {name}": n**2,
            f"n / (n - 1), n being {name}": n / np.maximum(n - 1, 1e-9),
        }
    for words, value in counted.items():
        if np.allclose(known, value, rtol=1e-4):
            return Relation("factor of a size", f"is the expected one times {words}: a sum where a mean is asked for?")
        if np.allclose(known, 1 / value, rtol=1e-4):
            return Relation(
                "factor of a size", f"is the expected one divided by {words}: a mean where a sum is asked for?"
            )
    for (a, over), (b, under) in permutations(plain.items(), 2):
        if (under > 0).all() and np.allclose(known, over / under, rtol=1e-4):
            return Relation(
                "quotient of sizes",
                f"is the expected one times {a} and divided by {b}: which is summed over, which averaged?",
            )
    return None
