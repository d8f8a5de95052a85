"""What the clusters are: their markers, which of them touch, and whether the gene programs mean anything. Lesson 09."""

from scrcl_edu.interpretation.markers import PBMC_MARKERS, gene_set_scores, marker_genes, paga
from scrcl_edu.interpretation.programs import (
    GenePrograms,
    agreement_figure,
    gene_programs,
    gene_set_agreement,
    program_agreement,
    program_loadings,
    summarize_agreement,
)

__all__ = [
    "PBMC_MARKERS",
    "GenePrograms",
    "agreement_figure",
    "gene_programs",
    "gene_set_agreement",
    "gene_set_scores",
    "marker_genes",
    "paga",
    "program_agreement",
    "program_loadings",
    "summarize_agreement",
]
