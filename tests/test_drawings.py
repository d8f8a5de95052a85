"""The drawings: well-formed, readable, with their words, the same on every run, and fresh where they are stored."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from scrcl_edu.course import method_map
from scrcl_edu.course.drawings import small
from scrcl_edu.course.drawings.method import HEIGHT, PARTS, WIDTH, map_alt, map_svg
from scrcl_edu.course.drawings.peeking import protocols_svg
from scrcl_edu.course.drawings.svg import mix
from scrcl_edu.course.lessons import LESSONS
from scrcl_edu.errors import SettingsError

LETTER = 0.6  # width of a letter of a wide sans-serif font, as a share of its size
STORED = Path(__file__).resolve().parents[1] / "data/method_map.svg"
NAME = "{http://www.w3.org/2000/svg}"


@pytest.mark.skipif(not STORED.is_file(), reason="an installed package has no folder data")
def test_the_stored_map_is_what_the_code_draws(tmp_path):
    fresh = tmp_path / "map.svg"
    subprocess.run([sys.executable, "-m", "scrcl_edu.course.drawings.method", fresh], check=True)
    assert STORED.read_bytes() == fresh.read_bytes(), (
        "python -m scrcl_edu.course.drawings.method data/method_map.svg writes it again"
    )


@pytest.mark.parametrize("lesson", [None, *LESSONS])
def test_the_map_is_svg_with_its_words_and_no_letter_is_small(lesson):
    drawing = ElementTree.fromstring(map_svg(lesson))
    assert drawing.get("aria-label") == drawing.find(f"{NAME}title").text == map_alt(lesson)
    assert min(float(word.get("font-size")) for word in drawing.iter(f"{NAME}text")) >= 14
    assert float(drawing.get("width")) == WIDTH


def test_every_lesson_finds_its_part_on_the_map():
    numbers = {number for part in PARTS for number in part.lessons}
    assert numbers == LESSONS.keys() - {"00"}
    for lesson in numbers:
        faded = map_svg(lesson).count("<g opacity=")
        assert 0 < faded == sum(lesson not in part.lessons for part in PARTS)
        assert all((f"{part.name}" in map_alt(lesson).split("Lit")[1]) for part in PARTS if lesson in part.lessons)
    assert map_svg().count("<g opacity=") == map_svg("00").count("<g opacity=") == 0


def test_nothing_of_the_map_leaves_its_panel():
    drawing = ElementTree.fromstring(map_svg())
    for box in drawing.iter(f"{NAME}rect"):
        x, y, width, height = (float(box.get(name)) for name in ("x", "y", "width", "height"))
        assert x >= 0
        assert y >= 0
        assert x + width <= WIDTH
        assert y + height <= HEIGHT
    for word in drawing.iter(f"{NAME}text"):
        x, size = float(word.get("x")), float(word.get("font-size"))
        left = {"start": 0, "middle": 0.5, "end": 1}[word.get("text-anchor")]
        width = len(word.text) * LETTER * size
        assert x - left * width >= 0, word.text
        assert x + (1 - left) * width <= WIDTH, word.text
    numbers = [float(n) for path in drawing.iter(f"{NAME}path") for n in re.findall(r"-?[\d.]+", path.get("d"))]
    assert min(numbers) >= 0
    assert max(numbers) <= max(WIDTH, HEIGHT)


def test_an_unknown_lesson_is_named():
    with pytest.raises(SettingsError, match="'77'"):
        method_map("77")


def test_outside_of_a_notebook_the_map_is_words(capsys):
    method_map("03")
    assert "view 1; view 2" in capsys.readouterr().out


COUNTS = np.array([[4, 0, 2], [8, 1, 4], [2, 0, 1], [0, 5, 2], [1, 9, 5], [0, 3, 1]])
PATH = np.diag(np.ones(5), 1) + np.diag(np.ones(5), -1)
SMALL = {
    "likeness": lambda: small.draw_likeness(COUNTS, np.eye(6), [(0, 1), (3, 4)], [0, 0, 0, 1, 1, 1], alt="six cells"),
    "depth": lambda: small.draw_depth(COUNTS, COUNTS / COUNTS.sum(axis=1, keepdims=True), alt="six cells"),
    "smoothing": lambda: small.draw_smoothing(PATH, PATH / 2, np.arange(6.0), PATH @ np.arange(6) / 2, alt="six cells"),
}


@pytest.fixture(params=SMALL)
def drawn(request, monkeypatch):
    """A small drawing: its name and its SVG."""
    shown = []
    monkeypatch.setattr(small, "show_drawing", lambda svg, alt: shown.append((svg, alt)))
    SMALL[request.param]()
    ((svg, alt),) = shown
    assert alt == "six cells"
    return request.param, ElementTree.fromstring(svg)


def test_a_small_drawing_is_legible_and_stays_on_its_panel(drawn):
    _, drawing = drawn
    width = float(drawing.get("width"))
    assert drawing.find(f"{NAME}title").text == "six cells"
    for word in drawing.iter(f"{NAME}text"):
        size, x = float(word.get("font-size")), float(word.get("x"))
        assert size >= 14
        left = {"start": 0, "middle": 0.5, "end": 1}[word.get("text-anchor")]
        assert x - left * len(word.text) * LETTER * size >= 0, word.text
        assert x + (1 - left) * len(word.text) * LETTER * size <= width, word.text


def test_a_small_drawing_holds_the_numbers_that_it_was_given(drawn):
    name, drawing = drawn
    words = [word.text for word in drawing.iter(f"{NAME}text")]
    lines = [path for path in drawing.iter(f"{NAME}path") if "Z" not in path.get("d")]
    if name == "smoothing":
        assert [f"{value:.1f}" for value in PATH @ np.arange(6) / 2 if f"{value:.1f}" not in words] == []
        assert words.count(".50") == 10  # S has two entries for each of five edges
        assert len(lines) == 2 * 5  # each edge, before and after
    else:
        assert all(words.count(f"{value:g}") >= (value == COUNTS).sum() for value in np.unique(COUNTS))
    if name == "depth":
        assert all(f"{depth}" in words for depth in COUNTS.sum(axis=1))
    if name == "likeness":
        assert len(lines) == 2 + 2  # two edges, and two arrows from panel to panel


def test_a_mixture_with_white_is_the_color_itself_in_the_end():
    assert mix("#0072b2", 1) == "#0072b2"
    assert mix("#000000", 0) > mix("#000000", 0.5) > mix("#000000", 1)


@pytest.mark.parametrize("best", [1, 7, 60])
def test_the_two_protocols_show_the_chosen_and_the_honest_number_and_stay_on_their_panel(best):
    accuracies = [0.4 + 0.001 * epoch for epoch in range(60)]
    drawing = ElementTree.fromstring(protocols_svg(accuracies, best, 0.31, "said"))
    words = [word.text for word in drawing.iter(f"{NAME}text")]
    assert words.count(f"{accuracies[best - 1]:.2f}") >= 2  # at its epoch, and where it is reported
    assert words.count("0.31") == 1
    assert min(float(word.get("font-size")) for word in drawing.iter(f"{NAME}text")) >= 14
    width = float(drawing.get("width"))
    for box in drawing.iter(f"{NAME}rect"):
        assert 0 <= float(box.get("x")) <= float(box.get("x")) + float(box.get("width")) <= width
