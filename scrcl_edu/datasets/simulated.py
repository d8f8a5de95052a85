"""Simulated cells whose truth is known: types, gene programs, markers, batches and tissue layers.

Counts are negative binomial around the profile of the cell's type. Nothing of shape (n_cells, n_genes) is ever built:
molecules are drawn one by one, so time and memory grow with the number of molecules, up to a million cells and more.
Lessons use it wherever real data cannot tell what is true.
"""

from __future__ import annotations

import math
import numbers

import numpy as np
import pandas as pd
import scipy.sparse as sp
from anndata import AnnData

from scrcl_edu.errors import SettingsError

BLOCK_MOLECULES = 2**18  # expected molecules that are in memory at once

_RANGES = {  # smallest, largest, whole number
    "n_cells": (1, math.inf, True),
    "n_genes": (1, math.inf, True),
    "n_types": (1, math.inf, True),
    "n_programs": (1, math.inf, True),
    "genes_per_program": (1, math.inf, True),
    "n_markers": (0, math.inf, True),
    "marker_fold": (1, math.inf, False),
    "program_fold": (1, math.inf, False),
    "imbalance": (1, math.inf, False),
    "min_cells": (1, math.inf, True),
    "relatedness": (0, 1, False),
    "depth": (1e-6, math.inf, False),
    "depth_spread": (0, 5, False),
    "overdispersion": (0, 100, False),
    "dropout": (0, 1, False),
    "n_batches": (1, math.inf, True),
    "batch_strength": (0, 5, False),
    "mixing": (0, 1, False),
    "seed": (0, math.inf, True),
}


