"""Sliders over figures that are drawn beforehand, with a static twin for paper, phones and screen readers."""

from __future__ import annotations

import base64
import html
import io
import itertools
from collections.abc import Callable, Sequence
from typing import Any

from scrcl_edu.course.showing import in_notebook, publish
from scrcl_edu.errors import SettingsError

VIEW = "application/vnd.jupyter.widget-view+json"


def widgets_or_none() -> Any:
    """The ipywidgets module when a notebook can show widgets; version 7 and 8 will do."""
    if not in_notebook():
        return None
    try:
        import ipywidgets
    except ImportError:
        return None
    from IPython import get_ipython

    return ipywidgets if hasattr(get_ipython(), "kernel") else None


def view_of(widget: Any) -> dict[str, Any]:
    """The MIME entry that makes a front end show a widget, to go beside the text for all others."""
    return {VIEW: {"version_major": 2, "version_minor": 0, "model_id": widget.model_id}}


def lone_radios(widgets: Any, options: dict[str, str], chosen: Callable[[str], Any]) -> list[Any]:
    """Radio buttons by letter that call `chosen` with the letter; one group for each.

    JupyterLab takes the arrow keys that move inside a group, Tab and Space it leaves.
    """
    buttons = [
        widgets.RadioButtons(options=[(f"{letter}) {text}", letter)], value=None, layout=widgets.Layout(width="auto"))
        for letter, text in options.items()
    ]

    def pressed(change: dict[str, Any]) -> None:
        if change["new"] is None:
            return
        for button in buttons:
            if button is not change["owner"]:
                button.value = None
        chosen(change["new"])

    for button in buttons:
        button.observe(pressed, names="value")
    return buttons


def slider(
    draw: Callable[..., Any], *, alt: str, start: dict[str, Any] | None = None, **settings: Sequence[Any]
) -> None:
    """Show a figure that follows one or more sliders; every frame is drawn beforehand, so a move answers at once.

    Where widgets are not shown, the same output is a row of up to four frames along the first setting.

    Parameters
    ----------
    draw
        Called with one value of each setting by name; gives a matplotlib figure, which is closed afterwards.
    alt
        Text for those who do not see the figure; may name settings in braces, as in ``"homophily for k = {k}"``.
    start
        Where the sliders begin; the first values when not given.
    settings
        The values of each slider, by name.

    Raises
    ------
    SettingsError
        When there is no setting, a setting has no values, or `start` is not among them.
    """
    if not settings or any(len(values) == 0 for values in settings.values()):
        raise SettingsError("slider needs at least one setting with values, such as k=[5, 10, 15]")
    first = {name: values[0] for name, values in settings.items()} | (start or {})
    wrong = [name for name, value in first.items() if value not in settings.get(name, ())]
    if wrong:
        raise SettingsError(f"start has {wrong[0]}={first[wrong[0]]!r}, which is not among the slider's values")
    frames = {
        values: _png(draw(**dict(zip(settings, values, strict=True))))
        for values in itertools.product(*settings.values())
    }
    twin = _few(list(next(iter(settings.values()))))
    leader = next(iter(settings))
    twins = [tuple({**first, leader: value}.values()) for value in twin]
    texts = {values: alt.format(**dict(zip(settings, values, strict=True))) for values in frames}
    said = "; ".join(dict.fromkeys(texts[values] for values in twins))
    ranges = "; ".join(f"{name} = {', '.join(map(str, values))}" for name, values in settings.items())
    bundle: dict[str, Any] = {"text/plain": f"Slider: {ranges}\nFigure: {said}"}
    if in_notebook():
        bundle["image/png"] = base64.b64encode(_row([frames[values] for values in twins])).decode()
    widgets = widgets_or_none()
    if widgets is not None:
        bundle |= view_of(_live(widgets, settings, first, frames, texts))
    publish(bundle, {"image/png": {"alt": said}})


def _live(widgets: Any, settings: dict, first: dict, frames: dict, texts: dict) -> Any:
    handles = [
        widgets.SelectionSlider(
            options=list(values),
            value=first[name],
            description=name.replace("_", " "),
            continuous_update=False,
            style={"description_width": "initial"},
            layout=widgets.Layout(width="min(100%, 32em)"),
        )
        for name, values in settings.items()
    ]
    picture = widgets.HTML()

    def move(_: Any = None) -> None:
        values = tuple(handle.value for handle in handles)
        code = base64.b64encode(frames[values]).decode()
        text = html.escape(texts[values], quote=True)
        picture.value = f'<img src="data:image/png;base64,{code}" alt="{text}" style="max-width: 100%">'

    for handle in handles:
        handle.observe(move, names="value")
    move()
    return widgets.VBox([*handles, picture])


def _png(figure: Any) -> bytes:
    import matplotlib.pyplot as plt

    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=80, metadata={"Software": None})
    plt.close(figure)
    return buffer.getvalue()


def _few(values: list[Any]) -> list[Any]:
    if len(values) <= 4:
        return values
    return [values[round(i * (len(values) - 1) / 3)] for i in range(4)]


def _row(frames: list[bytes]) -> bytes:
    import matplotlib.image
    import numpy as np

    pictures = [matplotlib.image.imread(io.BytesIO(frame))[..., :3] for frame in frames]
    height = max(picture.shape[0] for picture in pictures)
    padded = [np.pad(p, ((0, height - p.shape[0]), (0, 0), (0, 0)), constant_values=1.0) for p in pictures]
    buffer = io.BytesIO()
    rows = [np.concatenate(padded[i : i + 2], axis=1) for i in range(0, len(padded), 2)]
    width = max(row.shape[1] for row in rows)
    rows = [np.pad(row, ((0, 0), (0, width - row.shape[1]), (0, 0)), constant_values=1.0) for row in rows]
    matplotlib.image.imsave(buffer, np.concatenate(rows), format="png")
    return buffer.getvalue()
