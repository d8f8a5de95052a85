"""Grade a folder of submitted notebooks: a table, a page for the instructor, and a page for each learner."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from scrcl_edu.classroom.judging import Graded, Limits, judge_submission
from scrcl_edu.classroom.pages import class_page, feedback_page
from scrcl_edu.classroom.submissions import Submission, read_submission
from scrcl_edu.course.lessons import LESSONS
from scrcl_edu.course.tasks import exercises
from scrcl_edu.errors import InputFileError, OutputError, SettingsError
from scrcl_edu.files import atomic_path

COLUMNS = ("learner", "lesson", "file", "exercise", "points", "of", "status", "cause", "tried", "came_out", "look")
NOT_HANDED_IN = {".ipynb_checkpoints", "__MACOSX", "__pycache__"}


def grade(
    folder: str | Path,
    out: str | Path,
    *,
    lesson: str | None = None,
    limits: Limits | None = None,
    jobs: int = 2,
    salt: int = 0,
    overwrite: bool = False,
    report: Callable[[str], None] = print,
) -> list[Graded]:
    """Grade every file in a folder, in whatever state it is.

    Parameters
    ----------
    folder
        Submissions: files such as `02_graphs_anna.ipynb`, or a folder for each learner, as nbgrader collects them.
    out
        Folder for `results.csv`, `results.html` and `feedback/LEARNER/FILE.html`; created when missing.
    lesson
        Two digits, when all files are of this lesson; told from each file when not given.
    limits
        Time and memory of one submission.
    jobs
        Submissions judged at once.
    salt
        Draws the inputs.
    overwrite
        Replace results that are there.
    report
        Called with one line for each file.

    Returns
    -------
    One :class:`Graded` for each file.

    Raises
    ------
    InputFileError
        When the folder is not there or holds no file.
    SettingsError
        When there is no such lesson.
    OutputError
        When results are there and may not be replaced.
    """
    folder, out = Path(folder), Path(out)
    paths = submitted_files(folder)
    if lesson is not None and lesson not in LESSONS:
        raise SettingsError(f"there is no lesson {lesson!r}; choose one of {', '.join(LESSONS)}")
    table = out / "results.csv"
    if table.exists() and not overwrite:
        raise OutputError(f"{table} is there and is kept; choose another --out, or allow --overwrite")
    limits = limits or Limits()

    def one(path: Path) -> Graded:
        graded = _grade(path, folder, lesson, limits, salt)
        what = graded.problem or f"{graded.points} of {len(graded.judged)}"
        report(f"{graded.path}: {what}")
        return graded

    with ThreadPoolExecutor(jobs) as pool:
        results = list(pool.map(one, paths))
    _write(results, out, table)
    return results


def submitted_files(folder: Path) -> list[Path]:
    """Every file below the folder but hidden ones and those that systems leave behind, in order.

    Raises
    ------
    InputFileError
        When the folder is not there or holds no file.
    """
    if not folder.is_dir():
        raise InputFileError(f"{folder} is no folder; give the one with the submitted notebooks")
    inside = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    kept = [path for path in inside if not NOT_HANDED_IN & set(path.parts) and not path.name.startswith(".")]
    if not kept:
        raise InputFileError(f"{folder} holds no file; give the folder with the submitted notebooks")
    return kept


def _grade(path: Path, folder: Path, lesson: str | None, limits: Limits, salt: int) -> Graded:
    inside = path.relative_to(folder)
    known = exercises()
    submission = read_submission(path, set(known))
    lesson = lesson or lesson_of(path, submission)
    learner = owner_of(inside)
    if not submission.problem and not lesson:
        submission.problem = "nothing in it tells which lesson it is"
    if submission.problem:
        return Graded(learner, lesson, inside, (), submission.problem, tuple(submission.notes))
    names = [name for name, exercise in known.items() if exercise.lesson == lesson]
    judged = tuple(judge_submission(submission, names, limits, salt=salt))
    return Graded(learner, lesson, inside, judged, "", tuple(submission.notes))


def lesson_of(path: Path, submission: Submission) -> str:
    """The lesson that most of a file's answers belong to; of equals the one that the file's name tells."""
    known = exercises()
    counts = Counter(known[name].lesson for name in submission.answers)
    named = re.search(r"(?<!\d)\d\d(?!\d)", path.stem)
    told = named.group() if named and named.group() in LESSONS else ""
    if not counts:
        return told
    most = max(counts.values())
    best = [lesson for lesson, count in counts.items() if count == most]
    return told if told in best else best[0]


def owner_of(inside: Path) -> str:
    """Whose file it is: the first folder, or what the file's name has beside the lesson's."""
    folders = [part for part in inside.parts[:-1] if part != "submitted"]
    if folders:
        return folders[0]
    stem = inside.stem
    for name in LESSONS.values():
        stem = stem.replace(name, "")
    return stem.strip(" _-.()") or inside.stem


def _write(results: list[Graded], out: Path, table: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    with atomic_path(table, overwrite=True) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows(_safe(row) for graded in results for row in _rows(graded))
    with atomic_path(out / "results.html", overwrite=True) as temporary:
        temporary.write_text(class_page(results), encoding="utf-8")
    for graded in results:
        path = out / "feedback" / graded.path.with_name(f"{graded.path.name}.html")
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(path, overwrite=True) as temporary:
            temporary.write_text(feedback_page(graded), encoding="utf-8")


def _rows(graded: Graded) -> Iterable[tuple[object, ...]]:
    start = (graded.learner, graded.lesson, str(graded.path))
    if graded.problem:
        yield (*start, "", 0, "", "not graded", graded.problem, "", "", "")
    for one in graded.judged:
        passed = int(one.status == "passed")
        yield (*start, one.exercise, passed, 1, one.status, one.cause, one.tried, one.came_out, "; ".join(one.look))


def _safe(row: Iterable[object]) -> list[object]:
    """Cells that no spreadsheet takes for a formula: what learners write reaches the table."""
    return [
        f"'{cell}" if isinstance(cell, str) and cell.startswith(("=", "+", "-", "@", "\t")) else cell for cell in row
    ]
