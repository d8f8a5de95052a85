"""A course that uses nbgrader takes a lesson as it is: releases it, collects it, grades it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest

from scrcl_edu.course.build import GIVEN, STUB, read_source, student_edition
from scrcl_edu.course.tasks import catalogue

api = pytest.importorskip("nbgrader.api", reason="nbgrader is not installed; pip install 'scrcl_edu[grade]'")

ROOT = Path(__file__).resolve().parents[1]
LESSON = ROOT / "notebooks" / "src" / "00_start_here.py"
PATIENCE = [
    "--ExecutePreprocessor.timeout=300",
    "--ExecutePreprocessor.iopub_timeout=60",
]  # a busy machine takes its time
NAMES = [name for name, task in catalogue("check", "mend", "transfer").items() if task.lesson == LESSON.stem[:2]]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not LESSON.is_file(), reason="an installed package has no sources of lessons"),
]


def nbgrader(course: Path, *arguments: str) -> None:
    command = [sys.executable, "-m", "nbgrader", *arguments, f"--course-dir={course}", "--log-level=WARN"]
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",  # nbgrader calls alembic by name
        "PYTHONPATH": str(ROOT),
        "JUPYTER_CONFIG_DIR": str(course / "config"),
        "SCRCL_EDU_PROGRESS": str(course / "progress.json"),
    }
    done = subprocess.run(command, cwd=course, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]


def up_to_the_last_check(notebook: Any) -> Any:
    """The lesson without what follows its last exercise and takes time, such as the slider through training."""
    last = max(i for i, cell in enumerate(notebook.cells) if "nbgrader" in cell.metadata)
    notebook.cells = notebook.cells[: last + 1]
    return notebook


def put(notebook: Any, *folders: Any) -> Path:
    path = Path(*map(str, folders), f"{LESSON.stem}.ipynb")
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)
    return path


@pytest.fixture(scope="module")
def course(tmp_path_factory) -> Path:
    """An nbgrader course with the lesson released, and handed in solved, not started, and half wrong."""
    course = tmp_path_factory.mktemp("course")
    solved = up_to_the_last_check(read_source(LESSON))
    put(solved, course, "source", "lesson")
    nbgrader(course, "generate_assignment", "lesson")
    released = nbformat.read(course / "release" / "lesson" / f"{LESSON.stem}.ipynb", as_version=4)
    half = up_to_the_last_check(read_source(LESSON))
    wrong = next(
        cell for cell in half.cells if cell.metadata.get("nbgrader", {}).get("grade_id") == f"solve_{NAMES[0]}"
    )
    wrong.source = f"def {NAMES[0]}(counts):\n    return 0.5"
    for student, notebook in {"solved": solved, "untouched": released, "half": half}.items():
        put(notebook, course, "submitted", student, "lesson")
    nbgrader(course, "autograde", "lesson", "--create", *PATIENCE)
    return course


def marks(course: Path, student: str) -> tuple[float, float]:
    with api.Gradebook(f"sqlite:///{course / 'gradebook.db'}") as book:
        handed_in = book.find_submission("lesson", student)
        return handed_in.score, handed_in.max_score


def test_the_released_lesson_holds_stubs_and_no_solution(course):
    text = (course / "release" / "lesson" / f"{LESSON.stem}.ipynb").read_text(encoding="utf-8")
    assert "SOLUTION" not in text
    assert text.count("raise NotImplementedError") == len(NAMES)


def test_our_student_edition_is_what_nbgrader_releases_but_for_stubs_given_code_and_links(course):
    released = nbformat.read(course / "release" / "lesson" / f"{LESSON.stem}.ipynb", as_version=4)
    ours = up_to_the_last_check(student_edition(read_source(LESSON)))
    for one, other in zip(released.cells, ours.cells, strict=True):
        theirs = one.source.replace("# YOUR CODE HERE\n    raise NotImplementedError()", STUB)
        theirs = theirs.replace(f"/notebooks/{LESSON.stem}", f"/notebooks/student/{LESSON.stem}")
        if GIVEN in other.source:  # a fault to mend: the code with the fault stands in a cell before it as well
            assert theirs.split(STUB)[0] == other.source.split(GIVEN)[0]
        else:
            assert theirs == other.source


def test_the_solved_lesson_gets_full_marks(course):
    assert marks(course, "solved") == (len(NAMES), len(NAMES))


def test_a_lesson_that_was_not_started_gets_no_mark(course):
    assert marks(course, "untouched") == (0, len(NAMES))


def test_each_exercise_counts_by_itself(course):
    assert marks(course, "half") == (len(NAMES) - 1, len(NAMES))
