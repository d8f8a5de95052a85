"""From one percent script to two notebooks: the worked lesson, executed, and the student edition without solutions."""

from __future__ import annotations

import ast
import contextlib
import copy
import os
import re
import tempfile
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from scrcl_edu.course.claims import STRICT
from scrcl_edu.course.drawn import drawn_with
from scrcl_edu.course.lessons import choose, find_notebooks
from scrcl_edu.course.widgets import VIEW
from scrcl_edu.errors import InputFileError
from scrcl_edu.files import atomic_path

SOLUTION = re.compile(r"^([ \t]*)### BEGIN SOLUTION\n.*?^[ \t]*### END SOLUTION[ \t]*$", re.MULTILINE | re.DOTALL)
CHECK = re.compile(r"""\b(?:check|mend|transfer)\(\s*["'](\w+)["']""")
LAUNCH = re.compile(r"((?:=lab/tree|/blob/\w+)/notebooks/)(?=\d\d_)")
MACHINE_PATH = re.compile(r"(?:/home/|/root/|/Users/|/tmp/|/work/|/var/folders/|[A-Z]:\\\\Users)[\w./\\-]*")
ANSI = re.compile(r"\x1b\[[0-9;]*m")
STUB = "raise NotImplementedError  # your code here"
STUB_OF_A_VALUE = "...  # your code here"  # in no function: the student edition must run through
GIVEN = "# as given: find the fault, and mend it here"
FOLDED = "hide-input"  # the site's word; Jupyter's and Colab's are added
KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}


def build_lessons(
    folder: str | Path | None = None,
    *,
    only: str | list[str] | None = None,
    check: bool = False,
    report: Callable[[str], None] = print,
) -> list[str]:
    """Make worked and student editions from `src`, or look whether they are fresh.

    Parameters
    ----------
    folder
        The notebooks' folder, with the sources in `src`; found by itself when not given.
    only
        Numbers of lessons, such as `"03,05"`; all when not given.
    check
        Execute and write nothing; only compare what is there with the sources.
    report
        Called with one line for each lesson.

    Returns
    -------
    What is wrong, one sentence each: stale or missing editions, or lessons that failed. Empty when all is well.

    Raises
    ------
    InputFileError
        When there are no sources, or a source is no percent script.
    SettingsError
        When `only` names no lesson.
    """
    folder = find_notebooks(folder)
    sources = choose(list((folder / "src").glob("[0-9][0-9]_*.py")), only) if (folder / "src").is_dir() else []
    if not sources:
        raise InputFileError(f"{folder / 'src'} holds no lessons' sources (files such as 03_encoders.py)")
    problems = []
    for source in sources:
        found = freshness(source, folder) if check else _build(source, folder)
        report(f"{source.stem}: {'; '.join(found) if found else 'fresh' if check else 'built'}")
        problems += [f"{source.stem}: {problem}" for problem in found]
    return problems


def read_source(source: Path) -> Any:
    """Read a percent script as a notebook without outputs, with stable cell ids and nbgrader's marks.

    Raises
    ------
    InputFileError
        When the file is no percent script or a solution is not closed.
    """
    import jupytext

    text = source.read_text(encoding="utf-8")
    if "# %%" not in text:
        raise InputFileError(f"{source} has no cells; start each with '# %%' (jupytext's percent format)")
    if text.count("### BEGIN SOLUTION") != len(SOLUTION.findall(text)):
        raise InputFileError(f"{source} has a '### BEGIN SOLUTION' without '### END SOLUTION' after it")
    notebook = jupytext.reads(text, fmt="py:percent")
    notebook.metadata = _metadata()
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"{source.stem[:2]}-{number:03d}"
        tags = cell.metadata.get("tags")
        cell.metadata = {"tags": tags} if tags else {}
        if FOLDED in (tags or []):
            cell.metadata.update({"jupyter": {"source_hidden": True}, "cellView": "form"})
        cell.metadata.update(_nbgrader(cell))
    return notebook


def _metadata(**more: Any) -> dict[str, Any]:
    return {"kernelspec": KERNEL, "language_info": {"name": "python"}} | more


def _nbgrader(cell: Any) -> dict[str, Any]:
    if cell.cell_type != "code":
        return {}
    solution, tested = bool(SOLUTION.search(cell.source)), CHECK.search(cell.source)
    if not solution and tested is None:
        return {}
    if solution or tested is None:
        defined = re.search(r"^def (\w+)", cell.source, re.MULTILINE)
        name = f"solve_{defined.group(1)}" if defined else f"solve_{cell['id']}"
    else:
        name = f"check_{tested.group(1)}"
    marks = {"grade": not solution, "grade_id": name, "locked": not solution, "schema_version": 3}
    marks |= {"solution": solution, "task": False}
    return {"nbgrader": marks | ({} if solution else {"points": 1})}


def student_edition(notebook: Any) -> Any:
    """The same lesson without solutions and outputs, its launch links leading to itself.

    In place of a solution stands a stub; where the lesson gives a function `NAME_given` with a fault, its code.
    """
    student = copy.deepcopy(notebook)
    given = _given_code(student)
    for cell in student.cells:
        if cell.cell_type == "code":
            defined = re.search(r"^def (\w+)", cell.source, re.MULTILINE)
            cell.source = _without_solution(cell.source, given.get(f"{defined.group(1)}_given", "") if defined else "")
            cell.outputs, cell.execution_count = [], None
        else:
            cell.source = LAUNCH.sub(r"\1student/", cell.source)
    return student


