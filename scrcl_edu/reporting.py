"""One page about a fit that can be sent to a colleague: figures, markers, how sure it is, and what to doubt."""

from __future__ import annotations

import base64
import io
import warnings
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from scrcl_edu import __version__, evaluation, plotting
from scrcl_edu.fitting import clustered
from scrcl_edu.interpretation import marker_genes, paga
from scrcl_edu.saving import check_fit

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData
    from matplotlib.figure import Figure

UNSTABLE = 0.7  # mean stability below which a cluster is named
TOUCHING = 0.5  # connectivity of PAGA from which two clusters are named
MARKERS = 8  # genes listed for a cluster
_STYLE = """
:root { color-scheme: light dark; --ink: #1b1b1f; --soft: #5b5b66; --paper: #fdfdfc; --line: #d9d9de; --warm: #fff4e0;
  --edge: #d08700; }
@media (prefers-color-scheme: dark) { :root { --ink: #ececf0; --soft: #aaaab5; --paper: #17171b; --line: #3a3a42;
  --warm: #33270f; --edge: #e0a13a; } }
body { margin: 0 auto; max-width: 62rem; padding: 1rem; font: 1rem/1.55 system-ui, sans-serif; color: var(--ink);
  background: var(--paper); }
h1 { font-size: 1.6rem; line-height: 1.2; } h2 { margin-top: 2.2rem; font-size: 1.25rem; }
h3 { margin-bottom: .3rem; font-size: 1.05rem; } p, li { max-width: 44rem; }
.doubt { border-left: .3rem solid var(--edge); background: var(--warm); padding: .6rem 1rem; border-radius: .3rem; }
figure { margin: 1rem 0; } figcaption, .soft { color: var(--soft); font-size: .92rem; }
img { max-width: 100%; height: auto; background: #fff; border-radius: .4rem; padding: .4rem; box-sizing: border-box; }
.pair { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fit, minmax(min(26rem, 100%), 1fr)); }
.pair figure { margin: 0; } .doubt { margin-top: 1.5rem; } .doubt h2 { margin-top: .4rem; }
@media (max-width: 32rem) { th, td { padding: .2rem .35rem; font-size: .92rem; } }
.wide { overflow-x: auto; } table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
caption { text-align: left; color: var(--soft); font-size: .92rem; padding-bottom: .3rem; }
th, td { padding: .25rem .7rem; border-bottom: 1px solid var(--line); text-align: right; }
th:first-child, td:first-child, td.text { text-align: left; } thead th { border-bottom: 2px solid var(--line); }
"""


def overview(adata: AnnData, groups: Sequence[str], *, key: str = "scrcl", points: np.ndarray | None = None) -> Figure:
    """Draw the cells by each of several columns: where they lie in the tissue, or in two components.

    Parameters
    ----------
    adata
        After a fit under `key`.
    groups
        Columns of `obs`, such as the clusters and the labels.
    key
        Name of the result.
    points
        Where to draw the cells, shape (n_cells, 2), if not there.

    Returns
    -------
    The figure, not shown yet.
    """
    import matplotlib.pyplot as plt

    in_tissue = adata.uns[key]["recipe"]["task"] == "spatial"
    figure, axes = plt.subplots(1, len(groups), figsize=(6 * len(groups), 5), layout="constrained", squeeze=False)
    known = next((group for group in groups if group != key), None)
    for place, group in zip(axes[0], groups, strict=True):
        title = "clusters" if group == key else group
        # Clusters have the color of the type that they match best.
        styles = plotting.cluster_styles(adata.obs[key], adata.obs[known]) if known and group == key else None
        if in_tissue:
            plotting.spatial(adata.obsm["spatial"], adata.obs[group], title=title, axes=place, styles=styles)
        else:  # the names of classes are long and go beside the picture
            where = clustered(adata, key) if points is None else points
            plotting.embedding(where, adata.obs[group], title=title, axes=place, names=group == key, styles=styles)
    return figure


def report(adata: AnnData, *, key: str = "scrcl", labels: str | None = None, title: str = "Clusters of cells") -> str:
    """Say on one page what was found, how, how sure it is, and what to doubt.

    Parameters
    ----------
    adata
        After a fit under `key`; with :func:`scrcl_edu.stability.stability` before it, the page says how sure it is.
    key
        Name of the result.
    labels
        Column of known types, to compare with.
    title
        Of the page.

    Returns
    -------
    HTML that needs no other file, light or dark as the reader's system is, with a text for each figure.

    Raises
    ------
    DataError
        When there is no fit under `key`.
    """
    check_fit(adata, key)
    facts, sizes = adata.uns[key], adata.obs[key].value_counts(sort=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what they say of single cells is said below
        markers = marker_genes(adata, key, n_genes=MARKERS) if (sizes > 1).any() and len(sizes) > 1 else None
        touching = paga(adata, key) if len(sizes) > 1 else None
    sections = [
        _summary(adata, facts, sizes),
        _doubts(adata, key, sizes, markers, touching),
        _picture(adata, key, labels),
        _sureness(facts, sizes),
        _batches(adata, facts, key),
        _compared(adata, key, labels),
        _markers(markers, sizes),
        _training(facts),
    ]
    body = "\n".join(section for section in sections if section)
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>{escape(title)}</title>\n'
        f"<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{escape(title)}</h1>\n{body}\n</main>\n"
        f'<footer class="soft"><p>Made by scrcl_edu {__version__}. The method: Peng et al., Refinement Contrastive '
        "Learning of Cell-Gene Associations for Unsupervised Cell Type Identification, AAAI 2026.</p></footer>\n"
        "</body>\n</html>\n"
    )


