"""Lesson 03, what its explorable lets guess."""

from __future__ import annotations

from scrcl_edu.course.guesses import Choice
from scrcl_edu.course.task import Prediction

TASKS = (
    Prediction(
        name="one_more_edge",
        lesson="03",
        difficulty=1,
        minutes=1,
        text="One more edge is drawn to node 3, from node 1. What becomes of the share of node 0's message that "
        "arrives at node 3?",
        shape=Choice(
            options=("it becomes smaller", "it stays the same", "it becomes larger"),
            right="Every edge that arrives raises the degree of node 3, and the square root of its degree divides "
            "whatever arrives there.",
            means={
                "it stays the same": "The edge from node 0 is untouched, but its weight is not its own: it is divided "
                "by the square roots of both degrees, and the degree of node 3 has grown.",
                "it becomes larger": "More edges bring more voices, not a louder one: the degree of node 3 has grown, "
                "and its square root divides every message that arrives.",
            },
        ),
    ),
)
