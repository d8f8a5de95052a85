"""Lesson 02, what its explorable lets guess."""

from __future__ import annotations

from scrcl_edu.course.guesses import Number
from scrcl_edu.course.task import Prediction

TASKS = (
    Prediction(
        name="clearest_step",
        lesson="02",
        difficulty=1,
        minutes=1,
        text="Each of the 700 blood cells has chosen 14 others. After how many smoothing steps is the share of all "
        "differences between cells that lies between types at its largest?",
        shape=Number(
            near=1,
            low=0,
            high=30,
            form=".0f",
            unit="steps",
            right="A few steps average the noise of single cells away; then the averages begin to reach beyond a type.",
            too_low="Before the first step most differences are the noise of single cells. An average over "
            "neighbors takes it away and leaves what they share.",
            too_high="The types are clearest early. Every further step mixes in cells from farther away, and more and "
            "more of them are of other types.",
        ),
    ),
)
