"""The data cards: what each dataset is, where it comes from and what it must hold, read from registry.yaml."""

from __future__ import annotations

import difflib
import functools
import string
from dataclasses import dataclass, field, fields
from importlib import resources
from typing import Any

from scrcl_edu.errors import DataError

TASKS = ("scrna", "spatial")
STATUSES = {
    "verified": "the numbers were counted on the file itself",
    "expected": "the numbers are published; loading checks them",
    "unresolved": "the numbers are not established; loading reports what differs",
    "generated": "made by the simulator",
}


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
    """One way to get a dataset: its files together and the parser (with arguments) that reads them.

    `label` is the column that holds the classes in this source, where it differs from the card's.
    """

    parser: str
    files: tuple[File, ...] = ()
    arguments: dict[str, Any] = field(default_factory=dict)
    label: str = ""


@dataclass(frozen=True, kw_only=True)
class Card:
    """The data card of one dataset.

    `cells`, `genes`, `classes` and `class_sizes` are promises that `load` keeps; None or empty is not promised.
    `row_order` says how the cells of the released predictions are ordered. `part_of` names the dataset of the paper of
    which this is a part. `chosen_on`: its scores were seen while the settings of the recipe `robust` were chosen, so
    that a score of `robust` on it flatters.
    """

    name: str
    title: str
    organism: str
    technology: str
    cells: int | None = None
    genes: int | None = None
    classes: int | None = None
    label: str
    task: str
    status: str
    license: str
    citation: str
    note: str = ""
    row_order: str = ""
    part_of: str = ""
    chosen_on: bool = False
    aliases: tuple[str, ...] = ()
    class_names: dict[str, str] = field(default_factory=dict)
    class_sizes: dict[str, int] = field(default_factory=dict)
    sources: tuple[Source, ...] = ()
    released: tuple[File, ...] = ()

    def facts(self) -> dict[str, Any]:
        """The card as text and numbers that .h5ad can hold, for ``uns["dataset"]``; what is unknown is left out."""
        skipped = ("sources", "released", "class_names")
        facts = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in skipped}
        facts["aliases"] = list(self.aliases)
        facts["urls"] = [url for source in self.sources for file in source.files for url in file.urls]
        return {key: value for key, value in facts.items() if value not in (None, "", [], {})}

    def __str__(self) -> str:
        """The card to be read by people."""
        facts = self.facts()
        facts["status"] = f"{self.status}: {STATUSES[self.status]}"
        lines = []
        for key, value in facts.items():
            if isinstance(value, dict):
                value = ", ".join(f"{k} {v}" for k, v in value.items())
            text = f"\n{'':13}".join(map(str, value)) if isinstance(value, list) else str(value)
            lines.append(f"{key:<12} {text}")
        return "\n".join(lines)


@functools.cache
def cards() -> dict[str, Card]:
    """Every card by name, in the registry's order. Raises DataError when the registry itself is inconsistent."""
    import yaml

    text = resources.files("scrcl_edu.datasets").joinpath("registry.yaml").read_text(encoding="utf-8")
    content = yaml.safe_load(text)
    return {name: _card(name, entry, content["addresses"]) for name, entry in content["datasets"].items()}


def card(name: str) -> Card:
    """The card of a dataset by its name or an alias; raises DataError with the nearest names when there is none."""
    by_name = {alias: c for c in cards().values() for alias in c.aliases} | cards()
    if str(name) in by_name:
        return by_name[str(name)]
    near = difflib.get_close_matches(str(name), by_name, n=3, cutoff=0.5) or ["pbmc68k_reduced"]
    raise DataError(f"no dataset is called {name!r}; did you mean {', '.join(near)}? All names: scrcl-edu datasets")


def names(task: str | None = None, status: str | None = None) -> list[str]:
    """Names of the datasets: all, or those of one task ("scrna", "spatial") or status (see STATUSES)."""
    for key, value, allowed in (("task", task, TASKS), ("status", status, STATUSES)):
        if value is not None and value not in allowed:
            raise DataError(f"{key} is {value!r}; choose one of {', '.join(allowed)}")
    return [c.name for c in cards().values() if task in (None, c.task) and status in (None, c.status)]


def markdown_table() -> str:
    """All cards as one Markdown table, for the documentation."""
    rows = [["name", "title", "organism", "technology", "cells", "genes", "classes", "task", "status", "license"]]
    rows += [["---"] * len(rows[0])]
    rows += [["?" if (v := getattr(c, key)) is None else str(v) for key in rows[0]] for c in cards().values()]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows) + "\n"


def _card(name: str, entry: dict[str, Any], addresses: dict[str, str]) -> Card:
    entry = _filled(entry, addresses | {"name": name})
    sources = tuple(_source(s) for s in entry.pop("sources"))
    released = _released(name, entry.pop("released", {}), addresses)
    aliases = tuple(entry.pop("aliases", ()))
    made = Card(name=name, sources=sources, released=released, aliases=aliases, **entry)
    if made.task not in TASKS or made.status not in STATUSES:
        raise DataError(f"registry.yaml, {name}: task is {made.task!r}, status {made.status!r}; see TASKS and STATUSES")
    return made


def _filled(value: Any, variables: dict[str, str]) -> Any:
    """The entry with $variables replaced."""
    if isinstance(value, dict):
        return {key: _filled(v, variables) for key, v in value.items()}
    if isinstance(value, list):
        return [_filled(v, variables) for v in value]
    return string.Template(value).substitute(variables) if isinstance(value, str) else value


def _source(entry: dict[str, Any]) -> Source:
    files = [File(name=f["name"], urls=tuple(f["urls"]), check=f.get("check", "")) for f in entry.pop("files", ())]
    return Source(files=tuple(files), **entry)


def _released(name: str, entry: dict[str, str], addresses: dict[str, str]) -> tuple[File, ...]:
    files = []
    for kind in ("pred_label", "emb"):
        if kind in entry:
            file = f"{kind}_dict_{name}.mat"
            url = f"{addresses['scrcl']}/results/{entry['folder']}/{file}"
            files.append(File(name=f"released/{file}", urls=(url,), check=entry[kind]))
    return tuple(files)
