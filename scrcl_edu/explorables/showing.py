"""An explorable in a notebook: a widget where anywidget is there, the static twin everywhere."""

from __future__ import annotations

from functools import cache
from typing import Any

from scrcl_edu.course.events import Event, tell
from scrcl_edu.course.record import guess_of
from scrcl_edu.course.showing import in_notebook
from scrcl_edu.course.widgets import view_of
from scrcl_edu.explorables.bundling import element, notebook_module, style
from scrcl_edu.explorables.storing import alt, check_name, data, title


def explorable(name: str) -> Any:
    """Show a part of the method that can be touched; the value of a notebook's cell.

    Parameters
    ----------
    name
        One of :data:`scrcl_edu.explorables.NAMES`.

    Returns
    -------
    An :class:`anywidget.AnyWidget` where anywidget is installed and a notebook runs, otherwise the static twin; either
    shows itself, and the widget carries the twin for wherever no script runs.

    Raises
    ------
    SettingsError
        When there is no explorable of this name.
    """
    check_name(name)
    widget = _widget_class() if in_notebook() else None
    return Twin(name) if widget is None else widget(name)


class Twin:
    """The static picture of an explorable, with its text."""

    def __init__(self, name: str) -> None:
        self.name = check_name(name)

    def __repr__(self) -> str:
        return _bundle(self.name)["text/plain"]

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        return _bundle(self.name)


def _bundle(name: str) -> dict[str, Any]:
    return {"text/plain": f"Explorable: {title(name)}\nPicture: {alt(name)}", "text/html": element(name)}


@cache
def _widget_class() -> Any:
    """Made when it is needed, so that importing this module asks for no anywidget."""
    try:
        import anywidget
        import traitlets
    except ImportError:
        return None

    class Explorable(anywidget.AnyWidget):
        _esm = traitlets.Unicode().tag(sync=True)
        _css = traitlets.Unicode().tag(sync=True)
        data = traitlets.Dict().tag(sync=True)
        guesses = traitlets.Dict().tag(sync=True)
        _ipython_display_ = None  # ipywidgets 7 would show the view alone

        def __init__(self, name: str) -> None:
            given = data(name)
            self.name, self.tasks = name, _tasks(given)
            kept = {task: guess for task in self.tasks if (guess := guess_of(task)) is not None}
            # One style sheet for all: a front end keeps one for each class of widgets.
            super().__init__(_esm=notebook_module(name), _css=style(), data=given, guesses=kept)
            self.observe(self._guessed, names="guesses")

        def _guessed(self, change: Any) -> None:
            for task, kept in change["new"].items():
                if task in self.tasks and kept != change["old"].get(task):
                    value = {"guess": kept["guess"], "truth": kept["truth"]}
                    tell(Event(task, "predict", "guessed", value={"guess": kept["guess"]}))
                    tell(Event(task, "predict", kept["status"], value=value))

        def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, Any], dict[str, Any]]:
            return _bundle(self.name) | view_of(self), {}

    return Explorable


def _tasks(given: dict[str, Any]) -> set[str]:
    """Names of the predictions that an explorable asks."""
    return {value["task"] for value in given.values() if isinstance(value, dict) and "task" in value}
