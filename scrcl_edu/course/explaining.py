"""Questions that need three sentences, with a model answer and a rubric that wait folded."""

from __future__ import annotations

import html

from scrcl_edu.course.events import Event, tell
from scrcl_edu.course.finding import find
from scrcl_edu.course.showing import box, publish
from scrcl_edu.course.task import Explanation


def explain(name: str, answer: str | None = None) -> None:
    """Ask for an explanation; a model answer and what to look for stand folded below the question.

    Parameters
    ----------
    name
        Name of the question.
    answer
        Your own sentences; they are shown beside the model answer and stay on this page.

    Raises
    ------
    SettingsError
        When there is no such question.
    """
    task = find(name, Explanation)
    answered = answer.strip() if isinstance(answer, str) else ""
    if answered:
        tell(Event(name, task.kind, "answered"))
    title = f"Explain {name} ({task.effort})"
    asked = [("Question", task.text)]
    if answered:
        asked.append(("You wrote", answered))
    else:
        asked.append(("To do", f'answer in about three sentences, on paper or as explain("{name}", "...")'))
    opened = [("A model answer", task.model), ("A good answer", "\n".join(f"- {line}" for line in task.rubric))]
    shown = box(title, asked)["text/html"]
    text = box(title, [*asked, *(opened if answered else [("Then", "the same call with your sentences compares")])])
    items = "".join(f"<li>{html.escape(line)}</li>" for line in task.rubric)
    folded = (
        f"<details{' open' if answered else ''}><summary>A model answer, and what a good one says: open it when yours "
        f"is written</summary><p>{html.escape(task.model)}</p><p>A good answer says:</p><ul>{items}</ul></details>"
    )
    publish({"text/plain": text["text/plain"], "text/html": shown + folded})
