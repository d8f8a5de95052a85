"""Pages of HTML for a class: they open without a network, in light and dark, and escape whatever learners wrote."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Iterable, Sequence

from scrcl_edu.classroom.judging import Graded, Judged

STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; display: block; overflow-x: auto; }
th, td { text-align: left; vertical-align: top; padding: 0.3rem 0.8rem; border-bottom: 1px solid #8886; }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
pre { overflow-x: auto; padding: 0.5rem; border: 1px solid #8886; }
section { border-left: 6px solid #56B4E9; padding: 0 1rem; margin: 1.5rem 0; }
section.passed { border-color: #009E73; }
section.open { border-color: #D55E00; }
"""
WORDS = {"passed": "passed", "not yet": "not yet right", "not started": "not started", "missing": "not in the file"}


def page(title: str, body: str) -> str:
    """A whole page around a body that is HTML already."""
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head><meta charset="utf-8">\n<title>{html.escape(title)}</title>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<style>{STYLE}</style></head>\n<body>\n<h1>{html.escape(title)}</h1>\n{body}\n</body>\n</html>\n"
    )


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table; numbers stand to the right, all text is escaped."""
    titles = "".join(f'<th scope="col">{html.escape(name)}</th>' for name in head)
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>\n" for row in rows)
    return f"<table>\n<thead><tr>{titles}</tr></thead>\n<tbody>\n{body}</tbody>\n</table>\n"


def _cell(value: object) -> str:
    kind = ' class="number"' if isinstance(value, int | float) else ""
    return f"<td{kind}>{html.escape(str(value))}</td>"


def class_page(results: Sequence[Graded]) -> str:
    """Everybody's points, what needs a look, and the mistakes that many made."""
    graded = [one for one in results if not one.problem]
    points = table(
        ("learner", "lesson", "points", "of", "file", "unusual"),
        [(g.learner, g.lesson, g.points, len(g.judged), g.path, "; ".join(g.notes)) for g in graded],
    )
    parts = [f"<p>{len(graded)} of {len(results)} files were graded.</p>", points]
    if broken := [(g.learner, g.path, g.problem) for g in results if g.problem]:
        parts += ["<h2>Not graded</h2>", table(("learner", "file", "why"), broken)]
    looks = [(g.learner, g.path, one.exercise, "; ".join(one.look)) for g in graded for one in g.judged if one.look]
    if looks:
        parts += ["<h2>For a look</h2>", table(("learner", "file", "exercise", "what"), looks)]
    causes = Counter((one.exercise, one.cause) for g in graded for one in g.judged if one.status == "not yet")
    if causes:
        rows = [(count, exercise, cause) for (exercise, cause), count in causes.most_common()]
        parts += ["<h2>Mistakes, the most common first</h2>", table(("times", "exercise", "likely cause"), rows)]
    return page("Results", "\n".join(parts))


def feedback_page(graded: Graded) -> str:
    """What one learner gets back for one file."""
    if graded.problem:
        body = f"<p>This file could not be graded: {html.escape(graded.problem)}.</p>"
    else:
        body = f"<p>{graded.points} of {len(graded.judged)} exercises passed.</p>"
        body += "\n".join(map(_section, graded.judged))
    if graded.notes:
        body += f"<p>Unusual: {html.escape('; '.join(graded.notes))}.</p>"
    return page(f"{graded.learner}: {graded.path.name}", body)


def _section(one: Judged) -> str:
    kind = "passed" if one.status == "passed" else "open" if one.status in ("not yet", "stopped") else ""
    rows = [("Likely cause", one.cause), ("Tried", one.tried), ("Came out", one.came_out)]
    shown = "".join(
        f"<p><em>{label}:</em></p><pre>{html.escape(text)}</pre>" if "\n" in text else
        f"<p><em>{label}:</em> {html.escape(text)}</p>"
        for label, text in rows if text
    )  # fmt: skip
    word = WORDS.get(one.status, one.status)
    return f'<section class="{kind}"><h2>{html.escape(one.exercise)}: {word}</h2>{shown}</section>'
