"""A class hands in notebooks in every state: each gets its points or a reason, and none stops the others."""

from __future__ import annotations

import copy
import csv
import json
import re
from pathlib import Path

import nbformat
import pytest

from scrcl_edu.classroom.grading import grade
from scrcl_edu.classroom.judging import Limits, judge_submission
from scrcl_edu.classroom.repairing import repair
from scrcl_edu.classroom.submissions import Submission, read_submission
from scrcl_edu.course.build import read_source, student_edition
from scrcl_edu.course.tasks import catalogue
from scrcl_edu.errors import InputFileError, OutputError, SettingsError

SOURCE = Path(__file__).resolve().parents[1] / "notebooks" / "src" / "01_preprocessing.py"
NAMES = [name for name, exercise in catalogue("check", "mend").items() if exercise.lesson == "01"]
ALL, FIRST = len(NAMES), NAMES[0]
pytestmark = pytest.mark.skipif(not SOURCE.is_file(), reason="an installed package has no sources of lessons")


def solved():
    return read_source(SOURCE)


def solution(notebook, name=FIRST):
    """The cell that defines a function."""
    return next(c for c in notebook.cells if c.cell_type == "code" and re.search(rf"^def {name}\(", c.source, re.M))


def checks(notebook):
    return [c for c in notebook.cells if c.cell_type == "code" and re.search(r"\bcheck\(", c.source)]


def without_marks(notebook):
    for cell in notebook.cells:
        cell.metadata = {}


def without_solution_cell(notebook):
    notebook.cells.remove(solution(notebook))


def without_checks(notebook):
    for cell in checks(notebook):
        notebook.cells.remove(cell)


def cell_twice(notebook):
    cell = solution(notebook)
    notebook.cells.insert(notebook.cells.index(cell), copy.deepcopy(cell))


def stub_below(notebook):
    notebook.cells.append(solution(student_edition(notebook)))


def as_markdown(notebook):
    solution(notebook)["cell_type"] = "markdown"


def as_raw(notebook):
    solution(notebook)["cell_type"] = "raw"


def in_a_fence(notebook):
    cell = solution(notebook)
    cell["cell_type"], cell.source = "markdown", f"My answer:\n\n```python\n{cell.source}\n```\n"


def split_in_two(notebook):
    cell = solution(notebook)
    head, tail = cell.source.split("    ### BEGIN SOLUTION\n")
    cell.source = head.rstrip()
    notebook.cells.insert(
        notebook.cells.index(cell) + 1, nbformat.v4.new_code_cell("    " + tail.lstrip("\n").removeprefix("    "))
    )


def last_line_in_next_cell(notebook):
    cell = solution(notebook)
    lines = [line for line in cell.source.split("\n") if "###" not in line]
    while not lines[-1].strip():
        lines.pop()
    cell.source = "\n".join(lines[:-1])
    notebook.cells.insert(notebook.cells.index(cell) + 1, nbformat.v4.new_code_cell(lines[-1]))


def in_another_order(notebook):
    notebook.cells.reverse()


def another_kernel(notebook):
    notebook.metadata = {"kernelspec": {"name": "ir", "display_name": "R", "language": "R"}}


def with_magic(notebook):
    cell = solution(notebook)
    cell.source = f"%%time\n{cell.source}\n!pip list\n{FIRST}?"


def without_solution(notebook):
    notebook.cells = student_edition(notebook).cells


def beginning_with(name, code):
    """Put a statement before the answer of the first exercise."""

    def damage(notebook):
        cell = solution(notebook)
        cell.source = cell.source.replace("### BEGIN SOLUTION", code)

    damage.__name__ = name
    return damage


ELSEWHERE = Path(__file__).with_name("left_behind.txt")
BEGINNINGS = {
    "no_python": "if True",
    "never_ends": "import time; time.sleep(1e6)",
    "eats_memory": "[b'x' * 10**8 for _ in range(10**6)]",
    "leaves": "import os; os._exit(0)",
    "exits": "raise SystemExit",
    "runs_a_program": "import os; os.system('true')",
    "asks_the_network": "import socket; socket.create_connection(('127.0.0.1', 9))",
    "reads_the_solutions": f"open({str(SOURCE)!r}).read()",
    "writes_elsewhere": f"open({str(ELSEWHERE)!r}, 'w')",
}


