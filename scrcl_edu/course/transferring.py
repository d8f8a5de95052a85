"""The same idea on data that the lesson has not shown: an answer is judged by properties, not by one right result."""

from __future__ import annotations

import contextlib
import warnings
from types import SimpleNamespace
from typing import Any

from scrcl_edu.course.calling import TimeUp, call
from scrcl_edu.course.events import Event, tell
from scrcl_edu.course.finding import find
from scrcl_edu.course.measuring import peak_memory
from scrcl_edu.course.showing import box, publish
from scrcl_edu.course.task import Property, Transfer
from scrcl_edu.course.verdicts import raise_while_grading

N_DRAWS = 3  # data on which a learner's function is tried
NOT_WRITTEN = "your function is not written yet"


def given(name: str) -> SimpleNamespace:
    """The data of a transfer task, by name: `given("x").counts`; a fresh copy each time.

    Raises
    ------
    SettingsError
        When there is no such task.
    """
    return SimpleNamespace(**find(name, Transfer).draw()[0])


def transfer(name: str, answer: Any = None) -> None:
    """Judge an answer to a transfer task by what every good answer has.

    Parameters
    ----------
    name
        Name of the task.
    answer
        What the task asks for; without it the task is shown.

    Raises
    ------
    SettingsError
        When there is no such task.
    """
    task = find(name, Transfer)
    if answer is None:
        visible = ", ".join(task.draw()[0])
        rows = [("Task", task.text), ("Data", f'given("{name}") holds {visible}'), ("Hand in", task.answer)]
        publish(box(f"Transfer {name} ({task.effort}): not started yet", rows))
        tell(Event(name, task.kind, "not started"))
        raise_while_grading(f"{name}: not started yet")
        return
    broken, error = judge(task, answer)
    rows = [("Not yet", f"{p.name}. {p.message}") for p in broken]
    if error:
        rows = [("Came out", error)]
    held = [p.name for p in task.properties if p not in broken]
    rows += [("Holds", "; ".join(held))] if held and not error else []
    passed = not broken and not error
    if passed:
        rows.append(("Judge by yourself", "\n".join(f"- {line}" for line in task.rubric)))
    status = "passed" if passed else "not started" if error == NOT_WRITTEN else "tried"
    title = {"passed": "passed", "not started": "not started yet", "tried": "not yet"}[status]
    shown = box(f"Transfer {name}: {title}", rows, good={"not started": None}.get(status, passed))
    publish(shown)
    mistake = broken[0].name if broken else "error" if status == "tried" and error else ""
    tell(Event(name, task.kind, status, mistake))
    if not passed:
        raise_while_grading(shown["text/plain"])


def judge(task: Transfer, answer: Any) -> tuple[list[Property], str]:
    """Which properties an answer breaks, and an error that it ended with; see :func:`transfer`."""
    if not task.function:
        return [p for p in task.properties if not _holds(p, answer, task.draw()[1])], ""
    if not callable(answer):
        return [], "a function is asked for; hand over the function itself, without calling it"
    broken: dict[str, Property] = {}
    for seed in range(N_DRAWS):
        visible, everything = task.draw(seed)
        with peak_memory() as peak:
            outcome = call(answer, visible, seconds=task.seconds, quiet=seed > 0)
        if isinstance(outcome.error, TimeUp):
            return [], f"your function was still running after {task.seconds:g} s, and was stopped"
        if isinstance(outcome.error, NotImplementedError):
            return [], NOT_WRITTEN
        if outcome.error is not None:
            said = str(outcome.error).strip().split("\n")[0]
            return [], f"your code stopped with {type(outcome.error).__name__}: {said} ({outcome.line})"
        if outcome.changed:
            return [], f"your function changes its input {', '.join(outcome.changed)}; work on a copy"
        everything["megabytes"] = peak.megabytes
        broken |= {p.name: p for p in task.properties if not _holds(p, outcome.value, everything)}
    return [p for p in task.properties if p.name in broken], ""


def _holds(one: Property, answer: Any, data: dict[str, Any]) -> bool:
    # An answer of a shape that a property cannot read does not have it.
    with contextlib.suppress(Exception), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return bool(one.holds(answer, data))
    return False
