"""Every task of the student editions, failed on purpose and then solved, in JupyterLab in a browser.

`make browser-tasks` does this for all lessons; what was answered and what the page said is kept in out/browser/tasks.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Any

import nbformat
import pytest
from browsing import NEEDS_CHROMIUM, PICTURES, wait_for
from hasty import TYPED
from learner import ROOT, Lesson, jupyterlab

from scrcl_edu.course.build import read_source
from scrcl_edu.course.lessons import LESSONS as NAMES
from scrcl_edu.course.task import Prediction
from scrcl_edu.course.tasks import catalogue

CHOSEN = os.environ.get("SCRCL_EDU_BROWSER_TASKS", "").replace(",", " ").split()
WANTED = list(NAMES) if CHOSEN == ["all"] else CHOSEN

pytestmark = [
    *NEEDS_CHROMIUM,
    pytest.mark.skipif(not WANTED, reason="half an hour for all lessons: make browser-tasks"),
]


class Student(Lesson):
    """A student edition, its solutions at hand, and what the learner has done so far."""

    def __init__(self, page: Any, number: str, progress: Any) -> None:
        super().__init__(page, number)
        self.progress = progress
        edition = nbformat.read(ROOT / "notebooks" / "student" / f"{NAMES[number]}.ipynb", as_version=4)
        solved = read_source(ROOT / "notebooks" / "src" / f"{NAMES[number]}.py")
        self.stubs, self.solutions = (
            [cell.source for cell in lesson.cells if cell.cell_type == "code"] for lesson in (edition, solved)
        )
        assert len(self.stubs) == len(self.solutions)
        folder = PICTURES / "tasks"
        folder.mkdir(parents=True, exist_ok=True)
        self.transcript = (folder / f"{number}.md").open("w", encoding="utf-8")

    def call(self, kind: str, name: str) -> int:
        """Which code cell calls a task."""
        return next(n for n, source in enumerate(self.stubs) if f'{kind}("{name}"' in source)

    def enter(self, n: int, source: str) -> str:
        """Type a cell, run it, and read what it shows."""
        cell = self.panel.locator(".jp-CodeCell").nth(n)
        self.rewrite(cell, source)
        self.run(cell)
        self.idle(120)
        return cell.locator(".jp-OutputArea").first.inner_text()

    def note(self, kind: str, name: str, did: str, said: str) -> None:
        shown = "\n".join(line for line in said.splitlines() if line.strip())
        self.transcript.write(f"## {kind} {name}\n\n```\n{did.strip()}\n```\n\n{shown}\n\n")
        self.transcript.flush()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return tmp_path_factory.mktemp("lab")


@pytest.fixture(scope="module")
def lab(folder: Any) -> Iterator[str]:
    """Address of a JupyterLab that holds the student editions."""
    student = [ROOT / "notebooks" / "student" / f"{NAMES[number]}.ipynb" for number in WANTED]
    with jupyterlab(folder, student) as address:
        yield address


@pytest.fixture(scope="module", params=WANTED)
def student(request: pytest.FixtureRequest, lab: str, browser: Any, folder: Any) -> Iterator[Student]:
    """A student edition that has been opened and run from top to bottom."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    opened = Student(page, request.param, folder / "progress.json")
    opened.open(lab)
    opened.run_all()
    yield opened
    opened.transcript.close()
    page.close()


def of(student: Student, *kinds: str) -> list[str]:
    return [name for name, task in catalogue(*kinds).items() if task.lesson == student.number]


def test_every_wrong_function_is_told_its_cause_and_every_right_one_passes(student):
    for kind in ("check", "mend"):
        for name in of(student, kind):
            call = student.call(kind, name)
            defined = next(n for n in range(call, -1, -1) if re.search(rf"^def {name}\(", student.stubs[n], re.M))
            asks = student.stubs[call]
            for wrong in wrong_functions(name):
                student.enter(defined, wrong)
                said = student.enter(call, asks)
                student.note(kind, name, wrong, said)
                assert f"{name}: not yet" in said, said
                assert "Likely" in said, said
            student.enter(defined, student.solutions[defined])
            said = student.enter(call, asks)
            assert f"{name}: passed" in said, said


