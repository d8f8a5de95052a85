"""A prediction of the catalogue with its truth, as `static/guess.js` asks and judges it."""

from __future__ import annotations

import re
from typing import Any

from scrcl_edu.course.finding import find
from scrcl_edu.course.guesses import Choice, Number
from scrcl_edu.course.task import Prediction
from scrcl_edu.errors import SettingsError

STEPS = 100  # of the slider by which a number is guessed


def question(name: str, truth: Any) -> dict[str, Any]:
    """What a browser needs to ask a prediction, judge the guess and say what it means.

    Parameters
    ----------
    name
        Name of a prediction whose shape is a choice, or a number with both ends.
    truth
        What the package found: a number, or the right option.

    Returns
    -------
    `task`, `text`, `kind`, `truth`, `said`, and what the kind needs besides.

    Raises
    ------
    SettingsError
        When there is no such prediction, or a browser cannot ask one of its shape.
    """
    task: Any = find(name, Prediction)
    shape = task.shape
    asked = {"task": name, "text": task.text}
    if isinstance(shape, Choice):
        right = shape.read(truth)
        said = {option: shape.judge(option, right).text for option in shape.options}
        return asked | {"kind": "choice", "options": list(shape.options), "truth": right, "said": said}
    if not isinstance(shape, Number) or shape.low is None or shape.high is None:
        raise SettingsError(f"{name} is no choice and no number with two ends; an explorable can ask only these")
    digits, percent = re.fullmatch(r"\+?\.(\d)([%f])", shape.form).groups()  # type: ignore[union-attr]
    return asked | {
        "kind": "number",
        "low": shape.low,
        "high": shape.high,
        "step": (shape.high - shape.low) / STEPS if digits != "0" or percent == "%" else 1,
        "near": shape.near,
        "factor": shape.factor,
        "digits": int(digits),
        "percent": percent == "%",
        "unit": shape.unit,
        "truth": float(truth),
        "said": {"low": shape.too_low, "high": shape.too_high, "right": shape.right},
    }
