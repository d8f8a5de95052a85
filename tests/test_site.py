"""The site: lessons that read well, a front page from the lessons' own numbers; and, built, one that leaves nobody out.

`make site-test` builds the site, opens it in Chromium, and asks axe-core what a screen reader would miss.
"""

from __future__ import annotations

import html
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

import nbformat
import pytest
from browsing import NEEDS_CHROMIUM

from scrcl_edu.course.lessons import LESSONS

ROOT = Path(__file__).resolve().parents[1]
AXE = ROOT / "out" / "axe" / "node_modules" / "axe-core" / "axe.min.js"
SITE = Path(os.environ.get("SCRCL_EDU_SITE") or ROOT / "nowhere")
THERE = {n: name for n, name in LESSONS.items() if (ROOT / "notebooks" / f"{name}.ipynb").is_file()}
FRONT = "docs/index.html"
PAGES = [FRONT, *(f"notebooks/{name}.html" for name in THERE.values()), "docs/your_own_cells.html", "search.html"]
PAGES += ["docs/instructor.html", "docs/glossary.html", "docs/data.html", "docs/api/alignment.html"]
# The front page, and the lessons with explorables among those that axe-core looks into.
LOOKED_INTO = [FRONT, *(f"notebooks/{LESSONS[number]}.html" for number in ("02", "03", "04", "05", "06", "07", "08"))]
MOST = 1_000_000  # bytes of the front page before anybody scrolls

pytestmark = pytest.mark.skipif(not (ROOT / "docs").is_dir(), reason="an installed package has no pages of the site")
in_browser = [*NEEDS_CHROMIUM, pytest.mark.skipif(not SITE.is_dir(), reason="make site-test builds the site")]


def built(function):
    for mark in in_browser:
        function = mark(function)
    return function


each_lesson = pytest.mark.parametrize("name", THERE.values())


@pytest.fixture(autouse=True)
def site_code(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "docs"))


def read(name: str) -> tuple[Any, Any, Any]:
    """Worked lesson, student edition, and what the site shows of them."""
    from site_lessons import for_reading

    folder = ROOT / "notebooks"
    worked, student = (nbformat.read(path / f"{name}.ipynb", 4) for path in (folder, folder / "student"))
    return worked, student, for_reading(worked, student)


# Lessons


@each_lesson
def test_every_exercise_stands_as_a_stub_with_its_solution_folded_below(name):
    worked, student, shown = read(name)
    asked = [(w, s) for w, s in zip(worked.cells, student.cells, strict=True) if w.source != s.source]
    asked = [(w, s) for w, s in asked if w.cell_type == "code"]
    assert asked
    places = {cell["id"]: number for number, cell in enumerate(shown.cells)}
    for solved, stub in asked:
        at = places[solved["id"]]
        assert shown.cells[at - 1].source == stub.source
        assert "hide" in " ".join(shown.cells[at].metadata["tags"])
        assert "SOLUTION" not in shown.cells[at].source
    assert len(shown.cells) == len(worked.cells) + len(asked)


@each_lesson
def test_set_up_and_checks_are_folded_and_nothing_that_was_shown_is_lost(name):
    worked, _, shown = read(name)
    folded = {cell["id"] for cell in shown.cells if set(cell.metadata.get("tags", [])) & {"hide-cell", "hide-input"}}
    for cell in worked.cells:
        if cell.cell_type == "code" and ("platform_check()" in cell.source or re.match(r"\w+ = check\(", cell.source)):
            assert cell["id"] in folded
    outputs = [cell.outputs for cell in shown.cells if cell.cell_type == "code" and cell.outputs]
    assert outputs == [cell.outputs for cell in worked.cells if cell.cell_type == "code" and cell.outputs]


# The front page


def test_the_front_page_has_every_lesson_with_its_minutes_and_what_it_builds():
    from plans import front_matter
    from site_front import front_page, told

    text = front_page((ROOT / "docs" / "index.md").read_text(encoding="utf-8"))
    assert "<!--" not in text
    cards = re.findall(r"<li>.*?</li>", text)
    assert len(cards) == len(THERE)
    for number, card in zip(THERE, cards, strict=True):
        title, minutes, more, _ = front_matter(number)
        assert html.escape(title) in card
        assert f"{minutes} min to read, {more} to do" in card
        assert all(made in card for made in re.findall(r"`([^`]+)`", told()[number][0]))
    total = sum(sum(front_matter(number)[1:3]) for number in THERE) / 60
    hours = [int(number) for number in re.search(r"about (\d+) hours to read, (\d+) more", text).groups()]
    assert sum(hours) == pytest.approx(total, abs=1)


def test_every_part_of_the_map_leads_to_its_lesson():
    from site_front import linked_map

    from scrcl_edu.course.drawings.parts import PARTS

    links = re.findall(r'<a href="\.\./notebooks/(\w+)\.html"', linked_map())
    assert sorted(links) == sorted(LESSONS[part.lessons[0]] for part in PARTS)


