"""Gather the site's sources and build it: the worked lessons as they are stored, guides, data cards, API pages.

Nothing is executed and nothing is fetched. Run by `make site`; a warning is an error. What a lesson looks like is in
site_lessons.py, the front page in site_front.py, what is done to the built pages in site_polish.py.
"""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import nbformat
from site_front import front_page, stored_picture, there
from site_lessons import for_reading
from site_polish import polish

from scrcl_edu import datasets
from scrcl_edu.course.links import repository
from scrcl_edu.datasets.registry import STATUSES, Card

ROOT = Path(__file__).resolve().parents[1]
# The rooms of the package in the order in which data flows, and what each is in the method.
MODULES = {
    "fitting": "AnnData in, AnnData out: everything in one call",
    "preprocessing": "Counts to features",
    "chunks": "Very many cells, read some at a time",
    "graphs": "Cell graph, gene graph, spatial graph, low-pass filter",
    "encoders": "Two views of each cell",
    "alignment": "Distribution and neighborhood alignment",
    "refinement": "Gene programs, refined cells, cross-view consistency",
    "model": "The torch module that holds the parts together",
    "training": "The loop, checkpoints, history",
    "workers": "Several processes that train as one",
    "recipes": "Named settings",
    "clustering": "Clusters from embeddings",
    "evaluation": "Scores",
    "consensus": "What several clusterings agree on, and how stable each cell is",
    "stability": "How sure the clusters are over seeds",
    "keeping": "The trained model as a file, and back",
    "assigning": "New cells, by the vote of their neighbors",
    "interpretation": "Markers and gene programs",
    "reporting": "One page about a fit",
    "trial": "One part of your own against the method and its rivals, blind",
    "datasets": "Data by name",
    "plotting": "Figures with texts",
    "course": "Claims, tasks and their checks, hints, quizzes, sliders",
    "explorables": "Parts of the method to touch",
    "classroom": "Grading, and the live board",
    "products": "The quickest matrix products that are exact",
    "memory": "Large arrays from one epoch to the next",
    "threads": "How many threads, and how they wait",
    "errors": "Errors that say what to do",
}


def data_page() -> str:
    """Every data card as one page."""
    cards = [datasets.card(name) for name in datasets.names()]
    lines = ["# Data cards", ""]
    lines.append("Written from the registry that `datasets.load` reads: what a card promises, loading checks.")
    lines += [
        "",
        "| status | what it means |",
        "|---|---|",
        *(f"| {name} | {text} |" for name, text in STATUSES.items()),
        "",
    ]
    lines += ["| dataset | organism | technology | cells | genes | classes | status |", "|---|---|---|---|---|---|---|"]
    for card in cards:
        sizes = " | ".join(_number(value) for value in (card.cells, card.genes, card.classes))
        lines.append(
            f"| [{card.name}](#data-{_slug(card)}) | {card.organism} | {card.technology} | {sizes} | {card.status} |"
        )
    for card in cards:
        lines += ["", f"(data-{_slug(card)})=", "", f"## `{card.name}`", "", f"{card.title}.", ""]
        lines += [*(f"- **{name}:** {value}" for name, value in _facts(card).items()), ""]
    return "\n".join(lines)


def _slug(card: Card) -> str:
    return card.name.replace("_", "-").lower()


def _number(value: int | None) -> str:
    return "not promised" if value is None else f"{value:,}"


def _facts(card: Card) -> dict[str, str]:
    facts = {
        "Organism": card.organism,
        "Technology": card.technology,
        "Task": {"scrna": "cell types", "spatial": "spatial domains"}[card.task],
        "Size": f"{_number(card.cells)} cells, {_number(card.genes)} genes, {_number(card.classes)} classes",
        "Class sizes": ", ".join(f"{name} {size:,}" for name, size in card.class_sizes.items()),
        "Labels": f"`{card.label}`",
        "Status": f"{card.status}: {STATUSES[card.status]}",
        "License": card.license,
        "Citation": card.citation,
        "Note": card.note,
        "Also called": ", ".join(f"`{alias}`" for alias in card.aliases),
        "Load": f'`datasets.load("{card.name}")`',
    }
    for number, source in enumerate(card.sources, start=1):
        addresses = [f"<{url}>" for file in source.files for url in file.urls]
        facts[f"Source {number}"] = ", ".join(addresses) or "comes with the package"
    return {name: value for name, value in facts.items() if value}


