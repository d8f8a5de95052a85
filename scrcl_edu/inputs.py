"""From a preprocessed AnnData to what training reads: the two graphs, the model with its first weights, its inputs."""

from __future__ import annotations

import hashlib
import json
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp
import torch

from scrcl_edu.errors import DataError, SettingsError
from scrcl_edu.graphs import cell_graph, gene_graph, low_pass, spatial_graph
from scrcl_edu.model import Inputs, ScRCL
from scrcl_edu.parts import Parts, aligned, features_of, graph_of, refined
from scrcl_edu.preprocessing import encoder_features
from scrcl_edu.recipes import Recipe
from scrcl_edu.saving import genes_of

if TYPE_CHECKING:
    from anndata import AnnData

LARGEST_VIEW = 2**32  # bytes of filtered features of one view, above which they are never formed


def graph_names(key: str = "scrcl") -> tuple[str, str]:
    """Where the cell graph (in `obsp`) and the gene graph (in `varp`) of a fit lie."""
    return ("cell_graph", "gene_graph") if key == "scrcl" else (f"{key}_cell_graph", f"{key}_gene_graph")


def read_features(adata: AnnData, settings: Recipe, parts: Parts | None = None) -> np.ndarray | sp.csr_matrix:
    """What the encoders read: the recipe's form of the values, or what a part makes of the counts."""
    if parts is None or parts.input is None:
        return encoder_features(adata, settings.features)
    return features_of(parts.input, sp.csr_matrix(encoder_features(adata, "counts")))


def add_graphs(
    adata: AnnData,
    settings: Recipe,
    features: np.ndarray | sp.csr_matrix,
    *,
    seed: int = 0,
    key: str = "scrcl",
    parts: Parts | None = None,
) -> tuple[str, str]:
    """Put the cell graph and the gene graph (empty rows for genes not used) into a preprocessed AnnData.

    Returns
    -------
    Their names in `obsp` and `varp`, see :func:`graph_names`.
    """
    cell_key, gene_key = graph_names(key)
    chosen = np.flatnonzero(adata.var["highly_variable"].to_numpy())
    fewest = settings.n_neighbors + (settings.task == "spatial")
    if adata.n_obs < fewest:
        raise SettingsError(
            f"recipe {settings.name!r} needs at least {fewest} cells for its {settings.n_neighbors} neighbors, "
            f"but there are {adata.n_obs}; bring more cells, or lower n_neighbors (--n-neighbors)"
        )
    if settings.task == "spatial":
        if "spatial" not in adata.obsm:
            raise DataError(
                f"recipe {settings.name!r} needs coordinates in obsm['spatial'], which is missing; "
                "add them, or use a recipe for scRNA-seq such as 'robust'"
            )
        graph = spatial_graph(adata.obsm["spatial"], n_neighbors=settings.n_neighbors)
    elif parts is not None and parts.graph is not None:
        graph = graph_of(parts.graph, sp.csr_matrix(adata.X[:, chosen]), settings.n_neighbors)
    else:
        graph = cell_graph(
            adata.X[:, chosen],
            n_neighbors=settings.n_neighbors,
            n_components=settings.graph_components,
            seed=seed,
        )
    adata.obsp[cell_key] = graph
    same = settings.gene_graph_features == settings.features and (parts is None or parts.input is None)
    profiles = features if same else encoder_features(adata, settings.gene_graph_features)
    small = gene_graph(profiles, n_neighbors=min(settings.n_gene_neighbors, chosen.size)).tocoo()
    adata.varp[gene_key] = sp.csr_matrix(
        (small.data, (chosen[small.row], chosen[small.col])), shape=(adata.n_vars, adata.n_vars)
    )
    return cell_key, gene_key


def build(
    adata: AnnData,
    settings: Recipe,
    features: np.ndarray | sp.csr_matrix,
    *,
    n_clusters: int,
    seed: int = 0,
    device: str | torch.device = "cpu",
    key: str = "scrcl",
    parts: Parts | None = None,
) -> tuple[ScRCL, Inputs]:
    """The model with its first weights, and the filtered features and graphs that it reads."""
    chosen = adata.var["highly_variable"].to_numpy()
    cell_key, gene_key = graph_names(key)
    graph, (steps_1, steps_2) = adata.obsp[cell_key], settings.filter_steps
    genes = adata.varp[gene_key][chosen][:, chosen]
    if sp.issparse(features) and 4.0 * np.prod(features.shape, dtype=float) > LARGEST_VIEW:
        inputs = Inputs.chained(features, settings.filter_steps, graph, genes, device=device)
    else:
        view_2 = low_pass(features, graph, steps_2)
        further = steps_1 >= steps_2
        view_1 = low_pass(view_2, graph, steps_1 - steps_2) if further else low_pass(features, graph, steps_1)
        inputs = Inputs.build(view_1, view_2, graph, genes, device=device)
    own: dict[str, Any] = {}
    if parts is not None and parts.alignment is not None:
        own |= {"align": partial(aligned, parts.alignment), "weight_distribution": 1.0, "weight_neighborhood": 0.0}
    if parts is not None and parts.refinement is not None:
        own["refine_cells"] = partial(refined, parts.refinement)
    weights = {
        name: getattr(settings, name) for name in ("weight_distribution", "weight_neighborhood", "weight_consistency")
    }
    torch.manual_seed(seed)
    model = ScRCL(
        *features.shape,
        n_hidden=settings.n_hidden,
        out_dim=settings.out_dim or n_clusters,
        dropout=settings.dropout,
        temperature=settings.temperature,
        **(weights | own),
    )
    return model.to(device), inputs


def identity_of(
    adata: AnnData, settings: Recipe, features: np.ndarray | sp.csr_matrix, *, n_clusters: int, seed: int, key: str
) -> dict[str, str]:
    """What a checkpoint must agree on to be continued."""
    cell_key, gene_key = graph_names(key)
    identity = {name: json.dumps(value) for name, value in settings.as_dict().items()}
    identity |= {"n_clusters": str(n_clusters), "seed": str(seed)}
    return identity | {"data": digest(features, adata.obsp[cell_key], adata.varp[gene_key])}


def of_fit(adata: AnnData, key: str) -> tuple[AnnData, Recipe]:
    """The values, genes and graphs that a fit used, not copied, and its settings."""
    import pandas as pd
    from anndata import AnnData

    names = graph_names(key)
    var = pd.DataFrame({"highly_variable": genes_of(adata, key)}, index=adata.var_names)
    light = AnnData(adata.X, obs=pd.DataFrame(index=adata.obs_names), var=var)
    if "counts" in adata.layers:
        light.layers["counts"] = adata.layers["counts"]
    if "spatial" in adata.obsm:
        light.obsm["spatial"] = np.asarray(adata.obsm["spatial"])
    light.obsp[names[0]], light.varp[names[1]] = adata.obsp[names[0]], adata.varp[names[1]]
    return light, Recipe.from_dict(adata.uns[key]["recipe"])


def digest(*matrices: np.ndarray | sp.csr_matrix) -> str:
    """A short fingerprint of what training reads."""
    state = hashlib.blake2b(digest_size=8)
    for values in matrices:
        for part in (values,) if isinstance(values, np.ndarray) else (values.data, values.indices, values.indptr):
            state.update(np.ascontiguousarray(part).data)
    return state.hexdigest()
