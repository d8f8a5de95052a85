"""A lesson as the site shows it: set-up folded, each exercise as its stub with the solution folded below.

Made from the worked lesson and the student edition as they are stored; `build_site.py` calls it.
"""

from __future__ import annotations

import copy
import re
from typing import Any

SETUP, PARAMETERS = "hide-input", "parameters"
# Calls whose output says everything: the page shows that alone.
SPEAKS = re.compile(r"(?:method_map|hint|quiz|predict|explain|explorable)\([^()]*\)\s*\Z")
JUDGES = re.compile(r"(?:\w+ = )?(?:check|mend|transfer)\(\s*[\"']")
MARKS = re.compile(r"^[ \t]*### (?:BEGIN|END) SOLUTION[ \t]*\n?", re.MULTILINE)


def for_reading(worked: Any, student: Any) -> Any:
    """The worked lesson for the site.

    Parameters
    ----------
    worked, student
        The two editions of one lesson; their cells correspond by id.

    Returns
    -------
    A notebook whose tags fold set-up, solutions and checks, and in which each exercise stands as a learner meets it.
    """
    lesson = copy.deepcopy(worked)
    stubs = {cell["id"]: cell.source for cell in student.cells}
    lesson.cells = [shown for cell in lesson.cells for shown in _shown(cell, stubs.get(cell["id"], cell.source))]
    return lesson


def _shown(cell: Any, stub: str) -> list[Any]:
    if cell.cell_type != "code":
        return [cell]
    tags = cell.metadata.get("tags", [])
    if SETUP in tags:
        return [_folded(cell, "Set-up: what is imported, and on what this ran")]
    if PARAMETERS in tags:
        return [_folded(cell, "Parameters")]
    if cell.source != stub:
        asked = copy.deepcopy(cell)
        asked.update({"id": f"{cell['id']}-stub", "source": stub, "outputs": [], "execution_count": None})
        cell.source = MARKS.sub("", cell.source)
        return [asked, _folded(cell, "A solution")]
    if JUDGES.match(cell.source):
        return [_folded(cell, "What the check says of this solution")]
    if SPEAKS.match(cell.source):
        cell.metadata["tags"] = [*tags, "remove-input"]
    return [cell]


def _folded(cell: Any, words: str) -> Any:
    kept = [tag for tag in cell.metadata.get("tags", []) if tag != SETUP]
    cell.metadata["tags"] = [*kept, "hide-cell" if cell.outputs else "hide-input"]
    cell.metadata["mystnb"] = {"code_prompt_show": words, "code_prompt_hide": words}
    return cell
