"""Lesson 08, what its explorable lets guess."""

from __future__ import annotations

from scrcl_edu.course.guesses import Number
from scrcl_edu.course.task import Prediction

TASKS = (
    Prediction(
        name="epoch_to_keep",
        lesson="08",
        difficulty=1,
        minutes=2,
        text="You have seen the film of the training with all three losses, its losses and its silhouette, and no "
        "label. Which epoch would you keep? Choose before you uncover the accuracy.",
        shape=Number(
            near=1,
            low=1,
            high=60,
            form=".0f",
            right="You are at the epoch that the labels would have picked, by luck: no curve that you saw marks it. "
            "The accuracy jumps from one epoch to the next with the starts of k-means.",
            too_low="The labels would have picked a later epoch, and no curve that you saw marks it. The accuracy "
            "jumps from one epoch to the next with the starts of k-means, and whoever looks takes the highest jump.",
            too_high="The labels would have picked an earlier epoch, and no curve that you saw marks it. The accuracy "
            "jumps from one epoch to the next with the starts of k-means, and whoever looks takes the highest jump.",
        ),
    ),
)
