"""Lesson 04, what its explorable lets guess."""

from __future__ import annotations

from scrcl_edu.course.guesses import Choice
from scrcl_edu.course.task import Prediction

TASKS = (
    Prediction(
        name="loss_of_one_point",
        lesson="04",
        difficulty=1,
        minutes=1,
        text="All cells move to one point, which is the same in both views: nothing about them is left. What becomes "
        "of the loss?",
        shape=Choice(
            options=("it grows", "it stays the same", "it falls to 0"),
            right="The loss asks whether the two views of a cell agree, and of a single point they agree perfectly. "
            "Nothing in it asks whether cells differ.",
            means={
                "it grows": "One would wish so: everything worth knowing is gone. But the loss compares the two views "
                "of each cell and never two cells, and here the views agree.",
                "it stays the same": "The loss measures how far the two views of a cell are apart, and at one point "
                "they are not apart at all.",
            },
        ),
    ),
)
