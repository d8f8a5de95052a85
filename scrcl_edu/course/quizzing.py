"""Quizzes: radio buttons where there are widgets, plain text everywhere, an explanation for every answer."""

from __future__ import annotations

import html
from typing import Any

from scrcl_edu.course.quizzes import questions
from scrcl_edu.course.record import keep
from scrcl_edu.course.showing import box, edge_color, publish
from scrcl_edu.course.widgets import view_of, widgets_or_none
from scrcl_edu.errors import SettingsError


def quiz(name: str, answer: str | None = None) -> None:
    """Ask a question of a lesson, or all of them, and explain the answer that is chosen.

    Parameters
    ----------
    name
        A question such as `"03-1"`, or a lesson such as `"03"` for all its questions.
    answer
        Letter of the answer, for those who work without widgets; needs the name of one question.

    Raises
    ------
    SettingsError
        When there is no such question or no such answer.
    """
    known = questions()
    keys = [key for key in known if key == name or key.split("-")[0] == name]
    if not keys:
        raise SettingsError(f"there is no quiz {name!r}; choose a question from {', '.join(known)}, or a lesson")
    if answer is None:
        for key in keys:
            _ask(key, known[key])
    elif keys != [name]:
        raise SettingsError(f"answer={answer!r} goes with one question, such as quiz({keys[0]!r}, answer={answer!r})")
    else:
        right, text = explain(name, answer)
        publish(box(f"Question {name}, answer {answer}: {'right' if right else 'not right'}", [("", text)], good=right))


def explain(key: str, answer: str) -> tuple[bool, str]:
    """Judge an answer, record it, and give whether it is right and why.

    Raises
    ------
    SettingsError
        When the question has no such answer.
    """
    question = questions()[key]
    if answer not in question["answers"]:
        raise SettingsError(f"question {key} has no answer {answer!r}; choose one of {', '.join(question['answers'])}")
    right = answer == question["right"]
    keep("quizzes", key, "passed" if right else "tried")
    return right, question["explanations"][answer].strip()


def _ask(key: str, question: dict[str, Any]) -> None:
    text = [f"Question {key}: {question['question'].strip()}"]
    text += [f"  {letter}) {answer}" for letter, answer in question["answers"].items()]
    text.append(f'  Answer with quiz("{key}", answer="{next(iter(question["answers"]))}"), or another letter.')
    folded = "".join(
        f"<details><summary>{letter}) {html.escape(str(answer))}</summary><p>"
        f"{'Right. ' if letter == question['right'] else 'Not right. '}"
        f"{html.escape(question['explanations'][letter])}</p></details>"
        for letter, answer in question["answers"].items()
    )
    page = f"<div><p><strong>Question {key}</strong> {html.escape(question['question'])}</p>{folded}</div>"
    bundle: dict[str, Any] = {"text/plain": "\n".join(text), "text/html": page}
    widgets = widgets_or_none()
    if widgets is not None:
        bundle |= _radio(widgets, key, question)
    publish(bundle)


def _radio(widgets: Any, key: str, question: dict[str, Any]) -> dict[str, Any]:
    # One group for each answer: JupyterLab takes the arrow keys that move inside a group, Tab and Space it leaves.
    width = widgets.Layout(width="auto")
    choices = [
        widgets.RadioButtons(options=[(f"{letter}) {answer}", letter)], value=None, layout=width)
        for letter, answer in question["answers"].items()
    ]
    verdict = widgets.HTML(value='<div aria-live="polite">Choose an answer.</div>')

    def answered(change: dict[str, Any]) -> None:
        if change["new"] is None:
            return
        for choice in choices:
            if choice is not change["owner"]:
                choice.value = None
        right, text = explain(key, change["new"])
        word = "Right." if right else "Not right, try again."
        verdict.value = (
            f'<div aria-live="polite" style="border-left: 6px solid {edge_color(right)}; padding-left: 0.8em; '
            f'margin: 0.4em 0 1.2em; line-height: 1.5"><strong>{word}</strong> {html.escape(text)}</div>'
        )

    for choice in choices:
        choice.observe(answered, names="value")
    head = widgets.HTML(value=f"<strong>Question {key}</strong> {html.escape(question['question'])}")
    return view_of(widgets.VBox([head, *choices, verdict]))