def _without_solution(source: str, given: str) -> str:
    def stub(found: re.Match[str]) -> str:
        indent = found.group(1)
        if given:
            return textwrap.indent(f"{GIVEN}\n{given}", indent)
        return indent + (STUB if indent else STUB_OF_A_VALUE)

    return SOLUTION.sub(stub, source)


def _given_code(notebook: Any) -> dict[str, str]:
    """The bodies of the functions that a lesson gives with a fault, without their docstrings."""
    found = {}
    for cell in notebook.cells:
        if cell.cell_type == "code" and "_given(" in cell.source:
            for node in ast.parse(cell.source).body:
                if isinstance(node, ast.FunctionDef) and node.name.endswith("_given"):
                    first = node.body[1 if ast.get_docstring(node) else 0]
                    lines = cell.source.splitlines()[first.lineno - 1 : node.end_lineno]
                    found[node.name] = textwrap.dedent("\n".join(lines))
    return found


def _build(source: Path, folder: Path) -> list[str]:
    notebook = read_source(source)
    student = _text(student_edition(notebook))
    try:
        _execute(notebook, folder)
    except Exception as error:
        if type(error).__name__ not in ("CellExecutionError", "CellTimeoutError", "DeadKernelError"):
            raise
        return [f"failed: {ANSI.sub('', str(error)).strip().splitlines()[-1]}"]
    _clean(notebook)
    leaks = _machine_paths(notebook)
    if leaks:
        return leaks
    for path, text in ((folder / f"{source.stem}.ipynb", _text(notebook)), (_student_path(source, folder), student)):
        path.parent.mkdir(exist_ok=True)
        with atomic_path(path, overwrite=True) as temporary:
            temporary.write_text(text, encoding="utf-8")
    return []


def _student_path(source: Path, folder: Path) -> Path:
    return folder / "student" / f"{source.stem}.ipynb"


def _text(notebook: Any) -> str:
    import nbformat

    return nbformat.writes(notebook) + "\n"


def _execute(notebook: Any, folder: Path) -> None:
    from nbclient import NotebookClient

    with own_progress(), strictly():
        client = NotebookClient(
            notebook,
            timeout=600,
            kernel_name="python3",
            record_timing=False,
            resources={"metadata": {"path": str(folder)}},
        )
        client.execute()


@contextlib.contextmanager
def own_progress() -> Iterator[None]:
    """Keep the progress of lessons that are run by machine out of the learner's own."""
    with tempfile.TemporaryDirectory() as place, _environment("SCRCL_EDU_PROGRESS", str(Path(place, "progress.json"))):
        yield


def strictly() -> contextlib.AbstractContextManager[None]:
    """Let a claim that does not hold stop its lesson."""
    return _environment(STRICT, "1")


@contextlib.contextmanager
def _environment(name: str, value: str) -> Iterator[None]:
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


def _clean(notebook: Any) -> None:
    # A stored widget needs a kernel that is gone: readers get its static twin, which is in the same output.
    notebook.metadata = _metadata(scrcl_edu={"drawn_with": drawn_with(_code(notebook))})
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        for output in cell.get("outputs", []):
            output.get("data", {}).pop(VIEW, None)


def _code(notebook: Any) -> str:
    return "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")


def _machine_paths(notebook: Any) -> list[str]:
    found = []
    for number, cell in enumerate(notebook.cells, start=1):
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            texts = [output.get("text", ""), *(str(data[kind]) for kind in data if not kind.startswith("image/"))]
            leak = next((match for text in texts if (match := MACHINE_PATH.search(_without_images(text)))), None)
            if leak:
                found.append(f"cell {number} shows a path of this machine, {leak.group()}; print something else")
    return found


def _without_images(text: str) -> str:
    return re.sub(r"data:image/[^\"']*", "", text)


def freshness(source: Path, folder: Path) -> list[str]:
    """Compare the stored editions of a lesson with its source, without executing it.

    Returns
    -------
    What is stale, one sentence each; empty when both editions are fresh, the worked one is executed, and the drawing
    code behind its figures is still what it was.
    """
    import nbformat

    wanted = read_source(source)
    worked, student = folder / f"{source.stem}.ipynb", _student_path(source, folder)
    again = f"run: scrcl-edu build --only {source.stem[:2]}"
    problems = []
    if not worked.is_file():
        problems.append(f"the worked lesson is missing; {again}")
    else:
        stored = nbformat.read(worked, as_version=4)
        if _essence(stored) != _essence(wanted):
            problems.append(f"the worked lesson is older than its source; {again}")
        elif any(c.cell_type == "code" and c.source.strip() and not c.execution_count for c in stored.cells):
            problems.append(f"the worked lesson is not executed; {again}")
        elif stored.metadata.get("scrcl_edu", {}).get("drawn_with") != drawn_with(_code(wanted)):
            problems.append(f"its figures are older than the code that draws them; {again}")
    if not student.is_file():
        problems.append(f"the student edition is missing; {again}")
    elif student.read_text(encoding="utf-8") != _text(student_edition(wanted)):
        problems.append(f"the student edition is older than its source; {again}")
    return problems


def _essence(notebook: Any) -> list[tuple[Any, ...]]:
    return [(cell["id"], cell.cell_type, cell.source, dict(cell.metadata)) for cell in notebook.cells]
