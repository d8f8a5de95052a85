"""The evidence: datasets x methods x seeds, and what the authors' released results are worth. Lesson 11 builds on it.

`methods` runs one method once, `running` the whole grid, `released` scores what the authors released, `storing` keeps
results as JSON, `tables` and `figures` make the lessons' tables and figures from them.
"""

from scrcl_edu.benchmarking.figures import methods_figure, paper_figure, starts_figure
from scrcl_edu.benchmarking.methods import BASELINES
from scrcl_edu.benchmarking.released import (
    released_labels,
    score_released,
    score_starts,
    starts_of,
    store_released,
    summarize_starts,
)
from scrcl_edu.benchmarking.running import IncompleteError, benchmark
from scrcl_edu.benchmarking.storing import read_results
from scrcl_edu.benchmarking.tables import TABLES, as_text, results_table

__all__ = [
    "BASELINES",
    "TABLES",
    "IncompleteError",
    "as_text",
    "benchmark",
    "methods_figure",
    "paper_figure",
    "read_results",
    "released_labels",
    "results_table",
    "score_released",
    "score_starts",
    "starts_figure",
    "starts_of",
    "store_released",
    "summarize_starts",
]
