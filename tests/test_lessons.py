"""The lessons as they are stored: executed, compared, fresh, and free of solutions where they should be."""

from __future__ import annotations

import ast
import inspect
import json
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import nbformat
import pytest

from scrcl_edu.course import run_lessons
from scrcl_edu.course.build import FOLDED, GIVEN, MACHINE_PATH, SOLUTION, freshness, read_source
from scrcl_edu.course.claims import FAILED, HELD
from scrcl_edu.course.lessons import LESSONS
from scrcl_edu.course.platform import colab_cell
from scrcl_edu.course.quizzes import questions
from scrcl_edu.course.tasks import catalogue

NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"
SOURCES = sorted((NOTEBOOKS / "src").glob("[0-9][0-9]_*.py"))
pytestmark = pytest.mark.skipif(not SOURCES, reason="an installed package has no sources of lessons")
each_lesson = pytest.mark.parametrize("source", SOURCES, ids=[source.stem for source in SOURCES])

PNG = "image/png"


def _code_cells(path: Path) -> list:
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]


def _worked(source: Path) -> Path:
    return NOTEBOOKS / f"{source.stem}.ipynb"


def _student(source: Path) -> Path:
    return NOTEBOOKS / "student" / f"{source.stem}.ipynb"


def _excused(cell: object) -> bool:
    return bool({"nbval-ignore-output", "nbval-skip"} & set(cell.metadata.get("tags", [])))


def _compared_texts(cell: object) -> list[str]:
    found = []
    for output in cell.outputs:
        data = output.get("data", {})
        found += [output.get("text", ""), *(data[kind] for kind in ("text/plain", "text/html") if kind in data)]
    return [text for text in found if text.strip()]


def _shown(cell: object) -> list[str]:
    """What a cell printed, and the plain text of what it displayed."""
    return [output.get("text", "") or output.get("data", {}).get("text/plain", "") for output in cell.outputs]


@each_lesson
def test_editions_are_fresh(source):
    assert freshness(source, NOTEBOOKS) == []


@each_lesson
def test_a_lesson_has_its_name_from_the_list(source):
    assert source.stem in LESSONS.values()


@each_lesson
def test_every_cell_of_a_worked_lesson_was_executed_in_order_and_none_failed(source):
    cells = [cell for cell in _code_cells(_worked(source)) if cell.source.strip()]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert not [output for cell in cells for output in cell.outputs if output.output_type == "error"]
    assert not [output for cell in cells for output in cell.outputs if output.get("name") == "stderr"]


@each_lesson
def test_at_least_ten_outputs_are_compared(source):
    # A figure's alt text never changes with its numbers, and an empty print says nothing.
    cells = [cell for cell in _code_cells(_worked(source)) if not _excused(cell)]
    meaningful = [
        cell
        for cell in cells
        if any(re.search(r"\w", text) and not text.startswith(("Figure:", "Slider:")) for text in _compared_texts(cell))
    ]
    assert len(meaningful) >= 10


@each_lesson
def test_at_most_a_quarter_of_the_cells_is_excused(source):
    cells = _code_cells(_worked(source))
    assert sum(map(_excused, cells)) <= len(cells) / 4


@each_lesson
def test_no_path_of_a_machine_is_stored(source):
    for path in (_worked(source), _student(source)):
        for cell in nbformat.read(path, as_version=4).cells:
            for text in [cell.source, *(_compared_texts(cell) if cell.cell_type == "code" else [])]:
                assert not MACHINE_PATH.search(re.sub(r"data:image/[^\"']*", "", text))


@each_lesson
def test_every_picture_has_a_text(source):
    for cell in _code_cells(_worked(source)):
        for output in cell.outputs:
            if PNG in output.get("data", {}):
                assert len(output.metadata.get(PNG, {}).get("alt", "")) > 10, cell.source


@each_lesson
def test_the_student_edition_holds_no_solution_and_no_output(source):
    student = _student(source).read_text(encoding="utf-8")
    assert "SOLUTION" not in student
    solutions = SOLUTION.findall(source.read_text(encoding="utf-8"))
    assert student.count("# your code here") + student.count(GIVEN) == len(solutions)
    assert not any(cell.outputs or cell.execution_count for cell in _code_cells(_student(source)))


