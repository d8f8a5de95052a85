"""The evidence: datasets x methods x seeds, and what the authors' released results are worth. Lesson 11 builds on it.

`methods` runs one method once, `running` the whole grid, `released` scores what the authors released, `storing` keeps
results as JSON, `margins` compares methods set by set, `tables` and `figures` make the lessons' tables and figures.
"""

from scrcl_edu.evidence.figures import margins_figure, methods_figure, paper_figure, starts_figure
from scrcl_edu.evidence.margins import Margin, differences, margin, sentence
from scrcl_edu.evidence.methods import BASELINES, MEMBERS
from scrcl_edu.evidence.released import (
    released_labels,
    score_released,
    score_starts,
    starts_of,
    store_released,
    summarize_starts,
)
from scrcl_edu.evidence.running import IncompleteError, benchmark
from scrcl_edu.evidence.storing import read_results
from scrcl_edu.evidence.tables import TABLES, as_text, results_table

__all__ = [
    "BASELINES",
    "MEMBERS",
    "TABLES",
    "IncompleteError",
    "Margin",
    "as_text",
    "benchmark",
    "differences",
    "margin",
    "margins_figure",
    "methods_figure",
    "paper_figure",
    "read_results",
    "released_labels",
    "results_table",
    "score_released",
    "score_starts",
    "sentence",
    "starts_figure",
    "starts_of",
    "store_released",
    "summarize_starts",
]