def api_pages() -> dict[str, str]:
    """One page for each module, from its docstrings, and a page that lists them."""
    pages = {}
    for name, text in MODULES.items():
        imported = "\n   :imported-members:" if name in ("course", "datasets", "interpretation", "plotting") else ""
        rendered = f".. automodule:: scrcl_edu.{name}\n   :members:{imported}"
        pages[name] = f"# `scrcl_edu.{name}`\n\n{text}.\n\n```{{eval-rst}}\n{rendered}\n```\n"
    listed = [f"| [`scrcl_edu.{name}`]({name}.md) | {text} |" for name, text in MODULES.items()]
    head = ["# The package", "", "From the docstrings, in the order in which data flows.", ""]
    table = ["| module | what it holds |", "|---|---|", *listed, ""]
    pages["index"] = "\n".join([*head, *table, "```{toctree}", ":hidden:", "", *MODULES, "```", ""])
    return pages


def gather(folder: Path) -> Path:
    """Put everything that the site shows into `folder`, laid out as in the repository, so that links lead on."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "notebooks").mkdir(parents=True)
    shutil.copytree(ROOT / "docs", folder / "docs", ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    for lesson in sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb")):
        read = for_reading(*(nbformat.read(path, 4) for path in (lesson, lesson.parent / "student" / lesson.name)))
        text = nbformat.writes(read).replace(f"{repository()}/blob/main/docs/", "../docs/")
        (folder / "notebooks" / lesson.name).write_text(text, encoding="utf-8")
    for name in ("CONTRIBUTING.md", "CHANGELOG.md"):
        shutil.copy(ROOT / name, folder / name)
    front = folder / "docs" / "index.md"
    front.write_text(front_page(front.read_text(encoding="utf-8")), encoding="utf-8")
    pictures = folder / "docs" / "_static" / "lessons"
    pictures.mkdir()
    for number in there():
        if (picture := stored_picture(number)) is not None:
            (pictures / f"{number}.webp").write_bytes(picture)
    (folder / "docs" / "data.md").write_text(data_page(), encoding="utf-8")
    (folder / "docs" / "api").mkdir()
    for name, text in api_pages().items():
        (folder / "docs" / "api" / f"{name}.md").write_text(text, encoding="utf-8")
    for page in folder.rglob("*.md"):
        page.write_text(led_out(page, folder), encoding="utf-8")
    return folder


def led_out(page: Path, folder: Path) -> str:
    """A page whose links to files that the site does not show lead into the repository."""

    def address(found: re.Match[str]) -> str:
        words, path, anchor = found.groups()
        here = page.relative_to(folder).parent
        target = (ROOT / here / path).resolve()
        if (page.parent / path).exists() or not target.exists():
            return found.group()
        return f"[{words}]({repository()}/blob/main/{target.relative_to(ROOT).as_posix()}{anchor or ''})"

    text = page.read_text(encoding="utf-8")
    return re.sub(r"(?<!!)\[([^\]]+)\]\((?![a-z]+:)([^)\s#]+)(#[^)\s]*)?\)", address, text)


def without_text(site: Path) -> list[str]:
    """Pictures of the built site that a screen reader would pass over."""
    found = []
    for page in sorted(site.rglob("*.html")):
        tags = re.findall(r"<img\b[^>]*\b_images/[^>]*>", page.read_text(encoding="utf-8"))
        found += [f"{page.relative_to(site)}: {tag}" for tag in tags if not re.search(r'alt="[^"]{20,}"', tag)]
    return found


def main() -> int:
    from sphinx.cmd.build import build_main

    sources, site = gather(ROOT / "out" / "site-sources"), ROOT / "out" / "site"
    options = ["-b", "html", "-q", "-W", "--keep-going", "-E", "-c", str(ROOT / "docs")]
    failed = build_main([*options, str(sources), str(site)])
    if not failed:
        polish(site)
    if silent := without_text(site):
        print("Pictures without a text:", *silent, sep="\n")
        failed = 1
    if not failed:
        start = '<!doctype html><html lang="en"><title>scRCL, built in the open</title>'
        start += (
            '<meta http-equiv="refresh" content="0; url=docs/index.html"><a href="docs/index.html">Open the course</a>'
        )
        (site / "index.html").write_text(f"{start}</html>", encoding="utf-8")
        print(f"The site is in {site.relative_to(ROOT)}; open {(site / 'index.html').relative_to(ROOT)}")
    return failed


if __name__ == "__main__":
    sys.exit(main())
