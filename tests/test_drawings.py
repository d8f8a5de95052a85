"""Drawings are well-formed, legible, fresh, and say in words what they show."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from scrcl_edu.course.drawings import method
from scrcl_edu.course.drawings.svg import Box, Sheet
from scrcl_edu.course.lessons import LESSONS
from scrcl_edu.errors import SettingsError

DATA = Path(__file__).resolve().parents[1] / "data"
SVG = "{http://www.w3.org/2000/svg}"
LETTER = 0.56  # width of a letter of a sans-serif font, as a share of its size


@pytest.mark.parametrize("narrow", [False, True], ids=["wide", "narrow"])
@pytest.mark.parametrize("lesson", [None, *LESSONS])
def test_the_map_is_sound_and_lights_the_lesson_s_parts(lesson, narrow):
    drawing = ElementTree.fromstring(method.draw(lesson, narrow=narrow).svg(method.alt_text(lesson)))
    lit = [rect for rect in drawing.iter(f"{SVG}rect") if rect.get("fill") == method.LIT]
    assert len(lit) == sum(lesson in part.lessons for part in method.PARTS.values())
    assert drawing.find(f"{SVG}title").text == method.alt_text(lesson)


@pytest.mark.parametrize("narrow", [False, True], ids=["wide", "narrow"])
def test_words_stay_in_their_boxes_and_boxes_on_the_sheet(narrow):
    sheet = method.draw(narrow=narrow)
    width = 180 if narrow else 142
    boxes = [Box(*(part.narrow if narrow else part.wide), width, 76) for part in method.PARTS.values()]
    for part, box in zip(method.PARTS.values(), boxes, strict=True):
        for words, size in [*((line, 15) for line in part.title.split("\n")), (part.below, 14)]:
            assert len(words) * size * LETTER <= width + 4, words
        assert box.x >= 0
        assert box.y >= 0
        assert box.x + box.width <= sheet.width
        assert box.y + box.height <= sheet.height
    for number, one in enumerate(boxes):
        for other in boxes[number + 1 :]:
            apart_x = abs(one.middle[0] - other.middle[0]) >= width
            assert apart_x or abs(one.middle[1] - other.middle[1]) >= 76


def test_letters_are_large_enough_where_the_map_is_shown():
    sizes = [float(size) for size in re.findall(r'font-size="([\d.]+)"', method.draw().svg(""))]
    assert min(sizes) * 900 / method.draw().width >= 10  # on a page of 900 pixels
    narrow = method.draw(narrow=True)
    sizes = [float(size) for size in re.findall(r'font-size="([\d.]+)"', narrow.svg(""))]
    assert min(sizes) * 340 / narrow.width >= 10  # on a phone


def test_every_lesson_that_builds_a_part_is_on_the_map():
    on_map = {lesson for part in method.PARTS.values() for lesson in part.lessons}
    assert on_map == {f"{number:02d}" for number in range(1, 12)}


def test_labels_reach_nothing_but_the_evaluation():
    assert [end for start, end in method.FLOWS if start == "labels"] == ["evaluation"]
    assert not [end for start, end in method.FLOWS if start == "evaluation" and end != "table"]


def test_the_map_says_the_same_in_every_form(monkeypatch):
    shown = []
    monkeypatch.setattr(method, "publish", lambda data, metadata: shown.append((data, metadata)))
    method.method_map("05")
    method.method_map("05")
    (data, metadata), again = shown
    assert (data, metadata) == again
    assert data["text/plain"] == metadata["image/svg+xml"]["alt"]
    assert "You are here: neighborhood alignment." in data["text/plain"]
    assert data["text/html"].count("<svg") == 2
    with pytest.raises(SettingsError, match="no lesson '77'; choose one of 00"):
        method.method_map("77")


@pytest.mark.skipif(not DATA.is_dir(), reason="an installed package has no folder data")
def test_the_stored_map_is_fresh(tmp_path):
    for path in method.write(tmp_path):
        assert (DATA / path.name).read_text(encoding="utf-8") == path.read_text(encoding="utf-8"), (
            "run: python -m scrcl_edu.course.drawings.method"
        )


def test_letters_that_nobody_can_read_are_refused():
    with pytest.raises(ValueError, match="smaller than 12"):
        Sheet(100, 100).text(1, 1, "x", size=8)
