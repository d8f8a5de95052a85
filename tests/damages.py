"""What learners do to notebooks before they hand them in, as a test's input: each damage changes a solved lesson 01.

`python tests/damages.py FOLDER 200` writes the files of a class of 200, every second one sound or with a mistake that
checks know, the others damaged in every way in turn.
"""

from __future__ import annotations

import copy
import itertools
import json
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import nbformat

from scrcl_edu.course.build import read_source, student_edition
from scrcl_edu.course.tasks import catalogue

SOURCE = Path(__file__).resolve().parents[1] / "notebooks" / "src" / "01_preprocessing.py"
NAMES = [name for name, exercise in catalogue("check", "mend").items() if exercise.lesson == "01"]
ALL, FIRST = len(NAMES), NAMES[0]


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
MISTAKES = [  # what stands in the solved lesson, and what many write instead
    ("counts.sum(axis=1) > 0, counts.sum(axis=0) > 0", "counts.sum(axis=0) > 0, counts.sum(axis=1) > 0"),
    ("(counts > 0).sum(axis=1) >= min_genes", "(counts > 0).sum(axis=1) > min_genes"),
    ("depth = counts.sum(axis=1, keepdims=True)", "depth = counts.sum(axis=0, keepdims=True)"),
    ("depth = counts.sum(axis=1, keepdims=True)", "depth = counts.sum()"),
    ("np.log1p(10_000 * counts / depth)", "np.log(10_000 * counts / depth)"),
    ("np.argsort(-standardized.to_numpy()", "np.argsort(standardized.to_numpy()"),
    ("np.argsort(-standardized.to_numpy()", "np.argsort(-mean"),
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


def cut_off(text: str) -> str:
    return text[: len(text) // 2]


def before_2015(notebook: Any) -> dict[str, Any]:
    return {"worksheets": [{"cells": [{"cell_type": "code", "input": cell.source} for cell in notebook.cells]}]}


def damaged(*damages: Callable[[Any], None]) -> bytes:
    """A solved lesson after some damages, as a file."""
    notebook = solved()
    for damage in damages:
        damage(notebook)
    return json.dumps(notebook).encode()


def every_kind() -> dict[str, tuple[str, bytes]]:
    """For each kind of damage, by its name, the name of the file and what it holds."""
    usual = SOURCE.with_suffix(".ipynb").name
    kinds: list[Sequence[Callable[[Any], None]]] = [(), *((damage,) for damage in DAMAGES), *TOGETHER]
    files = {"+".join(one.__name__ for one in kind) or "clean": (usual, damaged(*kind)) for kind in kinds}
    files |= {name: (usual, data) for name, (data, _) in NO_NOTEBOOKS.items()}
    files["cut"] = usual, cut_off(json.dumps(solved())).encode()
    files["renamed"] = "Final version (2).ipynb", damaged()
    files["old"] = usual, json.dumps(before_2015(solved())).encode()
    return files


def with_mistakes() -> list[bytes]:
    """The lesson as most hand it in: solved, with one usual mistake, or with one exercise left open."""
    files = [damaged()]
    for right, wrong in MISTAKES:
        text = json.dumps(solved())
        assert right in text
        files.append(text.replace(right, wrong).encode())
    for name in NAMES:
        notebook = solved()
        solution(notebook, name).source = solution(student_edition(solved()), name).source
        files.append(json.dumps(notebook).encode())
    return files


def write(folder: Path, learner: str, file: tuple[str, bytes]) -> None:
    (folder / learner).mkdir(parents=True)
    (folder / learner / file[0]).write_bytes(file[1])


def crowd(folder: Path, n_learners: int) -> None:
    """Write what a class hands in: every second file sound, the others damaged in each way in turn."""
    usual = SOURCE.with_suffix(".ipynb").name
    sound, kinds = itertools.cycle(with_mistakes()), itertools.cycle(every_kind().items())
    for number in range(n_learners):
        name, file = ("sound", (usual, next(sound))) if number % 2 else next(kinds)
        write(folder, f"{number:03d}-{name}", file)


if __name__ == "__main__":
    crowd(Path(sys.argv[1]), int(sys.argv[2]))
    print(f"{sys.argv[2]} submissions are in {sys.argv[1]}")