def wrong_functions(name: str) -> list[str]:
    """What was typed by hand, and the likeliest mistake of the catalogue."""
    listed = f'from scrcl_edu.course.tasks import catalogue\n\n{name} = catalogue()["{name}"].mutants[0].function'
    return [source for told, source in TYPED if told == name] + ([listed] if catalogue()[name].mutants else [])


def test_every_prediction_is_missed_and_met(student):
    for name in of(student, "predict"):
        asked, shown = student.call("predict", name), student.call("reveal", name)
        truth = re.search(rf'reveal\(\s*"{name}",(.*)\)', student.stubs[shown], re.DOTALL).group(1).strip(" ,\n")
        for attempt in range(6):
            student.progress.unlink(missing_ok=True)
            student.enter(asked, student.stubs[asked])
            did = guess_by_hand(student, asked, catalogue()[name], attempt)
            said = student.enter(shown, student.stubs[shown])
            if "not near" in said:
                break
        student.note("predict", name, did, said)
        assert "not near" in said, said
        student.progress.unlink()
        kept = student.enter(asked, f'predict("{name}", {truth})')
        assert "kept" in kept, kept
        said = student.enter(shown, student.stubs[shown])
        assert ": near" in said, said


def guess_by_hand(student: Student, n: int, task: Prediction, attempt: int) -> str:
    """A guess with the widgets: an end of the slider, another button, an order as it stands."""
    output = student.panel.locator(".jp-CodeCell").nth(n).locator(".jp-OutputArea").first
    slider, field = output.locator(".noUi-handle"), output.locator('input[type="number"]')
    radios, places = output.locator('input[type="radio"]'), output.locator("select")
    wait_for(lambda: slider.count() or field.count() or radios.count() or places.count(), "field for the guess")
    if slider.count():
        slider.first.focus()
        did = ("Home", "End")[attempt % 2]
        student.page.keyboard.press(did)
    elif radios.count():
        did = f"answer {attempt + 1}"
        radios.nth(attempt).check()
    elif places.count():
        did = "the order as it stands" if not attempt else f"place 1: option {attempt}"
        if attempt:
            for place in range(places.count()):
                places.nth(place).select_option(index=(place + attempt) % places.count())
    else:
        did = ("1", "1e15")[attempt % 2]
        field.first.fill(did)
        field.first.press("Tab")
    if not radios.count():
        output.get_by_role("button", name="Keep my guess").click()
    wait_for(lambda: "is kept:" in output.inner_text(), "kept guess")
    return f"{did}: {output.locator('[aria-live]').last.inner_text()}"


def test_every_transfer_is_told_what_does_not_hold_and_passes(student):
    for name in of(student, "transfer"):
        task, call = catalogue()[name], student.call("transfer", name)
        asks = student.stubs[call]
        answer = re.search(rf'transfer\(\s*"{name}",\s*(\w+)', asks).group(1)
        pattern = rf"^def {answer}\(" if task.function else rf"^{answer} = "
        defined = next(n for n in range(call, -1, -1) if re.search(pattern, student.stubs[n], re.M))
        for place, one in enumerate(task.properties):
            wrong = f'catalogue()["{name}"].properties[{place}].wrong' + (
                "" if task.function else f'(**vars(given("{name}")))'
            )
            source = f"from scrcl_edu.course.tasks import catalogue\n\n{answer} = {wrong}"
            wrongs = [source] if one.wrong else []
            for typed in (*(text for told, text in TYPED if told == name and not place), *wrongs):
                student.enter(defined, typed)
                said = student.enter(call, asks)
                student.note("transfer", name, typed, said)
                assert "not yet" in said, said
        student.enter(defined, student.solutions[defined])
        said = student.enter(call, asks)
        assert f"Transfer {name}: passed" in said, said


def test_every_explanation_is_compared_with_a_model(student):
    for name in of(student, "explain"):
        n = student.call("explain", name)
        typed = f'explain("{name}", "Because the numbers say so.")'
        said = student.enter(n, typed)
        student.note("explain", name, typed, said)
        assert "Because the numbers say so." in said
        assert "A good answer says" in said