def under_another_name(notebook):
    cell = solution(notebook)
    cell.source = cell.source.replace(f"def {FIRST}(", "def mine(")
    check = next(c for c in checks(notebook) if f'"{FIRST}"' in c.source)
    check.source = f'check("{FIRST}", mine)'


def with_a_helper(notebook):
    cell = solution(notebook)
    inner = cell.source.replace(f"def {FIRST}(", "def helper(")
    names = ", ".join(re.search(rf"def {FIRST}\((.*?)\)", cell.source).group(1).split(", "))
    cell.source = f"import os as operating_system\n\n{inner}\n\n\ndef {FIRST}({names}):\n    return helper({names})"


def last_years(notebook):
    for cell in notebook.cells:
        cell.source = cell.source.replace(FIRST, "normalise_everything")


def with_outputs(notebook):
    solution(notebook)["outputs"] = [nbformat.v4.new_output("stream", text="x" * 100_000)]


DAMAGES = {  # what was done to a solved lesson: points
    without_marks: ALL, without_solution_cell: ALL - 1, without_checks: ALL, cell_twice: ALL, stub_below: ALL,
    as_markdown: ALL, as_raw: ALL, in_a_fence: ALL, split_in_two: ALL, last_line_in_next_cell: ALL,
    in_another_order: ALL, another_kernel: ALL, with_magic: ALL, without_solution: 0, under_another_name: ALL,
    with_a_helper: ALL, last_years: ALL - 1, with_outputs: ALL,
    **{beginning_with(name, code): ALL - 1 for name, code in BEGINNINGS.items()},
}  # fmt: skip
TOGETHER = [
    (without_marks, cell_twice, as_raw),
    (without_checks, split_in_two, another_kernel),
    (with_magic, stub_below),
]
NO_NOTEBOOKS = {  # what the file holds: the reason that is given
    "empty": (b"", "the file is empty"),
    "page": (b"<!DOCTYPE html><html>", "web page"),
    "merge": (b"<<<<<<< HEAD\n{}\n=======\n>>>>>>> theirs\n", "web page|git merge"),
    "conflict": (b'{"cells": [\n<<<<<<< HEAD\n', "git merge"),
    "words": (b"my answer is 3", "no JSON"),
    "list": (b"[1, 2]", "holds no cells"),
    "cells": (b'{"cells": []}', "has no cells"),
    "other": (b'{"cells": [{"cell_type": "code", "source": "1"}]}', "no function of any exercise"),
    "strange": (b'{"cells": [{"cell_type": 3, "source": {"a": 1}}, 5, null]}', "no function of any exercise"),
    "binary": (bytes(range(256)), "no JSON"),
}