def simulate(
    n_cells: int = 2000,
    n_genes: int = 1000,
    n_types: int = 6,
    *,
    n_programs: int | None = None,
    genes_per_program: int = 30,
    n_markers: int = 10,
    marker_fold: float = 8.0,
    program_fold: float = 3.0,
    imbalance: float = 5.0,
    min_cells: int = 5,
    related_types: tuple[int, int] | None = (0, 1),
    relatedness: float = 0.5,
    depth: float = 2000.0,
    depth_spread: float = 0.4,
    overdispersion: float = 0.5,
    dropout: float = 0.0,
    n_batches: int = 1,
    batch_strength: float = 0.3,
    layout: str | None = None,
    mixing: float = 0.0,
    seed: int = 0,
) -> AnnData:
    """Draw cells of known types from gene programs.

    Parameters
    ----------
    n_cells, n_genes, n_types
        Size. Types are named ``type_0`` (the largest class) to ``type_{n_types - 1}`` (the rarest).
    n_programs
        Number of disjoint gene programs, at least `n_types`: program t is used by type t alone, each further one is
        shared by half of the types. Default: 3/2 of `n_types`.
    genes_per_program
        Genes in a program. The genes that are left belong to none.
    n_markers
        Genes of a type's own program that are its markers.
    marker_fold, program_fold
        Fold change of a marker, and of the other genes of a program, where the program is fully active.
    imbalance
        Cells of the largest class over cells of the rarest; sizes in between fall geometrically. 1 is balanced.
    min_cells
        No class has fewer cells, whatever `imbalance` says; the largest classes give what is missing.
    related_types, relatedness
        The second of the two types is moved towards the first, on the log scale: 0 leaves them as different as any
        two types, 1 makes them identical. None for no such pair.
    depth, depth_spread
        Median of the expected counts per cell, and the standard deviation of their natural logarithm (log-normal).
    overdispersion
        The variance of a count with mean m is m + overdispersion * m^2. 0 is Poisson.
    dropout
        A count with mean m is lost, read as 0, with probability dropout / (1 + m): weak genes are lost first.
    n_batches, batch_strength
        Batches of equal size, independent of type; in each, every gene is scaled by exp(batch_strength * normal).
        With one batch there is no effect.
    layout
        None, or "layers": a tissue section where each type fills one layer.
    mixing
        With a layout, the share of cells that change places with each other at random.
    seed
        The same settings and seed give the same cells, bit for bit (molecules are drawn in blocks whose size follows
        from `depth` and is not a setting). Genes, programs, cells and batches have a random stream each: changing
        `relatedness`, for example, leaves the genes of the programs where they were.

    Returns
    -------
    AnnData with float32 CSR counts in ``X``, shape (n_cells, n_genes), and the truth:

    - ``obs["label"]``, ``obs["batch"]``, ``obs["depth"]`` (expected counts before dropout);
    - with a layout ``obs["layer"]`` and ``obsm["spatial"]`` (one cell per unit of area);
    - ``var["program"]`` and ``var["marker"]``, "none" for the rest;
    - ``varm["programs"]``, the natural log fold change of each gene by each program, (n_genes, n_programs);
    - ``uns["simulation"]``: the settings, and ``type_programs``, the activity of each program in each type,
      (n_types, n_programs).

    At low depth a cell can be empty.

    Raises
    ------
    SettingsError
        When a setting is out of range or does not go with another.

    Notes
    -----
    A negative binomial is a Poisson number of clusters with logarithmic sizes. Clusters are proposed at rate m, the
    mean of the count, and kept with probability log(1 + a m) / (a m), with a the overdispersion; sizes have parameter
    a m / (1 + a m). Counts are exactly negative binomial, at a cost of one draw per molecule.
    """
    settings = dict(locals())
    if n_programs is None and isinstance(n_types, numbers.Integral):
        settings["n_programs"] = n_types + n_types // 2
    _check(settings)
    n_programs = int(settings["n_programs"])
    gene_rng, cell_rng, batch_rng, count_rng = (np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(4))

    programs, marker_of, program_of = _gene_programs(gene_rng, settings)
    type_programs = _program_activities(gene_rng, n_types, n_programs)
    if related_types is not None:
        first, second = related_types
        type_programs[second] += relatedness * (type_programs[first] - type_programs[second])
    baseline = gene_rng.normal(size=n_genes)  # log-normal gene means
    profiles = baseline + type_programs @ programs.T  # (n_types, n_genes), log scale
    effects = np.zeros((1, n_genes)) if n_batches == 1 else batch_rng.normal(size=(n_batches, n_genes))
    profiles = profiles[:, None] + batch_strength * effects  # (n_types, n_batches, n_genes)
    profiles = np.exp(profiles - profiles.max(-1, keepdims=True)).reshape(-1, n_genes)
    profiles /= profiles.sum(-1, keepdims=True)

    sizes = _class_sizes(n_cells, n_types, imbalance, min_cells)
    labels = cell_rng.permutation(np.repeat(np.arange(n_types), sizes))
    depths = depth * np.exp(depth_spread * cell_rng.normal(size=n_cells))
    batches = batch_rng.permutation(np.arange(n_cells) % n_batches)
    block = max(1, int(BLOCK_MOLECULES / depth))
    counts = _draw_counts(count_rng, profiles, labels * n_batches + batches, depths, overdispersion, dropout, block)

    type_names = _names("type", n_types)
    obs = pd.DataFrame({"label": pd.Categorical.from_codes(labels, type_names)}, index=_names("cell", n_cells))
    obs["batch"] = pd.Categorical.from_codes(batches, _names("batch", n_batches))
    obs["depth"] = depths
    var = pd.DataFrame(index=_names("gene", n_genes))
    var["program"] = pd.Categorical.from_codes(program_of, [*_names("program", n_programs), "none"])
    var["marker"] = pd.Categorical.from_codes(marker_of, [*type_names, "none"])
    adata = AnnData(counts, obs=obs, var=var, varm={"programs": programs})
    if layout == "layers":
        layers, adata.obsm["spatial"] = _layers(cell_rng, labels, sizes, mixing)
        adata.obs["layer"] = pd.Categorical.from_codes(layers, _names("layer", n_types))
    written = {name: "none" if value is None else value for name, value in settings.items()}
    if related_types is not None:
        written["related_types"] = [type_names[t] for t in related_types]
    adata.uns["simulation"] = {"settings": written, "type_programs": type_programs}
    return adata


