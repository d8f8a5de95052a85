"""The data cards: what each dataset is, where it comes from and what it must hold, read from registry.yaml."""

from __future__ import annotations

import difflib
import functools
from dataclasses import dataclass, field, fields
from importlib import resources
from typing import Any

from scrcl_edu.errors import DataError

TASKS = ("scrna", "spatial")
STATUSES = ("verified", "expected", "unresolved", "generated")


@dataclass(frozen=True, kw_only=True)
class File:
    """One file of a dataset: its name in the cache, the addresses to try in order, and how it is verified.

    `check` is ``blob:<git id>``, ``md5:<hex>`` or ``sha256:<hex>``, or empty when no checksum is known; then the first
    download is recorded and later ones are compared with it.
    """

    name: str
    urls: tuple[str, ...]
    check: str = ""


@dataclass(frozen=True, kw_only=True)
class Source:
    """One way to get a dataset: its files together and the parser (with arguments) that reads them."""

    parser: str
    files: tuple[File, ...] = ()
    arguments: dict[str, Any] = field(default_factory=dict)
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Card:
    """The data card of one dataset. `cells`, `genes` and `classes` are promises that `load` holds; None is not promised."""

    name: str
    title: str
    organism: str
    technology: str
    cells: int | None
    genes: int | None
    classes: int | None
    label: str
    task: str
    status: str
    license: str
    citation: str
    paper_name: str = ""
    note: str = ""
    row_order: str = ""
    class_names: tuple[str, ...] = ()
    sources: tuple[Source, ...] = ()
    released: tuple[File, ...] = ()

    def facts(self) -> dict[str, Any]:
        """The card as plain text and numbers, as it is kept in ``uns["dataset"]``."""
        facts = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in ("sources", "released")}
        facts["class_names"] = list(self.class_names)
        facts["urls"] = [url for source in self.sources for file in source.files for url in file.urls]
        return {key: value for key, value in facts.items() if value not in (None, "", [])}


@functools.cache
def cards() -> dict[str, Card]:
    """Every card by name, in the registry's order. Raises DataError when the registry itself is inconsistent."""
    import yaml

    text = resources.files("scrcl_edu.datasets").joinpath("registry.yaml").read_text(encoding="utf-8")
    entries = yaml.safe_load(text)["datasets"]
    return {name: _card(name, dict(entry)) for name, entry in entries.items()}


def card(name: str) -> Card:
    """The card of one dataset; raises DataError with the nearest names when there is none."""
    name = str(name)
    if name in cards():
        return cards()[name]
    aliases = {c.paper_name: c for c in cards().values() if c.paper_name}
    if name in aliases:
        return aliases[name]
    near = difflib.get_close_matches(name, cards(), n=3, cutoff=0.5) or ["pbmc68k_reduced"]
    raise DataError(f"no dataset is called {name!r}; did you mean {', '.join(near)}? All names: datasets.names()")


def names(*, task: str | None = None, status: str | None = None) -> list[str]:
    """Names of the datasets, all or those of one task (scrna, spatial) or status."""
    for key, value, allowed in (("task", task, TASKS), ("status", status, STATUSES)):
        if value is not None and value not in allowed:
            raise DataError(f"{key} is {value!r}; choose one of {', '.join(allowed)}")
    return [c.name for c in cards().values() if task in (None, c.task) and status in (None, c.status)]


def _card(name: str, entry: dict[str, Any]) -> Card:
    sources = tuple(_source(s) for s in entry.pop("sources", ()))
    released = tuple(_file(f) for f in entry.pop("released", ()))
    class_names = tuple(str(c) for c in entry.pop("class_names", ()))
    made = Card(name=name, sources=sources, released=released, class_names=class_names, **entry)
    if made.task not in TASKS or made.status not in STATUSES:
        raise DataError(f"registry.yaml, {name}: task is {made.task!r}, status {made.status!r}; see TASKS and STATUSES")
    return made


def _source(entry: dict[str, Any]) -> Source:
    entry = dict(entry)
    files = tuple(_file(f) for f in entry.pop("files", ()))
    return Source(files=files, **entry)


def _file(entry: dict[str, Any]) -> File:
    return File(name=entry["name"], urls=tuple(entry["urls"]), check=entry.get("check", ""))
