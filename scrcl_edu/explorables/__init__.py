"""Explorables: parts of the method to touch, in a notebook, on the site, or on a page of its own; nothing is fetched.

In a lesson, as the last line of a cell::

    from scrcl_edu.explorables import explorable
    explorable("messages")

An explorable NAME is one of :data:`NAMES` and stands in five files, which nothing else needs to know:

`making/NAME.py`
    `make() -> dict`: what the browser is given, from the package and data that ship: numbers, rounded, as JSON takes
    them. A guess is an entry ``"question": question("task_name", truth)`` (:mod:`scrcl_edu.explorables.questions`),
    whose `Prediction` stands in `scrcl_edu/course/tasks/`. Where making takes some seconds only, `QUICK = True` has a
    test make it again and compare.
`static/data/NAME.json`
    What it made, written by ``scrcl-edu explore --data [NAME]`` with a digest of `making/NAME.py`. All together < 3 MB.
`twins/NAME.py`
    `TITLE`, `LESSON`, `ALT` and `draw(data) -> str`: the static picture (SVG, by `scrcl_edu.course.drawings.svg`) in a
    telling state; `ALT` may be a function of the data. The same command writes it to `static/twins/NAME.svg`.
`static/NAME.js`
    An ES module of at most 250 lines with ``export function mount(element, data, { progress })``, which shows the
    explorable in `element` and returns a function that ends it. It may import from `common.js` (frame, controls,
    chart, canvas, motion, theme), `guess.js` (`ask`), `numbers.js` and a numbers module of its own, in one line each:
    ``import { a, b } from "./common.js";``. Numbers that the package computes as well stand in a module without
    drawing, and `tests/test_explorables.py` compares them with the package in a browser. Top-level names are unique
    over all modules that are joined; only functions and constants are exported.
`static/NAME.css`
    Optional; rules begin with `.sx`, colors are the tokens of `explorables.css` (`--ink`, `--c1` to `--c6`, ...).

Every explorable keeps to this: `frame(element, title, hint)` around all; each control reached by Tab, with role and
name; `view.say(text)` speaks the state after every change; curves differ in dashes, groups in markers, beside color;
`glide` for motion, which a reader may have switched off; 360 pixels are wide enough; whatever a pointer does, a key
does.

`explorable(NAME)` is a widget where anywidget is there, with the twin in the same output for every place where no
script runs. On a page, ``<div data-explorable="NAME">`` with the twin's ``<img>`` inside (:func:`element`) comes alive
by `mount.js`, which loads `NAME.js` from beside itself when the reader comes near; :func:`write_site` writes both, and
`explorables.css`. These are plain scripts, so that pages from the file system work too. Guesses go to the progress
file in a notebook, on a page into the browser's `localStorage` under `scrcl_edu.progress`, laid out alike.
"""

from __future__ import annotations

import importlib
from typing import Any

NAMES = ("smoothing", "messages", "temperature", "near", "programs", "film")

_WHERE = {"explorable": "showing", "element": "bundling", "page": "bundling", "write_site": "bundling"}
__all__ = ["NAMES", *sorted(_WHERE)]


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        value = getattr(importlib.import_module(f"scrcl_edu.explorables.{_WHERE[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'scrcl_edu.explorables' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_WHERE])