@each_lesson
def test_parameters_are_the_two_that_run_sets(source):
    tagged = [cell for cell in read_source(source).cells if "parameters" in cell.metadata.get("tags", [])]
    assert len(tagged) == 1
    names = [target.id for node in ast.parse(tagged[0].source).body for target in node.targets]
    assert names == ["PROFILE", "SEED"]


@each_lesson
def test_every_exercise_of_the_lesson_is_there_and_goes_on_whatever_happens(source):
    text, tasks = source.read_text(encoding="utf-8"), catalogue("check")
    expected = {name for name, task in tasks.items() if task.lesson == source.stem[:2]}
    assert set(re.findall(r"^(\w+) = check\(\"\1\", \1\)(?:\.function)?$", text, re.MULTILINE)) == expected
    assert expected <= set(re.findall(r"^hint\(\"(\w+)\"\)$", text, re.MULTILINE))
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef) and node.name in expected:
            wanted = list(inspect.signature(tasks[node.name].reference).parameters)
            assert [argument.arg for argument in node.args.args] == wanted


@each_lesson
def test_a_lesson_calls_its_own_tasks_by_their_kinds_and_reveals_what_it_lets_guess(source):
    text = source.read_text(encoding="utf-8")
    called = re.findall(r"\b(predict|reveal|mend|transfer|explain|given)\(\"(\w+)\"", text)
    for function, name in called:
        task = catalogue()[name]
        assert task.lesson == source.stem[:2]
        assert task.kind == {"reveal": "predict", "given": "transfer"}.get(function, function)
    names = {function: [name for f, name in called if f == function] for function in ("predict", "reveal")}
    assert names["predict"] == names["reveal"]


@each_lesson
def test_given_code_is_what_the_catalogue_calls_faulty(source):
    def body(code):
        (function,) = ast.parse(textwrap.dedent(code)).body
        return [ast.dump(line) for line in function.body[1 if ast.get_docstring(function) else 0 :]]

    for cell in read_source(source).cells:
        found = re.search(r"^def (\w+)_given\b", cell.source, re.MULTILINE) if cell.cell_type == "code" else None
        if found:
            faulty = catalogue("mend")[found.group(1)].faulty
            (shown,) = (n for n in ast.parse(cell.source).body if isinstance(n, ast.FunctionDef))
            assert body(ast.unparse(shown)) == body(inspect.getsource(faulty))


@each_lesson
def test_a_lesson_asks_three_to_five_questions(source):
    lesson = source.stem[:2]
    assert 3 <= sum(key.startswith(f"{lesson}-") for key in questions()) <= 5
    assert re.search(rf'^quiz\("{lesson}', source.read_text(encoding="utf-8"), re.MULTILINE)


@each_lesson
def test_results_are_claims_that_held_and_not_printed_truth_values(source):
    shown = [text for cell in _code_cells(_worked(source)) for text in _shown(cell)]
    truths = [line for text in shown for line in text.splitlines() if re.search(r"\b(True|False)[\])]*\s*$", line)]
    assert not truths, "state it with claim(sentence, holds, ...), and show its numbers"
    assert sum(text.startswith(HELD) for text in shown) >= 6
    assert not any(text.startswith(FAILED) for text in shown)


@each_lesson
def test_a_lesson_shows_its_part_of_the_map(source):
    assert f'method_map("{source.stem[:2]}")' in source.read_text(encoding="utf-8")


@each_lesson
def test_set_up_is_the_first_cell_of_code_and_folded(source):
    first = next(cell for cell in read_source(source).cells if cell.cell_type == "code")
    assert first.source.startswith(colab_cell()), "begin it with scrcl_edu.course.platform.colab_cell()"
    assert FOLDED in first.metadata["tags"], f'begin the cell with # %% tags=["{FOLDED}"]'
    assert re.search(r"^platform_check\(.*\)$", first.source, re.MULTILINE)


@each_lesson
def test_lines_of_code_are_at_most_88_characters_wide(source):
    cells = [cell for cell in read_source(source).cells if cell.cell_type == "code"]
    assert not [line for cell in cells for line in cell.source.splitlines() if len(line) > 88], (
        "take the lesson out of the list in notebooks/src/ruff.toml, and run ruff format"
    )


