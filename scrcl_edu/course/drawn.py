"""Which code drew a lesson's stored figures: a digest of the drawing functions that the lesson reaches.

The cells of a stored lesson are compared with its source word for word; this tells when what they call has changed.
"""

from __future__ import annotations

import ast
import hashlib
from collections import defaultdict
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]
DRAWING = (
    "plotting*.py",
    "plotting/**/*.py",
    "course/drawings/**/*.py",
    "course/graph_picture.py",
    "course/widgets.py",
)


def drawn_with(code: str, folder: Path = PACKAGE) -> str:
    """Digest of the drawing code behind a lesson.

    Parameters
    ----------
    code
        All code of the lesson.
    folder
        The package's folder.

    Returns
    -------
    Sixteen hexadecimal digits. They change when a drawing function that the lesson names, or one that it reaches
    from there, changes in more than comments, docstrings and indentation; a function that no one calls changes nothing.
    """
    definitions = _definitions(folder)
    found: set[str] = set()
    named = _names(ast.parse(code))
    while new := (named & definitions.keys()) - found:
        found |= new
        named = set().union(*(names for name in new for _, names in definitions[name]))
    texts = sorted(text for name in found for text, _ in definitions[name])
    return hashlib.sha256("\n\n".join(texts).encode()).hexdigest()[:16]


@cache
def _definitions(folder: Path) -> dict[str, list[tuple[str, set[str]]]]:
    """Text and used names of each top-level definition of the drawing modules, by its name."""
    found = defaultdict(list)
    for path in sorted({path for pattern in DRAWING for path in folder.glob(pattern)}):
        code = path.read_text(encoding="utf-8")
        for node in ast.parse(code).body:
            for name in _defined(node):
                found[name].append((_bare(node, code.splitlines()), _names(node)))
    return dict(found)


def _defined(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return [name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)]


def _names(node: ast.AST) -> set[str]:
    """Names that a piece of code uses, also behind a dot: more than it calls, never less."""
    used = [n.id if isinstance(n, ast.Name) else getattr(n, "attr", None) for n in ast.walk(node)]
    return {name for name in used if name}


def _last(node: ast.stmt) -> int:
    return node.lineno if node.end_lineno is None else node.end_lineno


def _bare(node: ast.stmt, lines: list[str]) -> str:
    """Its lines without indentation, comments and docstrings; read as text, since Pythons print trees differently."""
    skipped = set()
    for part in ast.walk(node):
        if isinstance(part, ast.FunctionDef | ast.ClassDef) and ast.get_docstring(part):
            skipped |= set(range(part.body[0].lineno, _last(part.body[0]) + 1))
    first = min([node.lineno, *(mark.lineno for mark in getattr(node, "decorator_list", []))])
    kept = [lines[n - 1].strip() for n in range(first, _last(node) + 1) if n not in skipped]
    return "\n".join(line for line in kept if line and not line.startswith("#"))
