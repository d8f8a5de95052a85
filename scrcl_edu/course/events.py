"""What happens to a task is told to listeners: the progress file is one, an instructor's board may be another.

Append a function to `listeners`, and it is called with each :class:`Event`.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from scrcl_edu.course import record


@dataclass(frozen=True)
class Event:
    """Something happened to a task.

    Attributes
    ----------
    task, kind
        Name of the task and its kind: `check`, `mend`, `predict`, `transfer`, `explain` or `quiz`.
    status
        `passed`, `tried` or `not started`; of a prediction `guessed`, `near` or `far`; of an explanation `answered`.
    mistake
        Name of the mistake that was recognized, if one was; never the learner's code.
    value
        The guess of a prediction, and the truth beside it once it was revealed.
    """

    task: str
    kind: str
    status: str
    mistake: str = ""
    value: Any = None


Listener = Callable[[Event], Any]


def into_progress_file(event: Event) -> None:
    """Keep what happened in the learner's own progress file."""
    record.keep_event(event.kind, event.task, event.status, event.value)


listeners: list[Listener] = [into_progress_file]


def tell(event: Event) -> None:
    """Tell all listeners; one that fails is named and does not stop the lesson."""
    for listener in listeners:
        try:
            listener(event)
        except Exception as error:
            warnings.warn(f"a listener could not take {event.task!r}: {error}", stacklevel=2)
