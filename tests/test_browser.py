"""A learner in a real browser: JupyterLab, Chromium, a lesson run from top to bottom, and every widget touched.

`make browser-test` opens every lesson of WRONG; `make test` opens the first, when Chromium is installed.
Screenshots are kept in out/browser.
"""

from __future__ import annotations

import os
import re
import secrets
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from browsing import NEEDS_CHROMIUM, PICTURES, wait_for

from scrcl_edu.course.lessons import LESSONS as NAMES
from scrcl_edu.course.quizzes import questions
from scrcl_edu.course.tasks import catalogue

ROOT = Path(__file__).resolve().parents[1]
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
    folder = tmp_path_factory.mktemp("lab")
    lessons, settings = folder / "notebooks", folder / "settings" / "@jupyterlab"
    lessons.mkdir()
    for number in CHOSEN:
        lesson = nbformat.read(ROOT / "notebooks" / f"{NAMES[number]}.ipynb", as_version=4)
        for cell in lesson.cells:
            if cell.cell_type == "code":
                cell.outputs, cell.execution_count = [], None
        nbformat.write(lesson, lessons / f"{NAMES[number]}.ipynb")
    for name, text in {
        "notebook-extension/tracker": '{"windowingMode": "none"}',  # every cell is in the page, also out of sight
        "apputils-extension/notification": '{"fetchNews": "false", "checkForUpdates": false}',
    }.items():
        (settings / name).parent.mkdir(parents=True)
        (settings / f"{name}.jupyterlab-settings").write_text(text, encoding="utf-8")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token = secrets.token_hex(8)
    environment = os.environ | {
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
        "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
        "SCRCL_EDU_PROGRESS": str(folder / "progress.json"),
        "PYTHONPATH": str(ROOT),
    }
    PICTURES.mkdir(parents=True, exist_ok=True)
    command = [
        sys.executable,
        "-m",
        "jupyterlab",
        "--no-browser",
        "--allow-root",
        "--ip",
        "127.0.0.1",
        "--port",
        str(port),
    ]
    command += ["--ServerApp.port_retries=0", f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={lessons}"]
    with (PICTURES / "jupyterlab.log").open("w", encoding="utf-8") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        try:
            address = f"http://127.0.0.1:{port}"
            wait_for(lambda: server.poll() is not None or _answers(f"{address}/api?token={token}"), "JupyterLab", 90)
            assert server.poll() is None, f"JupyterLab stopped; see {PICTURES / 'jupyterlab.log'}"
            yield f"{address}/lab/tree/{{name}}.ipynb?reset&token={token}"
        finally:
            server.terminate()
            server.wait(30)


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=5) as reply:
            return reply.status == 200
    except OSError:
        return False


class Lesson:
    """One lesson in one page, and what a learner does there."""

    def __init__(self, page: Any, number: str) -> None:
        self.page, self.number = page, number
        self.panel = page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")

    def open(self, address: str) -> None:
        self.page.goto(address.format(name=NAMES[self.number]), timeout=90_000)
        wait_for(lambda: self.panel.locator(".jp-CodeCell").count() > 5, "lesson", 90)
        self.idle(90)

    def idle(self, seconds: float = 30) -> None:
        state = self.panel.locator(".jp-Notebook-ExecutionIndicator")
        wait_for(lambda: state.count() and state.first.get_attribute("data-status") == "idle", "idle kernel", seconds)

    def run_all(self) -> None:
        self.choose_run_all()
        try:
            wait_for(lambda: any(self.prompts()), "cell begun", 60)
        except AssertionError:  # a kernel that was still starting takes no cells; a learner would choose it again
            self.choose_run_all()
        try:
            wait_for(self.finished, "last cell run", 600)
        except AssertionError as error:
            raise AssertionError(f"{error}; prompts: {self.prompts()}") from None
        self.idle()

    def choose_run_all(self) -> None:
        self.page.get_by_role("menuitem", name="Run", exact=True).click()
        self.page.locator(".lm-Menu-itemLabel", has_text=re.compile(r"^Run All Cells$")).click()

    def prompts(self) -> list[str]:
        """What stands beside each code cell: nothing before it is chosen, * while it waits, its number afterwards."""
        return [text.strip(" []:") for text in self.panel.locator(".jp-CodeCell .jp-InputPrompt").all_inner_texts()]

    def finished(self) -> bool:
        if self.panel.locator('[data-mime-type="application/vnd.jupyter.error"]').count():
            raise AssertionError("a cell stopped with an error")
        return bool(self.prompts()) and all(prompt.isdigit() for prompt in self.prompts())

    def cell(self, text: str) -> Any:
        """The code cell whose source holds a text."""
        cells = self.panel.locator(".jp-CodeCell")
        sources = cells.locator(".jp-InputArea-editor").all_inner_texts()
        return cells.nth(next(i for i, source in enumerate(sources) if text in source))

    def rewrite(self, cell: Any, source: str) -> None:
        cell.locator(".cm-content").first.click()
        self.page.keyboard.press("Control+A")
        self.page.keyboard.insert_text(source)

    def run(self, cell: Any) -> None:
        before = cell.locator(".jp-InputPrompt").first.inner_text()
        cell.locator(".cm-content").first.click()
        self.page.keyboard.press("Control+Enter")
        prompt = cell.locator(".jp-InputPrompt").first
        wait_for(lambda: re.search(r"\d", now := prompt.inner_text()) and now != before, "output of the cell", 60)

    def picture(self, name: str, of: Any = None) -> None:
        if of is not None:
            of.scroll_into_view_if_needed()
        self.page.screenshot(path=PICTURES / f"{self.number}_{name}.png")


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


def test_every_cell_runs_without_an_error(lesson):
    assert lesson.panel.locator('[data-mime-type="application/vnd.jupyter.error"]').count() == 0
    assert lesson.panel.locator('[data-mime-type="application/vnd.jupyter.stderr"]').count() == 0


def test_moving_the_slider_with_the_keyboard_changes_the_figure_at_once(lesson):
    output = lesson.panel.locator(".jp-OutputArea-output", has=lesson.page.locator(".noUi-handle")).first
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
    box = lesson.panel.locator(".jp-OutputArea-output", has=lesson.page.locator('input[type="radio"]')).first
    verdict = box.locator("[aria-live]")
    for letter, word, name in ((wrong, "Not right", "quiz_wrong"), (question["right"], "Right.", "quiz_right")):
        box.locator('input[type="radio"]').nth(letters.index(letter)).check()
        wait_for(lambda word=word: verdict.inner_text().startswith(word), f"verdict {word!r}", 10)
        assert question["explanations"][letter].split()[0] in verdict.inner_text()
        lesson.picture(name, box)


def test_a_quiz_can_be_answered_with_the_keyboard_alone(lesson):
    box = lesson.panel.locator(".jp-OutputArea-output", has=lesson.page.locator('input[type="radio"]')).nth(1)
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
    signature = next(line for line in cell.locator(".cm-line").all_inner_texts() if line.startswith("def "))
    lesson.rewrite(cell, f"{signature}\n{body}")
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
        output = lesson.panel.locator(".jp-OutputArea-output", has=lesson.page.locator(".noUi-handle")).first
        output.scroll_into_view_if_needed()
        lesson.picture("narrow", output)
        picture = output.locator("img").first.bounding_box()
        assert 200 < picture["width"] <= 420
    finally:
        lesson.page.keyboard.press("Control+B")
        lesson.page.set_viewport_size({"width": 1280, "height": 900})
