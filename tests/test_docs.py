"""The site's pages: code that runs and prints what the page shows, links that lead somewhere, terms that exist."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

import nbformat
import pytest

from scrcl_edu import datasets
from scrcl_edu.course.lessons import LESSONS
from scrcl_edu.course.links import repository

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.glob("*.md"))
PRIMERS = sorted(DOCS.glob("primer_*.md"))
pytestmark = pytest.mark.skipif(not PAGES, reason="an installed package has no pages of the site")

BLOCK = re.compile(r"```python\n(.*?)```(?:\n\n```text\n(.*?)```)?", re.DOTALL)
LINK = re.compile(r"(?<!!)\[([^\]]+)\]\(([^)\s]+)\)")


def without_code(text: str) -> str:
    return re.sub(r"^(```|:::).*?^\1", "", text, flags=re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """The names that a browser can jump to, as GitHub and MyST make them from headings."""
    headings = re.findall(r"^#+ (.+)$", without_code(page.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def lesson_texts() -> list[tuple[str, str]]:
    found = []
    for path in sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb")):
        cells = nbformat.read(path, as_version=4).cells
        found.append((path.stem, "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")))
    return found


@pytest.mark.parametrize("page", PRIMERS, ids=[page.stem for page in PRIMERS])
def test_the_code_of_a_primer_prints_what_the_page_shows(page):
    names: dict = {}
    blocks = BLOCK.findall(page.read_text(encoding="utf-8"))
    assert len(blocks) >= 3
    for code, shown in blocks:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(code, names)
        assert printed.getvalue() == shown, code


@pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])
def test_every_link_of_a_page_leads_to_a_file_and_a_heading_that_exist(page):
    ours = f"{repository()}/blob/main/"
    for text, address in LINK.findall(without_code(page.read_text(encoding="utf-8"))):
        if address.startswith(ours):
            target = ROOT / address.removeprefix(ours)
            assert target.is_file() or target.stem in LESSONS.values(), f"[{text}]({address})"
        elif "://" not in address and not address.startswith("mailto:"):
            name, _, anchor = address.partition("#")
            target = (page.parent / name).resolve() if name else page
            assert target.is_file() or target.name in ("data.md", "index.md"), f"[{text}]({address})"
            assert not anchor or anchor in anchors(target), f"[{text}]({address})"


def test_glossary_is_in_alphabetical_order_and_every_term_is_explained():
    text = (DOCS / "glossary.md").read_text(encoding="utf-8")
    terms = re.findall(r"^## (.+)\n(.+)$", text, re.MULTILINE)
    assert len(terms) == text.count("\n## ") >= 50
    names = [term.lower().replace("-", " ") for term, _ in terms]
    assert names == sorted(set(names))
    assert all(len(explained) > 20 for _, explained in terms)


def test_every_term_that_a_lesson_links_is_in_the_glossary():
    known = anchors(DOCS / "glossary.md")
    for lesson, text in lesson_texts():
        for shown, term in re.findall(r"\[([^\]]+)\]\(\S*glossary\.md#([\w-]+)\)", text):
            assert term in known, f"{lesson} links [{shown}] to glossary.md#{term}, which is no term"


def test_every_term_of_the_glossary_names_lessons_that_exist():
    text = (DOCS / "glossary.md").read_text(encoding="utf-8")
    numbers = set(re.findall(r"\b(\d\d)\b", " ".join(re.findall(r"lessons? [^.]*", text))))
    assert numbers <= set(LESSONS)


def test_instructor_guide_speaks_of_every_lesson():
    text = (DOCS / "instructor.md").read_text(encoding="utf-8")
    assert set(LESSONS) <= set(re.findall(r"\b(\d\d)\b", text))


def test_the_plans_are_what_the_front_matter_of_the_lessons_gives(monkeypatch):
    monkeypatch.syspath_prepend(str(DOCS))
    import plans

    guide = plans.GUIDE.read_text(encoding="utf-8")
    assert plans.filled(guide) == guide, "the front matter of a lesson has changed; run: python docs/plans.py"


def test_the_page_of_data_cards_holds_every_card(monkeypatch):
    monkeypatch.syspath_prepend(str(DOCS))
    import build_site

    text = build_site.data_page()
    for name in datasets.names():
        card = datasets.card(name)
        assert f"## `{name}`" in text
        assert card.license in text
        assert card.citation in text