@pytest.fixture(scope="module")
def handed_in(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("handed_in")
    for damages in [(), *((damage,) for damage in DAMAGES), *TOGETHER]:
        notebook = solved()
        for damage in damages:
            damage(notebook)
        name = "+".join(damage.__name__ for damage in damages) or "clean"
        (folder / name).mkdir()
        (folder / name / "01_preprocessing.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    text = json.dumps(solved())
    for name, (data, _) in NO_NOTEBOOKS.items():
        (folder / name).mkdir()
        (folder / name / "01_preprocessing.ipynb").write_bytes(data)
    (folder / "cut").mkdir()
    (folder / "cut" / "01_preprocessing.ipynb").write_text(text[: len(text) // 2], encoding="utf-8")
    (folder / "renamed").mkdir()
    (folder / "renamed" / "Final version (2).ipynb").write_text(text, encoding="utf-8")
    (folder / "old").mkdir()
    old = {"worksheets": [{"cells": [{"cell_type": "code", "input": c.source} for c in solved().cells]}]}
    (folder / "old" / "01_preprocessing.ipynb").write_text(json.dumps(old), encoding="utf-8")
    (folder / "clean" / ".ipynb_checkpoints").mkdir()
    (folder / "clean" / ".ipynb_checkpoints" / "01_preprocessing-checkpoint.ipynb").write_text("{")
    return folder


@pytest.fixture(scope="module")
def results(handed_in, tmp_path_factory):
    out = tmp_path_factory.mktemp("results")
    limits = Limits(seconds=20, memory_mb=1000)
    graded = grade(handed_in, out, limits=limits, salt=1, overwrite=True, report=lambda line: None)
    return {one.learner: one for one in graded}, out


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_each_damaged_submission_gets_its_points(results, damage):
    graded = results[0][damage.__name__]
    assert graded.points == DAMAGES[damage], [(one.exercise, one.status, one.cause) for one in graded.judged]


@pytest.mark.parametrize("damages", TOGETHER, ids=lambda damages: "+".join(one.__name__ for one in damages))
def test_damages_together_cost_no_more(results, damages):
    assert results[0]["+".join(damage.__name__ for damage in damages)].points == ALL


@pytest.mark.parametrize("name", ["clean", "renamed", "old"])
def test_name_and_version_of_a_file_do_not_matter(results, name):
    assert results[0][name].points == ALL
    assert results[0][name].lesson == "01"


@pytest.mark.parametrize("name", [*NO_NOTEBOOKS, "cut"])
def test_what_is_no_notebook_gets_a_reason(results, name):
    reason = NO_NOTEBOOKS[name][1] if name in NO_NOTEBOOKS else "damaged notebook"
    assert re.search(reason, results[0][name].problem)
    assert results[0][name].judged == ()


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("no_python", "is no Python"),
        ("never_ends", "still running|loop that never ends|stopped"),
        ("eats_memory", "memory|Memory"),
        ("leaves", "ended without an answer"),
        ("runs_a_program", "os.system is not allowed"),
        ("asks_the_network", "socket.* is not allowed"),
        ("reads_the_solutions", "reading 01_preprocessing.py is not allowed"),
        ("writes_elsewhere", "changing .* is not allowed"),
        ("last_years", "no definition of"),
    ],
)
def test_the_reason_for_a_lost_point_is_told(results, name, says):
    first = results[0][name].judged[0]
    assert first.exercise == FIRST
    assert re.search(says, f"{first.cause} {first.came_out}")


def test_nothing_is_left_behind(results):
    assert not ELSEWHERE.exists()


def test_the_table_has_a_row_for_every_exercise_of_every_file(results):
    graded, out = results
    with (out / "results.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {row["learner"] for row in rows} == set(graded)
    assert len(rows) == sum(len(one.judged) or 1 for one in graded.values())
    assert sum(int(row["points"]) for row in rows) == sum(one.points for one in graded.values())


def test_every_learner_has_a_page_and_the_class_has_one(results):
    graded, out = results
    for one in graded.values():
        assert one.learner in (out / "feedback" / f"{one.path}.html").read_text(encoding="utf-8")
    page = (out / "results.html").read_text(encoding="utf-8")
    assert "Not graded" in page
    assert "Mistakes, the most common first" in page


# Answers that pass, or nearly, without an answer


def judged(answer: str, name: str = FIRST, preamble: tuple[str, ...] = ()):
    return judge_submission(Submission(Path("x"), preamble=list(preamble), answers={name: [answer]}), [name], Limits())[
        0
    ]


def signature(name: str) -> str:
    import inspect

    return ", ".join(inspect.signature(catalogue()[name].reference).parameters)


def test_who_calls_the_package_s_own_function_is_marked_for_a_look():
    inside = "from scrcl_edu.course.tasks import catalogue\n    return catalogue()"
    inside += f"[{FIRST!r}].reference({signature(FIRST)})"
    one = judged(f"def {FIRST}({signature(FIRST)}):\n    {inside}")
    assert any("package's own" in look for look in one.look)
    helper = "def other(*values):\n    import scrcl_edu.preprocessing\n    return values"
    one = judged(f"def {FIRST}({signature(FIRST)}):\n    return other({signature(FIRST)})", preamble=(helper,))
    assert any("package's own" in look for look in one.look)


@pytest.mark.parametrize(
    ("head", "helper"),
    [
        (f"def {FIRST}({{}}, own={FIRST}):\n    return own({{}})", ""),
        (f"def {FIRST}({{}}):\n    return helper({{}})", f"def helper(*given):\n    return {FIRST}(*given)"),
    ],
    ids=["as a default", "through a helper"],
)
def test_the_answer_that_later_answers_build_on_does_not_answer_for_itself(head, helper):
    names = signature(FIRST)
    assert judged(head.format(names, names), preamble=(helper,)).status == "not yet"


@pytest.mark.parametrize("how", ["inspect.getsource(TASK.reference)", "open(TASK.reference.__code__.co_filename).read()"])
def test_the_solutions_in_the_package_cannot_be_read(how):
    reads = f"import inspect; from scrcl_edu.course.tasks import catalogue; TASK = catalogue()[{FIRST!r}]; {how}"
    one = judged(f"def {FIRST}({signature(FIRST)}):\n    {reads}")
    assert one.status == "not yet"
    assert re.search(r"reading lesson_01\w*\.py is not allowed|could not get source code", one.came_out)


def test_who_returns_a_constant_is_marked_for_a_look():
    one = judged(f"def {FIRST}({signature(FIRST)}):\n    return 3")
    assert one.status == "not yet"
    assert "does not use what it is given" in one.look


def test_who_writes_down_what_the_check_expects_does_not_pass_and_is_marked():
    exercise = catalogue()[FIRST]
    import numpy as np

    table = {repr(case): exercise.reference(**case) for case in exercise.cases()}
    seen = {key: np.asarray(value).tolist() for key, value in table.items()}
    text = (
        f"def {FIRST}({signature(FIRST)}):\n    import numpy as np\n"
        f"    given = dict({', '.join(f'{name}={name}' for name in signature(FIRST).split(', '))})\n"
        f"    return np.array({seen!r}[repr(given)])"
    )
    one = judged(text)
    assert one.status == "not yet"
    assert "right on the inputs that the check shows, wrong on others" in one.look


def test_what_learners_write_reaches_the_pages_and_the_table_escaped(tmp_path):
    (tmp_path / "in" / "<b>ann").mkdir(parents=True)
    cells = [nbformat.v4.new_code_cell(f"def {FIRST}(*given):\n    raise ValueError('=<script>alert(1)</script>')")]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "in" / "<b>ann" / "x.ipynb")
    graded = grade(tmp_path / "in", tmp_path / "out", report=lambda line: None)
    pages = [(tmp_path / "out" / "results.html"), *(tmp_path / "out" / "feedback").rglob("*.html")]
    assert len(pages) == 2
    assert all("<script>" not in page.read_text() and "<b>ann" not in page.read_text() for page in pages)
    assert "alert(1)" in graded[0].judged[0].came_out


# nbgrader's path


def test_repair_puts_the_answers_into_what_was_handed_out(handed_in, tmp_path):
    problems = repair(handed_in, tmp_path, report=lambda line: None)
    marked = [cell.metadata.get("nbgrader") for cell in student_edition(solved()).cells]
    given = [marks["grade_id"] for marks in marked if marks]
    assert sum(bool(problem) for problem in problems.values()) == len(NO_NOTEBOOKS) + 1
    for name in ("cell_twice", "without_marks", "renamed", "as_markdown", "with_a_helper", "old"):
        notebook = nbformat.read(next((tmp_path / name).rglob("01_preprocessing.ipynb")), as_version=4)
        nbformat.validate(notebook)
        marks = [cell.metadata["nbgrader"]["grade_id"] for cell in notebook.cells if "nbgrader" in cell.metadata]
        assert sorted(marks) == sorted(given)
        assert "raise NotImplementedError" not in solution(notebook).source
        again = read_submission(next((tmp_path / name).rglob("*.ipynb")), set(NAMES))
        assert set(again.answers) == set(NAMES)
    assert len(given) == len(set(given)) >= 2 * ALL


# What the instructor gives


def test_bad_settings_say_what_is_allowed(tmp_path):
    (tmp_path / "in").mkdir()
    with pytest.raises(InputFileError, match="holds no file"):
        grade(tmp_path / "in", tmp_path / "out")
    with pytest.raises(InputFileError, match="is no folder"):
        grade(tmp_path / "none", tmp_path / "out")
    (tmp_path / "in" / "a.ipynb").write_text("{}")
    with pytest.raises(SettingsError, match="there is no lesson '77'; choose one of 00"):
        grade(tmp_path / "in", tmp_path / "out", lesson="77")
    with pytest.raises(SettingsError, match="choose more than 0 s"):
        Limits(seconds=0)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "results.csv").write_text("mine")
    with pytest.raises(OutputError, match="is there and is kept"):
        grade(tmp_path / "in", tmp_path / "out")
    assert (tmp_path / "out" / "results.csv").read_text() == "mine"
