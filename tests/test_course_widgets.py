"""Sliders and quizzes with their widgets, moved as a person would move them."""

from __future__ import annotations

import io

import ipywidgets
import matplotlib as mpl
import pytest

mpl.use("Agg")

import matplotlib.pyplot as plt

from scrcl_edu.course import quizzing, record, slider, widgets
from scrcl_edu.errors import SettingsError


@pytest.fixture
def shown(monkeypatch):
    """What is displayed, in a session that pretends to be a notebook."""
    bundles = []
    for module in (widgets, quizzing):
        monkeypatch.setattr(module, "widgets_or_none", lambda: ipywidgets)
        monkeypatch.setattr(module, "publish", lambda data, metadata=None: bundles.append((data, metadata)))
    monkeypatch.setattr(widgets, "in_notebook", lambda: True)
    made = []
    monkeypatch.setattr(ipywidgets, "VBox", lambda children: made.append(children) or _Box())
    return bundles, made


class _Box:
    model_id = "one"


def _draw(**settings):
    figure, axes = plt.subplots(figsize=(2, 1.5))
    axes.set_title(str(settings))
    return figure


def test_a_slider_shows_another_frame_when_it_is_moved(shown):
    _, made = shown
    slider(_draw, alt="k is {k}", k=[5, 10, 15])
    handle, picture = made[0]
    assert 'alt="k is 5"' in picture.value
    before = picture.value
    handle.value = 15
    assert 'alt="k is 15"' in picture.value
    assert picture.value.split("base64,")[1] != before.split("base64,")[1]
    assert not handle.continuous_update


def test_two_sliders_reach_every_combination_without_drawing_again(shown):
    _, made = shown
    drawn, open_before = [], plt.get_fignums()
    slider(lambda **s: drawn.append(s) or _draw(**s), alt="{k} and {n}", k=[5, 10], n=[0, 1, 2], start={"n": 1})
    k, n, picture = made[0]
    assert 'alt="5 and 1"' in picture.value
    k.value, n.value = 10, 2
    assert 'alt="10 and 2"' in picture.value
    assert len(drawn) == 6
    assert plt.get_fignums() == open_before


def test_a_slider_s_static_twin_is_a_picture_of_up_to_four_frames_with_text(shown):
    bundles, _ = shown
    slider(_draw, alt="k is {k}", k=[1, 2, 3, 4, 5, 6, 7])
    data, metadata = bundles[0]
    assert metadata["image/png"]["alt"] == "k is 1; k is 3; k is 5; k is 7"
    assert "k = 1, 2, 3, 4, 5, 6, 7" in data["text/plain"]
    import base64

    picture = plt.imread(io.BytesIO(base64.b64decode(data["image/png"])))
    assert picture.shape[:2] == (2 * 120, 2 * 160)


def test_a_slider_needs_values_and_a_start_among_them():
    with pytest.raises(SettingsError, match="at least one setting"):
        slider(_draw, alt="nothing")
    with pytest.raises(SettingsError, match="at least one setting"):
        slider(_draw, alt="nothing", k=[])
    with pytest.raises(SettingsError, match="start has k=3"):
        slider(_draw, alt="nothing", k=[1, 2], start={"k": 3})


def test_a_quiz_explains_each_choice_and_records_the_right_one(shown, monkeypatch, tmp_path):
    monkeypatch.setenv("SCRCL_EDU_PROGRESS", str(tmp_path / "progress.json"))
    bundles, made = shown
    quizzing.quiz("00-1")
    _, a, b, *_, verdict = made[0]
    assert a.value is None
    a.value = "a"
    assert "Not right" in verdict.value
    assert record.load()["quizzes"] == {"00-1": "tried"}
    b.value = "b"
    assert a.value is None
    assert "Right." in verdict.value
    assert 'aria-live="polite"' in verdict.value
    assert record.load()["quizzes"] == {"00-1": "passed"}
    data = bundles[0][0]
    assert data["text/html"].count("<details>") == 4
    assert widgets.VIEW in data
