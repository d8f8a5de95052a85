"""What surrounds a class: slides that stand alone, timetables whose sums are right, and who is ready."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import nbformat
import pytest

from scrcl_edu.classroom.readiness import readiness
from scrcl_edu.course.lessons import LESSONS
from scrcl_edu.course.platform import doctor
from scrcl_edu.errors import InputFileError

ROOT = Path(__file__).resolve().parents[1]
pytestmark = pytest.mark.skipif(not (ROOT / "docs").is_dir(), reason="an installed package has no guide")


@pytest.fixture
def slides(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    import slides

    return slides


@pytest.fixture
def plans(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    import plans

    return plans


@pytest.mark.parametrize("lesson", ["02", "08"])
def test_slides_show_the_map_the_figures_and_the_claims_and_stand_alone(slides, lesson):
    notebook = nbformat.read(ROOT / "notebooks" / f"{LESSONS[lesson]}.ipynb", as_version=4)
    shown = slides.slides(notebook, lesson)
    assert shown[1].picture.startswith("<svg")
    assert sum(bool(slide.picture) for slide in shown) >= 3
    assert all(slide.picture or slide.claims for slide in shown[1:])
    page = slides.page(shown[0].title, shown)
    assert page.count("<section>") == len(shown)
    assert not re.search(r'(?:src|href)="(?!data:|#)', re.sub(r"<aside>.*?</aside>", "", page, flags=re.DOTALL))
    assert all(re.search(r'alt="[^"]{10,}"', image) for image in re.findall(r"<img[^>]*>", page))


def test_a_claim_becomes_a_line_of_its_slide_and_the_text_its_notes(slides):
    cells = [
        nbformat.v4.new_markdown_cell("# 02 A title"),
        nbformat.v4.new_markdown_cell("## A <question>\n\nWhy it matters."),
        nbformat.v4.new_code_cell("", outputs=[nbformat.v4.new_output(
            "display_data", {"text/plain": "Checked on this run: 3 is < 4."})]),
        nbformat.v4.new_markdown_cell("## Quiz"),
        nbformat.v4.new_code_cell("", outputs=[nbformat.v4.new_output(
            "display_data", {"text/plain": "Checked on this run: hidden."})]),
    ]  # fmt: skip
    shown = slides.slides(nbformat.v4.new_notebook(cells=cells), "02")
    assert [slide.title for slide in shown] == ["02 A title", "Where we are", "A <question>"]
    assert shown[2].claims == ["3 is < 4."]
    page = slides.page("x", shown)
    assert "<li>3 is &lt; 4.</li>" in page
    assert "A &lt;question&gt;" in page
    assert "Why it matters." in page.split("<aside>")[-1]


def test_the_cheat_sheet_fits_two_pages(slides):
    text = (ROOT / "docs" / "cheat_sheet.md").read_text(encoding="utf-8")
    lines = sum(max(1, -(-len(line) // 105)) for line in text.splitlines() if line.strip())
    assert lines <= 2 * 50  # lines of 105 letters on A4 at 10.5 points
    ElementTree.fromstring(slides.cheat_sheet().split("\n", 1)[1].replace('<meta charset="utf-8">', ""))


def test_every_command_of_the_cheat_sheet_exists():
    from scrcl_edu.cli import main

    text = (ROOT / "docs" / "cheat_sheet.md").read_text(encoding="utf-8")
    assert set(re.findall(r"scrcl-edu (\w+)", text)) <= set(main.commands)


def minutes(clock: str) -> int:
    hours, rest = clock.split(":")
    return 60 * int(hours) + int(rest)


@pytest.mark.parametrize("name", ["half a day", "one day", "two days", "four weeks"])
def test_each_entry_of_a_timetable_begins_where_the_one_before_ends(plans, name):
    end = slower = 0
    for row in plans.plan(name).splitlines()[2:]:
        start, beginners, length, what, _, _ = (part.strip() for part in row.strip("|").split("|"))
        if not start:
            end = slower = 0
            continue
        assert minutes(start) == end
        assert abs(minutes(beginners) - slower) <= 1.5  # both are rounded down
        end += int(length or 0)
        slower += int(length or 0) * (1 if what in ("Break", "Lunch") else 4 / 3)
    assert end > 0


def test_what_may_be_left_for_home_saves_no_more_than_the_lesson_takes(plans):
    for number in LESSONS:
        home, at_home = plans.left_out(number, plans.OPEN, plans.HARDEST)
        skipped, saved = plans.left_out(number, ("mend",), plans.NONE)
        _, read, do, _ = plans.front_matter(number)
        assert 0 <= at_home + saved < read + do, number
        assert bool(home) == bool(at_home)
        assert bool(skipped) == bool(saved)


def test_half_a_day_is_half_a_day_and_a_day_is_a_day(plans):
    ends = {name: minutes(plans.plan(name).splitlines()[-1].strip("| ").split("|")[0].strip()) for name in plans.PLANS
            if name not in plans.LONG}  # fmt: skip
    assert ends["half a day"] <= 4 * 60
    assert max(ends["one day"], ends["two days"]) <= 9 * 60


def test_a_class_s_readiness_is_read_from_what_the_doctor_prints(tmp_path):
    well = doctor()
    (tmp_path / "ann.txt").write_text(well.replace("MEND", "ok  "), encoding="utf-8")
    (tmp_path / "bob.txt").write_text(well.replace("ok    Python", "MEND  Python"), encoding="utf-16")
    (tmp_path / "cem.txt").write_text("command not found: scrcl-edu", encoding="utf-8")
    (tmp_path / "dora.txt").write_bytes(bytes(range(256)))
    told = readiness(tmp_path)
    assert told.startswith("1 of 4 are ready")
    assert "1 to mend: Python" in told
    assert "ann: ready" in told
    assert "bob: mend" in told
    assert told.count("this is not what scrcl-edu doctor prints") == 2
    with pytest.raises(InputFileError, match="is no folder"):
        readiness(tmp_path / "none")
