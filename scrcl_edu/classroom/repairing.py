"""Give nbgrader what it needs: the learner's answers in the cells of the notebook that was handed out."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from scrcl_edu.classroom.grading import lesson_of, owner_of, submitted_files
from scrcl_edu.classroom.submissions import Submission, read_submission
from scrcl_edu.course.lessons import LESSONS, find_notebooks
from scrcl_edu.course.tasks import exercises
from scrcl_edu.errors import InputFileError, OutputError
from scrcl_edu.files import atomic_path


def repair(
    folder: str | Path,
    out: str | Path,
    *,
    lesson: str | None = None,
    handed_out: str | Path | None = None,
    overwrite: bool = False,
    report: Callable[[str], None] = print,
) -> dict[Path, str]:
    """Put the answers of submitted notebooks into fresh copies of what was handed out, as nbgrader collects them.

    Parameters
    ----------
    folder
        Submissions, in whatever state; they stay as they are.
    out
        Folder for `LEARNER/ASSIGNMENT/LESSON.ipynb`: nbgrader's `submitted`.
    lesson
        Two digits, when all files are of this lesson; told from each file when not given.
    handed_out
        Folder with the notebooks that nbgrader released; the course's student edition when not given.
    overwrite
        Replace files that are there.
    report
        Called with one line for each file.

    Returns
    -------
    For each file, relative to `folder`, the problem that kept it from being repaired; empty when it was.

    Raises
    ------
    InputFileError
        When a folder is not there or holds no file.
    OutputError
        When a file is there and may not be replaced.
    """
    folder, out = Path(folder), Path(out)
    source = Path(handed_out) if handed_out is not None else find_notebooks() / "student"
    results: dict[Path, str] = {}
    for path in submitted_files(folder):
        inside = path.relative_to(folder)
        submission = read_submission(path, set(exercises()))
        number = lesson or lesson_of(path, submission)
        results[inside] = submission.problem or ("" if number else "nothing in it tells which lesson it is")
        if not results[inside]:
            name = f"{LESSONS[number]}.ipynb"
            handed = _read(source / name)
            assignment = inside.parts[-2] if len(inside.parts) > 2 else LESSONS[number]
            target = out / owner_of(inside) / assignment / name
            _write(repaired(read_submission(path, _asked(handed)), handed), target, overwrite=overwrite)
        report(f"{inside}: {results[inside] or 'repaired'}")
    return results


def repaired(submission: Submission, handed_out: Any) -> Any:
    """A copy of what was handed out in which each solution cell holds the learner's answer and own helpers.

    Parameters
    ----------
    submission
        From :func:`~scrcl_edu.classroom.submissions.read_submission`.
    handed_out
        The notebook with nbgrader's marks, as nbformat reads it.
    """
    notebook = copy.deepcopy(handed_out)
    given = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    helpers = [text for text in submission.preamble if text not in given]
    for cell in filter(_name, notebook.cells):
        begun = [text for text in submission.answers.get(_name(cell), []) if "raise NotImplementedError" not in text]
        parts = [*begun[:1], *_assigned(cell.source, submission.preamble)]
        if parts:
            cell.source = "\n\n\n".join([*(text for text in helpers if text not in parts), *parts])
            helpers = []
    return notebook


def _name(cell: Any) -> str:
    """What a solution cell asks for; empty for other cells."""
    marks = cell.metadata.get("nbgrader", {})
    return str(marks.get("grade_id", "")).removeprefix("solve_") if marks.get("solution") else ""


def _asked(notebook: Any) -> set[str]:
    """Every function that a notebook asks for, transfers among them."""
    return set(filter(None, map(_name, notebook.cells)))


def _assigned(stub: str, preamble: list[str]) -> list[str]:
    """What a learner put in the place of the stub's `name = None`."""
    names = re.findall(r"^(\w+) = None$", stub, re.MULTILINE)
    given = [[text for text in preamble if re.match(rf"{name} = (?!None\b)", text)] for name in names]
    return [texts[-1] for texts in given if texts]


def _read(path: Path) -> Any:
    import nbformat

    if not path.is_file():
        raise InputFileError(f"{path} is not there; give the folder with the notebooks that were handed out")
    return nbformat.read(path, as_version=4)


def _write(notebook: Any, target: Path, *, overwrite: bool) -> None:
    import nbformat

    if target.exists() and not overwrite:
        raise OutputError(f"{target} is there and is kept; choose another --out, or allow --overwrite")
    target.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(target, overwrite=True) as temporary:
        nbformat.write(notebook, temporary)
