"""What a lesson asks: functions to write, faults to mend, predictions, transfer and explanations.

A task is data: what is asked, what is right, and what wrong answers usually mean. How each kind is declared, with an
example, is told in :mod:`scrcl_edu.course.tasks`; the modules `checking`, `predicting`, `transferring` and
`explaining` judge them.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from scrcl_edu.course.guesses import Shape


@dataclass(frozen=True, kw_only=True)
class Task:
    """What all kinds of task have.

    Attributes
    ----------
    name, lesson
        Name, which the lesson uses, and two digits of the lesson.
    text
        What is asked, in a sentence or two.
    difficulty, minutes
        From 1 to 3, and how long it takes.
    """

    kind: ClassVar[str]

    name: str
    lesson: str
    text: str = ""
    difficulty: int
    minutes: int

    @property
    def effort(self) -> str:
        """Difficulty and time in words."""
        return f"difficulty {self.difficulty} of 3, about {self.minutes} minute{'s' if self.minutes > 1 else ''}"


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
class Property:
    """Something that holds for every right answer, whichever way it was found.

    Attributes
    ----------
    name
        What holds, in a few words.
    holds
        Given the answer (or the function's result) and the data (or the arguments); for a function of a transfer task
        the data hold `megabytes` as well, the most memory that Python and NumPy held while it ran.
    message
        What to tell when it does not hold, without the solution.
    wrong
        An answer that breaks this property, made from the visible data as a solution is; the tests give it.
    """

    name: str
    holds: Callable[[Any, dict[str, Any]], bool]
    message: str
    wrong: Callable[..., Any] | None = None


@dataclass(frozen=True)
class Cost:
    """What a right but expensive answer is measured by.

    Attributes
    ----------
    arguments
        Makes arguments large enough for the difference to show.
    n_entries
        Entries of the largest tensor that may be made, given these arguments.
    n_operations
        Number of torch operations that may be called, given these arguments.
    message
        What to tell when it is more.
    """

    arguments: Callable[[np.random.Generator], dict[str, Any]]
    n_entries: Callable[[dict[str, Any]], int]
    n_operations: Callable[[dict[str, Any]], int]
    message: str


@dataclass(frozen=True, kw_only=True)
class Exercise(Task):
    """One function that a learner writes, and all that is needed to judge it.

    Attributes
    ----------
    reference
        The right answer: the package's own function under the exercise's signature.
    inputs
        Makes one set of arguments from a random generator, small enough to read.
    edge_cases
        Further arguments that the docstring allows and random ones rarely hold: a lone node, an empty row, a tie.
    mutants
        Wrong answers, the likelier first.
    properties
        What every right result has; asked for the cause when a result equals no mutant's.
    alternative
        Another right answer, written differently; the tests hold that it passes.
    hints
        Two steps; the third is always the worked lesson.
    tested, not_tested
        What a pass means, and what it does not.
    through
        How to call the function where a bare call does not show what matters.
    gradient
        Names of the tensors by which the result is differentiated; the gradients are compared as well.
    cost
        Where an answer may be right and too expensive.
    n_inputs, seconds
        Number of random inputs and the time limit for each.
    """

    kind: ClassVar[str] = "check"

    reference: Callable[..., Any]
    inputs: Callable[[np.random.Generator], dict[str, Any]]
    mutants: tuple[Mutant, ...]
    alternative: Callable[..., Any]
    hints: tuple[str, ...]
    tested: str
    not_tested: str
    edge_cases: tuple[dict[str, Any], ...] = ()
    properties: tuple[Property, ...] = ()
    through: Callable[..., Any] | None = None
    gradient: tuple[str, ...] = ()
    cost: Cost | None = None
    n_inputs: int = 5
    seconds: float = 5.0

    def __post_init__(self) -> None:
        if not self.text:
            object.__setattr__(self, "text", (inspect.getdoc(self.reference) or "").split("\n\n")[0])

    def cases(self) -> list[dict[str, Any]]:
        """The random inputs, the same ones each time, and the edge cases after them."""
        return [self.inputs(np.random.default_rng(seed)) for seed in range(self.n_inputs)] + list(self.edge_cases)


@dataclass(frozen=True, kw_only=True)
class Mend(Exercise):
    """A function with a fault that the learner finds and mends; judged as an exercise.

    Attributes
    ----------
    faulty
        The code as the lesson gives it.
    symptom
        What is still wrong with it, as one would notice it, without the cause.
    """

    kind: ClassVar[str] = "mend"

    faulty: Callable[..., Any]
    symptom: str


@dataclass(frozen=True, kw_only=True)
class Prediction(Task):
    """A guess before a cell is run.

    Attributes
    ----------
    shape
        What a guess looks like and what a wrong one means: a `Number`, a `Choice` or an `Order`.
    """

    kind: ClassVar[str] = "predict"

    shape: Shape


@dataclass(frozen=True, kw_only=True)
class Transfer(Task):
    """The same idea on data that the lesson has not shown, judged by properties instead of one right answer.

    Attributes
    ----------
    answer
        What to hand in, in words.
    data
        Makes the data from a random generator.
    hidden
        Names of the data that only the check sees, such as the truth of a simulation.
    properties
        What every good answer has.
    solution
        Makes a good answer from the visible data; only the tests read it.
    rubric
        What an instructor looks for beyond the properties, one line each.
    function
        The answer is a function: it is called with the visible data of several draws.
    hints
        Steps, shown by `hint`.
    """

    kind: ClassVar[str] = "transfer"

    answer: str
    data: Callable[[np.random.Generator], dict[str, Any]]
    properties: tuple[Property, ...]
    solution: Callable[..., Any]
    rubric: tuple[str, ...]
    hidden: tuple[str, ...] = ()
    function: bool = False
    hints: tuple[str, ...] = ()
    seconds: float = 20.0

    def draw(self, seed: int = 0) -> tuple[dict[str, Any], dict[str, Any]]:
        """What the learner sees, and all of it."""
        everything = self.data(np.random.default_rng(seed))
        return {name: value for name, value in everything.items() if name not in self.hidden}, everything


@dataclass(frozen=True, kw_only=True)
class Explanation(Task):
    """A question that needs about three sentences.

    Attributes
    ----------
    model
        A good answer.
    rubric
        What a good answer says, one line each.
    """

    kind: ClassVar[str] = "explain"

    model: str
    rubric: Sequence[str] = field(default=())
