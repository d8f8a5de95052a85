"""What an exercise is: the right answer, inputs to try it on, and the wrong answers that learners give."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Mutant:
    """A wrong answer that learners give, and what to tell them.

    Attributes
    ----------
    name
        Short name of the mistake.
    function
        The exercise, done wrong in this way.
    message
        What probably happened, without the solution.
    sign
        Whether a wrong result shows the mistake, given the result and the arguments. It finds the mistake in company:
        with another one beside it a result equals no mutant's. Signs are asked after all mutants, in their order.
    """

    name: str
    function: Callable[..., Any]
    message: str
    sign: Callable[[Any, dict[str, Any]], bool] | None = None


@dataclass(frozen=True)
class Exercise:
    """One function that a learner writes, and all that is needed to judge it.

    Attributes
    ----------
    name, lesson
        Name of the function and two digits of the lesson.
    reference
        The right answer: the package's own function under the exercise's signature.
    inputs
        Makes one set of arguments from a random generator, small enough to read.
    mutants
        Wrong answers, the likelier first.
    alternative
        Another right answer, written differently; the tests hold that it passes.
    hints
        Two steps; the third is always the solved lesson.
    tested, not_tested
        What a pass means, and what it does not.
    through
        How to call the function where a bare call does not show what matters.
    n_inputs, seconds
        Number of random inputs and the time limit for each.
    """

    name: str
    lesson: str
    reference: Callable[..., Any]
    inputs: Callable[[np.random.Generator], dict[str, Any]]
    mutants: tuple[Mutant, ...]
    alternative: Callable[..., Any]
    hints: tuple[str, ...]
    tested: str
    not_tested: str
    through: Callable[..., Any] | None = None
    n_inputs: int = 5
    seconds: float = 5.0

    def cases(self) -> list[dict[str, Any]]:
        """The random inputs, the same ones each time."""
        return [self.inputs(np.random.default_rng(seed)) for seed in range(self.n_inputs)]
