"""A learner in a real browser: JupyterLab, Chromium, a lesson run from top to bottom, and every widget touched.

`make browser-test` opens every lesson of WRONG; `make test` opens the first, when Chromium is installed.
Screenshots are kept in out/browser.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterator
from typing import Any

import pytest
from browsing import NEEDS_CHROMIUM, wait_for
from learner import ROOT, Lesson, jupyterlab

from scrcl_edu.course.lessons import LESSONS as NAMES
from scrcl_edu.course.quizzes import questions
from scrcl_edu.course.tasks import catalogue

# A lesson, one of its exercises, and an answer that its check has a message for.
WRONG = {
    "02": ("homophily", "    return float((labels[graph.nonzero()[0]] == labels[graph.nonzero()[1]]).sum())"),
    "00": ("share_of_zeros", "    return float((counts == 0).sum())"),
    "05": (
        "linear_sum_over_all",
        "    q1, q2 = log_q1.exp(), log_q2.exp()\n"
        "    return len(q1) * (q1 * log_q1).sum(1) + (q2 * log_q2).sum() - q1 @ log_q2.sum(0) - log_q1 @ q2.sum(0)",
    ),
    "08": ("report_over_seeds", "    return float(scores.mean()), float(scores.std())"),
}
WANTED = os.environ.get("SCRCL_EDU_BROWSER_LESSONS", "").replace(",", " ").split()
THERE = [number for number in WRONG if (ROOT / "notebooks" / f"{NAMES[number]}.ipynb").is_file()]
CHOSEN = [number for number in WANTED if number in THERE] or THERE[:1]

pytestmark = [
    *NEEDS_CHROMIUM,
    pytest.mark.skipif(not THERE, reason="an installed package has no lessons beside it"),
]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a JupyterLab that holds the worked lessons without their outputs."""
    worked = [ROOT / "notebooks" / f"{NAMES[number]}.ipynb" for number in CHOSEN]
    with jupyterlab(tmp_path_factory.mktemp("lab"), worked) as address:
        yield address


@pytest.fixture(scope="module", params=CHOSEN)
def lesson(request: pytest.FixtureRequest, lab: str, browser: Any) -> Iterator[Lesson]:
    """A lesson that has been opened and run from top to bottom."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    opened = Lesson(page, request.param)
    try:
        opened.open(lab)
        opened.run_all()
    finally:
        opened.picture("run")
    yield opened
    page.close()


def moving_figure(lesson: Lesson) -> Any:
    """The first figure that a slider moves; a slider without a figure asks for a guess."""
    if "\nslider(" not in (ROOT / "notebooks" / "src" / f"{NAMES[lesson.number]}.py").read_text(encoding="utf-8"):
        pytest.skip("this lesson has explorables, which have tests of their own, in place of sliders over pictures")
    outputs = lesson.panel.locator(".jp-OutputArea-output", has=lesson.page.locator(".noUi-handle"))
    return outputs.filter(has=lesson.page.locator("img")).first


def quiz_box(lesson: Lesson, number: int) -> Any:
    """One question of the quiz; other buttons ask for a guess."""
    buttons = lesson.panel.locator(".jp-OutputArea-output", has=lesson.page.locator('input[type="radio"]'))
    return buttons.filter(has_text=f"Question {lesson.number}-{number}").first


def test_every_cell_runs_without_an_error(lesson):
    assert lesson.panel.locator('[data-mime-type="application/vnd.jupyter.error"]').count() == 0
    assert lesson.panel.locator('[data-mime-type="application/vnd.jupyter.stderr"]').count() == 0


def test_moving_the_slider_with_the_keyboard_changes_the_figure_at_once(lesson):
    output = moving_figure(lesson)
    picture, handle = output.locator("img").first, output.locator(".noUi-handle").first
    lesson.picture("slider_before", output)
    before, text = picture.get_attribute("src"), picture.get_attribute("alt")
    handle.focus()
    lesson.page.keyboard.press("ArrowRight")  # how quick a move is, is measured elsewhere; here the machine is shared
    wait_for(lambda: picture.get_attribute("src") != before, "other figure")
    assert picture.get_attribute("alt") != text
    lesson.picture("slider_after", output)


def test_a_quiz_explains_a_wrong_and_a_right_answer(lesson):
    question = questions()[f"{lesson.number}-1"]
    letters = list(question["answers"])
    wrong = next(letter for letter in letters if letter != question["right"])
    box = quiz_box(lesson, 1)
    verdict = box.locator("[aria-live]")
    for letter, word, name in ((wrong, "Not right", "quiz_wrong"), (question["right"], "Right.", "quiz_right")):
        box.locator('input[type="radio"]').nth(letters.index(letter)).check()
        wait_for(lambda word=word: verdict.inner_text().startswith(word), f"verdict {word!r}", 10)
        assert question["explanations"][letter].split()[0] in verdict.inner_text()
        lesson.picture(name, box)


def test_a_quiz_can_be_answered_with_the_keyboard_alone(lesson):
    box = quiz_box(lesson, 2)
    buttons = box.locator('input[type="radio"]')
    buttons.first.focus()
    lesson.page.keyboard.press("Space")
    wait_for(buttons.first.is_checked, "first answer", 5)
    lesson.page.keyboard.press("Tab")
    lesson.page.keyboard.press("Space")
    wait_for(buttons.nth(1).is_checked, "second answer", 5)
    wait_for(lambda: not buttons.first.is_checked(), "single answer", 5)
    wait_for(lambda: "ight" in box.locator("[aria-live]").inner_text(), "verdict", 10)


def test_a_wrong_solution_gets_the_message_of_its_mistake(lesson):
    name, body = WRONG[lesson.number]
    cell = lesson.cell(f"def {name}(")
    parameters = ", ".join(inspect.signature(catalogue()[name].reference).parameters)
    lesson.rewrite(cell, f"def {name}({parameters}):\n{body}")
    lesson.run(cell)
    checking = lesson.cell(f'check("{name}"')
    lesson.run(checking)
    shown = checking.locator(".jp-OutputArea").first
    wait_for(lambda: f"{name}: not yet" in shown.inner_text(), "message", 30)
    flat = " ".join(shown.inner_text().split())
    assert any(mutant.message in flat for mutant in catalogue()[name].mutants), flat
    lesson.picture("wrong_solution", checking)


def test_a_narrow_screen_needs_no_sideways_scrolling_to_see_a_figure(lesson):
    lesson.page.set_viewport_size({"width": 420, "height": 850})
    lesson.page.keyboard.press("Control+B")  # the list of files makes room
    try:
        output = moving_figure(lesson)
        output.scroll_into_view_if_needed()
        lesson.picture("narrow", output)
        picture = output.locator("img").first.bounding_box()
        assert 200 < picture["width"] <= 420
    finally:
        lesson.page.keyboard.press("Control+B")
        lesson.page.set_viewport_size({"width": 1280, "height": 900})
