"""An instructor looks at the board in a browser while eight simulated learners work; pictures go to out/browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from browsing import NEEDS_CHROMIUM, PICTURES, wait_for

pytest.importorskip("tornado", reason="tornado is not installed; pip install 'scrcl_edu[classroom]'")

from boards import KEY, learner_at, serving

from scrcl_edu.classroom.tally import Tally
from scrcl_edu.course import check, predict
from scrcl_edu.course.tasks import catalogue

pytestmark = NEEDS_CHROMIUM
TASK, GUESSED, N_LEARNERS = "normalized_adjacency", "nearest_is_same_type", 8
ANSWERS = {mutant.name: mutant.function for mutant in catalogue()[TASK].mutants}
RIGHT = catalogue()[TASK].reference
# Contrast of every piece of text with what lies behind it, by the formula of WCAG 2; the smallest counts.
CONTRAST = """() => {
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
    .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const parts = (color) => color.match(/[\\d.]+/g).map(Number);
  const behind = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const color = parts(getComputedStyle(at).backgroundColor);
      if (color.length < 4 || color[3] === 1) return color;
    }
  };
  const texts = [...document.querySelectorAll("body *")].filter((node) =>
    node.offsetParent && [...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim()));
  return texts.map((node) => {
    const pair = [parts(getComputedStyle(node).color), behind(node)].map(light).sort((a, b) => b - a);
    return (pair[0] + 0.05) / (pair[1] + 0.05);
  });
}"""


@pytest.fixture(scope="module")
def room() -> Iterator[tuple[str, Tally]]:
    """A board to which eight learners have sent: a guess each, five times the same mistake, two right answers."""
    tally = Tally()
    with serving(tally=tally) as address:
        for number in range(N_LEARNERS):
            with learner_at(address):
                predict(GUESSED, 0.65 if number < 5 else 0.95)
                if number < 7:
                    check(TASK, ANSWERS["row normalized"] if number < 5 else own(RIGHT))
        wait_for(lambda: seen(tally) == (N_LEARNERS, 7), "message of every learner")
        yield address, tally


def own(function: Any) -> Any:
    """The package's function as a learner's own."""
    return lambda *given: function(*given)


def seen(tally: Tally) -> tuple[int, int]:
    view = tally.view(fewest=1)
    tasks = {task["task"]: sum(count for name, count in task["statuses"].items() if name != "not begun")
             for task in view["tasks"]}  # fmt: skip
    return tasks.get(GUESSED, 0), tasks.get(TASK, 0)


def told(room: tuple[str, Tally], page: Any) -> bool:
    """Whether the page tells how many take part."""
    return page.locator("#room").inner_text() == f"{seen(room[1])[0]} learners take part."


@pytest.fixture(params=["light", "dark"])
def page(request: pytest.FixtureRequest, room: Any, browser: Any) -> Iterator[Any]:
    """The board as the instructor opened it."""
    shown = browser.new_page(viewport={"width": 1100, "height": 900}, color_scheme=request.param)
    shown.goto(f"{room[0]}/?key={KEY}")
    wait_for(lambda: told(room, shown), "number of learners")
    shown.scheme = request.param
    yield shown
    shown.close()


def picture(page: Any, name: str) -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=PICTURES / f"board_{name}_{page.scheme}.png", full_page=True)


def focused(page: Any) -> str:
    return page.evaluate("document.activeElement.id")


def test_the_room_is_told_in_counts_and_the_usual_mistake_with_what_to_say(page):
    assert KEY not in page.url
    task = page.locator("section", has_text=TASK)
    said = " ".join(task.inner_text().split())
    assert re.search(r"At least 5 tried|5 tried, 2 passed", said)
    assert re.search(r"5 row normalized .*Look at the columns", said)
    picture(page, "board")


def test_all_text_stands_out_from_what_is_behind_it(page):
    page.locator("summary").first.click()
    assert min(page.evaluate(CONTRAST)) >= 4.5


def test_everything_is_done_with_the_keyboard_and_one_sees_where_one_is(page, room):
    order = []
    for _ in range(3):
        page.keyboard.press("Tab")
        order.append(focused(page))
        assert page.evaluate("parseFloat(getComputedStyle(document.activeElement).outlineWidth)") >= 2
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
    assert order == ["lesson", "freeze", f"guesses-{GUESSED}"]
    assert not page.locator("details .bar").first.is_visible()
    page.keyboard.press("Enter")
    wait_for(page.locator("details .bar").first.is_visible, "histogram of the guesses", 5)
    picture(page, "guesses")
    with learner_at(room[0]):
        predict(GUESSED, 0.65)
    wait_for(lambda: told(room, page), "one more learner", 15)
    assert page.locator("details .bar").first.is_visible()
    assert focused(page) == f"guesses-{GUESSED}"
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Space")
    wait_for(lambda: page.locator("#freeze").get_attribute("aria-pressed") == "true", "page that holds still", 5)


def test_a_narrow_screen_needs_no_sideways_scrolling(page):
    page.set_viewport_size({"width": 400, "height": 850})
    page.locator("summary").first.click()
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    picture(page, "narrow")
