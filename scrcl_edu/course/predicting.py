"""Predictions: a guess is kept before a cell is run, and shown beside the truth afterwards."""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import Any, cast

import numpy as np

from scrcl_edu.course.events import Event, tell
from scrcl_edu.course.finding import find
from scrcl_edu.course.guesses import Choice, Number
from scrcl_edu.course.record import guess_of
from scrcl_edu.course.showing import box, publish
from scrcl_edu.course.task import Prediction
from scrcl_edu.course.widgets import lone_radios, view_of, widgets_or_none


def predict(name: str, guess: Any = None) -> None:
    """Ask for a guess, or keep the one that is given; the lesson goes on either way.

    Parameters
    ----------
    name
        Name of the prediction.
    guess
        A number, a letter or an order, as the question says. Without it the question is shown, with a slider or buttons
        where there are widgets. Once the truth was revealed the guess stays as it is.

    Raises
    ------
    SettingsError
        When there is no such prediction.
    """
    task = find(name, Prediction)
    title = f"Predict {name} ({task.effort})"
    if guess is not None:
        publish(box(title, [("", _keep(task, guess))]))
        return
    rows = [
        ("Question", task.text),
        ("Possible", task.shape.asks),
        ("Guess", f'predict("{name}", {task.shape.example}), or another; nothing is marked'),
    ]
    bundle: dict[str, Any] = box(title, rows)
    widgets = widgets_or_none()
    if widgets is not None:
        bundle |= _asking(widgets, task, title)
    publish(bundle)


def reveal(name: str, truth: Any) -> None:
    """Show what is true beside what was guessed, and what a guess like that usually means.

    Parameters
    ----------
    name
        Name of the prediction.
    truth
        What the lesson has just found: a number, the right option, or the items in their order.

    Raises
    ------
    SettingsError
        When there is no such prediction.
    """
    task, kept = find(name, Prediction), guess_of(name)
    shape = task.shape
    found: Any = float(cast("float", truth)) if isinstance(shape, Number) else shape.read(truth)
    rows = [("It is", shape.write(found))]
    if kept is None:
        rows.append(("You guessed", "nothing yet; before you read on, would you have expected this?"))
        publish(box(f"Predicted and found: {name}", rows))
        return
    guess: Any = shape.read(kept["guess"])
    verdict = shape.judge(guess, found)
    rows.append(("You guessed", f"{shape.write(guess)}: {'near' if verdict.near else 'not near'}"))
    if verdict.text:
        rows.append(("Meaning", verdict.text))
    shown = box(f"Predicted and found: {name}", rows, good=verdict.near or None)
    if isinstance(shape, Number):
        shown["text/html"] += _ruler(shape, guess, found)
    publish(shown)
    tell(Event(name, task.kind, "near" if verdict.near else "far", value={"guess": guess, "truth": found}))


def _keep(task: Prediction, guess: Any) -> str:
    kept = guess_of(task.name)
    if kept is not None and "truth" in kept:
        return f"The truth was shown already, so your guess stays {task.shape.write(kept['guess'])}."
    try:
        value = task.shape.read(guess)
    except (TypeError, ValueError):
        return f"{guess!r} is no guess here. Possible: {task.shape.asks}. For example {task.shape.example}."
    tell(Event(task.name, task.kind, "guessed", value={"guess": value}))
    return f"Your guess is kept: {task.shape.write(value)}. Run on, and see."


def _asking(widgets: Any, task: Prediction, title: str) -> dict[str, Any]:
    said = widgets.HTML(value='<div aria-live="polite">Your guess is kept on this machine only.</div>')

    def kept(guess: Any) -> None:
        said.value = f'<div aria-live="polite">{html.escape(_keep(task, guess))}</div>'

    head = widgets.HTML(value=f"<strong>{html.escape(title)}</strong><br>{html.escape(task.text)}")
    return view_of(widgets.VBox([head, *_fields(widgets, task.shape, kept), said]))


def _fields(widgets: Any, shape: Any, kept: Callable[[Any], None]) -> list[Any]:
    if isinstance(shape, Choice):
        return lone_radios(widgets, shape.letters, kept)
    button = widgets.Button(description="Keep my guess")
    if isinstance(shape, Number):
        if shape.low is not None and shape.high is not None:
            step = (shape.high - shape.low) / 100
            field = widgets.FloatSlider(
                value=(shape.low + shape.high) / 2, min=shape.low, max=shape.high, step=step, description="Guess"
            )
        else:
            field = widgets.FloatText(description="Guess")
        button.on_click(lambda _: kept(field.value))
        return [field, button]
    places = [
        widgets.Dropdown(options=list(shape.items), value=item, description=f"Place {i}")
        for i, item in enumerate(shape.items, start=1)
    ]
    button.on_click(lambda _: kept([place.value for place in places]))
    return [widgets.HTML(value=html.escape(shape.by)), *places, button]


def _ruler(shape: Number, guess: float, truth: float) -> str:
    """Guess and truth on one line; what it shows stands in the box above as well."""
    ends = [guess, truth] + [end for end in (shape.low, shape.high) if end is not None]
    low, high = min(ends), max(ends)
    at = {
        name: 20 + 320 * float(np.clip((x - low) / ((high - low) or 1), 0, 1))
        for name, x in (("guess", guess), ("truth", truth))
    }
    marks = (
        f'<circle cx="{at["guess"]:.0f}" cy="30" r="6" fill="none" stroke="#D55E00" stroke-width="3"/>'
        f'<text x="{at["guess"]:.0f}" y="14" text-anchor="middle">guess</text>'
        f'<path d="M{at["truth"]:.0f} 22 v16" stroke="#0072B2" stroke-width="4"/>'
        f'<text x="{at["truth"]:.0f}" y="54" text-anchor="middle">truth</text>'
    )
    label = html.escape(
        f"On a line from {shape.write(low)} to {shape.write(high)}: guess {shape.write(guess)}, "
        f"truth {shape.write(truth)}"
    )
    return (
        f'<svg role="img" aria-label="{label}" width="360" height="60" viewBox="0 0 360 60" font-size="12" '
        f'fill="currentColor" font-family="sans-serif"><path d="M20 30 h320" stroke="currentColor"/>{marks}</svg>'
    )