def _summary(adata: AnnData, facts: dict[str, Any], sizes: pd.Series) -> str:
    rows = {
        "cells": f"{adata.n_obs:,}",
        "genes": f"{adata.n_vars:,}",
        "clusters": f"{len(sizes)} (K {facts['n_clusters_from']})",
        "recipe": facts.get("ran", facts["recipe"]["name"]),
        "protocol": facts["protocol"],
        "seed": facts["seed"],
        "epochs": facts["epochs"],
        "trained on": facts["device"],
    }
    return _table("What was done", ["", ""], [[name, str(value)] for name, value in rows.items()], text=True)


def _doubts(
    adata: AnnData, key: str, sizes: pd.Series, markers: pd.DataFrame | None, touching: pd.DataFrame | None
) -> str:
    facts = adata.uns[key]
    said = [note for note in map(str, facts.get("notes", [])) if "genes asked for" not in note]
    if "stability" in facts:
        weak = {c: v for c, v in facts["stability"]["clusters"].items() if v < UNSTABLE}
        said += [
            f"Cluster {c} depends on the seed: its cells stay together in {v:.0%} of the trainings."
            for c, v in weak.items()
        ]
        if between := int((adata.obs[f"{key}_stability"] < 0.5).sum()):
            said.append(f"{between} cells are with less than half of their cluster in other trainings.")
    else:
        said.append("Nobody has tried other seeds: how far the clusters depend on chance is unknown.")
    if markers is not None:
        without = [c for c in sizes.index if c not in set(markers["cluster"])]
        said += [f"Cluster {c} has no marker gene: it may be a part of another, or of mixed cells." for c in without]
    said += [f"Cluster {c} has {n} cells: few to judge by." for c, n in sizes.items() if n < 10]
    if touching is not None:
        pairs = [(a, b, touching.at[a, b]) for i, a in enumerate(touching) for b in touching.columns[i + 1 :]]
        close = sorted((pair for pair in pairs if pair[2] >= TOUCHING), key=lambda pair: -pair[2])
        said += [f"Clusters {a} and {b} touch (PAGA {v:.2f} of 1): are they two types?" for a, b, v in close[:5]]
    said.append("A cluster is a proposal. Its name comes from its markers, and from someone who knows the tissue.")
    items = "\n".join(f"<li>{escape(text)}</li>" for text in said)
    return f'<section class="doubt"><h2>What to doubt</h2>\n<ul>\n{items}\n</ul></section>'


def _picture(adata: AnnData, key: str, labels: str | None) -> str:
    in_tissue = adata.uns[key]["recipe"]["task"] == "spatial"
    points = None if in_tissue else plotting.umap(clustered(adata, key), n_neighbors=min(15, adata.n_obs - 1))
    where = "where they lie in the tissue" if in_tissue else "in a UMAP of what was clustered"
    kinds = {key: f"{adata.obs[key].nunique()} clusters"} | ({labels: f"{labels}"} if labels else {})
    figures = [
        _figure(overview(adata, [group], key=key, points=points), f"{adata.n_obs} cells {where}, colored by {what}.")
        for group, what in kinds.items()
    ]
    caption = (
        "" if in_tissue else '<p class="soft">Distances between groups in a UMAP mean little; neighbors do more.</p>'
    )
    return f'<section><h2>The cells</h2>\n<div class="pair">{"".join(figures)}</div>{caption}</section>'


def _sureness(facts: dict[str, Any], sizes: pd.Series) -> str:
    k = ""
    if "n_clusters_range" in facts:
        low, high = (int(n) for n in facts["n_clusters_range"])
        k = f"<p>K was estimated as {facts['n_clusters']}; over parts of the cells and resolutions it lies between "
        k += f"{low} and {high}.</p>\n"
    if "stability" not in facts:
        return f"<section><h2>How sure it is</h2>\n{k}<p>Other seeds were not tried.</p></section>" if k else ""
    found = facts["stability"]
    rows = [[str(c), f"{n:,}", f"{found['clusters'][str(c)]:.2f}"] for c, n in sizes.items()]
    ari = np.asarray(found["ari"], dtype=float)
    many = (
        "1 run more, with another seed, agrees" if len(ari) == 1 else f"{len(ari)} runs more, with other seeds, agree"
    )
    words = f"<p>{many} with these clusters at an adjusted Rand index of "
    words += (
        f"{ari.min():.2f} to {ari.max():.2f} (1 is the same, 0 chance). The table has, for each cluster, the share "
    )
    words += "of these trainings in which two of its cells stay together.</p>\n"
    return (
        f"<section><h2>How sure it is</h2>\n{k}{words}"
        f"{_table('Stability over seeds', ['cluster', 'cells', 'stay together'], rows)}</section>"
    )