def test_icons_are_drawn_from_the_theme_and_their_style_rules_left_out():
    from site_polish import icons, inline_icon, without_icons

    drawn = icons('{"bars":[448,512,["navicon"],"f0c9","M0 96"],"sun":[576,512,[9728],"f185","M1 2"]}')
    assert inline_icon("fa-solid fa-sun me-1", ' data-mode="light"', drawn) == (
        '<svg class="icon me-1" data-mode="light" aria-hidden="true" viewBox="0 0 576 512">'
        '<path fill="currentColor" d="M1 2"/></svg>'
    )
    with pytest.raises(ValueError, match="draws no icon for 'fa-none'"):
        inline_icon("fa-none", "", drawn)
    rules = "a{color:red}.fa-bars{--fa:1}.fas:before,.fab:before{x:y}@media print{.sd-card{x:y}p.fable{x:y}}"
    assert without_icons(rules) == "a{color:red}@media print{p.fable{x:y}}"


def test_a_link_to_what_the_site_does_not_show_leads_into_the_repository(tmp_path):
    from build_site import led_out

    from scrcl_edu.course.links import repository

    page = tmp_path / "docs" / "page.md"
    page.parent.mkdir()
    page.write_text("[kit](../workshop/README.md#the-board) [me](page.md) [not there](none.md)", encoding="utf-8")
    there = f"[kit]({repository()}/blob/main/workshop/README.md#the-board)"
    assert led_out(page, tmp_path) == f"{there} [me](page.md) [not there](none.md)"


# The built site, in a browser


@pytest.fixture
def opened(browser) -> Iterator[Any]:
    """Open a page of the site from the file system; its console and its requests have to stay clean."""
    contexts, wrong = [], []

    def open_page(page: str, width: int = 1280, **settings: Any) -> Any:
        context = browser.new_context(viewport={"width": width, "height": 900}, **settings)
        contexts.append(context)
        tab = context.new_page()
        tab.on("console", lambda said: wrong.append(said.text) if said.type in ("error", "warning") else None)
        tab.on("pageerror", lambda error: wrong.append(str(error)))
        tab.on("request", lambda asked: wrong.append(asked.url) if not re.match("file:|data:|blob:", asked.url) else 0)
        tab.on("requestfailed", lambda asked: wrong.append(f"not there: {asked.url}"))
        tab.goto(address(page))
        return tab

    yield open_page
    for context in contexts:
        context.close()
    assert not wrong


def address(page: str) -> str:
    file, _, asked = page.partition("?")
    return (SITE / file).resolve().as_uri() + (f"?{asked}" if asked else "")


def scrolled(page: Any) -> None:
    """Scroll to the end, so that everything that waits for a reader has come."""
    page.evaluate(
        "async () => { for (let y = 0; y < document.body.scrollHeight; y += 700) {"
        " scrollTo(0, y); await new Promise((done) => setTimeout(done, 15)); } }"
    )
    page.wait_for_function(
        "[...document.querySelectorAll('[data-explorable]')].every((one) => one.dataset.live)"
        " && [...document.images].every((one) => one.complete)"
    )


@built
@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_whole_asks_nobody_else_and_needs_no_sideways_scrolling(page, opened):
    tab = opened(page, width=390)
    scrolled(tab)
    assert tab.evaluate("[...document.images].filter((one) => !one.naturalWidth).map((one) => one.src)") == []
    assert tab.evaluate("document.documentElement.scrollWidth") <= 390


@built
def test_the_front_page_is_light_until_the_reader_scrolls(opened):
    tab = opened("search.html")  # what the browser keeps from another page does not count as light
    asked: set[str] = set()
    tab.context.on("request", lambda request: asked.add(request.url.split("?")[0]))
    fresh = tab.context.new_page()
    fresh.goto(address(FRONT))
    fresh.wait_for_timeout(2000)
    files = [Path(unquote(urlparse(address).path)) for address in asked if address.startswith("file:")]
    weights = {file.name: file.stat().st_size for file in files}
    assert len(weights) > 10
    assert sum(weights.values()) < MOST, sorted(weights.items(), key=lambda one: -one[1])[:8]


@built
def test_search_finds_a_word_from_the_file_system(opened):
    tab = opened("search.html?q=homophily")
    tab.wait_for_selector("#search-results li a")
    assert tab.locator("#search-results li a", has_text="02 Graphs").count()


@built
def test_next_and_back_lead_through_the_lessons(opened):
    tab = opened(f"notebooks/{LESSONS['00']}.html")
    for name in list(THERE.values())[1:]:
        tab.locator("a.right-next").click()
        tab.wait_for_url(f"**/{name}.html")
    tab.locator("a.left-prev").click()
    tab.wait_for_url(f"**/{list(THERE.values())[-2]}.html")


@built
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("page", LOOKED_INTO)
def test_axe_finds_no_serious_fault(page, width, theme, opened):
    if not AXE.is_file():
        pytest.skip("axe-core is not installed; make site-test does it where npm is")
    tab = opened(page, width, color_scheme=theme)
    scrolled(tab)
    tab.add_script_tag(path=AXE)
    found = tab.evaluate("axe.run({ preload: false, resultTypes: ['violations'] })")["violations"]
    serious = [one for one in found if one["impact"] in ("serious", "critical")]
    told = [f"{one['id']}: {[node['html'][:160] for node in one['nodes'][:3]]}" for one in serious]
    assert not told, "\n".join(told)