def _class_sizes(n_cells: int, n_types: int, imbalance: float, min_cells: int) -> np.ndarray:
    """Geometric fall from the largest class to the rarest; what `min_cells` adds is taken from the largest."""
    weights = float(imbalance) ** -(np.arange(n_types) / max(n_types - 1, 1))
    sizes = np.maximum(np.floor(n_cells * weights / weights.sum()).astype(np.int64), min_cells)
    missing = n_cells - sizes.sum()
    sizes[: max(missing, 0)] += 1  # rounding lost less than one cell per type
    for _ in range(missing, 0):
        sizes[np.flatnonzero(sizes == sizes[0])[-1]] -= 1
    return sizes


def _check(settings: dict) -> None:
    for name, (low, high, whole) in _RANGES.items():
        value = settings[name]
        right_kind = isinstance(value, numbers.Integral if whole else numbers.Real) and not isinstance(value, bool)
        if not right_kind or not low <= float(value) <= high or math.isinf(value):
            wanted = f"{'a whole number' if whole else 'a number'} " + (
                f"of at least {low:g}" if math.isinf(high) else f"from {low:g} to {high:g}"
            )
            raise SettingsError(f"{name} is {value!r}; it must be {wanted}; give another {name}")
    s = settings
    if s["n_cells"] < s["n_types"] * s["min_cells"]:
        raise SettingsError(
            f"n_cells is {s['n_cells']} but {s['n_types']} types of at least {s['min_cells']} cells need "
            f"{s['n_types'] * s['min_cells']}; raise n_cells, or lower n_types or min_cells"
        )
    if s["n_programs"] < s["n_types"]:
        raise SettingsError(
            f"n_programs is {s['n_programs']} but each of the {s['n_types']} types has a program of its own; "
            f"choose n_programs >= {s['n_types']}"
        )
    needed = s["n_programs"] * s["genes_per_program"]
    if needed > s["n_genes"]:
        raise SettingsError(
            f"n_genes is {s['n_genes']} but {s['n_programs']} programs of {s['genes_per_program']} genes need "
            f"{needed}; raise n_genes, or choose genes_per_program <= {s['n_genes'] // s['n_programs']}"
        )
    if s["n_markers"] > s["genes_per_program"]:
        raise SettingsError(
            f"n_markers is {s['n_markers']} but a program has {s['genes_per_program']} genes; "
            f"choose n_markers <= {s['genes_per_program']} or raise genes_per_program"
        )
    if s["n_batches"] > s["n_cells"]:
        raise SettingsError(
            f"n_batches is {s['n_batches']} but there are {s['n_cells']} cells; choose n_batches <= n_cells"
        )
    pair = s["related_types"]
    if pair is not None and (
        not isinstance(pair, (tuple, list))
        or len(pair) != 2
        or pair[0] == pair[1]
        or not all(isinstance(t, numbers.Integral) and 0 <= int(t) < s["n_types"] for t in pair)
    ):
        raise SettingsError(
            f"related_types is {pair!r}; it must be two different types from 0 to {s['n_types'] - 1}, "
            "such as (0, 1), or None for no related pair"
        )
    if s["layout"] not in (None, "layers"):
        raise SettingsError(f"layout is {s['layout']!r}; choose 'layers', or None for cells without places")
    if s["layout"] is None and s["mixing"] > 0:
        raise SettingsError(
            f"mixing is {s['mixing']} but there is no tissue to mix; add layout='layers' or set mixing=0"
        )


def _names(kind: str, n: int) -> list[str]:
    return [f"{kind}_{i}" for i in range(n)]


