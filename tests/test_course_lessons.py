"""Building and running lessons, tried on a small throw-away course."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from scrcl_edu.course import build_lessons, run_lessons
from scrcl_edu.course.build import GIVEN, read_source, student_edition
from scrcl_edu.course.drawn import drawn_with
from scrcl_edu.course.lessons import choose, find_notebooks
from scrcl_edu.errors import InputFileError, SettingsError

GOOD = '''# %% [markdown]
# # 03 A small lesson

# %% tags=["parameters"]
PROFILE = "fast"
SEED = 0

# %%
import matplotlib.pyplot as plt
import torch

from scrcl_edu.course import check, hint, progress, quiz, slider
from scrcl_edu.plotting import show

print(PROFILE, SEED)


# %%
def unit_rows(x):
    """Scale each row to length 1."""
    ### BEGIN SOLUTION
    return x / x.norm(dim=1, keepdim=True)
    ### END SOLUTION


# %%
unit_rows = check("unit_rows", unit_rows).function

# %%
print(unit_rows(torch.tensor([[3.0, 4.0]])))


# %%
def draw(k):
    figure, axes = plt.subplots(figsize=(2, 2))
    axes.plot([0, k])
    return figure


slider(draw, alt="a line to {k}", k=[1, 2, 3, 4, 5])

# %%
show(draw(2), alt="A line that rises to two.")

# %%
quiz("00-1")

# %% tags=["nbval-ignore-output"]
progress()
'''
BAD = '# %%\nx = 1\n\n# %%\nraise ValueError(f"x is {x}")\n'
LEAK = '# %%\nprint("/home/someone/data.h5ad")\n'


@pytest.fixture(scope="module")
def course(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("course") / "notebooks"
    (folder / "src").mkdir(parents=True)
    (folder / "src" / "03_small.py").write_text(GOOD)
    assert build_lessons(folder) == []
    return folder


def test_the_worked_lesson_is_executed_and_holds_nothing_of_the_machine(course):
    notebook = nbformat.read(course / "03_small.ipynb", as_version=4)
    nbformat.validate(notebook)
    assert all(cell.execution_count for cell in notebook.cells if cell.cell_type == "code")
    assert notebook.metadata == {
        "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
        "scrcl_edu": {"drawn_with": drawn_with(GOOD)},
    }
    text = (course / "03_small.ipynb").read_text()
    assert str(course) not in text
    assert "widget-view" not in text
    assert not re.search(r"20\d\d-\d\d-\d\dT", text)


def test_figures_and_sliders_store_their_alt_text_and_a_static_picture(course):
    cells = nbformat.read(course / "03_small.ipynb", as_version=4).cells
    pictures = [output for cell in cells for output in cell.get("outputs", []) if "image/png" in output.get("data", {})]
    assert [picture.metadata["image/png"]["alt"] for picture in pictures] == [
        "a line to 1; a line to 2; a line to 4; a line to 5",
        "A line that rises to two.",
    ]


def test_the_student_edition_has_stubs_and_no_outputs(course):
    text = (course / "student" / "03_small.ipynb").read_text()
    assert "raise NotImplementedError" in text
    assert "x / x.norm" not in text
    assert "SOLUTION" not in text
    for cell in nbformat.reads(text, as_version=4).cells:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None


def test_solutions_and_checks_carry_the_marks_of_nbgrader(course):
    cells = nbformat.read(course / "student" / "03_small.ipynb", as_version=4).cells
    marks = {cell.metadata.nbgrader.grade_id: cell.metadata.nbgrader for cell in cells if "nbgrader" in cell.metadata}
    assert set(marks) == {"solve_unit_rows", "check_unit_rows"}
    assert marks["solve_unit_rows"].solution
    assert not marks["solve_unit_rows"].locked
    assert marks["check_unit_rows"].grade
    assert marks["check_unit_rows"].points == 1


def test_building_twice_gives_the_same_files(course, tmp_path):
    before = {path.name: path.read_bytes() for path in course.rglob("*.ipynb")}
    assert build_lessons(course, only="03") == []
    assert {path.name: path.read_bytes() for path in course.rglob("*.ipynb")} == before


def test_the_student_edition_runs_to_the_end_with_nothing_solved(course, tmp_path):
    lesson = tmp_path / "03_small.ipynb"
    lesson.write_text((course / "student" / "03_small.ipynb").read_text())
    (result,) = run_lessons(folder=tmp_path, out=tmp_path / "out")
    assert result.ok, result.problem
    text = (tmp_path / "out" / "03_small.ipynb").read_text()
    assert "unit_rows: not started yet" in text
    assert "0.6000, 0.8000" in text


def test_fresh_editions_have_no_problem_and_stale_ones_are_named(course, tmp_path):
    copy = tmp_path / "notebooks"
    (copy / "src").mkdir(parents=True)
    (copy / "student").mkdir()
    for name in ("03_small.ipynb", "student/03_small.ipynb", "src/03_small.py"):
        (copy / name).write_text((course / name).read_text())
    assert build_lessons(copy, check=True) == []
    (copy / "src" / "03_small.py").write_text(GOOD.replace("rises to two", "rises to 2"))
    stale = build_lessons(copy, check=True)
    assert len(stale) == 2
    assert all("older than its source; run: scrcl-edu build --only 03" in problem for problem in stale)
    (copy / "03_small.ipynb").unlink()
    assert "the worked lesson is missing" in build_lessons(copy, check=True)[0]


def test_a_worked_lesson_that_was_not_executed_is_stale(course, tmp_path):
    (tmp_path / "src").mkdir()
    (tmp_path / "student").mkdir()
    (tmp_path / "src" / "03_small.py").write_text(GOOD)
    (tmp_path / "student" / "03_small.ipynb").write_text((course / "student" / "03_small.ipynb").read_text())
    nbformat.write(read_source(tmp_path / "src" / "03_small.py"), tmp_path / "03_small.ipynb")
    assert "is not executed" in build_lessons(tmp_path, check=True)[0]


def test_figures_that_other_code_would_draw_are_stale(course, tmp_path):
    shutil.copytree(course, tmp_path / "notebooks")
    lesson = nbformat.read(tmp_path / "notebooks" / "03_small.ipynb", as_version=4)
    lesson.metadata["scrcl_edu"]["drawn_with"] = "before"
    nbformat.write(lesson, tmp_path / "notebooks" / "03_small.ipynb")
    (problem,) = build_lessons(tmp_path / "notebooks", check=True)
    assert "figures are older than the code that draws them; run: scrcl-edu build --only 03" in problem


DRAWING = '''
WIDTH = 3


def show(figure):
    """Show it."""
    return shade(figure) * WIDTH


def shade(figure):
    return figure  # as it is


def other(figure):
    return None
'''


@pytest.mark.parametrize(
    ("before", "after", "stale"),
    [
        ("return figure  # as it is", "return figure * 2", True),
        ("WIDTH = 3", "WIDTH = 4", True),
        ("return None", "return 1", False),
        ("Show it.", "Display it.", False),
    ],
    ids=["a function behind a function", "a constant", "a function that is not called", "a docstring"],
)
def test_the_mark_of_a_drawing_follows_the_code_that_the_lesson_reaches(tmp_path, before, after, stale):
    marks = []
    for name, code in (("one", DRAWING), ("two", DRAWING.replace(before, after))):
        (tmp_path / name).mkdir()
        (tmp_path / name / "plotting.py").write_text(code)
        marks.append(drawn_with("from scrcl_edu.plotting import show\n\nshow(1)", tmp_path / name))
    assert (marks[0] != marks[1]) is stale


def test_a_cell_with_the_mark_of_the_site_is_folded_everywhere(tmp_path):
    (tmp_path / "03_folded.py").write_text('# %% tags=["hide-input"]\nimport sys\n\n# %%\nx = 1\n')
    folded, open_ = read_source(tmp_path / "03_folded.py").cells
    assert folded.metadata == {"tags": ["hide-input"], "jupyter": {"source_hidden": True}, "cellView": "form"}
    assert open_.metadata == {}


@pytest.mark.parametrize(("source", "words"), [(BAD, "failed: ValueError: x is 1"), (LEAK, "a path of this machine")])
def test_a_lesson_that_fails_or_leaks_is_not_built(source, words, tmp_path):
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "04_bad.py").write_text(source)
    (problem,) = build_lessons(tmp_path)
    assert words in problem
    assert not (tmp_path / "04_bad.ipynb").exists()
    assert not (tmp_path / "student").exists()


def test_a_solution_that_is_not_closed_is_named(tmp_path):
    (tmp_path / "03_open.py").write_text("# %%\ndef f():\n    ### BEGIN SOLUTION\n    return 1\n")
    with pytest.raises(InputFileError, match="without '### END SOLUTION'"):
        read_source(tmp_path / "03_open.py")


def test_only_the_solution_is_taken_out(tmp_path):
    (tmp_path / "03_x.py").write_text(
        "# %%\ndef f(x):\n    y = 1\n    ### BEGIN SOLUTION\n    y += x\n    ### END SOLUTION\n    return y\n"
    )
    student = student_edition(read_source(tmp_path / "03_x.py"))
    assert student.cells[0].source == (
        "def f(x):\n    y = 1\n    raise NotImplementedError  # your code here\n    return y"
    )


def test_the_student_edition_has_the_given_code_where_a_fault_is_to_be_mended(tmp_path):
    (tmp_path / "03_x.py").write_text(
        '# %%\ndef f_given(x):\n    """Half."""\n    y = x / 3\n    return y\n\n'
        "# %%\ndef f(x):\n    ### BEGIN SOLUTION\n    return x / 2\n    ### END SOLUTION\n"
    )
    student = student_edition(read_source(tmp_path / "03_x.py"))
    assert student.cells[1].source == f"def f(x):\n    {GIVEN}\n    y = x / 3\n    return y"


def test_the_launch_links_of_the_student_edition_lead_to_itself(tmp_path):
    links = "[Binder](https://mybinder.org/v2/gh/a/b/main?urlpath=lab/tree/notebooks/03_small.ipynb) "
    links += "[Colab](https://colab.research.google.com/github/a/b/blob/main/notebooks/03_small.ipynb) "
    links += "[terms](https://github.com/a/b/blob/main/docs/glossary.md) [next](04_next.ipynb)"
    (tmp_path / "03_small.py").write_text(f"# %% [markdown]\n# {links}\n")
    (cell,) = student_edition(read_source(tmp_path / "03_small.py")).cells
    assert cell.source == links.replace("/notebooks/03", "/notebooks/student/03")


def test_the_stub_of_a_value_runs_through(tmp_path):
    (tmp_path / "03_x.py").write_text("# %%\nanswer = None\n### BEGIN SOLUTION\nanswer = 3\n### END SOLUTION\n")
    (cell,) = student_edition(read_source(tmp_path / "03_x.py")).cells
    assert cell.source == "answer = None\n...  # your code here"


def test_nbval_is_red_on_one_changed_number_and_green_on_all_other_cells(course, tmp_path):
    changed = json.loads((course / "03_small.ipynb").read_text())
    for cell in changed["cells"]:
        for output in cell.get("outputs", []):
            if "0.6000" in str(output.get("text", "")):
                output["text"] = [line.replace("0.6000", "0.6001") for line in output["text"]]
    (tmp_path / "03_small.ipynb").write_text(json.dumps(changed))
    result = _nbval(tmp_path / "03_small.ipynb")
    assert result.returncode == 1
    assert re.search(r"1 failed, 8 passed", result.stdout), result.stdout


def _nbval(notebook: Path) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--nbval", "--nbval-current-env"]
    command += ["--rootdir", str(notebook.parent), "-c", "/dev/null", notebook.name]
    return subprocess.run(command, cwd=notebook.parent, capture_output=True, text=True, check=False)


def test_run_measures_goes_on_after_a_failure_and_sums_up(course, tmp_path):
    (tmp_path / "03_small.ipynb").write_text((course / "03_small.ipynb").read_text())
    cells = [nbformat.v4.new_code_cell("PROFILE = 'fast'", metadata={"tags": ["parameters"]})]
    # Memory that is written to, and held for some measurements: what is only asked for is not counted.
    holding = "import time; held = b'x' * 300_000_000; time.sleep(2); raise ValueError('no cells left')"
    cells += [nbformat.v4.new_code_cell(holding)]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "02_bad.ipynb")
    said = []
    how = {"profile": "full", "seed": 7, "jobs": 2}
    bad, good = run_lessons(folder=tmp_path, out=tmp_path / "new" / "out", report=said.append, **how)
    assert not bad.ok
    assert "cell 2: ValueError: no cells left" in bad.problem
    assert bad.peak_mb > 300
    assert good.ok
    assert good.seconds > 0
    assert good.slowest is not None
    assert len(said) == 3
    assert "FAILED" in said[0]
    assert said[2].startswith("1 of 2 lessons ran")
    assert said[2].endswith("failed: 02_bad")
    assert "full 7" in (tmp_path / "new" / "out" / "03_small.ipynb").read_text()


def test_unknown_lessons_and_profiles_are_explained(course):
    with pytest.raises(SettingsError, match="there is no lesson '42'; the lessons are 03"):
        run_lessons("42", folder=course)
    with pytest.raises(SettingsError, match="profile is 'quick'; choose fast or full"):
        run_lessons(folder=course, profile="quick")
    with pytest.raises(SettingsError, match="jobs is 0; give the number of lessons"):
        run_lessons(folder=course, jobs=0)


def test_lessons_are_chosen_by_number_or_name(tmp_path):
    files = [tmp_path / "03_encoders.ipynb", tmp_path / "05_neighborhood_alignment.ipynb"]
    assert choose(files, "03, 5") == files
    assert choose(files, ["03_encoders"]) == files[:1]
    assert choose(files, None) == files


def test_the_notebooks_are_found_from_inside_and_missing_ones_are_explained(course, tmp_path, monkeypatch):
    monkeypatch.chdir(course)
    assert find_notebooks() == course
    monkeypatch.chdir(course.parent)
    assert find_notebooks() == course
    with pytest.raises(InputFileError, match="holds no lessons"):
        find_notebooks(tmp_path)
