"""Results in lessons: a sentence with its numbers, and the condition under which it is true, judged on each run.

Stored outputs are compared by what was concluded, not by digits: `tests/nbval_sanitize.cfg` takes a claim's sentence
out and keeps whether it held. A claim that no longer holds stops `scrcl-edu build`, `scrcl-edu run` and the tests.
"""

from __future__ import annotations

import html
import os
import re
from dataclasses import dataclass
from typing import Any

from scrcl_edu.course.showing import edge_color, publish
from scrcl_edu.errors import SettingsError

STRICT = "SCRCL_EDU_STRICT"
HELD, FAILED = "Checked on this run:", "Not so on this run:"


class ClaimFailed(AssertionError):
    """A sentence of a lesson is not true on this run; raised only where lessons are built and tested."""


@dataclass(frozen=True, repr=False)
class Claim:
    """A sentence about this run.

    Attributes
    ----------
    text
        The sentence with its numbers; also what an alt text is made of.
    holds
        Whether it is true.
    """

    text: str
    holds: bool

    def __repr__(self) -> str:
        return f"{HELD if self.holds else FAILED} {self.text}"

    def _ipython_display_(self) -> None:
        """Show nothing: the claim has shown itself already."""


def claim(sentence: str, holds: Any, **numbers: Any) -> Claim:
    """State a result with its numbers, and show whether it holds on this very run.

    Parameters
    ----------
    sentence
        One or two sentences with a place in braces for each number: `"Depth explains {share:.0%} of component 1."`
    holds
        The condition under which the sentence is true: one truth value. Ask for the conclusion with room to spare, so
        that it turns when the conclusion does and not when a third digit does.
    numbers
        What stands in the braces.

    Returns
    -------
    The :class:`Claim`, for an alt text or a later sentence.

    Raises
    ------
    SettingsError
        When the sentence names a number that is not given, or a number is given that it does not show.
    ClaimFailed
        When it does not hold and the environment variable SCRCL_EDU_STRICT is set; a learner's lesson goes on.
    """
    try:
        text = sentence.format_map(used := _Used(numbers))
    except KeyError as error:
        raise SettingsError(f"the claim {sentence!r} shows {error}, which is not given") from error
    if left := sorted(set(numbers) - used.seen):
        raise SettingsError(f"the claim {sentence!r} does not show {', '.join(left)}; leave it out, or show it")
    made = Claim(text, bool(holds))
    publish({"text/plain": repr(made), "text/html": _html(made)})
    if not made.holds and os.environ.get(STRICT):
        raise ClaimFailed(f"this claim does not hold: {text}")
    return made


class _Used(dict):
    """Remembers which names were looked up."""

    def __init__(self, numbers: dict[str, Any]) -> None:
        super().__init__(numbers)
        self.seen: set[str] = set()

    def __getitem__(self, name: str) -> Any:
        self.seen.add(name)
        return super().__getitem__(name)


def _html(made: Claim) -> str:
    mark, word = ("\N{CHECK MARK}", HELD) if made.holds else ("\N{MULTIPLICATION X}", FAILED)
    said = re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(made.text))
    return (
        f'<div role="note" style="border-left: 3px solid {edge_color(made.holds)}; padding: 0.1em 0.8em; '
        f'margin: 0.3em 0"><span aria-hidden="true">{mark}</span> <small>{word}</small> '
        f"{said}</div>"
    )