@each_lesson
def test_numbers_in_the_text_of_a_figure_come_from_the_run(source):
    code = "\n".join(cell.source for cell in read_source(source).cells if cell.cell_type == "code")
    texts = [word.value for word in ast.walk(ast.parse(code)) if isinstance(word, ast.keyword) and word.arg == "alt"]
    written = [part.value for text in texts for part in ast.walk(text) if isinstance(part, ast.Constant)]
    numbers = [part for part in written if isinstance(part, str) and re.search(r"(?<![\w.])\d[\d.,]*%?(?!\w)", part)]
    assert not numbers, 'put a number of this run there: alt=f"... {seen.text}", or write it as a word'


@pytest.mark.slow
def test_one_claim_turned_around_stops_the_run_and_is_named(tmp_path):
    lesson = read_source(source := SOURCES[0])
    place = next(n for n, cell in enumerate(lesson.cells) if cell.cell_type == "code" and "claim(" in cell.source)
    place = next(n for n in range(place, len(lesson.cells)) if _turned(lesson.cells[n]))
    lesson.cells[place].source, sentence = _turned(lesson.cells[place])
    lesson.cells = lesson.cells[: place + 1]
    nbformat.write(lesson, tmp_path / f"{source.stem}.ipynb")
    said = []
    (result,) = run_lessons(folder=tmp_path, out=tmp_path / "out", report=said.append)
    assert not result.ok
    line = next(line for line in said if line.startswith(source.stem))
    assert f"this claim does not hold: {sentence.split('{')[0]}" in line


def _turned(cell: object) -> tuple[str, str] | None:
    """A cell whose first claim says the opposite, and its sentence."""
    if cell.cell_type != "code":
        return None
    tree = ast.parse(cell.source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "claim":
            node.args[1] = ast.UnaryOp(ast.Not(), node.args[1])
            return ast.unparse(tree), node.args[0].value
    return None


@pytest.mark.slow
@each_lesson
def test_the_student_edition_runs_from_top_to_bottom_unsolved(source, tmp_path):
    (tmp_path / "lesson").mkdir()
    shutil.copy(_student(source), tmp_path / "lesson")
    (result,) = run_lessons(folder=tmp_path / "lesson", out=tmp_path / "out", report=lambda line: None)
    assert result.ok, result.problem
    said = "\n".join(
        text for cell in _code_cells(tmp_path / "out" / f"{source.stem}.ipynb") for text in _compared_texts(cell)
    )
    for name in (name for name, task in catalogue("check").items() if task.lesson == source.stem[:2]):
        assert f"{name}: not started yet" in said
    assert ": not yet" not in said


@pytest.mark.slow
def test_nbval_goes_red_when_one_number_is_changed(tmp_path):
    lesson = json.loads(_worked(SOURCES[0]).read_text(encoding="utf-8"))
    changed = tmp_path / _worked(SOURCES[0]).name
    assert _change_one_number(lesson)
    changed.write_text(json.dumps(lesson), encoding="utf-8")
    result = _nbval(changed)
    assert result.returncode == 1
    assert "1 failed" in result.stdout


def _change_one_number(lesson: dict) -> bool:
    for cell in lesson["cells"]:
        if "nbval-ignore-output" in cell["metadata"].get("tags", []):
            continue
        for output in cell.get("outputs", []):
            text = "".join(output.get("text", []))
            # not a time or a memory, which the sanitizer takes out
            number = re.search(r"\d+\b(?! ?(?:s|ms|seconds|minutes|[MG]i?B)\b)(?!\.\d)", text)
            if number and "Platform" not in text:
                output["text"] = text[: number.start()] + f"{int(number.group()) + 1}" + text[number.end() :]
                return True
    return False


def _nbval(notebook: Path) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--nbval", "--nbval-current-env"]
    command += [
        "--nbval-cell-timeout",
        "300",
        "--nbval-sanitize-with",
        str(NOTEBOOKS.parent / "tests/nbval_sanitize.cfg"),
    ]
    command += ["--rootdir", str(notebook.parent), "-c", "/dev/null", notebook.name]
    return subprocess.run(command, cwd=notebook.parent, capture_output=True, text=True, check=False)
