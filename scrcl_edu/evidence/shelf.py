"""Clusters that were found before: a consensus, or another reading of a training, need not run them again."""

from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from scrcl_edu.errors import OutputError
from scrcl_edu.files import atomic_path


class Found(NamedTuple):
    """Clusters (n_cells,) of those cells (their numbers) that are not empty, and how they were had."""

    cells: np.ndarray
    clusters: np.ndarray
    seconds: float
    device: str
    best_epoch: int


class Shelf:
    """Clusters by dataset, method, seed and settings; in a folder, or in memory when there is none.

    A dataset is known by its name: a folder belongs to one state of the data and one version of the code. It is made
    when it is not there; a damaged file in it counts as missing.

    Raises
    ------
    OutputError
        When the folder cannot be made.
    """

    def __init__(self, folder: str | Path | None = None) -> None:
        self.folder = None if folder is None else Path(folder)
        if self.folder is not None:
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise OutputError(
                    f"{folder} cannot be made: {error.strerror}; choose another folder (--keep)"
                ) from error
        self.here: dict[str, Found] = {}

    def get(self, dataset: str, method: str, seed: int, settings: dict[str, Any]) -> Found | None:
        """What was put there under the same name and settings, or None."""
        name = _name(dataset, method, seed, settings)
        if self.folder is None or not (path := self.folder / name).is_file():
            return self.here.get(name)
        try:
            with path.open("rb") as file, np.load(file) as kept:
                facts = json.loads(str(kept["facts"]))
                return Found(kept["cells"], kept["clusters"].astype(int), **facts)
        except (OSError, EOFError, ValueError, LookupError, zipfile.BadZipFile):
            return None

    def put(self, dataset: str, method: str, seed: int, settings: dict[str, Any], found: Found) -> None:
        """Keep it.

        Raises
        ------
        OutputError
            When the folder cannot be written.
        """
        name = _name(dataset, method, seed, settings)
        if self.folder is None:
            self.here[name] = found
            return
        facts = {"seconds": found.seconds, "device": found.device, "best_epoch": found.best_epoch}
        with atomic_path(self.folder / name, overwrite=True) as temporary, temporary.open("wb") as file:
            clusters = np.unique(found.clusters, return_inverse=True)[1].astype(np.uint16)
            np.savez_compressed(file, cells=found.cells, clusters=clusters, facts=json.dumps(facts))


def _name(dataset: str, method: str, seed: int, settings: dict[str, Any]) -> str:
    text = json.dumps(settings, sort_keys=True).encode()
    known_by = hashlib.blake2b(text, digest_size=4).hexdigest()
    return f"{dataset}.{method.replace('/', '-')}.{seed}.{known_by}.npz"
