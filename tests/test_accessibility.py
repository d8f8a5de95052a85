"""For everyone: pictures have texts, headings are in order, links say where they go, and color never speaks alone."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest

from scrcl_edu.course.showing import box
from scrcl_edu.plotting import MARKERS, PALETTE, confusion, group_style, losses
from scrcl_edu.plotting.styles import TEN

ROOT = Path(__file__).resolve().parents[1]
LESSONS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
PAGES = [*sorted((ROOT / "docs").glob("*.md")), *(ROOT / name for name in ("README.md", "CONTRIBUTING.md"))]
TEXTS = [path for path in [*LESSONS, *PAGES] if path.is_file()]
each_text = pytest.mark.parametrize("path", TEXTS, ids=[path.stem for path in TEXTS])
each_lesson = pytest.mark.parametrize("path", LESSONS, ids=[path.stem for path in LESSONS])

LINK = re.compile(r"(?<!!)\[([^\]]+)\]\(([^)\s]+)\)")
PICTURE = re.compile(r"!\[([^\]]*)\]\(")
EMPTY_WORDS = {"here", "click here", "link", "this", "this link", "more", "read more", "page", "see"}
COLORS = "red|green|blue|orange|yellow|purple|pink|violet|turquoise|brown"
THINGS = "dots?|points?|lines?|curves?|bars?|cells?|spots?|areas?|regions?"


def prose(path: Path) -> str:
    """The text that a reader sees, without code."""
    if path.suffix == ".ipynb":
        cells = nbformat.read(path, as_version=4).cells
        text = "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    else:
        text = path.read_text(encoding="utf-8")
    return re.sub(r"^(```|:::).*?^\1", "", text, flags=re.MULTILINE | re.DOTALL)


def pictures(path: Path) -> list[str]:
    """Texts of the stored pictures of a lesson, its drawings included."""
    texts = []
    for output in (output for cell in nbformat.read(path, as_version=4).cells for output in cell.get("outputs", [])):
        data = output.get("data", {})
        if "image/png" in data:
            texts.append(output.metadata.get("image/png", {}).get("alt", ""))
        for tag in re.findall(r"<img\b[^>]*>", "".join(data.get("text/html", ""))):
            texts += re.findall(r'\balt="([^"]*)"', tag) or [""]
    return texts


# Texts


@each_lesson
def test_each_picture_of_a_lesson_has_a_text_of_its_own(path):
    texts = pictures(path)
    assert len(texts) >= 3
    assert len(set(texts)) == len(texts), "two pictures have the same text"
    for text in texts:
        assert len(text) >= 20, text
        assert not re.match(r"(an? )?(image|figure|plot|graphic) of\b", text, re.IGNORECASE), text
        assert not re.search(r"\{\w*\}|\bnan\b", text), f"a setting was not filled in: {text}"


@each_text
def test_each_picture_in_the_prose_has_a_text(path):
    assert all(len(text) >= 20 for text in PICTURE.findall(prose(path)))
    for tag in re.findall(r"<img\b[^>]*>", prose(path)):
        assert re.search(r"""\balt=["'][^"']{20,}""", tag), tag


@each_text
def test_headings_begin_with_one_title_and_skip_no_level(path):
    levels = [len(marks) for marks in re.findall(r"^(#+) \S", prose(path), re.MULTILINE)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))


@each_text
def test_links_say_where_they_go(path):
    for words, address in LINK.findall(prose(path)):
        assert words.strip().lower() not in EMPTY_WORDS, f"[{words}]({address})"
        assert "://" not in words, f"[{words}]({address}): say what is there instead of the address"


@each_text
def test_tables_have_headers(path):
    for head, line in itertools.pairwise(prose(path).splitlines()):
        if re.fullmatch(r"\|(\s*:?-+:?\s*\|)+", line):
            assert head.startswith("|")
            assert head.count("|") == line.count("|"), head


# Color


@each_text
def test_nothing_is_told_by_color_alone(path):
    """ "The red dots" is lost on who sees no red; say what they are, or where, or which marker."""
    told = prose(path) + "\n" + "\n".join(pictures(path) if path.suffix == ".ipynb" else [])
    assert not re.findall(rf"\b(?:the|each|all) (?:{COLORS}) (?:{THINGS})\b", told, re.IGNORECASE)


def luminance(color: str | tuple) -> float:
    return float(linear(color) @ [0.2126, 0.7152, 0.0722])


def linear(color: str | tuple) -> np.ndarray:
    values = np.array(mpl.colors.to_rgb(color))
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def contrast(one: str | tuple, other: str | tuple) -> float:
    """Ratio of the Web Content Accessibility Guidelines, from 1 to 21."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


# Machado, Oliveira and Fernandes 2009, severity 1, on linear RGB.
VISION = {
    "full color": np.eye(3),
    "no red": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "no green": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "no blue": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}


def lab(color: str, vision: str) -> np.ndarray:
    """CIELAB coordinates of a color as it is seen."""
    seen = np.clip(np.array(VISION[vision]) @ linear(color), 0, 1)
    xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]) @ seen
    scaled = xyz / [0.9505, 1.0, 1.089]
    f = np.where(scaled > (6 / 29) ** 3, np.cbrt(scaled), scaled / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("vision", VISION)
@pytest.mark.parametrize("palette", [PALETTE, TEN], ids=["lines", "types"])
def test_every_two_colors_of_a_palette_can_be_told_apart(palette, vision):
    distances = {
        (one, other): np.linalg.norm(lab(one, vision) - lab(other, vision))
        for one, other in itertools.combinations(palette, 2)
    }
    assert min(distances.values()) > 10, min(distances, key=distances.get)


def test_groups_that_stand_side_by_side_differ_by_marker_too():
    styles = [group_style(number) for number in range(100)]
    assert len({(style["color"], style["marker"]) for style in styles}) == 100
    for first in range(0, 100, len(MARKERS)):
        assert len({style["marker"] for style in styles[first : first + len(MARKERS)]}) == len(MARKERS)


def test_lines_of_losses_differ_by_style_and_have_names():
    figure = losses(
        {"total": [3, 2, 1], "distribution": [1, 1, 1], "neighborhood": [2, 1, 1], "consistency": [1, 2, 1]}
    )
    lines = figure.axes[0].lines
    assert len({line.get_linestyle() for line in lines}) == 4
    assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()] == [line.get_label() for line in lines]
    plt.close(figure)


def test_numbers_in_a_confusion_table_are_readable_on_every_shade():
    labels = np.repeat(np.arange(21), 100)
    clusters = np.concatenate([np.repeat([0, 1], [100 - 5 * row, 5 * row]) for row in range(21)])
    figure = confusion(labels, clusters)
    axes = figure.axes[0]
    image = axes.images[0]
    for text in axes.texts:
        column, row = text.get_position()
        shade = image.cmap(image.norm(image.get_array()[row, column]))
        assert contrast(text.get_color(), shade[:3]) >= 4.5, text.get_text()
    plt.close(figure)


@pytest.mark.parametrize("good", [True, False, None])
def test_the_edge_of_a_box_can_be_seen_in_the_light_and_in_the_dark(good):
    edge = re.search(r"solid (#\w{6})", box("title", [], good=good)["text/html"]).group(1)
    assert contrast(edge, "#111111") >= 3
    assert contrast(edge, "#ffffff") >= 2  # the words of the title say the same
