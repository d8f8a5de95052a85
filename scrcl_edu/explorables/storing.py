"""What is stored beside the modules: the numbers that explorables are given, and their static twins."""

from __future__ import annotations

import hashlib
import importlib
import json
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from scrcl_edu.errors import SettingsError
from scrcl_edu.explorables import NAMES
from scrcl_edu.files import atomic_path

PACKAGE = Path(__file__).parent


def check_name(name: str) -> str:
    """The name, when there is such an explorable.

    Raises
    ------
    SettingsError
        When there is none.
    """
    if name not in NAMES:
        raise SettingsError(f"there is no explorable {name!r}; choose one of {', '.join(NAMES)}")
    return name


@cache
def static(name: str) -> str:
    """Text of a file in `static`."""
    return (files("scrcl_edu.explorables") / "static" / name).read_text(encoding="utf-8")


def data(name: str) -> dict[str, Any]:
    """What the browser is given, as it is stored."""
    return json.loads(static(f"data/{check_name(name)}.json"))


def twin(name: str) -> str:
    """The static picture as it is stored, an SVG document."""
    return static(f"twins/{check_name(name)}.svg")


def title(name: str) -> str:
    """What the explorable is called."""
    return _twin_module(name).TITLE


def lesson(name: str) -> str:
    """Two digits of the lesson that it belongs to."""
    return _twin_module(name).LESSON


@cache
def alt(name: str) -> str:
    """The static picture in words."""
    said = _twin_module(name).ALT
    return said(data(name)) if callable(said) else said


def write(names: tuple[str, ...] = NAMES, *, report: Callable[[str], None] = print) -> None:
    """Make the numbers and twins of some explorables again and store them in the package."""
    for name in names:
        module = importlib.import_module(f"scrcl_edu.explorables.making.{check_name(name)}")
        made = {"made_by": digest(name), **module.make()}
        _store(f"data/{name}.json", json.dumps(made, separators=(",", ":"), ensure_ascii=False) + "\n")
        _store(f"twins/{name}.svg", drawn(name, made))
        report(f"{name}: {len(static(f'data/{name}.json')) / 1e3:.0f} kB, twin {len(twin(name)) / 1e3:.0f} kB")


def drawn(name: str, given: dict[str, Any]) -> str:
    """Draw the twin of an explorable from what its browser is given."""
    return _twin_module(name).draw(given)


def digest(name: str) -> str:
    """Of the code that makes an explorable's numbers: sixteen hexadecimal digits."""
    code = (PACKAGE / "making" / f"{check_name(name)}.py").read_text(encoding="utf-8")
    return hashlib.sha256(code.encode()).hexdigest()[:16]


def _twin_module(name: str) -> Any:
    return importlib.import_module(f"scrcl_edu.explorables.twins.{check_name(name)}")


def _store(name: str, text: str) -> None:
    with atomic_path(PACKAGE / "static" / name, overwrite=True) as temporary:
        temporary.write_text(text, encoding="utf-8")
    static.cache_clear()
    alt.cache_clear()
