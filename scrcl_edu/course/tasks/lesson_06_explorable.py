"""Lesson 06, what its explorable lets guess."""

from __future__ import annotations

from scrcl_edu.course.guesses import Choice
from scrcl_edu.course.task import Prediction

TASKS = (
    Prediction(
        name="without_one_gene",
        lesson="06",
        difficulty=1,
        minutes=1,
        text="CD79A is the best known marker of B cells. A B cell's projector asks for it, as for several hundred "
        "other genes. Suppose that the cell asks for everything but CD79A. Where is the refined cell then?",
        shape=Choice(
            options=("it stays among its own type", "it moves among another type"),
            right="A refined cell is a sum over all genes, in ten programs that many genes share. One gene is one term "
            "of the sum, however famous.",
            means={
                "it moves among another type": "To a person CD79A means B cell. To the sum it is one term of several "
                "hundred, and the programs that it leads are led by other genes as well.",
            },
        ),
    ),
)
