"""Quizzes: radio buttons where there are widgets, plain text everywhere, an explanation for every answer."""

from __future__ import annotations

import html
from typing import Any

from scrcl_edu.course.events import Event, tell
from scrcl_edu.course.quizzes import questions
from scrcl_edu.course.showing import box, edge_color, publish
from scrcl_edu.course.widgets import lone_radios, view_of, widgets_or_none
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
        When there is no such question.
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
        letter = str(answer).strip().rstrip(")").lower()
        if letter not in known[name]["answers"]:
            text = f"There is no answer {answer!r}. Choose one of {', '.join(known[name]['answers'])}."
            publish(box(f"Question {name}", [("", text)]))
            return
        right, text = judged(name, letter)
        publish(box(f"Question {name}, answer {letter}: {'right' if right else 'not right'}", [("", text)], good=right))


def judged(key: str, answer: str) -> tuple[bool, str]:
    """Judge the letter of an answer, tell it, and give whether it is right and why."""
    question = questions()[key]
    right = answer == question["right"]
    tell(Event(key, "quiz", "passed" if right else "tried", "" if right else f"answer {answer}"))
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
    verdict = widgets.HTML(value='<div aria-live="polite">Choose an answer.</div>')

    def answered(letter: str) -> None:
        right, text = judged(key, letter)
        word = "Right." if right else "Not right, try again."
        verdict.value = (
            f'<div aria-live="polite" style="border-left: 6px solid {edge_color(right)}; padding-left: 0.8em; '
            f'margin: 0.4em 0 1.2em; line-height: 1.5"><strong>{word}</strong> {html.escape(text)}</div>'
        )

    choices = lone_radios(widgets, question["answers"], answered)
    head = widgets.HTML(value=f"<strong>Question {key}</strong> {html.escape(question['question'])}")
    return view_of(widgets.VBox([head, *choices, verdict]))
