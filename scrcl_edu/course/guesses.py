"""The shapes of a guess: a number, a choice, an order; how near one is, and what a wrong one usually means."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Verdict:
    """How a guess did: whether it was near, and what that means in words."""

    near: bool
    text: str


@dataclass(frozen=True, kw_only=True)
class Number:
    """A guess that is a number.

    Attributes
    ----------
    near
        How far off a good guess may be; with `factor` by how many times.
    low, high
        The range; both given make a slider of it.
    too_low, too_high
        What a guess usually means that is further off.
    right
        What a good guess has understood.
    factor
        Judge the ratio instead of the difference, for numbers that may be of any size.
    form
        How numbers are written, such as ".2f" or ".0%".
    unit
        Written behind the number.
    """

    near: float
    too_low: str
    too_high: str
    right: str = ""
    low: float | None = None
    high: float | None = None
    factor: bool = False
    form: str = ".2g"
    unit: str = ""

    @property
    def asks(self) -> str:
        """What may be guessed, in words."""
        ends = (("at least", self.low), ("at most", self.high))
        given = [f"{word} {self.write(end)}" for word, end in ends if end is not None]
        if len(given) == 2:
            return f"a number from {self.write(self.low)} to {self.write(self.high)}"
        return ", ".join(["a number", *given])

    @property
    def example(self) -> str:
        """A guess as it would be typed."""
        if self.low is not None and self.high is not None:
            return f"{(self.low + self.high) / 2:g}"
        return f"{10 if self.low is None else self.low + 10:g}"

    def read(self, guess: Any) -> float:
        """Understand a guess.

        Raises
        ------
        ValueError
            When it is no number or out of the range.
        """
        if isinstance(guess, str):
            percent, guess = guess.strip().endswith("%"), guess.strip().rstrip("%")
            value = float(guess) / (100 if percent else 1)
        else:
            value = float(guess)
        low, high = (-math.inf if self.low is None else self.low), (math.inf if self.high is None else self.high)
        if not (math.isfinite(value) and low <= value <= high):
            raise ValueError("out of range")
        return value

    def write(self, value: Any) -> str:
        """A guess or a truth in words."""
        return f"{float(value):{self.form}}{' ' if self.unit else ''}{self.unit}"

    def judge(self, guess: float, truth: Any) -> Verdict:
        """Compare a guess with the truth."""
        truth = float(truth)
        if self.factor and guess > 0 and truth > 0:
            near = max(guess / truth, truth / guess) <= self.near
        else:
            near = abs(guess - truth) <= self.near
        if near:
            return Verdict(True, self.right)
        return Verdict(False, self.too_low if guess < truth else self.too_high)


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A guess that is one of several answers.

    Attributes
    ----------
    options
        The answers, in the order in which they are shown.
    means
        What a guess usually means that is not the truth, by option.
    right
        What a right guess has understood.
    """

    options: Sequence[str]
    means: Mapping[str, str]
    right: str = ""

    @property
    def letters(self) -> dict[str, str]:
        """The options by letter."""
        return {chr(ord("a") + i): option for i, option in enumerate(self.options)}

    @property
    def asks(self) -> str:
        """What may be guessed, in words."""
        return "; ".join(f"{letter}) {option}" for letter, option in self.letters.items())

    @property
    def example(self) -> str:
        """A guess as it would be typed."""
        return '"a"'

    def read(self, guess: Any) -> str:
        """Understand a guess, a letter or the option itself; see :meth:`Number.read`."""
        said = str(guess).strip().lower()
        for letter, option in self.letters.items():
            if said.rstrip(")") == letter or said == option.lower():
                return option
        raise ValueError("no such option")

    def write(self, value: Any) -> str:
        """A guess or a truth in words."""
        return str(value)

    def judge(self, guess: str, truth: Any) -> Verdict:
        """Compare a guess with the truth."""
        if guess == self.read(truth):
            return Verdict(True, self.right)
        return Verdict(False, self.means.get(guess, ""))


@dataclass(frozen=True, kw_only=True)
class Order:
    """A guess that puts things in order.

    Attributes
    ----------
    items
        The things, in the order in which they are shown.
    by
        From what to what, such as "from the smallest to the largest".
    means
        What a guess usually means that puts the first of a pair before the second where the truth does not.
    right
        What a right guess has understood.
    """

    items: Sequence[str]
    by: str
    means: Mapping[tuple[str, str], str] = field(default_factory=dict)
    right: str = ""

    @property
    def asks(self) -> str:
        """What may be guessed, in words."""
        return f"{', '.join(self.items)}; {self.by}"

    @property
    def example(self) -> str:
        """A guess as it would be typed."""
        return "[" + ", ".join(f'"{item}"' for item in self.items) + "]"

    def read(self, guess: Any) -> list[str]:
        """Understand a guess, a list or a text with commas or signs between; see :meth:`Number.read`."""
        parts = re.split(r"\s*[,<>]\s*", guess) if isinstance(guess, str) else list(guess)
        known = {item.lower(): item for item in self.items}
        found = [known.get(str(part).strip().lower(), "") for part in parts]
        if sorted(found) != sorted(self.items):
            raise ValueError("not an order of all items")
        return found

    def write(self, value: Any) -> str:
        """A guess or a truth in words."""
        return ", ".join(map(str, value))

    def judge(self, guess: Sequence[str], truth: Any) -> Verdict:
        """Compare a guess with the truth."""
        place = {item: i for i, item in enumerate(self.read(truth))}
        swapped = [(a, b) for i, a in enumerate(guess) for b in guess[i + 1 :] if place[a] > place[b]]
        if not swapped:
            return Verdict(True, self.right)
        n_pairs = len(guess) * (len(guess) - 1) // 2
        said = f"{n_pairs - len(swapped)} of {n_pairs} pairs stand in the right order."
        means = next((self.means[pair] for pair in swapped if pair in self.means), "")
        return Verdict(False, f"{said} {means}".strip())


Shape = Number | Choice | Order
