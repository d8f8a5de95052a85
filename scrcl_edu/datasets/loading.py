"""From a dataset's name to the AnnData of the data contract, holding the registry to its promises."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from scrcl_edu.datasets import download, embedded, folders, parsers, registry
from scrcl_edu.datasets.reading import explaining, read_input
from scrcl_edu.errors import DataError, DownloadError, InputFileError, ScrclError, SettingsError

if TYPE_CHECKING:
    from anndata import AnnData


def load(name: str, *, cache: str | Path | None = None, progress: bool = True) -> AnnData:
    """Load a dataset by its name, downloading it first when it is not in the cache.

    Parameters
    ----------
    name
        A name of :func:`names`, such as "pbmc68k_reduced", or an alias of its card.
    cache
        Folder of the downloads; default is the environment's SCRCL_EDU_DATA, else the system's cache folder.
    progress
        Whether downloads show a progress bar.

    Returns
    -------
    AnnData of shape (n_cells, n_genes): raw counts in `X` and ``layers["counts"]`` (float32, CSR when sparse), the true
    classes in ``obs["label"]`` and under the card's own column, ``obsm["spatial"]`` for spatial sets, and the card in
    ``uns["dataset"]``. Unlabelled cells are dropped.

    Raises
    ------
    DataError
        When the name is unknown, or cells, genes or classes are not those of the card.
    DownloadError
        When no source could be reached; the message says how to put the files there by hand.
    InputFileError
        When a file is damaged and no other source is known.
    OutputError
        When the cache folder cannot be written or the disk is full.
    """
    card = registry.card(name)
    failures: list[ScrclError] = []
    for source in _nearest_first(card, cache):
        try:
            paths = [download.fetch(file, cache=cache, progress=progress) for file in source.files]
            return _finish(_parse(source, paths, cache), card, source)
        except (DownloadError, InputFileError, DataError) as error:
            failures.append(error)
    if len(failures) == 1:
        raise failures[0]
    kind = DownloadError if all(isinstance(f, DownloadError) for f in failures) else DataError
    raise kind(f"{card.name}: none of its {len(failures)} sources could be used.\n" + "\n".join(map(str, failures)))


def open_input(source: str, **options: Any) -> AnnData:
    """Read a user's file or folder, or load a dataset, whichever `source` names.

    Parameters
    ----------
    source
        A path or a name of :func:`names`. A folder that has a dataset's name by chance does not hide the dataset when
        no matrix can be in it; otherwise the folder is read, and a note says how to get the dataset.
    options
        Of :func:`~scrcl_edu.datasets.read_input`; only for files and folders.

    Raises
    ------
    InputFileError
        When there is neither such a path nor such a dataset.
    SettingsError
        When a dataset is asked for with options of files.
    """
    path = Path(source)
    named = source in registry.names()
    if path.exists() and not (named and path.is_dir() and not folders.may_hold_counts(path)):
        adata = read_input(source, **options)
        if named:
            parsers.add_notes(adata, f"{source} here was read, not the dataset of that name; rename it to get that one")
        return adata
    try:
        name = registry.card(source).name
    except DataError as error:
        raise InputFileError(f"{source} is not there as a file or folder, and {error}") from error
    if any(value not in (None, False) for value in options.values()):
        raise SettingsError(f"{name} is a dataset, whose counts are known; leave the options of reading out")
    return load(name)


def get(name: str, *, cache: str | Path | None = None, progress: bool = True) -> list[Path]:
    """Download a dataset without reading it.

    Returns
    -------
    Paths of its files, in the order in which its parser takes them; empty for embedded and simulated data.

    Raises
    ------
    DataError
        When the name is unknown.
    DownloadError
        When no source could be reached.
    """
    card = registry.card(name)
    failures = []
    for source in _nearest_first(card, cache):
        try:
            return [download.fetch(file, cache=cache, progress=progress) for file in source.files]
        except DownloadError as error:
            failures.append(error)
    raise DownloadError("\n".join(map(str, failures)))


def _nearest_first(card: registry.Card, cache: str | Path | None) -> list[registry.Source]:
    """The sources in the registry's order, but those that are complete in the cache before the others."""
    return sorted(card.sources, key=lambda s: not all(download.in_cache(f, cache=cache) for f in s.files))


def _parse(source: registry.Source, paths: list[Path], cache: str | Path | None) -> AnnData:
    if source.parser == "embedded":
        return embedded.pbmc68k_reduced()
    if source.parser == "simulated":
        from scrcl_edu.datasets.simulated import simulate

        return simulate(**source.arguments)
    if source.parser == "xy":
        parse = parsers.xy_h5
    else:
        from scrcl_edu.datasets import studies

        parse = getattr(studies, source.parser)
    try:
        with explaining(", ".join(map(str, paths))):
            return parse(*paths, **source.arguments)
    except (InputFileError, DataError):
        for file in source.files:
            download.set_aside(file, cache=cache)
        raise


def _finish(adata: AnnData, card: registry.Card, source: registry.Source) -> AnnData:
    """Bring parsed data to the data contract and compare it with its card."""
    adata.X = parsers.compact(adata.X)
    adata.layers["counts"] = adata.X.copy()
    labels = adata.obs[source.label or card.label].astype(str)
    adata.obs[card.label] = labels.map(card.class_names).fillna(labels).astype("category")
    adata.obs["label"] = adata.obs[card.label].copy()
    adata.uns["dataset"] = card.facts() | {"source": [url for file in source.files for url in file.urls[:1]]}
    _check_promises(adata, card)
    return adata


def _check_promises(adata: AnnData, card: registry.Card) -> None:
    sizes = np.sort(adata.obs["label"].value_counts().to_numpy())[::-1]
    found = {"cells": adata.n_obs, "genes": adata.n_vars, "classes": len(sizes)}
    differs = [f"{found[k]} {k} instead of {v}" for k in found if (v := getattr(card, k)) not in (None, found[k])]
    promised = sorted(card.class_sizes.values(), reverse=True)
    if promised and promised != sizes.tolist():
        differs.append(f"classes of {sizes.tolist()} cells instead of {promised}")
    if card.task == "spatial" and "spatial" not in adata.obsm:
        differs.append("no coordinates")
    if not differs:
        return
    message = f"{card.name}: the data hold {', '.join(differs)}"
    if card.status != "unresolved":
        raise DataError(f"{message}; the source has changed or the file is another one, so delete it and load again")
    warnings.warn(f"{message}. {card.note}", UserWarning, stacklevel=4)
