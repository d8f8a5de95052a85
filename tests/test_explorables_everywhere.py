"""Explorables in JupyterLab, in Firefox and before axe-core, and pictures of each in three states, light and dark.

`make explore-test` runs this; the pictures go to out/explorables.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from browsing import NEEDS_CHROMIUM, wait_for
from firefox import FIREFOX, Firefox, firefox
from learner import ROOT, jupyterlab

from scrcl_edu.explorables import NAMES, bundling, storing

PICTURES = ROOT / "out" / "explorables"
AXE = ROOT / "out" / "axe" / "node_modules" / "axe-core" / "axe.min.js"

pytestmark = [
    *NEEDS_CHROMIUM,
    pytest.mark.skipif("SCRCL_EDU_EXPLORE" not in os.environ, reason="takes some minutes; make explore-test runs it"),
]
each = pytest.mark.parametrize("name", NAMES)
light_and_dark = pytest.mark.parametrize("theme", ["light", "dark"])


def leaves(address: str) -> bool:
    return not re.match(r"(file:|data:|blob:|about:|(http|ws)://127\.0\.0\.1[:/])", address)


def watched(page: Any) -> list[str]:
    """What goes wrong on a page from here on: errors, and requests that leave the machine."""
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
    page.on("request", lambda request: wrong.append(request.url) if leaves(request.url) else None)
    return wrong


def spoken(root: Any) -> str:
    return root.locator(".sx-said").inner_text()


def move(page: Any, root: Any) -> None:
    """Press the right arrow three times on each slider that is there and can be moved."""
    for control in root.locator(".sx-controls input[type=range]:not(:disabled)").all():
        control.focus()
        for _ in range(3):
            page.keyboard.press("ArrowRight")


def guess(root: Any) -> None:
    """Answer what is asked, by its first option or the middle of its slider."""
    for box in root.locator(".sx-guess").all():
        if box.locator("input[type=radio]").count():
            box.locator("input[type=radio]").first.check()
        box.get_by_role("button").first.press("Enter")


def in_three_states(page: Any, root: Any, name: str) -> None:
    """Pictures before anything, after the sliders were moved, and after the guess."""
    for number, (state, act) in enumerate((("start", None), ("moved", move), ("guessed", guess)), start=1):
        before = spoken(root)
        if act is not None:
            act(page, root) if act is move else act(root)
        if act is move:
            wait_for(lambda before=before: spoken(root) != before, "other words", 10)
        page.wait_for_timeout(1800)  # a collapse, the longest motion, takes 1500
        root.screenshot(path=PICTURES / f"{name}_{number}_{state}.png")


@pytest.fixture(scope="module", autouse=True)
def pictures() -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)


@pytest.fixture(scope="module")
def alone(tmp_path_factory) -> Path:
    """A page for each explorable."""
    folder = tmp_path_factory.mktemp("pages")
    for name in NAMES:
        (folder / f"{name}.html").write_text(bundling.page([name]), encoding="utf-8")
    return folder


def open_alone(browser: Any, alone: Path, name: str, **settings: Any) -> tuple[Any, Any, list[str]]:
    page = browser.new_context(**{"viewport": {"width": 1000, "height": 900}, **settings}).new_page()
    wrong = watched(page)
    page.goto((alone / f"{name}.html").as_uri())
    page.wait_for_selector("[data-live] .sx-said:not(:empty)")
    return page, page.locator(".sx"), wrong


@each
@light_and_dark
def test_on_a_page_in_three_states(browser, alone, name, theme):
    page, root, wrong = open_alone(browser, alone, name, color_scheme=theme)
    in_three_states(page, root, f"page_{name}_{theme}")
    page.context.close()
    assert not wrong


@each
def test_on_a_phone_in_three_states(browser, alone, name):
    page, root, wrong = open_alone(browser, alone, name, viewport={"width": 360, "height": 740})
    in_three_states(page, root, f"phone_{name}")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.context.close()
    assert not wrong


@each
@light_and_dark
def test_axe_finds_no_serious_fault(browser, alone, name, theme):
    if not AXE.is_file():
        pytest.skip("axe-core is not installed; make explore-test does it where npm is")
    page, root, _ = open_alone(browser, alone, name, color_scheme=theme, reduced_motion="reduce")
    for act in (lambda: None, lambda: move(page, root), lambda: guess(root)):
        act()
        page.add_script_tag(content=AXE.read_text(encoding="utf-8"))
        found = page.evaluate("axe.run()")["violations"]
        serious = [
            f"{one['id']}: {one['nodes'][0]['html'][:160]}" for one in found if one["impact"] in ("serious", "critical")
        ]
        assert not serious
    page.context.close()


def run_all(page: Any) -> None:
    """Run all cells; on a busy machine JupyterLab may first ask for the kernel, or begin before the kernel listens."""
    from playwright.sync_api import TimeoutError as TooLate

    kernel = page.locator(".jp-Dialog button.jp-mod-accept")
    idle = page.locator('.jp-NotebookPanel .jp-Notebook-ExecutionIndicator[data-status="idle"]')
    wait_for(lambda: kernel.count() or idle.count(), "idle kernel", 120)
    for _ in range(4):
        if kernel.count():
            kernel.first.click()
            wait_for(idle.count, "idle kernel", 120)
        try:
            page.get_by_role("menuitem", name="Run", exact=True).click(timeout=5_000)
            page.locator(".lm-Menu-itemLabel", has_text=re.compile(r"^Run All Cells$")).click()
        except TooLate:  # a dialog came between, such as the choice of a kernel that starts slowly
            print(page.locator("dialog").first.inner_text())
            page.locator("dialog .jp-mod-accept").first.click()
            continue
        try:
            wait_for(lambda: page.locator(".sx-said").count() == len(NAMES), "explorable", 60)
            return
        except AssertionError:
            continue


@pytest.fixture(scope="module", params=["light", "dark"])
def lab(request, browser, tmp_path_factory) -> Iterator[tuple[str, Any, Path, list[str]]]:
    """A notebook with every explorable, run from top to bottom in JupyterLab."""
    folder = tmp_path_factory.mktemp("lab")
    code = nbformat.v4.new_code_cell
    cells = [code("from scrcl_edu.explorables import explorable"), *(code(f'explorable("{name}")') for name in NAMES)]
    kernel = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
    notebook = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})
    nbformat.write(notebook, folder / "all.ipynb")
    theme = request.param
    with jupyterlab(folder, [folder / "all.ipynb"], theme=f"JupyterLab {theme.title()}") as address:
        page = browser.new_page(viewport={"width": 1280, "height": 1600})
        wrong = watched(page)
        page.goto(address.format(name="all"), timeout=90_000)
        run_all(page)
        yield theme, page, folder, wrong
        page.close()


def test_in_jupyterlab_each_runs_and_keeps_its_guess_in_the_progress_file(lab):
    theme, page, folder, wrong = lab
    asked = set()
    for name in NAMES:
        root = page.locator(f'.sx[aria-label="{storing.title(name)}"]')
        root.scroll_into_view_if_needed()
        wait_for(lambda root=root: spoken(root), f"word of {name}")
        assert root.get_attribute("data-dark") == str(theme == "dark").lower()
        in_three_states(page, root, f"lab_{name}_{theme}")
        asked |= {entry["task"] for entry in storing.data(name).values() if isinstance(entry, dict) and "task" in entry}
    progress = folder / "progress.json"
    wait_for(lambda: progress.is_file() and asked <= json.loads(progress.read_text())["predictions"].keys(), "guesses")
    assert not [one for one in wrong if leaves(one) and one.startswith("http")]


WATCH = """<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'unsafe-inline';
style-src 'unsafe-inline'; img-src data:"><script>
window.wrong = [];
for (const kind of ["error", "unhandledrejection", "securitypolicyviolation"]) {
  addEventListener(kind, (event) => wrong.push(`${kind} ${event.message ?? event.reason ?? event.blockedURI}`));
}
</script>"""
ARROW_RIGHT = "\ue014"


@pytest.fixture(scope="module")
def fox(tmp_path_factory) -> Iterator[Firefox]:
    if FIREFOX is None:
        pytest.skip("there is no Firefox; on Debian and Ubuntu: apt-get install firefox-esr")
    with firefox(tmp_path_factory.mktemp("firefox")) as started:
        yield started


@each
def test_in_firefox_by_keys_and_with_no_error(fox, tmp_path, name):
    path = tmp_path / "page.html"
    path.write_text(bundling.page([name]).replace("<head>", f"<head>{WATCH}", 1), encoding="utf-8")
    fox.command("WebDriver:Navigate", {"url": path.as_uri()})

    def said() -> str:
        return fox.run("return document.querySelector('.sx-said')?.textContent ?? ''")

    before = wait_for(said, "word", 30)
    for number in range(fox.run("return document.querySelectorAll('.sx-controls input[type=range]').length")):
        fox.run("document.querySelectorAll('.sx-controls input[type=range]')[arguments[0]].focus()", number)
        fox.press(ARROW_RIGHT, 3)
    wait_for(lambda: said() != before, "other words", 20)
    fox.run("document.querySelector('.sx-guess input[type=radio]')?.click()")
    fox.run("document.querySelector('.sx-guess button')?.focus()")
    fox.press(" ")
    if fox.run("return document.querySelectorAll('.sx-guess').length"):
        wait_for(lambda: fox.run("return document.querySelector('.sx-verdict').textContent"), "verdict", 20)
    fox.picture(PICTURES / f"firefox_{name}.png")
    assert not fox.run("return window.wrong")
