"""A class hands in notebooks in every state: each gets its points or a reason, and none stops the others."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import replace
from pathlib import Path

import nbformat
import numpy as np
import pytest
from damages import (
    ALL,
    BEGINNINGS,
    DAMAGES,
    ELSEWHERE,
    FIRST,
    NAMES,
    NO_NOTEBOOKS,
    SOURCE,
    TOGETHER,
    beginning_with,
    damaged,
    every_kind,
    solution,
    solved,
    with_mistakes,
    write,
)

from scrcl_edu.classroom.grading import grade
from scrcl_edu.classroom.judging import Judged, Limits, _best, _prepared, _with_other_inputs, judge_submission
from scrcl_edu.classroom.repairing import repair
from scrcl_edu.classroom.submissions import Submission, read_submission
from scrcl_edu.course.build import student_edition
from scrcl_edu.course.lessons import LESSONS
from scrcl_edu.course.tasks import catalogue, exercises
from scrcl_edu.errors import InputFileError, OutputError, SettingsError

pytestmark = pytest.mark.skipif(not SOURCE.is_file(), reason="an installed package has no sources of lessons")


@pytest.fixture(scope="module")
def handed_in(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("handed_in")
    for name, file in every_kind().items():
        write(folder, name, file)
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


def test_a_submission_that_hangs_holds_up_nobody_else(tmp_path):
    write(tmp_path / "in", "a hangs", ("01.ipynb", damaged(beginning_with("hangs", BEGINNINGS["never_ends"]))))
    for learner in "bcd":
        write(tmp_path / "in", learner, ("01.ipynb", damaged()))
    told: list[str] = []
    graded = grade(tmp_path / "in", tmp_path / "out", limits=Limits(seconds=10), jobs=2, report=told.append)
    assert told[-1].startswith("a hangs")
    assert [one.points for one in graded] == [ALL - 1, ALL, ALL, ALL]


def test_usual_mistakes_cost_their_point_and_no_other(tmp_path):
    sound = with_mistakes()
    for number, data in enumerate(sound):
        write(tmp_path / "in", f"{number:02d}", ("01.ipynb", data))
    graded = grade(tmp_path / "in", tmp_path / "out", report=lambda line: None)
    assert [one.points for one in graded] == [ALL, *[ALL - 1] * (len(sound) - 1)]
    assert not any(judged.look for one in graded for judged in one.judged)


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


@pytest.mark.parametrize("salt", [0, 1])
def test_every_worked_lesson_gets_all_points_and_no_mark_on_inputs_that_no_check_shows(salt):
    known = exercises()
    for path in sorted((SOURCE.parents[1]).glob("*.ipynb")):
        submission = read_submission(path, set(known))
        shared = _prepared(submission) | {name: exercise.reference for name, exercise in known.items()}
        for name, texts in submission.answers.items():
            if known[name].lesson == path.name[:2]:
                assert _best(known[name], texts, shared, salt) == Judged(name, "passed"), path.name


def test_inputs_on_which_right_answers_differ_are_not_drawn_for_grading():
    tied = replace(
        catalogue()[FIRST],
        reference=lambda x: int(np.argmax(x)),
        alternative=lambda x: len(x) - 1 - int(np.argmax(x[::-1])),
        inputs=lambda rng: {"x": rng.integers(0, 3, 4)},
        edge_cases=(),
        n_inputs=20,
    )
    of_the_check, for_grading = (
        [sum(case["x"] == case["x"].max()) for case in exercise.cases()]
        for exercise in (tied, _with_other_inputs(tied, 0))
    )
    assert max(of_the_check) > 1
    assert max(for_grading) == 1


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


@pytest.mark.parametrize(
    "how", ["inspect.getsource(TASK.reference)", "open(TASK.reference.__code__.co_filename).read()"]
)
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


@pytest.mark.parametrize("lesson", LESSONS)
def test_repair_carries_every_answer_of_a_lesson_transfers_too(lesson, tmp_path):
    notebook = nbformat.read(SOURCE.parents[1] / f"{LESSONS[lesson]}.ipynb", as_version=4)
    for cell in notebook.cells:
        cell.metadata = {}
    write(tmp_path / "in", "ann", ("mine.ipynb", json.dumps(notebook).encode()))
    assert repair(tmp_path / "in", tmp_path / "out", report=lambda line: None) == {Path("ann/mine.ipynb"): ""}
    repaired = nbformat.read(next((tmp_path / "out").rglob("*.ipynb")), as_version=4)
    answers = [cell.source for cell in repaired.cells if cell.metadata.get("nbgrader", {}).get("solution")]
    assert answers
    assert not any(re.search(r"raise NotImplementedError|^\w+ = None$", text, re.MULTILINE) for text in answers)


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
