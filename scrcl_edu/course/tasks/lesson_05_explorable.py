"""Lesson 05, what its explorable lets guess."""

from __future__ import annotations

from scrcl_edu.course.guesses import Number
from scrcl_edu.course.task import Prediction

TASKS = (
    Prediction(
        name="near_after_training",
        lesson="05",
        difficulty=1,
        minutes=1,
        text="Before training, the mean D of a cell to itself and its neighbors is as large as its mean D to all "
        "others: the ratio is 1. All three losses are trained for 30 epochs. What is the ratio afterwards, over these "
        "forty cells?",
        shape=Number(
            near=0.1,
            low=0,
            high=1.2,
            form=".2f",
            right="This ratio is what the loss counts, and the networks are free enough to make it small. It does not "
            "become zero: a neighbor has neighbors of its own, and not all of them are mine.",
            too_low="Zero would need every cell in one point with all its neighbors, and they with theirs. The ratio "
            "falls far, and stops where pulling one pair together pulls another apart.",
            too_high="Training makes exactly this ratio small, and it has two ways: bring neighbors together across "
            "the views, and keep the others away. Both are cheap for a network that is free to move everybody.",
        ),
    ),
)
