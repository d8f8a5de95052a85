"""Read a submitted notebook in whatever state it is, and find each answer by its function.

Positions, ids, types and metadata of cells are not used: learners delete, copy, split, retitle and move cells.
"""

from __future__ import annotations

import ast
import json
import re
import textwrap
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

MAGIC = re.compile(r"^(\s*)(?:[%!?].*|[\w.]+\?{1,2}\s*)$")
FENCE = re.compile(r"^\s*```.*$", re.MULTILINE)


@dataclass
class Submission:
    """What was found in one file.

    Attributes
    ----------
    path
        The file.
    problem
        Why nothing can be graded; empty when something can.
    preamble
        Statements that the answers may need, in the notebook's order: imports, own helpers, simple constants.
    answers
        For each name of a function all its definitions, the last one first, without copies of each other.
    notes
        What was unusual, one sentence each.
    """

    path: Path
    problem: str = ""
    preamble: list[str] = field(default_factory=list)
    answers: dict[str, list[str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def read_submission(path: Path, names: set[str]) -> Submission:
    """Read a notebook and collect the definitions of the functions that were asked for.

    Parameters
    ----------
    path
        A file that should be a notebook; anything is answered, nothing raises.
    names
        Names of all exercises.
    """
    found = Submission(path)
    try:
        cells = _cells(path.read_bytes())
    except (OSError, ValueError) as error:
        found.problem = str(error)
        return found
    for source in _sources(cells, names, found):
        _collect(source, names, found)
    for definitions in found.answers.values():
        definitions.reverse()
    if not found.answers:
        found.problem = "no function of any exercise is defined in it"
    return found


def _cells(data: bytes) -> list[dict[str, Any]]:
    """The cells of a notebook of any version; a ValueError says what the file is instead."""
    if not data.strip():
        raise ValueError("the file is empty")
    text = data.decode("utf-8-sig", errors="replace")
    try:
        notebook = json.loads(text)
    except ValueError as error:
        raise ValueError(_what_it_is(text.lstrip(), error)) from error
    if not isinstance(notebook, dict):
        raise ValueError("not a notebook: it holds no cells")
    sheets = notebook.get("worksheets")  # notebooks before 2015
    parts = [notebook, *(sheets if isinstance(sheets, list) else [])]
    lists = [part.get("cells") for part in parts if isinstance(part, dict)]
    cells = [cell for cells in lists if isinstance(cells, list) for cell in cells if isinstance(cell, dict)]
    if not cells:
        raise ValueError("the notebook has no cells")
    return cells


def _what_it_is(text: str, error: ValueError) -> str:
    if text.startswith("<"):
        return "not a notebook but a web page; ask for the .ipynb file itself"
    if re.search(r"^(<<<<<<<|>>>>>>>) ", text, re.MULTILINE):
        return "not a notebook: it holds the marks of an unfinished git merge"
    if text.startswith("{"):
        return f"a damaged notebook, cut off or changed by hand ({error})"
    return "not a notebook: it is no JSON"


def _sources(cells: list[dict[str, Any]], names: set[str], found: Submission) -> list[str]:
    """Python sources, one for each cell; a function that was split over cells is put together again."""
    sources: list[str] = []
    for cell in cells:
        text = cell.get("source", cell.get("input", ""))
        text = "".join(map(str, text)) if isinstance(text, list) else str(text)
        if cell.get("cell_type") != "code":
            hidden = sorted(name for name in names if re.search(rf"^\s*def {name}\(", text, re.MULTILINE))
            if not hidden:
                continue
            found.notes.append(f"{', '.join(hidden)} stood in a {cell.get('cell_type', 'nameless')} cell")
            text = FENCE.sub("", text)
        text = "\n".join(_plain(line) for line in text.split("\n"))
        if sources and not _parses(text) and _parses(f"{sources[-1]}\n{text}"):
            sources[-1] = f"{sources[-1]}\n{text}"
            found.notes.append("a function was split over two cells")
        else:
            sources.append(text)
    return sources


def _plain(line: str) -> str:
    """A line without IPython's magic."""
    return MAGIC.sub(r"\1pass", line) if MAGIC.match(line) else line


def _parses(text: str) -> bool:
    try:
        ast.parse(text)
    except (SyntaxError, ValueError):
        return False
    return True


def _collect(source: str, names: set[str], found: Submission) -> None:
    """Sort the statements of a cell: answers, what they may need, and the rest, which is not run."""
    source = source if _parses(source) else textwrap.dedent(source)
    if not _parses(source):
        for name in names:
            for text in _cut_out(source, name):
                _keep(found, name, text)
        return
    for node in ast.parse(source).body:
        text = ast.get_source_segment(source, node) or ""
        if isinstance(node, ast.FunctionDef) and node.name in names:
            decorators = "".join(f"@{ast.unparse(one)}\n" for one in node.decorator_list)
            _keep(found, node.name, decorators + text)
        elif _may_be_needed(node):
            found.preamble.append(text)
        for name, other in _renamed(node, names):
            found.notes.append(f"{name} was written under the name {other}")
            _keep(found, name, f"{name} = {other}")


def _keep(found: Submission, name: str, text: str) -> None:
    definitions = found.answers.setdefault(name, [])
    if text in definitions:
        definitions.remove(text)
    definitions.append(text)


def _cut_out(source: str, name: str) -> list[str]:
    """The text of a function in a cell that does not parse as a whole; whatever is wrong in it stays in it."""
    lines = source.split("\n")
    starts = [i for i, line in enumerate(lines) if re.match(rf"\s*def {name}\b", line)]
    cut = []
    for start in starts:
        indent = len(lines[start]) - len(lines[start].lstrip())
        end = start + 1
        while end < len(lines) and (not lines[end].strip() or len(lines[end]) - len(lines[end].lstrip()) > indent):
            end += 1
        cut.append(textwrap.dedent("\n".join(lines[start:end])).rstrip())
    return cut


def _may_be_needed(node: ast.stmt) -> bool:
    if isinstance(node, ast.Import | ast.ImportFrom | ast.FunctionDef | ast.ClassDef):
        return True
    if isinstance(node, ast.Try):  # an import with another one to fall back on
        return all(isinstance(inner, ast.Import | ast.ImportFrom) for inner in node.body)
    value = getattr(node, "value", None) if isinstance(node, ast.Assign | ast.AnnAssign) else None
    return value is not None and all(not isinstance(inner, ast.Call | ast.Await) for inner in _now(value))


def _now(value: ast.expr) -> list[ast.AST]:
    """What runs when an expression is evaluated: the body of a lambda does not."""
    inside: list[ast.AST] = []
    waiting: list[ast.AST] = [value]
    while waiting:
        node = waiting.pop()
        inside.append(node)
        if not isinstance(node, ast.Lambda):
            waiting += ast.iter_child_nodes(node)
    return inside


def _renamed(node: ast.stmt, names: set[str]) -> list[tuple[str, str]]:
    """Answers under another name, told by the check that was called with it: `check("gcn_layer", mine)`."""
    pairs = []
    for inner in ast.walk(node):
        if not (isinstance(inner, ast.Call) and len(inner.args) >= 2 and _name(inner.func) in ("check", "mend")):
            continue
        asked, given = inner.args[:2]
        if isinstance(asked, ast.Constant) and asked.value in names and isinstance(given, ast.Name | ast.Lambda):
            other = ast.unparse(given)
            if other != asked.value:
                pairs.append((str(asked.value), other))
    return pairs


def _name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
