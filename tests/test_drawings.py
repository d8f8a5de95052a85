"""The drawings: well-formed, readable, with their words, the same on every run, and fresh where they are stored."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from scrcl_edu.course import method_map
from scrcl_edu.course.drawings.method import HEIGHT, PARTS, WIDTH, map_alt, map_svg
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


def test_a_mixture_with_white_is_the_color_itself_in_the_end():
    assert mix("#0072b2", 1) == "#0072b2"
    assert mix("#000000", 0) > mix("#000000", 0.5) > mix("#000000", 1)