def _batches(adata: AnnData, facts: dict[str, Any], key: str) -> str:
    import pandas as pd

    parts = []
    for column, found in facts.get("batches", {}).items():
        if column not in adata.obs:
            continue
        share = pd.crosstab(adata.obs[key].astype(str), adata.obs[column].astype(str), normalize="index")
        rows = [
            [str(c), *(f"{value:.0%}" for value in values)]
            for c, values in zip(share.index, share.to_numpy(), strict=True)
        ]
        words = (
            f"<p>Clusters and <code>{escape(str(column))}</code>: adjusted mutual information {found['ami']:.2f} (0 is "
        )
        words += f"chance, 1 the same); {found['neighbors']:.0%} of neighbors are of one batch, "
        words += f"{found['neighbors_by_chance']:.0%} would be by chance.</p>\n"
        parts.append(words + _table("Share of each cluster's cells", ["cluster", *map(str, share.columns)], rows))
    return "<section><h2>Batches</h2>\n" + "\n".join(parts) + "</section>" if parts else ""


def _compared(adata: AnnData, key: str, labels: str | None) -> str:
    if labels is None:
        return ""
    known = adata.obs[labels].notna().to_numpy()
    truth, clusters = adata.obs[labels][known].astype(str).to_numpy(), adata.obs[key][known].astype(str).to_numpy()
    found = evaluation.scores(truth, clusters)
    alt = f"Table of {labels} by cluster: how many cells of each class are in each cluster."
    words = ", ".join(f"{name.replace('_', ' ')} {value:.3f}" for name, value in found.items())
    figure = _figure(plotting.confusion(truth, clusters), alt, f"Scores: {words}. They were computed after the fit.")
    return f"<section><h2>Compared with {escape(labels)}</h2>\n{figure}</section>"


def _markers(markers: pd.DataFrame | None, sizes: pd.Series) -> str:
    if markers is None:
        return ""
    parts = []
    for cluster, n_cells in sizes.items():
        mine = markers[markers["cluster"] == cluster]
        rows = [
            [row.gene, f"{row.log2_fold:.1f}", f"{row.share_inside:.0%}", f"{row.share_outside:.0%}"]
            for row in mine.itertuples()
        ]
        heads = ["gene", "log2 fold", "of its cells", "of others"]
        found = _table("", heads, rows) if rows else "<p>No gene passed the filters.</p>"
        parts.append(f"<h3>Cluster {escape(str(cluster))}, {n_cells:,} cells</h3>\n{found}")
    words = (
        "<p>Wilcoxon test of each cluster against all other cells. The clusters were made from the same values, so the "
    )
    words += "p-values are too small: they rank genes and prove nothing.</p>"
    return f"<section><h2>Markers</h2>\n{words}\n" + "\n".join(parts) + "</section>"


def _training(facts: dict[str, Any]) -> str:
    history = {name: np.asarray(values) for name, values in facts["history"].items()}
    if not history.get("total", np.array([])).size:
        return ""
    alt = f"Losses over {history['total'].size} epochs, each as a share of its first value."
    return f"<section><h2>Training</h2>\n{_figure(plotting.losses(history), alt)}</section>"


def _figure(figure: Figure, alt: str, caption: str = "") -> str:
    import matplotlib.pyplot as plt

    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=140, metadata={"Software": None})
    plt.close(figure)
    image = base64.b64encode(content.getvalue()).decode()
    below = f"\n<figcaption>{escape(caption)}</figcaption>" if caption else ""
    return f'<figure><img alt="{escape(alt)}" src="data:image/png;base64,{image}">{below}</figure>'


def _table(caption: str, heads: Sequence[str], rows: Sequence[Sequence[str]], *, text: bool = False) -> str:
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in heads)
    first, rest = '<th scope="row">{}</th>', f"<td{' class=text' if text else ''}>{{}}</td>"
    body = "\n".join(
        "<tr>" + first.format(escape(row[0])) + "".join(rest.format(escape(cell)) for cell in row[1:]) + "</tr>"
        for row in rows
    )
    top = f"<caption>{escape(caption)}</caption>" if caption else ""
    heading = f"<thead><tr>{head}</tr></thead>" if any(heads) else ""
    return f'<div class="wide"><table>{top}{heading}<tbody>\n{body}\n</tbody></table></div>'
