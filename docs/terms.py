"""Link each term of the glossary where a lesson first uses it: `python docs/terms.py [03,05]`.

Changes the prose of `notebooks/src` and of the stored editions beside it; nothing is executed again.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import nbformat

from scrcl_edu.course.build import freshness, read_source, student_edition
from scrcl_edu.course.lessons import choose
from scrcl_edu.course.links import repository

ROOT = Path(__file__).resolve().parents[1]
GLOSSARY = ROOT / "docs" / "glossary.md"
# Words that stand in every second sentence; the glossary has them, a link at each would be noise.
PLAIN = {
    *("cluster", "label", "view", "mutant", "stub", "refinement", "protocol", "recipe", "contrastive learning"),
    *("positive", "negative", "power", "stability"),
}
# What is no prose: links, code, formulas.
FIXED = re.compile(r"!?\[[^\]]*\]\([^)]*\)|`[^`]*`|\$\$?[^$]+\$\$?|https?://\S+")


def terms() -> dict[str, str]:
    """Pattern of each term by its anchor, longer terms first so that they are not cut in two."""
    found = re.findall(r"^## (.+)$", GLOSSARY.read_text(encoding="utf-8"), re.MULTILINE)
    found = [term for term in found if term.lower() not in PLAIN]
    return {term.lower().replace(" ", "-"): pattern(term) for term in sorted(found, key=len, reverse=True)}


def pattern(term: str) -> str:
    words = re.escape(term if re.search(r"[A-Z]{2}|[a-z][A-Z]", term) else term.lower()).replace(r"\ ", r"[ \n]")
    words = words.replace(r"\-", "[- ]")
    first = words[0]
    if first.isalpha() and first.islower():
        words = f"[{first.upper()}{first}]{words[1:]}"
    return rf"(?<![\w-]){words[:-1]}(?:y|ies)(?![\w-])" if words.endswith("y") else rf"(?<![\w-]){words}s?(?![\w-])"


def linked(text: str, known: dict[str, str]) -> str:
    """The source of a lesson with a link at the first use of each term that has none yet."""
    lines, prose = text.split("\n"), False
    left = {anchor: words for anchor, words in known.items() if f"glossary.md#{anchor})" not in text}
    for number, line in enumerate(lines):
        if line.startswith("# %%"):
            prose = "[markdown]" in line
        elif prose and line.startswith("# ") and not re.match(r"# (#|\||```)", line):
            lines[number] = _linked_line(line, left)
    return "\n".join(lines)


def _linked_line(line: str, left: dict[str, str]) -> str:
    for anchor, words in list(left.items()):
        taken = [match.span() for match in FIXED.finditer(line)]
        for match in re.finditer(words, line):
            if not any(start < match.end() and match.start() < end for start, end in taken):
                address = f"{repository()}/blob/main/docs/glossary.md#{anchor}"
                line = f"{line[: match.start()]}[{match.group()}]({address}){line[match.end() :]}"
                del left[anchor]
                break
    return line


def link_lesson(source: Path) -> str:
    """Link a lesson's terms and say how many, or why its stored editions were left alone."""
    folder = source.parents[1]
    before = source.read_text(encoding="utf-8")
    after = linked(before, terms())
    count = after.count("glossary.md#") - before.count("glossary.md#")
    if not count:
        return "nothing to link"
    stale = freshness(source, folder)
    source.write_text(after, encoding="utf-8")
    if stale:
        return f"{count} terms linked; the stored editions were stale before, so build them again"
    wanted = read_source(source)
    worked = folder / f"{source.stem}.ipynb"
    stored = nbformat.read(worked, as_version=4)
    for cell, new in zip(stored.cells, wanted.cells, strict=True):
        cell.source = new.source
    worked.write_text(nbformat.writes(stored) + "\n", encoding="utf-8")
    student = folder / "student" / worked.name
    student.write_text(nbformat.writes(student_edition(wanted)) + "\n", encoding="utf-8")
    return f"{count} terms linked"


if __name__ == "__main__":
    only = sys.argv[1] if len(sys.argv) > 1 else None
    for lesson in choose(list((ROOT / "notebooks" / "src").glob("[0-9][0-9]_*.py")), only):
        print(f"{lesson.stem}: {link_lesson(lesson)}")
