"""One page about a fit that can be sent to a colleague: figures, markers, how sure it is, and what to doubt."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scrcl_edu import plotting
from scrcl_edu.fitting import clustered

if TYPE_CHECKING:
    from anndata import AnnData
    from matplotlib.figure import Figure


def overview(adata: AnnData, labels: str | None = None, *, key: str = "scrcl") -> Figure:
    """Draw the cells by cluster and, beside it, by label: where they lie in the tissue, or in two components.

    Parameters
    ----------
    adata
        After a fit under `key`.
    labels
        Column of `obs`; None draws the clusters alone.
    key
        Name of the result.

    Returns
    -------
    The figure, not shown yet.
    """
    import matplotlib.pyplot as plt

    groups = [key, labels] if labels else [key]
    in_tissue = adata.uns[key]["recipe"]["task"] == "spatial"
    figure, axes = plt.subplots(1, len(groups), figsize=(6 * len(groups), 5), layout="constrained", squeeze=False)
    for place, group in zip(axes[0], groups, strict=True):
        title = "clusters" if group == key else group
        if in_tissue:
            plotting.spatial(adata.obsm["spatial"], adata.obs[group], title=title, axes=place)
        else:  # the names of classes are long and go beside the picture
            plotting.embedding(clustered(adata, key), adata.obs[group], title=title, axes=place, names=group == key)
    return figure