def _gene_programs(rng: np.random.Generator, settings: dict) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Log fold changes (n_genes, n_programs); of each gene the type it marks and its program, the last for none."""
    n_genes, n_types, n_programs = settings["n_genes"], settings["n_types"], settings["n_programs"]
    members = rng.permutation(n_genes)[: n_programs * settings["genes_per_program"]].reshape(n_programs, -1)
    programs = np.zeros((n_genes, n_programs))
    marker_of, program_of = np.full(n_genes, n_types), np.full(n_genes, n_programs)
    for program, genes in enumerate(members):
        programs[genes, program] = math.log(settings["program_fold"])
        program_of[genes] = program
        if program < n_types:
            markers = genes[: settings["n_markers"]]
            programs[markers, program] = math.log(settings["marker_fold"])
            marker_of[markers] = program
    return programs, marker_of, program_of


def _program_activities(rng: np.random.Generator, n_types: int, n_programs: int) -> np.ndarray:
    activities = np.zeros((n_types, n_programs))
    activities[np.arange(n_types), np.arange(n_types)] = 1
    for program in range(n_types, n_programs):
        activities[rng.choice(n_types, size=min(n_types, max(2, n_types // 2)), replace=False), program] = 1
    return activities


def _draw_counts(
    rng: np.random.Generator,
    profiles: np.ndarray,
    groups: np.ndarray,
    depths: np.ndarray,
    overdispersion: float,
    dropout: float,
    block: int,
) -> sp.csr_matrix:
    """Counts of the cells, `block` cells at a time; `profiles` (n_groups, n_genes) has a row for each of `groups`."""
    n_cells, n_genes = len(groups), profiles.shape[1]
    cumulative = np.cumsum(profiles, axis=1)
    cumulative = (cumulative / cumulative[:, -1:] + np.arange(len(profiles))[:, None]).ravel()
    data, indices, lengths = [], [], [np.zeros(1, np.int64)]
    for start in range(0, n_cells, block):
        group, size = groups[start : start + block], depths[start : start + block]
        cell = np.repeat(np.arange(len(group)), rng.poisson(size))  # one entry per molecule proposed
        position = group[cell] + rng.random(len(cell))
        gene = np.searchsorted(cumulative, position, side="right") - group[cell] * n_genes
        gene = np.minimum(gene, n_genes - 1)  # position can round up to the next group
        values = np.ones(len(cell), np.float32)
        if overdispersion > 0:
            spread = overdispersion * size[cell] * profiles[group[cell], gene]
            kept = rng.random(len(cell)) * spread < np.log1p(spread)
            cell, gene, spread = cell[kept], gene[kept], spread[kept]
            values = rng.logseries(spread / (1 + spread)).astype(np.float32)
        counts = sp.csr_matrix((values, (cell, gene)), shape=(len(group), n_genes))  # adds what falls together
        if dropout > 0:
            cell = np.repeat(np.arange(len(group)), np.diff(counts.indptr))
            mean = size[cell] * profiles[group[cell], counts.indices]
            counts.data[rng.random(len(cell)) * (1 + mean) < dropout] = 0
            counts.eliminate_zeros()
        data.append(counts.data)
        indices.append(counts.indices.astype(np.int32, copy=False))
        lengths.append(np.diff(counts.indptr))
    indptr = np.cumsum(np.concatenate(lengths), dtype=np.int64)
    if indptr[-1] < np.iinfo(np.int32).max:
        indptr = indptr.astype(np.int32)
    return sp.csr_matrix((np.concatenate(data), np.concatenate(indices), indptr), shape=(n_cells, n_genes))


def _layers(
    rng: np.random.Generator, labels: np.ndarray, sizes: np.ndarray, mixing: float
) -> tuple[np.ndarray, np.ndarray]:
    """Layer of each cell and its coordinates (n_cells, 2): curved bands, as thick as their class is large."""
    n_cells = len(labels)
    layers = labels.copy()
    moved = rng.permutation(n_cells)[: round(mixing * n_cells)]
    layers[moved] = layers[rng.permutation(moved)]
    side = math.sqrt(n_cells)
    across = rng.random(n_cells)
    top = np.cumsum(sizes) - sizes
    down = (top[layers] + rng.random(n_cells) * sizes[layers]) / n_cells
    bent = down + 0.1 * np.sin(math.pi * across)
    return layers, side * np.column_stack([across, bent])
